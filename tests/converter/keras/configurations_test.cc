// The ways in which Keras files say the same network: Sequential and Functional, shared layers, models in models, names
// of weights, attributes.
#include <gtest/gtest.h>

#include "tests/converter/keras/support.h"
#include "tests/converter/support.h"

namespace fovea::testing {
namespace {

// Dense without bias: y = x W, exact on our numbers.
Json Dense(const std::string& name, int64_t units) {
  return Layer("Dense", name, {{"units", units}, {"use_bias", false}, {"activation", "linear"}});
}
ir::Tensor Times(const ir::Tensor& x, const Array& w) {
  return FromIndices({x.dims[0], w.dims[1]}, [&](const std::vector<int64_t>& at) {
    double sum = 0;
    for (int64_t i = 0; i < w.dims[0]; ++i) sum += At(x, {at[0], i}) * At(w, {i, at[1]});
    return sum;
  });
}
ir::Tensor Sum(const ir::Tensor& a, const ir::Tensor& b) {
  return FromIndices(a.dims, [&](const std::vector<int64_t>& at) { return At(a, at) + At(b, at); });
}
Json Called(Json layer, const std::vector<std::vector<std::string>>& calls, int version = 2) {
  layer["inbound_nodes"] = Json::array();
  for (const auto& names : calls) layer["inbound_nodes"].push_back(Inbound(names, version));
  return layer;
}

const ir::Tensor kX = MakeTensor({2, 3}, 1);
const Array kA = MakeArray("a/kernel:0", {3, 3}, 2), kB = MakeArray("b/kernel:0", {3, 3}, 3);

TEST(KerasConfigurations, SequentialForms) {
  const ir::Tensor want = Times(Times(kX, kA), kB);
  Json first = Dense("a", 3);
  first["config"]["batch_input_shape"] = {nullptr, 3};
  KerasFile file;
  file.layers = {{"a", {kA}}, {"b", {kB}}};
  file.config = Sequential({first, Dense("b", 3)});
  ExpectNear(RunKeras(file, {kX})[0], want);
  // Keras 1 and early 2: the list itself.
  file.config = {{"class_name", "Sequential"}, {"config", Json::array({first, Dense("b", 3)})}};
  ExpectNear(RunKeras(file, {kX})[0], want);
  // Keras 3, and tf.keras with the shape beside the layers.
  file.config = Sequential({InputLayer("in", kX.dims, true), Dense("a", 3), Dense("b", 3)});
  ExpectNear(RunKeras(file, {kX})[0], want);
  file.config = Sequential({Dense("a", 3), Dense("b", 3)});
  EXPECT_NE(ConvertKeras(file).status().message().find("before it was built"), std::string::npos);
  file.config["config"]["build_input_shape"] = {nullptr, 3};
  ExpectNear(RunKeras(file, {kX})[0], want);
}

TEST(KerasConfigurations, SharedLayer) {
  for (const int version : {1, 2, 3}) {
    const Json in = InputLayer("x", kX.dims, version == 3);
    const Json a = Called(Dense("a", 3), {{"x"}, {"b"}}, version);
    const Json b = Called(Dense("b", 3), {{"a"}}, version);
    KerasFile file;
    file.layers = {{"a", {kA}}, {"b", {kB}}};
    file.config = Functional({in, a, b}, {"x"}, {"a"}, version);
    Json& out = file.config["config"]["output_layers"];
    (version == 3 ? out[1] : out[0][1]) = 1;  // the second call
    ExpectNear(RunKeras(file, {kX})[0], Times(Times(Times(kX, kA), kB), kA));
  }
}

// A model as a layer is called a first time when it is made; its calls in the outer model are 1 and 2.
TEST(KerasConfigurations, SharedModel) {
  for (const int version : {2, 3}) {
    for (const bool swapped : {false, true}) {
      const bool is_3 = version == 3;
      Json inner = Functional({InputLayer("inner_in", kX.dims, is_3), Called(Dense("a", 3), {{"inner_in"}}, version)},
                              {"inner_in"}, {"a"}, version);
      inner["name"] = inner["config"]["name"] = "inner";
      inner = Called(inner, {{"x"}, {"b"}}, version);
      const auto node_of = [&](Json& tensor) -> Json& {
        return is_3 ? tensor["config"]["keras_history"][1] : tensor[1];
      };
      Json b = Called(Dense("b", 3), {{"inner"}}, version);
      Json difference = Called(Layer("Subtract", "out"), {{"inner", "inner"}}, version);
      const auto argument = [&](Json& layer, size_t i) -> Json& {
        Json& node = layer["inbound_nodes"][0];
        return node_of(is_3 ? (node["args"][0].is_array() ? node["args"][0][i] : node["args"][i]) : node[i]);
      };
      argument(b, 0) = 1;
      argument(difference, 0) = swapped ? 2 : 1;
      argument(difference, 1) = swapped ? 1 : 2;
      KerasFile file;
      file.keras_version = is_3 ? "3.0.1" : "2.2.4";
      file.layers = {{"inner", {kA}}, {"b", {kB}}};
      if (is_3) file.layers[0].arrays[0].name = "inner/a/kernel";
      file.config = Functional({InputLayer("x", kX.dims, is_3), inner, b, difference}, {"x"}, {"out"}, version);
      const ir::Tensor once = Times(kX, kA), twice = Times(Times(once, kB), kA);
      ExpectNear(RunKeras(file, {kX})[0], FromIndices(kX.dims, [&](const std::vector<int64_t>& at) {
                   return (At(once, at) - At(twice, at)) * (swapped ? -1 : 1);
                 }));
    }
  }
}

TEST(KerasConfigurations, ModelsInModels) {
  // Weights of a model inside another lie in the group of the outer layer, trainable ones first.
  const Json inner_in = InputLayer("inner_in", kX.dims);
  Json inner = Functional(
      {inner_in, Called(Dense("a", 3), {{"inner_in"}}),
       Called(Layer("BatchNormalization", "n", {{"epsilon", 0.0}}), {{"a"}}), Called(Dense("b", 3), {{"n"}})},
      {"inner_in"}, {"b"});
  inner["name"] = inner["config"]["name"] = "inner";
  inner = Called(inner, {{"x"}});
  KerasFile file;
  file.config = Functional({InputLayer("x", kX.dims), inner}, {"x"}, {"inner"});
  const Array gamma{"n/gamma:0", {3}, {1, 1, 1}}, beta{"n/beta:0", {3}, {0, 0, 0}},
      mean{"n/moving_mean:0", {3}, {1, 2, 3}}, variance{"n/moving_variance:0", {3}, {1, 1, 1}};
  ir::Tensor middle = Times(kX, kA);
  middle = FromIndices(middle.dims, [&](const std::vector<int64_t>& at) { return At(middle, at) - At(mean, {at[1]}); });
  const ir::Tensor want = Times(middle, kB);
  file.layers = {{"inner", {kA, gamma, beta, kB, mean, variance}}};
  ExpectNear(RunKeras(file, {kX})[0], want);
  // Names that say nothing: told by position.
  std::vector<Array>& arrays = file.layers[0].arrays;
  for (size_t i = 0; i < arrays.size(); ++i) arrays[i].name = "variable_" + std::to_string(i);
  ExpectNear(RunKeras(file, {kX})[0], want);
  arrays.pop_back();
  EXPECT_NE(ConvertKeras(file).status().message().find("5 weights in the file where its configuration asks for 6"),
            std::string::npos)
      << ConvertKeras(file).status().message();
}

TEST(KerasConfigurations, SequentialAsALayer) {
  for (const int version : {2, 3}) {
    Json inner = Sequential({Dense("a", 3), Dense("b", 3)});
    inner["name"] = inner["config"]["name"] = "steps";
    KerasFile file;
    file.keras_version = version == 3 ? "3.0.1" : "2.9.0";
    file.config = Functional({InputLayer("x", kX.dims, version == 3), Called(inner, {{"x"}}, version)}, {"x"},
                             {"steps"}, version);
    file.layers = {{"steps", {kA, kB}}};
    if (version == 3)
      file.layers[0].arrays[0].name = "steps/a/kernel", file.layers[0].arrays[1].name = "steps/b/kernel";
    ExpectNear(RunKeras(file, {kX})[0], Times(Times(kX, kA), kB));
  }
}

TEST(KerasConfigurations, SeveralInputsAndOutputs) {
  KerasFile file;
  file.config = Functional({InputLayer("x", kX.dims), InputLayer("y", kX.dims), Called(Dense("a", 3), {{"x"}}),
                            Called(Layer("Add", "sum"), {{"a", "y"}})},
                           {"y", "x"}, {"sum", "a"});
  file.layers = {{"a", {kA}}};
  const ir::Tensor y = MakeTensor({2, 3}, 7);
  const std::vector<ir::Tensor> outputs = RunKeras(file, {y, kX});
  ASSERT_EQ(outputs.size(), 2u);
  ExpectNear(outputs[0], Sum(Times(kX, kA), y));
  ExpectNear(outputs[1], Times(kX, kA));
}

// An input that no output needs is none of the network's: Keras lists it all the same.
TEST(KerasConfigurations, UnusedInputsDisappear) {
  Json twice = Layer("Rescaling", "twice", {{"scale", 2.0}});
  twice["inbound_nodes"] = Json::array({Inbound({"x"})});
  Json masked = Layer("Rescaling", "masked", {{"scale", 3.0}});
  masked["inbound_nodes"] = Json::array({Inbound({"mask"})});
  KerasFile file;
  file.config = Functional({InputLayer("mask", {-1, -1}), InputLayer("x", {1, -1, -1, 2}), masked, twice},
                           {"mask", "x"}, {"twice"});
  const ir::Graph graph = Must(ConvertKeras(file));
  ASSERT_EQ(graph.inputs.size(), 1u);
  EXPECT_EQ(graph.inputs[0].name, "x");
  EXPECT_EQ(graph.history.dropped.at("unused input"), 1);
  const ir::Tensor x = MakeTensor({1, 2, 3, 2}, 1);
  ExpectNear(RunKeras(file, {x})[0], Map(x, [](double v) { return 2 * v; }));
}

TEST(KerasConfigurations, AttributesOfAllKinds) {
  for (const bool fixed : {false, true}) {
    for (const bool split : {false, true}) {
      KerasFile file;
      file.config =
          Functional({InputLayer("x", kX.dims), Called(Layer("Dense", "a", {{"units", 3}}), {{"x"}})}, {"x"}, {"a"});
      file.layers = {{"a", {kA, {"a/bias:0", {3}, {1, 2, 3}}}}};
      file.fixed_strings = fixed;
      file.split_names = split;
      const ir::Tensor plain = Times(kX, kA);
      ExpectNear(RunKeras(file, {kX})[0], FromIndices(plain.dims, [&](const std::vector<int64_t>& at) {
                   return At(plain, at) + static_cast<double>(at[1]) + 1;
                 }));
    }
  }
}

TEST(KerasConfigurations, OpenSizesAndAxes) {
  KerasFile file;
  const std::vector<int64_t> open{-1, -1, -1, 2};
  file.config = Functional({InputLayer("x", open), Called(Layer("MaxPooling2D", "p", {{"pool_size", 2}}), {{"x"}})},
                           {"x"}, {"p"});
  const Result<ir::Graph> graph = ConvertKeras(file);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->inputs[0].axes, "byxc");
  EXPECT_EQ(graph->inputs[0].name, "x");
  EXPECT_EQ(graph->outputs[0].name, "p");
  for (const int64_t size : {4, 7}) {
    const auto got = ir::Evaluate(*graph, {MakeTensor({1, size, 6, 2}, 1)});
    ASSERT_TRUE(got.ok()) << got.status().message();
    EXPECT_EQ((*got)[0].dims, (std::vector<int64_t>{1, size / 2, 3, 2}));
  }
}

TEST(KerasConfigurations, SizesFromTheOptions) {
  KerasFile file;
  file.config = Functional({InputLayer("x", {-1, -1, -1, 2}), Called(Layer("Flatten", "f"), {{"x"}})}, {"x"}, {"f"});
  const TemporaryFile h5(".h5");
  WriteKeras(file, h5.path());
  converter::Options options;
  options.size["x"] = "1x4x?x?";  // the file fixes the channels
  EXPECT_EQ(converter::Convert(h5.path(), options, nullptr).status().code(), StatusCode::kInvalidArgument);
  options.size["x"] = "1x4x5x2";
  const Result<ir::Graph> graph = converter::Convert(h5.path(), options, nullptr);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_TRUE(graph->values[static_cast<size_t>(graph->outputs[0].value)].dims[1] == DimExpr(40));
  options.size["x"] = "1x4x5x3";
  EXPECT_EQ(converter::Convert(h5.path(), options, nullptr).status().code(), StatusCode::kInvalidArgument);
  options.size = {{"nobody", "1"}};
  EXPECT_EQ(converter::Convert(h5.path(), options, nullptr).status().code(), StatusCode::kInvalidArgument);
}

TEST(KerasConfigurations, LiveDropoutIsReported) {
  Json drop = Called(Layer("Dropout", "d", {{"rate", 0.5}}), {{"x"}});
  drop["inbound_nodes"][0][0][3] = {{"training", true}};
  KerasFile file;
  file.config = Functional({InputLayer("x", kX.dims), drop}, {"x"}, {"d"});
  const Result<ir::Graph> graph = ConvertKeras(file);
  ASSERT_TRUE(graph.ok());
  ASSERT_EQ(graph->warnings.size(), 1u);
  EXPECT_NE(graph->warnings[0].find("training=True"), std::string::npos);
}

TEST(KerasConfigurations, LiveDropoutStaysWithASeed) {
  for (const char* name : {"Dropout", "SpatialDropout2D"}) {
    Json drop = Called(Layer(name, "d", {{"rate", 0.25}}), {{"x"}});
    drop["inbound_nodes"][0][0][3] = {{"training", true}};
    KerasFile file;
    file.config = Functional({InputLayer("x", {1, 4, 5, 3}), drop}, {"x"}, {"d"});
    const TemporaryFile h5(".h5");
    WriteKeras(file, h5.path());
    converter::Options options;
    options.dropout_seed = 1;
    const ir::Graph graph = Must(converter::Convert(h5.path(), options, nullptr));
    ASSERT_EQ(CountKind(graph, OpKind::kDropout), 1) << graph.ToString();
    const DropoutParams& p = std::get<DropoutParams>(graph.nodes[0].params);
    EXPECT_EQ(p.keep, 0.75f);
    EXPECT_NEAR(p.scale, 4.0 / 3, 1e-6);
    EXPECT_EQ(p.seed, 1);
    const std::vector<int64_t> all{0, 1, 2, 3}, channels{0, 3};
    EXPECT_EQ(p.axes, std::string(name) == "Dropout" ? all : channels);
  }
}

TEST(KerasConfigurations, ArithmeticBetweenLayers) {
  Json half = Layer("TFOpLambda", "tf.math.multiply", {{"function", "math.multiply"}});
  half["inbound_nodes"] = Json::array({Json::array({"x", 0, 0, {{"y", 0.5}, {"name", nullptr}}})});
  Json less = Layer("TensorFlowOpLayer", "less", {{"node_def", {{"op", "Sub"}}}, {"constants", {{"0", 2.0}}}});
  less["inbound_nodes"] = Json::array({Inbound({"tf.math.multiply"})});
  KerasFile file;
  file.config = Functional({InputLayer("x", kX.dims), half, less}, {"x"}, {"less"});
  ExpectNear(RunKeras(file, {kX})[0], Map(kX, [](double x) { return 2 - x * 0.5; }));

  Json sum = Layer("Add", "add");  // keras.ops.add(x, 1.5)
  sum["inbound_nodes"] =
      Json::array({{{"args", Json::array({Inbound({"x"}, 3)["args"][0], 1.5})}, {"kwargs", Json::object()}}});
  file.config = Functional({InputLayer("x", kX.dims, true), sum}, {"x"}, {"add"}, 3);
  ExpectNear(RunKeras(file, {kX})[0], Map(kX, [](double x) { return x + 1.5; }));

  // Nothing of a call is left out in silence: a constant among several tensors, an argument that changes the function.
  for (const char* class_name : {"Add", "Average", "Concatenate"}) {
    Json merged = Layer(class_name, "merged", {{"axis", -1}});
    merged["inbound_nodes"] =
        Json::array({Json::array({Json::array({"x", 0, 0, Json::object()}), Json::array({"x", 0, 0, Json::object()}),
                                  Json::array({"_CONSTANT_VALUE", -1, 1.5, Json::object()})})});
    file.config = Functional({InputLayer("x", kX.dims), merged}, {"x"}, {"merged"});
    EXPECT_EQ(ConvertKeras(file).status().code(), StatusCode::kUnsupported) << class_name;
  }
  Json silu = Layer("TFOpLambda", "silu", {{"function", "nn.silu"}});
  silu["inbound_nodes"] = Json::array({Json::array({"x", 0, 0, {{"beta", 2.0}}})});
  file.config = Functional({InputLayer("x", kX.dims), silu}, {"x"}, {"silu"});
  EXPECT_NE(ConvertKeras(file).status().message().find("argument beta"), std::string::npos);
}

}  // namespace
}  // namespace fovea::testing
