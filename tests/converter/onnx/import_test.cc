// Features of the ONNX importer that the backend tests leave out: open sizes, old operator sets, options, reports.
// Expected values come from loops in this file, or from the same model with fixed sizes.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <sstream>

#include "tests/converter/onnx/support.h"

namespace fovea::testing {
namespace {

using converter::Options;
using converter::Report;

std::vector<Tensor> RunMade(const ModelMaker& maker, const std::vector<Tensor>& inputs, const Options& options = {}) {
  Report report;
  Result<Model> model = ConvertAndLoad(maker.model, options, &report);
  if (!model.ok()) {
    ADD_FAILURE() << model.status().message();
    return {};
  }
  std::vector<Tensor> results[2];
  for (const Executor executor : {Executor::kReference, Executor::kFast}) {
    SessionOptions session;
    session.executor = executor;
    Result<std::vector<Tensor>> got = Run(*model, inputs, session);
    if (!got.ok()) {
      ADD_FAILURE() << got.status().message();
      return {};
    }
    results[executor == Executor::kFast] = *got;
  }
  for (size_t i = 0; i < results[0].size(); ++i) EXPECT_EQ(Compare(results[1][i], results[0][i], 1e-5, 1e-5), "");
  return results[1];
}

// x[n, c, h, w], 0 outside.
double At(const Tensor& x, int64_t c, int64_t h, int64_t w) {
  if (h < 0 || w < 0 || h >= x.dims[2] || w >= x.dims[3]) return 0;
  return x.values[static_cast<size_t>((c * x.dims[2] + h) * x.dims[3] + w)];
}

// A 3x3 convolution of one image with stride 2 and ONNX's SAME padding.
Tensor SameConv(const Tensor& x, const std::vector<float>& weights, int64_t out_channels, bool upper) {
  const int64_t in = x.dims[1], rows = (x.dims[2] + 1) / 2, cols = (x.dims[3] + 1) / 2;
  const auto before = [&](int64_t size, int64_t out) {
    const int64_t total = std::max<int64_t>(0, (out - 1) * 2 + 3 - size);
    return upper ? total / 2 : total - total / 2;
  };
  const int64_t top = before(x.dims[2], rows), left = before(x.dims[3], cols);
  Tensor y{"float32", {1, out_channels, rows, cols}, {}};
  for (int64_t o = 0; o < out_channels; ++o) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t q = 0; q < cols; ++q) {
        double sum = 0;
        for (int64_t c = 0; c < in; ++c) {
          for (int64_t i = 0; i < 9; ++i) {
            sum += static_cast<double>(weights[static_cast<size_t>((o * in + c) * 9 + i)]) *
                   At(x, c, 2 * r + i / 3 - top, 2 * q + i % 3 - left);
          }
        }
        y.values.push_back(sum);
      }
    }
  }
  return y;
}

TEST(OnnxImport, SamePaddingWithOpenSizesAndStride) {
  const std::vector<float> weights = Pattern(4 * 3 * 9, 7);
  for (const bool upper : {true, false}) {
    ModelMaker maker(13);
    maker.Input("x", {1, 3, -1, -1}).Output("y").Weights("w", {4, 3, 3, 3}, weights);
    auto& conv = maker.Node("Conv", {"x", "w"}, {"y"});
    SetString(conv, "auto_pad", upper ? "SAME_UPPER" : "SAME_LOWER");
    SetInts(conv, "strides", {2, 2});
    for (const auto& size : std::vector<std::vector<int64_t>>{{5, 6}, {8, 7}, {1, 2}, {12, 12}}) {
      const Tensor x = PatternTensor({1, 3, size[0], size[1]}, 3);
      const auto got = RunMade(maker, {x});
      ASSERT_EQ(got.size(), 1u);
      // 27 products of multiples of 2^-6 below 1: sums are exact in float32.
      EXPECT_EQ(Compare(got[0], SameConv(x, weights, 4, upper), 0, 0), "") << upper << " " << size[0];
    }
  }
}

// A row of three with stride 3. A kernel of 2 leaves a gap before each next position and behind the last, where 9 are
// asked for; whether they are 8 is answered differently, so that we do not answer. With pads all agree.
TEST(OnnxImport, TransposedConvolutionWithGaps) {
  const auto made = [](const std::function<void(onnx::NodeProto&)>& attributes) {
    ModelMaker maker(13);
    maker.Input("x", {1, 1, -1}).Output("y").Weights("w", {1, 1, 2}, {1, 10});
    auto& node = maker.Node("ConvTranspose", {"x", "w"}, {"y"});
    SetInts(node, "strides", {3});
    attributes(node);
    return maker;
  };
  for (const char* pad : {"SAME_UPPER", "SAME_LOWER"}) {
    const ModelMaker maker = made([&](onnx::NodeProto& node) { SetString(node, "auto_pad", pad); });
    const Status status = ConvertAndLoad(maker.model, {}, nullptr).status();
    EXPECT_EQ(status.code(), StatusCode::kUnsupported);
    EXPECT_NE(status.message().find("its kernel does not reach"), std::string::npos) << status.message();
  }
  ModelMaker padded = made([](onnx::NodeProto& node) { SetInts(node, "output_padding", {1}); });
  const auto got = RunMade(padded, {{"float32", {1, 1, 3}, {1, 2, 3}}});
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(Compare(got[0], {"float32", {1, 1, 9}, {1, 10, 0, 2, 20, 0, 3, 30, 0}}, 0, 0), "");
}

// align_corners maps o to o (in - 1) / (out - 1). ONNX takes out before it is rounded down (its backend tests have the
// numbers), others after: worth a warning where that makes a difference, and only there.
TEST(OnnxImport, AlignedCornersWithPartsOfPixelsWarn) {
  for (const auto& [size, scale, warns] :
       {std::tuple(5, 1.5f, true), {6, 1.5f, false}, {-1, 1.5f, true}, {-1, 2.0f, false}}) {
    ModelMaker maker(13);
    maker.Input("x", {1, 1, 4, size}).Output("y").Weights("s", {4}, {1, 1, 1, scale});
    auto& node = maker.Node("Resize", {"x", "", "s"}, {"y"});
    SetString(node, "mode", "linear");
    SetString(node, "coordinate_transformation_mode", "align_corners");
    converter::Report report;
    ASSERT_TRUE(ConvertAndLoad(maker.model, {}, &report).ok());
    EXPECT_EQ(report.warnings.size(), warns ? 1u : 0u) << size << " " << scale;
  }
}

// Rows [-8:3]: none from 11 on. The field is measured on large images first.
TEST(OnnxImport, NetworksThatLeaveNothingOfLargeImages) {
  ModelMaker maker(13);
  maker.Input("x", {1, 4, -1, 3}).Output("y").Integers("b", {1}, {-8}).Integers("e", {1}, {3}).Integers("a", {1}, {2});
  maker.Node("Slice", {"x", "b", "e", "a"}, {"rows"});
  SetInt(maker.Node("Flatten", {"rows"}, {"y"}), "axis", 3);
  Report report;
  const Result<Model> model = ConvertAndLoad(maker.model, {}, &report);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_TRUE(model->ReceptiveFields().ok());
  const Tensor x = PatternTensor({1, 4, 8, 3}, 5);
  const Result<std::vector<Tensor>> got = testing::Run(*model, {x}, {});
  ASSERT_TRUE(got.ok()) << got.status().message();
  EXPECT_EQ((*got)[0].dims, (std::vector<int64_t>{12, 3}));
  EXPECT_FALSE(testing::Run(*model, {PatternTensor({1, 4, 16, 3}, 5)}, {}).ok());
}

Tensor Enlarged(const Tensor& x, bool linear) {  // twice as large, positions out / 2, as Upsample and Resize-10 do
  Tensor y{"float32", {1, x.dims[1], 2 * x.dims[2], 2 * x.dims[3]}, {}};
  for (int64_t c = 0; c < y.dims[1]; ++c) {
    for (int64_t r = 0; r < y.dims[2]; ++r) {
      for (int64_t q = 0; q < y.dims[3]; ++q) {
        const int64_t r1 = std::min(r / 2 + 1, x.dims[2] - 1), q1 = std::min(q / 2 + 1, x.dims[3] - 1);
        const double fr = linear ? 0.5 * static_cast<double>(r % 2) : 0,
                     fq = linear ? 0.5 * static_cast<double>(q % 2) : 0;
        y.values.push_back((1 - fr) * ((1 - fq) * At(x, c, r / 2, q / 2) + fq * At(x, c, r / 2, q1)) +
                           fr * ((1 - fq) * At(x, c, r1, q / 2) + fq * At(x, c, r1, q1)));
      }
    }
  }
  return y;
}

TEST(OnnxImport, UpsampleAndOldResize) {
  const Tensor x = PatternTensor({1, 2, 5, 3}, 11);
  for (const bool linear : {false, true}) {
    for (const int opset : {1, 7, 9, 10}) {
      ModelMaker maker(opset);
      maker.Input("x", {1, 2, -1, -1}).Output("y");
      if (opset >= 9) maker.Weights("s", {4}, {1, 1, 2, 2});
      auto& node = maker.Node(opset == 10 ? "Resize" : "Upsample", {"x"}, {"y"});
      if (opset >= 9) node.add_input(std::string("s"));
      if (opset == 7) SetFloats(node, "scales", {1, 1, 2, 2});
      if (opset == 1) SetFloat(node, "height_scale", 2), SetFloat(node, "width_scale", 2);
      SetString(node, "mode", linear ? "linear" : "nearest");
      const auto got = RunMade(maker, {x});
      ASSERT_EQ(got.size(), 1u) << opset;
      EXPECT_EQ(Compare(got[0], Enlarged(x, linear), 0, 1e-6), "") << opset << (linear ? " linear" : " nearest");
    }
  }
}

TEST(OnnxImport, BatchNormalizationFoldsIntoTheConvolution) {
  const std::vector<float> weights = Pattern(4 * 3 * 9, 7), scale{1, 0.5f, -2, 0.25f}, bias{0, 1, 2, 3};
  const std::vector<float> mean{0.5f, 0, -1, 2}, variance{1, 4, 0.25f, 9};
  ModelMaker maker(13);
  maker.Input("x", {1, 3, -1, -1}).Output("y").Weights("w", {4, 3, 3, 3}, weights);
  maker.Weights("s", {4}, scale).Weights("b", {4}, bias).Weights("m", {4}, mean).Weights("v", {4}, variance);
  auto& conv = maker.Node("Conv", {"x", "w"}, {"c"});
  SetString(conv, "auto_pad", "SAME_UPPER");
  SetInts(conv, "strides", {2, 2});
  SetFloat(maker.Node("BatchNormalization", {"c", "s", "b", "m", "v"}, {"y"}), "epsilon", 0);
  const Tensor x = PatternTensor({1, 3, 9, 10}, 3);
  Tensor want = SameConv(x, weights, 4, true);
  const size_t plane = want.values.size() / 4;
  for (size_t i = 0; i < want.values.size(); ++i) {
    const size_t c = i / plane;
    want.values[i] = static_cast<double>(scale[c]) * (want.values[i] - static_cast<double>(mean[c])) /
                         std::sqrt(static_cast<double>(variance[c])) +
                     static_cast<double>(bias[c]);
  }
  const auto got = RunMade(maker, {x});
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(Compare(got[0], want, 1e-5, 1e-5), "");

  Report report;
  Result<Model> model = ConvertAndLoad(maker.model, {}, &report);
  ASSERT_TRUE(model.ok());
  const std::vector<std::vector<int64_t>> dims{{1, 9, 10, 3}};
  const auto operators = model->Operators(dims);
  ASSERT_TRUE(operators.ok()) << operators.status().message();
  for (const OperatorInfo& info : *operators) EXPECT_NE(info.kind, "binary") << info.name;
}

// Two levels; the decoder is resized to the encoder's size through Shape, as exporters write it.
ModelMaker Unet() {
  ModelMaker maker(13);
  maker.Input("x", {1, 1, -1, -1}).Output("y");
  maker.Weights("w1", {4, 1, 3, 3}, Pattern(36, 1)).Weights("w2", {8, 4, 3, 3}, Pattern(288, 2));
  maker.Weights("w3", {1, 12, 3, 3}, Pattern(108, 3));
  maker.Integers("two", {1}, {2}).Integers("four", {1}, {4}).Integers("zero", {1}, {0});
  SetInts(maker.Node("Conv", {"x", "w1"}, {"a"}), "pads", {1, 1, 1, 1});
  maker.Node("Relu", {"a"}, {"skip"});
  auto& pool = maker.Node("MaxPool", {"skip"}, {"p"});
  SetInts(pool, "kernel_shape", {2, 2});
  SetInts(pool, "strides", {2, 2});
  SetInts(maker.Node("Conv", {"p", "w2"}, {"q"}), "pads", {1, 1, 1, 1});
  maker.Node("Shape", {"skip"}, {"skip_shape"});
  maker.Node("Slice", {"skip_shape", "two", "four", "zero"}, {"skip_size"});
  maker.Node("Shape", {"q"}, {"q_shape"});
  maker.Node("Slice", {"q_shape", "zero", "two", "zero"}, {"q_head"});
  SetInt(maker.Node("Concat", {"q_head", "skip_size"}, {"sizes"}), "axis", 0);
  SetString(maker.Node("Resize", {"q", "", "", "sizes"}, {"up"}), "mode", "linear");
  SetInt(maker.Node("Concat", {"up", "skip"}, {"joined"}), "axis", 1);
  SetInts(maker.Node("Conv", {"joined", "w3"}, {"y"}), "pads", {1, 1, 1, 1});
  return maker;
}

TEST(OnnxImport, UnetWithOpenSizesEqualsFixedSizes) {
  for (const auto& size : std::vector<std::vector<int64_t>>{{16, 16}, {17, 23}, {6, 9}}) {
    const Tensor x = PatternTensor({1, 1, size[0], size[1]}, 5);
    Options fixed;
    std::ostringstream text;
    text << "1x1x" << size[0] << 'x' << size[1];
    fixed.size["x"] = text.str();
    const auto open = RunMade(Unet(), {x}), constant = RunMade(Unet(), {x}, fixed);
    ASSERT_EQ(open.size(), 1u);
    ASSERT_EQ(constant.size(), 1u);
    EXPECT_EQ(open[0].dims, x.dims);
    EXPECT_EQ(Compare(open[0], constant[0], 0, 0), "");
  }
}

TEST(OnnxImport, ShapeInputWithCopiedAndInferredSizes) {
  ModelMaker maker(13);
  maker.Input("x", {2, 3, 4}).Input("shape", {3}, 7).Output("y");
  maker.Node("Reshape", {"x", "shape"}, {"y"});
  const Tensor x = PatternTensor({2, 3, 4}, 1);
  const std::vector<std::pair<std::vector<double>, std::vector<int64_t>>> cases{
      {{4, 3, 2}, {4, 3, 2}}, {{0, -1, 2}, {2, 6, 2}}, {{-1, 0, 8}, {1, 3, 8}}, {{6, 1, -1}, {6, 1, 4}}};
  for (const auto& [shape, dims] : cases) {
    const auto got = RunMade(maker, {x, {"int64", {3}, shape}});
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(Compare(got[0], {"float32", dims, x.values}, 0, 0), "");
  }
}

TEST(OnnxImport, LegacyBroadcast) {
  ModelMaker maker(1, 1);
  maker.model.clear_opset_import();
  maker.Input("x", {1, 2, 2, 2}).Output("y").Weights("b", {2}, {10, 20});
  auto& add = maker.Node("Add", {"x", "b"}, {"y"});
  SetInt(add, "broadcast", 1);
  SetInt(add, "axis", 1);
  const auto got = RunMade(maker, {{"float32", {1, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}}});
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(Compare(got[0], {"float32", {1, 2, 2, 2}, {11, 12, 13, 14, 25, 26, 27, 28}}, 0, 0), "");
}

TEST(OnnxImport, OldSoftmaxGoesOverAllLaterAxes) {
  ModelMaker maker(11);
  maker.Input("x", {1, 2, 2}).Output("y");
  SetInt(maker.Node("Softmax", {"x"}, {"y"}), "axis", 1);
  const auto got = RunMade(maker, {{"float32", {1, 2, 2}, {0, 0, 0, 0}}});
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(Compare(got[0], {"float32", {1, 2, 2}, {0.25, 0.25, 0.25, 0.25}}, 1e-6, 0), "");
}

TEST(OnnxImport, BranchKnownWhenConverting) {
  for (const int taken : {0, 1}) {
    ModelMaker maker(13);
    maker.Input("x", {3}).Output("y").Integers("c", {}, {taken});
    auto& node = maker.Node("If", {"c"}, {"y"});
    for (const char* name : {"then_branch", "else_branch"}) {
      auto* branch = node.add_attribute();
      branch->set_name(name);
      auto* inner = branch->mutable_g()->add_node();
      inner->set_op_type(std::string(name) == "then_branch" ? "Neg" : "Abs");
      inner->add_input(std::string("x"));
      inner->add_output(std::string("z"));
      branch->mutable_g()->add_output()->set_name("z");
    }
    const auto got = RunMade(maker, {{"float32", {3}, {1, -2, 3}}});
    ASSERT_EQ(got.size(), 1u);
    const std::vector<double> want = taken != 0 ? std::vector<double>{-1, 2, -3} : std::vector<double>{1, 2, 3};
    EXPECT_EQ(Compare(got[0], {"float32", {3}, want}, 0, 0), "");
  }
}

TEST(OnnxImport, ModelFunctionsAreInlined) {
  ModelMaker maker(13);
  maker.Input("x", {2}).Output("y");
  for (int call = 0; call < 2; ++call) {
    auto& node = maker.Node("Leak", {call == 0 ? "x" : "h"}, {call == 0 ? "h" : "y"});
    node.set_domain("made");
    SetFloat(node, "slope", call == 0 ? 0.5f : 0.25f);
  }
  auto* function = maker.model.add_functions();
  function->set_name("Leak");
  function->set_domain("made");
  function->add_input(std::string("a"));
  function->add_output(std::string("b"));
  auto* inner = function->add_node();
  inner->set_op_type("LeakyRelu");
  inner->add_input(std::string("a"));
  inner->add_output(std::string("b"));
  auto* slope = inner->add_attribute();
  slope->set_name("alpha");
  slope->set_ref_attr_name("slope");
  const auto got = RunMade(maker, {{"float32", {2}, {-8, 8}}});
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(Compare(got[0], {"float32", {2}, {-1, 8}}, 0, 0), "");
}

// Every element type that weights come in, as raw bytes.
TEST(OnnxImport, WeightTypes) {
  struct Type {
    int number;
    std::string raw;
  };
  const auto bytes = [](const auto& values) {
    return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
  };
  const std::vector<Type> types{{1, bytes(std::vector<float>{1, 2, 3})},
                                {2, std::string("\1\2\3", 3)},
                                {3, std::string("\1\2\3", 3)},
                                {4, bytes(std::vector<uint16_t>{1, 2, 3})},
                                {5, bytes(std::vector<int16_t>{1, 2, 3})},
                                {6, bytes(std::vector<int32_t>{1, 2, 3})},
                                {7, bytes(std::vector<int64_t>{1, 2, 3})},
                                {10, bytes(std::vector<uint16_t>{0x3c00, 0x4000, 0x4200})},
                                {11, bytes(std::vector<double>{1, 2, 3})},
                                {12, bytes(std::vector<uint32_t>{1, 2, 3})},
                                {13, bytes(std::vector<uint64_t>{1, 2, 3})},
                                {16, bytes(std::vector<uint16_t>{0x3f80, 0x4000, 0x4040})}};
  for (const Type& type : types) {
    ModelMaker maker(13);
    maker.Input("x", {3}).Output("y");
    auto* tensor = maker.model.mutable_graph()->add_initializer();
    tensor->set_name("w");
    tensor->set_data_type(type.number);
    tensor->add_dims(3);
    tensor->set_raw_data(type.raw);
    SetInt(maker.Node("Cast", {"w"}, {"f"}), "to", 1);
    maker.Node("Mul", {"x", "f"}, {"y"});
    const auto got = RunMade(maker, {{"float32", {3}, {1, 10, 100}}});
    ASSERT_EQ(got.size(), 1u) << type.number;
    EXPECT_EQ(Compare(got[0], {"float32", {3}, {1, 20, 300}}, 0, 0), "") << type.number;
  }
}

}  // namespace
}  // namespace fovea::testing
