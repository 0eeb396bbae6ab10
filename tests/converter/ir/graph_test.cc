// Graph surgery, and that Verify sees each invariant broken.
#include "converter/ir/graph.h"

#include "tests/converter/support.h"

namespace fovea::testing {
namespace {

// x -> relu -> add constant -> y
ir::Graph Sample() {
  ir::Graph graph;
  Builder b(&graph);
  const ValueId x = OpenImage(&b, 2);
  b.SetSource("relu_1", "Relu");
  const ValueId r = Must(b.Unary(UnaryFn::kRelu, x));
  b.SetSource("add_1", "Add");
  b.Output("y",
           Must(b.Binary(BinaryFn::kAdd, r, b.Constant("c", DType::kFloat32, {2, 1, 1}, std::vector<float>{1, 2}))));
  return graph;
}

TEST(Graph, ConsumersAndOutputs) {
  ir::Graph graph = Sample();
  const auto consumers = graph.Consumers();
  const ValueId x = graph.inputs[0].value, r = graph.nodes[0].output, y = graph.nodes[1].output;
  EXPECT_EQ(consumers[static_cast<size_t>(x)], std::vector<int>{0});
  EXPECT_EQ(consumers[static_cast<size_t>(r)], std::vector<int>{1});
  EXPECT_TRUE(consumers[static_cast<size_t>(y)].empty());
  EXPECT_TRUE(graph.IsGraphOutput(y));
  EXPECT_FALSE(graph.IsGraphOutput(r));
}

TEST(Graph, ReplaceAndCompact) {
  ir::Graph graph = Sample();
  const ValueId r = graph.nodes[0].output;
  graph.nodes[1].removed = true;
  graph.ReplaceUses(graph.nodes[1].output, r);
  graph.Compact();
  Must(ir::Verify(graph));
  EXPECT_EQ(graph.nodes.size(), 1u);
  EXPECT_EQ(graph.values.size(), 2u);  // the constant is gone too
  EXPECT_EQ(graph.outputs[0].value, graph.nodes[0].output);
}

TEST(Graph, CompactRestoresOrder) {
  ir::Graph graph = Sample();
  std::swap(graph.nodes[0], graph.nodes[1]);
  EXPECT_FALSE(ir::Verify(graph).ok());
  graph.Compact();
  Must(ir::Verify(graph));
  EXPECT_EQ(graph.nodes[0].name, "relu_1");
}

TEST(Graph, TextNamesEveryNode) {
  const std::string text = Sample().ToString();
  EXPECT_NE(text.find("relu_1"), std::string::npos);
  EXPECT_NE(text.find("add_1"), std::string::npos);
  EXPECT_NE(text.find("fn=relu"), std::string::npos);
  EXPECT_NE(text.find("input 'x'"), std::string::npos);
}

void ExpectBroken(const ir::Graph& graph, const std::string& mentions) {
  const Status status = ir::Verify(graph);
  ASSERT_FALSE(status.ok()) << "should mention " << mentions;
  EXPECT_NE(status.message().find(mentions), std::string::npos) << status.message();
}

TEST(Verify, AcceptsTheSample) { Must(ir::Verify(Sample())); }

TEST(Verify, InputOutOfRange) {
  ir::Graph graph = Sample();
  graph.nodes[1].inputs[0] = 99;
  ExpectBroken(graph, "add_1");
}
TEST(Verify, TwoProducers) {
  ir::Graph graph = Sample();
  graph.nodes[1].output = graph.nodes[0].output;
  ExpectBroken(graph, "add_1");
}
TEST(Verify, WrongProducer) {
  ir::Graph graph = Sample();
  graph.values[static_cast<size_t>(graph.nodes[1].output)].producer = 0;
  ExpectBroken(graph, "add_1");
}
TEST(Verify, ReadBeforeProduced) {
  ir::Graph graph = Sample();
  graph.nodes[0].inputs[0] = graph.nodes[1].output;
  ExpectBroken(graph, "relu_1");
}
TEST(Verify, DimsDiffer) {
  ir::Graph graph = Sample();
  graph.values[static_cast<size_t>(graph.nodes[0].output)].dims[1] = 3;
  ExpectBroken(graph, "relu_1");
}
TEST(Verify, ConstantTooSmall) {
  ir::Graph graph = Sample();
  for (ir::Value& value : graph.values) {
    if (value.is_const()) value.constant = std::make_shared<const std::vector<float>>(1, 0.0f);
  }
  ExpectBroken(graph, "'c'");
}
TEST(Verify, PortIsNoPermutation) {
  ir::Graph graph = Sample();
  graph.inputs[0].source_axes = {0, 1, 2, 2};
  ExpectBroken(graph, "'x'");
  graph = Sample();
  graph.outputs[0].source_axes = {0, 1, 2};
  ExpectBroken(graph, "'y'");
}
TEST(Verify, OutputNeverProduced) {
  ir::Graph graph = Sample();
  graph.values.push_back(graph.values[static_cast<size_t>(graph.outputs[0].value)]);
  graph.outputs[0].value = static_cast<ValueId>(graph.values.size() - 1);
  ExpectBroken(graph, "'y'");
}
TEST(Verify, RemovedNodeLeft) {
  ir::Graph graph = Sample();
  graph.nodes[0].removed = true;
  ExpectBroken(graph, "relu_1");
}

TEST(Builder, SmallConstantArithmeticFolds) {
  ir::Graph graph;
  Builder b(&graph);
  const ValueId a = b.Constant("a", DType::kFloat32, {2, 1}, std::vector<float>{1, 2});
  const ValueId c = b.Constant("c", DType::kFloat32, {3}, std::vector<float>{0.5f, 0.25f, -1});
  const ValueId product = Must(b.Binary(BinaryFn::kMul, a, c));
  EXPECT_TRUE(graph.nodes.empty());
  EXPECT_EQ(*b.ConstFloats(product), (std::vector<float>{0.5f, 0.25f, -1, 1, 0.5f, -2}));
  EXPECT_TRUE(b.dims(product)[0] == DimExpr(2));
}

TEST(Builder, ErrorsNameTheNode) {
  ir::Graph graph;
  Builder b(&graph);
  const ValueId x = b.Input("x", DType::kFloat32, {2, 3});
  b.SetSource("bad_reshape", "Reshape");
  const Result<ValueId> y = b.Reshape(x, {5});
  ASSERT_FALSE(y.ok());
  EXPECT_NE(y.status().message().find("bad_reshape"), std::string::npos) << y.status().message();
}

TEST(Builder, ResultTypes) {
  ir::Graph graph;
  Builder b(&graph);
  const ValueId x = OpenImage(&b, 1);
  EXPECT_EQ(b.value(Must(b.Binary(BinaryFn::kLess, x, b.Scalar(0)))).dtype, DType::kBool);
  EXPECT_EQ(b.value(Must(b.Cast(x, DType::kUInt8))).dtype, DType::kUInt8);
  EXPECT_EQ(b.value(Must(b.Add(ArgReduceParams{1}, {x}))).dtype, DType::kInt64);
  EXPECT_EQ(b.value(Must(b.Unary(UnaryFn::kRelu, x))).dtype, DType::kFloat32);
}

}  // namespace
}  // namespace fovea::testing
