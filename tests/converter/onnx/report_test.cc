// What the user learns and says: unsupported nodes, warnings, metadata, --set and --size.
#include <gtest/gtest.h>

#include "converter/onnx/import.h"
#include "converter/passes/pipeline.h"
#include "tests/converter/onnx/support.h"
#include "tests/converter/support.h"

namespace fovea::testing {
namespace {

using converter::Options;
using converter::Report;

Status ImportMade(const ModelMaker& maker, const Options& options, ir::Graph* graph, Report* report) {
  const std::string bytes = maker.model.SerializeAsString();
  return converter::ImportOnnxFromBytes(std::as_bytes(std::span(bytes)), "made.onnx", "", options, graph, report);
}

TEST(OnnxReport, ListsEveryUnsupportedNode) {
  ModelMaker maker(13);
  maker.Input("x", {1, 1, 4, 4}).Output("y");
  maker.Node("Einsum", {"x"}, {"a"}).set_name("first");
  maker.Node("Relu", {"a"}, {"b"});
  auto& pool = maker.Node("MaxPool", {"x"}, {"p", "indices"});
  SetInts(pool, "kernel_shape", {2, 2});
  pool.set_name("second");
  maker.Node("MaxUnpool", {"p", "indices"}, {"u"}).set_name("third");
  maker.Node("Sum", {"b", "u"}, {"y"});
  maker.Node("Loop", {"x"}, {"unused"});  // nobody needs it
  ir::Graph graph;
  Report report;
  const Status status = ImportMade(maker, {}, &graph, &report);
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  ASSERT_EQ(report.unsupported.size(), 3u);
  EXPECT_EQ(report.unsupported[0].name, "first");
  EXPECT_EQ(report.unsupported[1].name, "second");
  EXPECT_EQ(report.unsupported[2].name, "third");
  EXPECT_EQ(report.unsupported[2].op, "MaxUnpool");
  for (const char* name : {"first", "second", "third"}) EXPECT_NE(status.message().find(name), std::string::npos);
}

// Dropout in training mode: left out with a warning, or kept with a seed; the channels-last graph decides as the
// source's order of axes does.
TEST(OnnxReport, LiveDropout) {
  ModelMaker maker(13);
  maker.Input("x", {1, 2, -1, -1}).Output("y").Weights("w", {3, 2, 1, 1}, {1, 0, 0, 1, 1, 1});
  maker.Weights("ratio", {}, {0.25f});
  onnx::TensorProto* training = maker.model.mutable_graph()->add_initializer();
  training->set_name("training");
  training->set_data_type(9);
  training->set_raw_data(std::string(1, '\1'));
  maker.Node("Conv", {"x", "w"}, {"c"});
  maker.Node("Dropout", {"c", "ratio", "training"}, {"d"});
  maker.Node("Conv", {"d", "v"}, {"y"});
  maker.Weights("v", {3, 3, 1, 1}, {1, 0, 0, 0, 1, 0, 0, 0, 1});
  Options options;
  ir::Graph graph;
  Report report;
  Must(ImportMade(maker, options, &graph, &report));
  EXPECT_EQ(CountKind(graph, OpKind::kDropout), 0);
  ASSERT_EQ(graph.warnings.size(), 1u);
  EXPECT_NE(graph.warnings[0].find("--dropout"), std::string::npos);

  options.dropout_seed = 5;
  graph = {};
  Must(ImportMade(maker, options, &graph, &report));
  EXPECT_EQ(CountKind(graph, OpKind::kDropout), 1);
  ir::Graph optimised = graph;
  Must(converter::RunPasses(&optimised, options, nullptr));
  EXPECT_EQ(CountKind(optimised, OpKind::kTranspose), 0) << optimised.ToString();
  const ir::Tensor x = Random(1).Tensor({1, 2, 30, 20}, 0.5f, 1);
  ExpectSameResults(graph, optimised, {x}, 1e-6);
  int kept = 0;
  const std::vector<float> y = Must(ir::Evaluate(graph, {x}))[0].data;
  for (size_t i = 0; i < y.size(); ++i) {
    const float c = i < 1200 ? x.data[i] : x.data[i - 1200] + x.data[i - 600];
    if (y[i] != 0) {
      EXPECT_NEAR(y[i], c / 0.75f, 1e-5);
    }
    kept += y[i] != 0;
  }
  EXPECT_NEAR(kept / 1800.0, 0.75, 5 * std::sqrt(0.75 * 0.25 / 1800));
}

TEST(OnnxReport, AxesAsInput) {
  ModelMaker maker(18);
  maker.Input("x", {2, 3}).Input("axes", {1}, 7).Output("y");
  maker.Node("ReduceMax", {"x", "axes"}, {"y"});
  ir::Graph graph;
  Report report;
  Status status = ImportMade(maker, {}, &graph, &report);
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("--set axes="), std::string::npos) << status.message();

  Options options;
  options.set.push_back({"axes", DType::kInt64, {1}, {1}});
  Report converted;
  Result<Model> model = ConvertAndLoad(maker.model, options, &converted);
  ASSERT_TRUE(model.ok()) << model.status().message();
  const auto given = testing::Run(*model, {{"float32", {2, 3}, {1, 5, 2, -4, -6, -5}}}, {});
  ASSERT_TRUE(given.ok()) << given.status().message();
  EXPECT_EQ(Compare((*given)[0], {"float32", {2, 1}, {5, -4}}, 0, 0), "");

  // The declared size of the output says as much.
  auto* shape = maker.model.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  shape->add_dim()->set_dim_value(2);
  shape->add_dim()->set_dim_value(1);
  ir::Graph declared;
  Report again;
  status = ImportMade(maker, {}, &declared, &again);
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_FALSE(declared.warnings.empty());
}

TEST(OnnxReport, OptionsThatNameNoInput) {
  ModelMaker maker(13);
  maker.Input("x", {2, -1}).Output("y");
  maker.Node("Relu", {"x"}, {"y"});
  const auto refused = [&](const Options& options) {
    ir::Graph graph;
    Report report;
    return ImportMade(maker, options, &graph, &report).code() == StatusCode::kInvalidArgument;
  };
  Options options;
  options.size["z"] = "1x1";
  EXPECT_TRUE(refused(options));
  options.size = {{"x", "3x4"}};  // the model says 2
  EXPECT_TRUE(refused(options));
  options.size = {{"x", "2x4x1"}};
  EXPECT_TRUE(refused(options));
  options.size = {{"x", "2xfour"}};
  EXPECT_TRUE(refused(options));
  options.size = {{"x", "?x4"}};  // what the model fixes can't be opened
  EXPECT_TRUE(refused(options));
  options.size = {{"x", "2x?"}};
  EXPECT_FALSE(refused(options));
  options.size = {{"x", "2x4"}};
  EXPECT_FALSE(refused(options));
}

TEST(OnnxReport, Metadata) {
  ModelMaker maker(17);
  maker.Input("x", {2}).Output("y");
  maker.Node("Relu", {"x"}, {"y"});
  maker.model.set_producer_name("pytorch");
  maker.model.set_producer_version("2.1");
  maker.model.set_doc_string("finds nuclei");
  for (const auto& [key, value] : {std::pair{"License", "MIT"}, std::pair{"stain", "DAPI"}}) {
    auto* entry = maker.model.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  }
  ir::Graph graph;
  Report report;
  ASSERT_TRUE(ImportMade(maker, {}, &graph, &report).ok());
  EXPECT_EQ(report.source_format, "ONNX IR 8, opset 17, pytorch 2.1");
  EXPECT_EQ(graph.metadata.source_format, report.source_format);
  EXPECT_EQ(graph.metadata.description, "finds nuclei");
  EXPECT_EQ(graph.metadata.licence, "MIT");
  ASSERT_EQ(graph.metadata.properties.size(), 1u);
  EXPECT_EQ(graph.metadata.properties[0], std::make_pair(std::string("stain"), std::string("DAPI")));
}

}  // namespace
}  // namespace fovea::testing
