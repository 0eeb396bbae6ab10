// TF.js graph models: interface, quantised weights, shards, attributes, against sums written out.
#include <gtest/gtest.h>

#include "tests/converter/tfjs/support.h"

namespace fovea::testing {
namespace {

const ir::Tensor kX = MakeTensor({1, 5, 6, 2}, 1);
const Array kW = MakeArray("w", {3, 3, 2, 4}, 2), kB = MakeArray("b", {4}, 3);

TEST(TfjsGraphModel, WithoutSignature) {
  for (const int shards : {1, 3}) {
    TfjsFolder folder;
    folder.Write(SmallGraph(&folder), shards);
    ExpectNear(RunModel(folder.path(), {kX})[0], SmallGraphResult(kX, kW, kB));
    ExpectNear(RunModel(folder.folder(), {kX})[0], SmallGraphResult(kX, kW, kB));  // the folder itself
  }
}

TEST(TfjsGraphModel, EveryEndIsAnOutput) {
  TfjsFolder folder;
  Json model = SmallGraph(&folder);
  model["modelTopology"]["node"].push_back(Node("Sigmoid", "z", {"biased"}));
  folder.Write(model);
  const Result<ir::Graph> graph = converter::Convert(folder.path(), {}, nullptr);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  ASSERT_EQ(graph->outputs.size(), 2u);
  EXPECT_EQ(graph->outputs[0].name, "y");
  EXPECT_EQ(graph->outputs[1].name, "z");
  ASSERT_EQ(graph->inputs.size(), 1u);
  EXPECT_EQ(graph->inputs[0].name, "x");
  EXPECT_EQ(graph->inputs[0].axes.empty() ? "byxc" : graph->inputs[0].axes, "byxc");
}

TEST(TfjsGraphModel, SignatureInBothPlaces) {
  const Json shape{{"dim", {{{"size", "-1"}}, {{"size", "5"}}, {{"size", "6"}}, {{"size", "2"}}}}};
  const Json signature{{"inputs", {{"image", {{"name", "x:0"}, {"dtype", "DT_FLOAT"}, {"tensorShape", shape}}}}},
                       {"outputs", {{"mask", {{"name", "y:0"}, {"dtype", "DT_FLOAT"}}}}}};
  for (const bool nested : {false, true}) {
    TfjsFolder folder;
    Json model = SmallGraph(&folder);
    (nested ? model["userDefinedMetadata"]["signature"] : model["signature"]) = signature;
    folder.Write(model);
    converter::Report report;
    const Result<ir::Graph> graph = converter::Convert(folder.path(), {}, &report);
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    EXPECT_EQ(graph->inputs[0].name, "image");
    EXPECT_EQ(graph->outputs[0].name, "mask");
    EXPECT_NE(report.source_format.find("TF.js graph model"), std::string::npos) << report.source_format;
  }
}

// w = scale q + min, rounded to float32 once.
TEST(TfjsGraphModel, QuantisedWeights) {
  const auto run = [](const std::string& packed, const std::string& bytes, const std::vector<float>& values, Json how) {
    TfjsFolder folder;
    Json model = SmallGraph(&folder);
    TfjsFolder packed_folder;
    how["dtype"] = packed;
    packed_folder.Add("w", "float32", {3, 3, 2, 4}, bytes, how);
    packed_folder.AddFloats(kB);
    packed_folder.Write(model);
    // Sums of 18 products, each within half a unit of the largest.
    ExpectNear(RunModel(packed_folder.path(), {kX})[0], SmallGraphResult(kX, {"w", {3, 3, 2, 4}, values}, kB), 18);
  };
  std::vector<uint8_t> bytes;
  std::vector<uint16_t> words, halves;
  std::vector<float> from_bytes, from_words, from_halves;
  for (int i = 0; i < 72; ++i) {
    bytes.push_back(static_cast<uint8_t>(i * 37));
    words.push_back(static_cast<uint16_t>(i * 911));
    from_bytes.push_back(static_cast<float>(bytes.back() * 0.01 - 1.25));
    from_words.push_back(static_cast<float>(words.back() * 0.00003 - 1));
    // Sign, exponent 2^-3 to 2^0, ten bits of mantissa.
    const int exponent = 12 + i % 4, mantissa = i * 14 % 1024;
    halves.push_back(static_cast<uint16_t>((i % 2) << 15 | exponent << 10 | mantissa));
    from_halves.push_back((i % 2 == 1 ? -1.0f : 1.0f) *
                          std::ldexp(1 + static_cast<float>(mantissa) / 1024, exponent - 15));
  }
  run("uint8", BytesOf(bytes), from_bytes, {{"scale", 0.01}, {"min", -1.25}});
  run("uint16", BytesOf(words), from_words, {{"scale", 0.00003}, {"min", -1}});
  run("float16", BytesOf(halves), from_halves, Json::object());
}

TEST(TfjsGraphModel, FusedConvolution) {
  TfjsFolder folder;
  folder.AddFloats(kW);
  folder.AddFloats(kB);
  // BiasAdd, Relu
  const Json attrs{{"strides", {{"list", {{"i", {"1", "1", "1", "1"}}}}}},
                   {"padding", {{"s", "U0FNRQ=="}}},
                   {"data_format", {{"s", "TkhXQw=="}}},
                   {"fused_ops", {{"list", {{"s", {"Qmlhc0FkZA==", "UmVsdQ=="}}}}}},
                   {"num_args", {{"i", "1"}}}};
  folder.Write(GraphModel({Placeholder("x", {-1, -1, -1, 2}), Constant("w"), Constant("b"),
                           Node("_FusedConv2D", "y", {"x", "w", "b"}, attrs)}));
  ExpectNear(RunModel(folder.path(), {kX})[0], SmallGraphResult(kX, kW, kB));
}

// Integers decide sizes and must stay exact; a constant may also be written in the graph itself.
TEST(TfjsGraphModel, IntegerConstants) {
  TfjsFolder folder;
  folder.Add("size", "int32", {2}, BytesOf(std::vector<int32_t>{10, 12}));
  Json scale = Constant("scale");
  scale["attr"]["value"]["tensor"]["tensorContent"] = "AAAAPw==";  // 0.5f
  folder.Write(GraphModel({Placeholder("x", {1, 5, 6, 2}), Constant("size", "DT_INT32"), scale,
                           Node("ResizeNearestNeighbor", "big", {"x", "size"}), Node("Mul", "y", {"big", "scale"})}));
  ExpectNear(RunModel(folder.path(), {kX})[0], FromIndices({1, 10, 12, 2}, [](const std::vector<int64_t>& at) {
               return At(kX, {0, at[1] / 2, at[2] / 2, at[3]}) * 0.5;
             }));
}

TEST(TfjsGraphModel, UnsupportedNodesAreListedTogether) {
  TfjsFolder folder;
  folder.Write(GraphModel({Placeholder("x", {1, 5, 6, 2}), Node("Fancy", "a", {"x"}), Node("Fancier", "b", {"x"}),
                           Node("Add", "y", {"a", "b"})}));
  converter::Report report;
  EXPECT_EQ(converter::Convert(folder.path(), {}, &report).status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(report.unsupported.size(), 2u);
}

}  // namespace
}  // namespace fovea::testing
