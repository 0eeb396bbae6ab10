// Functions inlined, on graphs written by hand.
#include "converter/saved_model/flatten.h"

#include <gtest/gtest.h>

#include "converter/saved_model/interface.h"
#include "converter/saved_model/tensor.h"
#include "tests/converter/saved_model/support.h"

namespace fovea {
namespace {

using converter::Flattener;
using converter::Options;
using converter::TfGraph;
using converter::TfNode;
using testing::AddFunction;
using testing::AddNode;
using testing::Attr;
using testing::Evaluate;
using testing::FindNode;
using testing::SetFunction;

// The graph from Placeholder "x" to `outputs`.
Result<TfGraph> Flat(tfproto::GraphDef graph, const std::vector<std::string>& outputs, const Options& options = {},
                     const tfproto::OpList* ops = nullptr) {
  FOVEA_ASSIGN_OR_RETURN(const std::unique_ptr<Flattener> flattener, Flattener::Create(&graph, ops, options));
  converter::Interface interface;
  interface.inputs.push_back({"x", "x:0", converter::kTfFloat, nullptr});
  for (const std::string& output : outputs) interface.outputs.push_back({output, output, converter::kTfFloat, nullptr});
  TfGraph out;
  FOVEA_RETURN_IF_ERROR(converter::Flatten(interface, flattener.get(), &out));
  out.nodes = std::move(flattener->nodes());
  return out;
}

tfproto::GraphDef WithInput() {
  tfproto::GraphDef graph;
  Attr(AddNode(&graph, "x", "Placeholder", {}), "dtype").set_type(converter::kTfFloat);
  return graph;
}

// A function of one operator: f(a) = op(a).
void AddUnary(tfproto::GraphDef* graph, const std::string& name, const std::string& op) {
  AddNode(&AddFunction(graph, name, {"a"}, {{"r", "node:y:0"}}), "node", op, {"a"});
}

TEST(Flatten, OnlyWhatTheOutputsNeedInTheirNames) {
  tfproto::GraphDef graph = WithInput();
  AddNode(&graph, "y", "Neg", {"x", "^train"});
  AddNode(&graph, "train", "ApplyAdam", {"y"});
  const auto flat = Flat(graph, {"y"});
  ASSERT_TRUE(flat.ok()) << flat.status().message();
  EXPECT_EQ(flat->nodes.size(), 2u);
  EXPECT_EQ(FindNode(*flat, "y")->inputs, std::vector<std::string>{"x:0"});
  EXPECT_EQ(flat->outputs[0].tensor, "y:0");
}

TEST(Flatten, OneFunctionCalledTwiceBecomesTwoCopies) {
  tfproto::GraphDef graph = WithInput();
  // f(a) = a * k with k = 3, so f(f(x)) = 9 x.
  tfproto::FunctionDef& f = AddFunction(&graph, "f", {"a"}, {{"r", "mul:z:0"}});
  testing::SetFloats(AddNode(&f, "k", "Const", {}), {}, {3});
  AddNode(&f, "mul", "Mul", {"a", "k:output:0"});
  SetFunction(AddNode(&graph, "one", "PartitionedCall", {"x"}), "f", "f");
  SetFunction(AddNode(&graph, "two", "StatefulPartitionedCall", {"one"}), "f", "f");
  const auto flat = Flat(graph, {"two:0"});
  ASSERT_TRUE(flat.ok()) << flat.status().message();
  EXPECT_EQ(Evaluate(*flat, flat->outputs[0].tensor, 2), 18);
  ASSERT_NE(FindNode(*flat, "one/k"), nullptr);
  ASSERT_NE(FindNode(*flat, "two/k"), nullptr);
  const auto data = [&](const char* name) {
    return std::get<converter::TfTensor>(FindNode(*flat, name)->attrs.at("value")).data;
  };
  EXPECT_EQ(data("one/k"), data("two/k")) << "one copy of the numbers";
}

TEST(Flatten, SeveralResultsNestedCallsAndArgumentsPassedThrough) {
  tfproto::GraphDef graph = WithInput();
  AddUnary(&graph, "negate", "Neg");
  tfproto::FunctionDef& f =
      AddFunction(&graph, "f", {"p", "q"}, {{"first", "q"}, {"second", "call:output:0"}, {"third", "sum:z:0"}});
  SetFunction(AddNode(&f, "call", "PartitionedCall", {"p"}), "f", "negate");
  AddNode(&f, "sum", "AddV2", {"p", "q:0"});
  testing::SetFloats(AddNode(&graph, "c", "Const", {}), {}, {10});
  SetFunction(AddNode(&graph, "call", "PartitionedCall", {"x", "c"}), "f", "f");
  const auto flat = Flat(graph, {"call", "call:1", "call:2"});
  ASSERT_TRUE(flat.ok()) << flat.status().message();
  EXPECT_EQ(flat->outputs[0].tensor, "c:0");
  EXPECT_EQ(Evaluate(*flat, flat->outputs[1].tensor, 4), -4);
  EXPECT_EQ(Evaluate(*flat, flat->outputs[2].tensor, 4), 14);
  EXPECT_EQ(flat->outputs[1].tensor, "call/call/node:0");
}

TEST(Flatten, FunctionsCalledByName) {
  tfproto::GraphDef graph = WithInput();
  AddUnary(&graph, "negate", "Neg");
  tfproto::FunctionDef& f = AddFunction(&graph, "pair", {"a"}, {{"same", "a"}, {"negative", "n:r:0"}});
  AddNode(&f, "n", "negate", {"a"});
  tfproto::FunctionDef& g = AddFunction(&graph, "user", {"a"}, {{"r", "p:negative:0"}});
  AddNode(&g, "p", "pair", {"a"});
  AddNode(&graph, "call", "user", {"x"});
  const auto flat = Flat(graph, {"call"});
  ASSERT_TRUE(flat.ok()) << flat.status().message();
  EXPECT_EQ(Evaluate(*flat, flat->outputs[0].tensor, 5), -5);
}

TEST(Flatten, AttributesBoundByTheCall) {
  tfproto::GraphDef graph = WithInput();
  tfproto::FunctionDef& f = AddFunction(&graph, "f", {"a"}, {{"r", "n:y:0"}});
  tfproto::NodeDef& node = AddNode(&f, "n", "LeakyRelu", {"a"});
  Attr(node, "alpha").set_placeholder("slope");
  tfproto::NodeDef& call = AddNode(&graph, "call", "PartitionedCall", {"x"});
  tfproto::NameAttrList* callee = Attr(call, "f").mutable_func();
  callee->set_name("f");
  tfproto::AttrEntry* slope = callee->add_attr();
  slope->set_key("slope");
  slope->mutable_value()->set_f(0.25f);
  const auto flat = Flat(graph, {"call"});
  ASSERT_TRUE(flat.ok()) << flat.status().message();
  EXPECT_EQ(std::get<float>(FindNode(*flat, "call/n")->attrs.at("alpha")), 0.25f);
  Attr(*graph.mutable_node(1), "f").mutable_func()->clear_attr();
  EXPECT_EQ(Flat(graph, {"call"}).status().code(), StatusCode::kCorruptFile);
}

TEST(Flatten, NamedOutputsOfOperators) {
  tfproto::GraphDef graph = WithInput();
  tfproto::FunctionDef& f =
      AddFunction(&graph, "f", {"a"}, {{"r0", "s:output:1"}, {"r1", "b:batch_variance:0"}, {"r2", "t:late:1"}});
  AddNode(&f, "s", "Split", {"a", "a"});
  AddNode(&f, "b", "FusedBatchNormV3", {"a", "a", "a", "a", "a"});
  tfproto::NodeDef& t = AddNode(&f, "t", "TwoLists", {"a"});
  Attr(t, "N").set_i(3);
  SetFunction(AddNode(&graph, "call", "PartitionedCall", {"x"}), "f", "f");
  tfproto::OpList ops;
  tfproto::OpDef* op = ops.add_op();
  op->set_name("TwoLists");
  op->add_output_arg()->set_name("early");
  op->mutable_output_arg(0)->set_number_attr("N");
  op->add_output_arg()->set_name("late");
  const auto flat = Flat(graph, {"call:0", "call:1", "call:2"}, {}, &ops);
  ASSERT_TRUE(flat.ok()) << flat.status().message();
  EXPECT_EQ(flat->outputs[0].tensor, "call/s:1");
  EXPECT_EQ(flat->outputs[1].tensor, "call/b:2");
  EXPECT_EQ(flat->outputs[2].tensor, "call/t:4");
}

TEST(Flatten, VariablesReadThroughCallsAreConstants) {
  tfproto::GraphDef graph = WithInput();
  tfproto::FunctionDef& f = AddFunction(&graph, "f", {"a", "v"}, {{"r", "mul:z:0"}});
  AddNode(&f, "same", "Identity", {"v"});
  Attr(AddNode(&f, "read", "ReadVariableOp", {"same:output:0"}), "dtype").set_type(converter::kTfFloat);
  AddNode(&f, "mul", "Mul", {"a", "read:value:0"});
  AddNode(&graph, "w", "VarHandleOp", {});
  SetFunction(AddNode(&graph, "call", "PartitionedCall", {"x", "w"}), "f", "f");
  const auto flat = Flat(graph, {"call"});
  ASSERT_TRUE(flat.ok()) << flat.status().message();
  EXPECT_EQ(FindNode(*flat, "w")->op, "Const");
  EXPECT_EQ(FindNode(*flat, "call/read")->op, "Identity");
  EXPECT_EQ(FindNode(*flat, "call/same")->inputs, std::vector<std::string>{"w:0"});
  EXPECT_EQ(std::get<converter::TfType>(FindNode(*flat, "call/read")->attrs.at("T")), DType::kFloat32);
}

// y = -x when the condition holds, else y = x * 5.
tfproto::GraphDef Branches(const std::string& op, const std::string& condition) {
  tfproto::GraphDef graph = WithInput();
  AddUnary(&graph, "negate", "Neg");
  tfproto::FunctionDef& f = AddFunction(&graph, "times", {"a"}, {{"r", "mul:z:0"}});
  testing::SetFloats(AddNode(&f, "k", "Const", {}), {}, {5});
  AddNode(&f, "mul", "Mul", {"a", "k:output:0"});
  tfproto::NodeDef& branch = AddNode(&graph, "y", op, {condition, "x"});
  SetFunction(branch, "then_branch", "negate");
  SetFunction(branch, "else_branch", "times");
  return graph;
}

TEST(Flatten, ConditionsThatAreKnown) {
  for (const char* op : {"If", "StatelessIf"}) {
    for (const bool value : {false, true}) {
      tfproto::GraphDef graph = Branches(op, "not");
      testing::SetBool(AddNode(&graph, "c", "Const", {}), value);
      AddNode(&graph, "default", "PlaceholderWithDefault", {"c"});
      AddNode(&graph, "not", "LogicalNot", {"default"});
      const auto flat = Flat(graph, {"y"});
      ASSERT_TRUE(flat.ok()) << flat.status().message();
      EXPECT_EQ(Evaluate(*flat, flat->outputs[0].tensor, 2), value ? 10 : -2);
      Options options;
      options.set.push_back({"default", DType::kBool, {}, {value ? 0.0f : 1.0f}});
      const auto set = Flat(graph, {"y"}, options);
      ASSERT_TRUE(set.ok()) << set.status().message();
      EXPECT_EQ(Evaluate(*set, set->outputs[0].tensor, 2), value ? -2 : 10);
    }
  }
  for (const char* op : {"Placeholder", "PlaceholderWithDefault"}) {
    for (const char* name : {"keras_learning_phase", "model/is_training"}) {
      tfproto::GraphDef learning = Branches("If", name);
      testing::SetBool(AddNode(&learning, "c", "Const", {}), true);
      tfproto::NodeDef& flag = AddNode(&learning, name, op, {});
      if (flag.op() != "Placeholder") flag.add_input("c");
      const auto flat = Flat(learning, {"y"});
      ASSERT_TRUE(flat.ok());
      EXPECT_EQ(Evaluate(*flat, flat->outputs[0].tensor, 2), 10);
    }
  }
}

TEST(Flatten, ConditionsOnInputsStayForTheReport) {
  tfproto::GraphDef graph = Branches("If", "positive");
  AddNode(&graph, "positive", "Greater", {"x", "x"});
  const auto flat = Flat(graph, {"y"});
  ASSERT_TRUE(flat.ok()) << flat.status().message();
  EXPECT_EQ(FindNode(*flat, "y")->op, "If");
}

TEST(Flatten, FedTensorsCutTheGraph) {
  tfproto::GraphDef graph;
  AddNode(&graph, "pipeline", "IteratorGetNext", {"iterator"});
  AddNode(&graph, "x", "PlaceholderWithDefault", {"pipeline"});
  AddNode(&graph, "y", "Neg", {"x"});
  const auto flat = Flat(graph, {"y"});
  ASSERT_TRUE(flat.ok()) << flat.status().message();
  EXPECT_EQ(FindNode(*flat, "x")->op, "Placeholder");
  EXPECT_TRUE(FindNode(*flat, "x")->inputs.empty());
  EXPECT_EQ(flat->nodes.size(), 2u);
}

StatusCode CodeOf(const tfproto::GraphDef& graph, const std::string& output = "y") {
  const auto flat = Flat(graph, {output});
  if (!flat.ok()) {
    EXPECT_EQ(flat.status().message().find('\n'), std::string::npos) << "one sentence";
  }
  return flat.status().code();
}

TEST(Flatten, HostileGraphsAreRefused) {
  {
    tfproto::GraphDef graph = WithInput();  // a function that calls itself
    tfproto::FunctionDef& f = AddFunction(&graph, "f", {"a"}, {{"r", "again:output:0"}});
    SetFunction(AddNode(&f, "again", "PartitionedCall", {"a"}), "f", "f");
    SetFunction(AddNode(&graph, "y", "PartitionedCall", {"x"}), "f", "f");
    EXPECT_EQ(CodeOf(graph), StatusCode::kCorruptFile);
  }
  {
    tfproto::GraphDef graph = WithInput();  // two that call each other
    for (const char* name : {"f", "g"}) {
      tfproto::FunctionDef& f = AddFunction(&graph, name, {"a"}, {{"r", "other:output:0"}});
      SetFunction(AddNode(&f, "other", "PartitionedCall", {"a"}), "f", name[0] == 'f' ? "g" : "f");
    }
    SetFunction(AddNode(&graph, "y", "PartitionedCall", {"x"}), "f", "f");
    EXPECT_EQ(CodeOf(graph), StatusCode::kCorruptFile);
  }
  {
    tfproto::GraphDef graph = WithInput();  // calls that pass each other's results around in a circle
    AddFunction(&graph, "same", {"a"}, {{"r", "a"}});
    SetFunction(AddNode(&graph, "y", "PartitionedCall", {"z"}), "f", "same");
    SetFunction(AddNode(&graph, "z", "PartitionedCall", {"y"}), "f", "same");
    EXPECT_EQ(CodeOf(graph), StatusCode::kCorruptFile);
  }
  {
    tfproto::GraphDef graph = WithInput();  // 2^30 copies
    AddUnary(&graph, "f0", "Neg");
    for (int i = 1; i <= 30; ++i) {
      const std::string below = "f" + std::to_string(i - 1);
      tfproto::FunctionDef& f = AddFunction(&graph, "f" + std::to_string(i), {"a"}, {{"r", "sum:z:0"}});
      SetFunction(AddNode(&f, "p", "PartitionedCall", {"a"}), "f", below);
      SetFunction(AddNode(&f, "q", "PartitionedCall", {"a"}), "f", below);
      AddNode(&f, "sum", "AddV2", {"p:output:0", "q:output:0"});
    }
    SetFunction(AddNode(&graph, "y", "PartitionedCall", {"x"}), "f", "f30");
    EXPECT_EQ(CodeOf(graph), StatusCode::kCorruptFile);
  }
  {
    tfproto::GraphDef graph = WithInput();  // conditions that decide each other
    AddUnary(&graph, "f", "Identity");
    for (const char* name : {"y", "z"}) {
      tfproto::NodeDef& node = AddNode(&graph, name, "If", {name[0] == 'y' ? "z" : "y", "x"});
      SetFunction(node, "then_branch", "f");
      SetFunction(node, "else_branch", "f");
    }
    EXPECT_EQ(CodeOf(graph), StatusCode::kOk);  // they stay as they are, for the importer to refuse
  }
  {
    tfproto::GraphDef graph = WithInput();  // a chain of conditions as deep as the file is long
    AddFunction(&graph, "same", {"a"}, {{"r", "a"}});
    testing::SetBool(AddNode(&graph, "c0", "Const", {}), true);
    for (int i = 1; i < 20'000; ++i) {
      const std::string below = "c" + std::to_string(i - 1);
      tfproto::NodeDef& node = AddNode(&graph, "c" + std::to_string(i), "If", {below, below});
      SetFunction(node, "then_branch", "same");
      SetFunction(node, "else_branch", "same");
    }
    EXPECT_EQ(CodeOf(graph, "c19999"), StatusCode::kCorruptFile);
  }
  {
    tfproto::GraphDef graph = WithInput();
    AddNode(&graph, "y", "Neg", {"nowhere"});
    EXPECT_EQ(CodeOf(graph), StatusCode::kCorruptFile);
    graph.mutable_node(1)->set_input(0, "x:99999999999999999999");
    EXPECT_EQ(CodeOf(graph), StatusCode::kCorruptFile);
    SetFunction(*graph.mutable_node(1), "f", "nowhere");
    graph.mutable_node(1)->set_op("PartitionedCall");
    EXPECT_EQ(CodeOf(graph), StatusCode::kCorruptFile);
    AddFunction(&graph, "nowhere", {"a", "b"}, {{"r", "b"}});  // called with one tensor
    EXPECT_EQ(CodeOf(graph), StatusCode::kCorruptFile);
    EXPECT_EQ(CodeOf(graph, "y:1"), StatusCode::kCorruptFile);
    AddNode(&graph, "y", "Neg", {"x"});
    EXPECT_EQ(CodeOf(graph), StatusCode::kCorruptFile);  // two nodes of one name
  }
}

TEST(Flatten, ALongGraphNeedsNoDeepStack) {
  tfproto::GraphDef graph = WithInput();
  std::string last = "x";
  for (int i = 0; i < 200'000; ++i) {
    const std::string name = "n" + std::to_string(i);
    AddNode(&graph, name, "Neg", {last});
    last = name;
  }
  const auto flat = Flat(graph, {last});
  ASSERT_TRUE(flat.ok()) << flat.status().message();
  EXPECT_EQ(flat->nodes.size(), 200'001u);
}

}  // namespace
}  // namespace fovea
