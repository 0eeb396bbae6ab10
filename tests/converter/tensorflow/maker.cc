#include "tests/converter/tensorflow/maker.h"

#include "converter/passes/pipeline.h"
#include "runtime/include/fovea/session.h"

namespace fovea::testing {

std::string TfMaker::Add(TfNode node) {
  if (node.name.empty()) node.name = node.op + "_" + std::to_string(next_++);
  graph.nodes.push_back(std::move(node));
  return graph.nodes.back().name;
}

std::string TfMaker::Placeholder(const std::string& name, Ints dims, DType dtype) {
  return Add({name, "Placeholder", {}, {{"dtype", TfType(dtype)}, {"shape", TfShape{true, std::move(dims)}}}});
}

std::string TfMaker::Input(const std::string& name, Ints dims, DType dtype) {
  graph.inputs.push_back({name, name + ":0", dtype, {true, dims}});
  return Placeholder(name, std::move(dims), dtype);
}

std::string TfMaker::Floats(Ints dims, std::vector<float> data) {
  TfTensor t;
  t.dims = std::move(dims);
  t.data = std::make_shared<const std::vector<float>>(std::move(data));
  return Add({"", "Const", {}, {{"value", t}, {"dtype", TfType(DType::kFloat32)}}});
}

std::string TfMaker::Integers(Ints dims, std::vector<int64_t> data) {
  TfTensor t;
  t.dtype = DType::kInt32;
  t.dims = std::move(dims);
  t.data = std::make_shared<const std::vector<float>>(data.begin(), data.end());
  t.integers = std::move(data);
  return Add({"", "Const", {}, {{"value", t}, {"dtype", TfType(DType::kInt32)}}});
}

std::string TfMaker::Integers(std::vector<int64_t> data) {
  const int64_t count = static_cast<int64_t>(data.size());
  return Integers(Ints{count}, std::move(data));
}

std::string TfMaker::Truth(bool value) {
  TfTensor t;
  t.dtype = DType::kBool;
  t.data = std::make_shared<const std::vector<float>>(1, value ? 1.0f : 0.0f);
  t.integers = {value ? 1 : 0};
  return Add({"", "Const", {}, {{"value", t}, {"dtype", TfType(DType::kBool)}}});
}

std::string TfMaker::Op(const std::string& op, std::vector<std::string> inputs, Attrs attrs) {
  return Add({"", op, std::move(inputs), std::move(attrs)});
}

TfMaker& TfMaker::Output(const std::string& tensor, const std::string& name) {
  graph.outputs.push_back({name.empty() ? "y" : name, tensor, DType::kFloat32, {}});
  return *this;
}

ir::Graph Import(const TfGraph& tf, const converter::Options& options) {
  ir::Graph graph;
  converter::Report report;
  Must(converter::ImportTfGraph(tf, options, &graph, &report));
  graph.Compact();
  const Status verified = ir::Verify(graph);
  EXPECT_TRUE(verified.ok()) << verified.message() << "\n" << graph.ToString();
  return graph;
}

ir::Graph Optimised(const TfGraph& tf, const converter::Options& options) {
  ir::Graph graph = Import(tf, options);
  converter::Report report;
  const Status status = converter::RunPasses(&graph, options, &report);
  EXPECT_TRUE(status.ok()) << status.message();
  return graph;
}

std::vector<ir::Tensor> Imported(const TfGraph& tf, const std::vector<ir::Tensor>& inputs,
                                 const converter::Options& options) {
  return Must(ir::Evaluate(Import(tf, options), inputs));
}

Status ImportFails(const TfGraph& tf, const converter::Options& options, converter::Report* report) {
  ir::Graph graph;
  converter::Report unread;
  const Status status = converter::ImportTfGraph(tf, options, &graph, report != nullptr ? report : &unread);
  EXPECT_FALSE(status.ok());
  return status;
}

namespace {

// Outputs of the emitted model, for interfaces whose stored axes are the source's.
Result<ir::Tensor> RunFast(const ir::Graph& graph, const std::vector<ir::Tensor>& inputs) {
  FOVEA_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, converter::Emit(graph, {}));
  FOVEA_ASSIGN_OR_RETURN(const Model model, Model::FromBytes(bytes, "test"));
  std::vector<std::vector<int64_t>> dims;
  std::vector<const float*> in;
  for (const ir::Tensor& t : inputs) {
    dims.push_back(t.dims);
    in.push_back(t.data.data());
  }
  FOVEA_ASSIGN_OR_RETURN(Session session, Session::Create(model, dims, {}));
  std::vector<std::vector<float>> results;
  std::vector<float*> out;
  for (const auto& output : session.output_dims()) {
    int64_t count = 1;
    for (const int64_t d : output) count *= d;
    results.emplace_back(static_cast<size_t>(count));
  }
  for (auto& result : results) out.push_back(result.data());
  FOVEA_RETURN_IF_ERROR(session.Run(in, out));
  return ir::Tensor{session.output_dims()[0], results[0]};
}

void ExpectNear(const ir::Tensor& got, const ir::Tensor& want, double tolerance, const std::string& who,
                const ir::Graph& graph) {
  ASSERT_EQ(got.dims, want.dims) << who << "\n" << graph.ToString();
  for (size_t i = 0; i < want.data.size(); ++i) {
    if (std::isnan(want.data[i]) && std::isnan(got.data[i])) continue;
    ASSERT_NEAR(got.data[i], want.data[i], tolerance) << who << ", element " << i << "\n" << graph.ToString();
  }
}

bool StoredAsInSource(const ir::Graph& graph) {
  for (const auto* ports : {&graph.inputs, &graph.outputs}) {
    for (const ir::Port& port : *ports) {
      if (!std::is_sorted(port.source_axes.begin(), port.source_axes.end())) return false;
    }
  }
  return true;
}

}  // namespace

void ExpectResult(const TfGraph& tf, const std::vector<ir::Tensor>& inputs, const ir::Tensor& expected,
                  double tolerance, const converter::Options& options) {
  const ir::Graph imported = Import(tf, options);
  const auto raw = ir::Evaluate(imported, inputs);
  ASSERT_TRUE(raw.ok()) << raw.status().message() << "\n" << imported.ToString();
  ExpectNear((*raw)[0], expected, tolerance, "imported", imported);
  const ir::Graph optimised = Optimised(tf, options);
  const auto passed = ir::Evaluate(optimised, inputs);
  ASSERT_TRUE(passed.ok()) << passed.status().message() << "\n" << optimised.ToString();
  ExpectNear((*passed)[0], expected, tolerance, "optimised", optimised);
  if (!StoredAsInSource(optimised)) return;
  const Result<ir::Tensor> fast = RunFast(optimised, inputs);
  ASSERT_TRUE(fast.ok()) << fast.status().message() << "\n" << optimised.ToString();
  ExpectNear(*fast, expected, tolerance, "fast", optimised);
}

void ExpectResult(TfMaker maker, const std::string& tensor, const std::vector<ir::Tensor>& inputs,
                  const ir::Tensor& expected, double tolerance, const converter::Options& options) {
  maker.Output(tensor);
  ExpectResult(maker.graph, inputs, expected, tolerance, options);
}

double At(const ir::Tensor& t, const Ints& index) {
  int64_t at = 0;
  for (size_t i = 0; i < index.size(); ++i) {
    if (index[i] < 0 || index[i] >= t.dims[i]) return 0;
    at = at * t.dims[i] + index[i];
  }
  return static_cast<double>(t.data[static_cast<size_t>(at)]);
}

}  // namespace fovea::testing
