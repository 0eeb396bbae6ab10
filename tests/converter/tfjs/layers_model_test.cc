// TF.js layers models: Keras configurations with weights from shards.
#include <gtest/gtest.h>

#include "tests/converter/tfjs/support.h"

namespace fovea::testing {
namespace {

const ir::Tensor kX = MakeTensor({1, 5, 6, 2}, 1);
const Array kW = MakeArray("conv/kernel", {3, 3, 2, 4}, 2), kB = MakeArray("conv/bias", {4}, 3);

Json ConvLayer() {
  return Layer("Conv2D", "conv",
               {{"filters", 4},
                {"kernel_size", {3, 3}},
                {"strides", {1, 1}},
                {"padding", "same"},
                {"activation", "relu"},
                {"use_bias", true},
                {"data_format", "channels_last"}});
}

Json LayersModel(const Json& config, const std::string& version = "2.4.0") {
  return {{"format", "layers-model"},
          {"modelTopology", {{"keras_version", version}, {"backend", "tensorflow"}, {"model_config", config}}}};
}

TEST(TfjsLayersModel, FunctionalFromPython) {
  TfjsFolder folder;
  folder.AddFloats(kB);  // any order: weights are told by name
  folder.AddFloats(kW);
  folder.Write(LayersModel(OneLayer(ConvLayer(), {kX.dims}, 2)), 2);
  ExpectNear(RunModel(folder.path(), {kX})[0], SmallGraphResult(kX, kW, kB));
}

// What TF.js itself saves: the topology without model_config around it.
TEST(TfjsLayersModel, SequentialFromTfjs) {
  TfjsFolder folder;
  folder.AddFloats(kW);
  folder.AddFloats(kB);
  Json conv = ConvLayer();
  conv["config"]["batch_input_shape"] = {nullptr, 5, 6, 2};
  Json topology = Sequential({conv});
  topology["keras_version"] = "tfjs-layers 1.7.4";
  topology["backend"] = "tensor_flow.js";
  folder.Write({{"format", "layers-model"}, {"modelTopology", topology}});
  ExpectNear(RunModel(folder.path(), {kX})[0], SmallGraphResult(kX, kW, kB));
}

TEST(TfjsLayersModel, OpenSizeOfReshapeIsNull) {
  TfjsFolder folder;
  folder.Write(LayersModel(OneLayer(Layer("Reshape", "r", {{"target_shape", {nullptr, 4}}}), {kX.dims}, 2)));
  ExpectNear(RunModel(folder.path(), {kX})[0], {{1, 15, 4}, kX.data});
}

// One row, doubled: TF.js samples at out / 2, Keras at (out + 0.5) / 2 - 0.5.
TEST(TfjsLayersModel, BilinearUpSamplingAsItsWriterComputedIt) {
  const ir::Tensor x{{1, 1, 3, 1}, {0, 8, 16}};
  const Json layer = Layer("UpSampling2D", "up", {{"size", {1, 2}}, {"interpolation", "bilinear"}});
  const auto result = [&](const std::string& version) {
    TfjsFolder folder;
    Json model = LayersModel(OneLayer(layer, {x.dims}, 2), version);
    model["weightsManifest"] = Json::array();
    folder.Write(model);
    return RunModel(folder.path(), {x})[0];
  };
  ExpectNear(result("tfjs-layers 4.22.0"), {{1, 1, 6, 1}, {0, 4, 8, 12, 16, 16}});
  ExpectNear(result("2.15.0"), {{1, 1, 6, 1}, {0, 2, 6, 10, 14, 16}});
}

TEST(TfjsLayersModel, ModelsInModelsByTheLongestName) {
  // Two models with a layer of the same name: the path in the weights' names decides.
  const auto inner = [&](const std::string& name, const std::string& from) {
    Json conv = ConvLayer();
    conv["config"]["filters"] = 2;
    conv["config"]["activation"] = "linear";
    conv["config"]["use_bias"] = false;
    conv["inbound_nodes"] = Json::array({Inbound({"in"})});
    Json model = Functional({InputLayer("in", kX.dims), conv}, {"in"}, {"conv"});
    model["name"] = model["config"]["name"] = name;
    model["inbound_nodes"] = Json::array({Inbound({from})});
    return model;
  };
  const auto centre = [](const std::string& name, float value) {  // value times the identity
    Array w{name, {3, 3, 2, 2}, std::vector<float>(36, 0)};
    w.data[4 * 4] = w.data[4 * 4 + 3] = value;
    return w;
  };
  Json sum = Layer("Subtract", "difference");
  sum["inbound_nodes"] = Json::array({Inbound({"first", "second"})});
  TfjsFolder folder;
  folder.AddFloats(centre("second/conv/kernel", 2));
  folder.AddFloats(centre("first/conv/kernel", 5));
  folder.Write(LayersModel(
      Functional({InputLayer("x", kX.dims), inner("first", "x"), inner("second", "x"), sum}, {"x"}, {"difference"})));
  ExpectNear(RunModel(folder.path(), {kX})[0], Map(kX, [](double v) { return 3 * v; }));
}

// A model that was built twice in one session: names that no layer has. The order tells.
TEST(TfjsLayersModel, WeightsByPosition) {
  TfjsFolder folder;
  folder.AddFloats({"conv_1_1/kernel", kW.dims, kW.data});
  folder.AddFloats({"conv_1_1/bias", kB.dims, kB.data});
  folder.Write(LayersModel(OneLayer(ConvLayer(), {kX.dims}, 2)));
  ExpectNear(RunModel(folder.path(), {kX})[0], SmallGraphResult(kX, kW, kB));
}

TEST(TfjsLayersModel, MissingWeights) {
  TfjsFolder folder;
  folder.AddFloats(kW);
  folder.Write(LayersModel(OneLayer(ConvLayer(), {kX.dims}, 2)));
  const Status status = converter::Convert(folder.path(), {}, nullptr).status();
  EXPECT_EQ(status.code(), StatusCode::kCorruptFile);
  EXPECT_NE(status.message().find("layer 'conv' (Conv2D)"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace fovea::testing
