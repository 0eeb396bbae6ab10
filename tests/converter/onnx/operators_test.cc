// Operators that ONNX's backend tests beside the project leave out, each on a few numbers against its formula.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "tests/converter/onnx/support.h"

namespace fovea::testing {
namespace {

constexpr double kRtol = 2e-6;  // float32 functions within a few units in the last place
constexpr double kAtol = 2e-6;

Tensor RunNode(ModelMaker& maker, const std::vector<Tensor>& inputs) {
  converter::Report report;
  Result<Model> model = ConvertAndLoad(maker.model, {}, &report);
  if (!model.ok()) {
    ADD_FAILURE() << model.status().message();
    return {};
  }
  Result<std::vector<Tensor>> got = Run(*model, inputs, {});
  if (!got.ok() || got->size() != 1) {
    ADD_FAILURE() << got.status().message();
    return {};
  }
  return (*got)[0];
}

struct FunctionCase {
  const char* op;
  int opset;
  std::function<void(onnx::NodeProto&)> attributes;
  std::function<double(double)> want;
};

TEST(OnnxOperators, FunctionsOfOneNumber) {
  const auto none = [](onnx::NodeProto&) {};
  const auto alpha = [](float value) { return [value](onnx::NodeProto& node) { SetFloat(node, "alpha", value); }; };
  const FunctionCase cases[] = {
      {"Celu", 12, alpha(2), [](double x) { return std::max(0.0, x) + std::min(0.0, 2 * std::expm1(x / 2)); }},
      {"ThresholdedRelu", 10, alpha(0.5f), [](double x) { return x > 0.5 ? x : 0; }},
      {"Softsign", 1, none, [](double x) { return x / (1 + std::fabs(x)); }},
      {"Swish", 24, alpha(1.5f), [](double x) { return x / (1 + std::exp(-1.5 * x)); }},
      {"Reciprocal", 13, none, [](double x) { return 1 / x; }},
      {"Sign", 13, none, [](double x) { return x > 0   ? 1
                                               : x < 0 ? -1
                                                       : 0; }},
      {"Sin", 7, none, [](double x) { return std::sin(x); }},
      {"Cos", 7, none, [](double x) { return std::cos(x); }},
      {"HardSwish", 14, none, [](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }},
      {"Selu", 1, none, [](double x) { return 1.0507 * (x > 0 ? x : 1.6732 * std::expm1(x)); }},
      {"Clip", 6, [](onnx::NodeProto& node) { SetFloat(node, "max", 0.25f); },
       [](double x) { return std::min(x, 0.25); }},
  };
  const Tensor x{"float32", {6}, {-3, -0.75, -0.125, 0.25, 1.5, 4}};
  for (const FunctionCase& c : cases) {
    ModelMaker maker(c.opset);
    maker.Input("x", {6}).Output("y");
    c.attributes(maker.Node(c.op, {"x"}, {"y"}));
    Tensor want{"float32", {6}, {}};
    for (const double v : x.values) want.values.push_back(c.want(v));
    EXPECT_EQ(Compare(RunNode(maker, {x}), want, kRtol, kAtol), "") << c.op;
  }
}

struct PairCase {
  const char* op;
  int type;  // of both operands
  bool fmod;
  double a, b, want;
};

TEST(OnnxOperators, FunctionsOfTwoNumbers) {
  const PairCase cases[] = {{"Mod", 6, false, -7, 3, 2},        {"Mod", 6, false, 7, -3, -2},
                            {"Mod", 1, true, -7, 3, -1},        {"Mod", 1, true, 7.5, -2, 1.5},
                            {"Div", 6, false, -7, 2, -3},       {"Div", 6, false, 7, 2, 3},
                            {"Add", 3, false, 127, 1, -128},    {"Sub", 2, false, 0, 1, 255},
                            {"Mul", 5, false, 300, 300, 24464}, {"Xor", 9, false, 1, 1, 0},
                            {"Xor", 9, false, 1, 0, 1},         {"And", 9, false, 1, 0, 0},
                            {"Or", 9, false, 1, 0, 1},          {"GreaterOrEqual", 1, false, 2, 2, 1},
                            {"LessOrEqual", 1, false, 2, 2, 1}};
  for (const PairCase& c : cases) {
    ModelMaker maker(16);
    maker.Input("a", {1, 1}, c.type).Input("b", {1, 1}, c.type).Output("y");
    auto& node = maker.Node(c.op, {"a", "b"}, {"y"});
    if (c.fmod) SetInt(node, "fmod", 1);
    const Tensor got = RunNode(maker, {{"", {1, 1}, {c.a}}, {"", {1, 1}, {c.b}}});
    EXPECT_EQ(Compare(got, {"", {1, 1}, {c.want}}, 0, 0), "") << c.op << " " << c.a << " " << c.b;
  }
}

TEST(OnnxOperators, Reductions) {
  struct Case {
    const char* op;
    std::vector<double> want;  // over the rows of {{1, -2, 3}, {-4, 0.5, 2}}
  };
  const Case cases[] = {
      {"ReduceProd", {-6, -4}},
      {"ReduceL2", {std::sqrt(14), std::sqrt(20.25)}},
      {"ReduceL1", {6, 6.5}},
      {"ReduceSumSquare", {14, 20.25}},
      {"ReduceLogSumExp",
       {std::log(std::exp(1) + std::exp(-2) + std::exp(3)), std::log(std::exp(-4) + std::exp(0.5) + std::exp(2))}},
      {"ArgMax", {2, 2}},
      {"ArgMin", {1, 0}}};
  for (const Case& c : cases) {
    ModelMaker maker(13);
    maker.Input("x", {2, 3}).Output("y");
    auto& node = maker.Node(c.op, {"x"}, {"y"});
    const bool arg = std::string(c.op).rfind("Arg", 0) == 0;
    if (arg) {
      SetInt(node, "axis", -1);
    } else {
      SetInts(node, "axes", {-1});
    }
    SetInt(node, "keepdims", 0);
    const Tensor got = RunNode(maker, {{"float32", {2, 3}, {1, -2, 3, -4, 0.5, 2}}});
    EXPECT_EQ(Compare(got, {"", {2}, c.want}, kRtol, kAtol), "") << c.op;
    EXPECT_EQ(got.type, arg ? "int64" : "float32") << c.op;
  }
}

TEST(OnnxOperators, LastOfEqualMaxima) {
  for (const int last : {0, 1}) {
    ModelMaker maker(13);
    maker.Input("x", {1, 4}).Output("y");
    auto& node = maker.Node("ArgMax", {"x"}, {"y"});
    SetInt(node, "axis", 1);
    SetInt(node, "select_last_index", last);
    const Tensor got = RunNode(maker, {{"float32", {1, 4}, {1, 5, 5, 2}}});
    EXPECT_EQ(Compare(got, {"", {1, 1}, {last != 0 ? 2.0 : 1.0}}, 0, 0), "");
  }
}

// Two groups of two channels, one scale a group (opset 18) or a channel (21): (x - mean) / deviation, then the scale.
TEST(OnnxOperators, GroupNormalizationOfBothOpsets) {
  const Tensor x{"float32", {1, 4, 1, 2}, {0, 2, 4, 6, -1, 1, -3, 3}};
  const double a = std::sqrt(5.0);  // deviation of both groups: 0 2 4 6 and -1 1 -3 3
  for (const int opset : {18, 21}) {
    ModelMaker maker(opset);
    maker.Input("x", {1, 4, -1, -1}).Output("y");
    if (opset == 18) {
      maker.Weights("s", {2}, {2, 10}).Weights("b", {2}, {0, 1});
    } else {
      maker.Weights("s", {4}, {2, 2, 10, 10}).Weights("b", {4}, {0, 0, 1, 1});
    }
    auto& node = maker.Node("GroupNormalization", {"x", "s", "b"}, {"y"});
    SetInt(node, "num_groups", 2);
    SetFloat(node, "epsilon", 0);
    const Tensor want{"", x.dims, {-6 / a, -2 / a, 2 / a, 6 / a, 1 - 10 / a, 1 + 10 / a, 1 - 30 / a, 1 + 30 / a}};
    EXPECT_EQ(Compare(RunNode(maker, {x}), want, kRtol, kAtol), "") << opset;
  }
}

TEST(OnnxOperators, MeanVarianceNormalization) {
  ModelMaker maker(13);
  maker.Input("x", {1, 2, 1, 2}).Output("y");
  maker.Node("MeanVarianceNormalization", {"x"}, {"y"});
  const Tensor got = RunNode(maker, {{"float32", {1, 2, 1, 2}, {1, 3, -10, 10}}});
  EXPECT_EQ(Compare(got, {"", {1, 2, 1, 2}, {-1, 1, -1, 1}}, kRtol, kAtol), "");
}

TEST(OnnxOperators, LogSoftmax) {
  ModelMaker maker(13);
  maker.Input("x", {1, 2}).Output("y");
  maker.Node("LogSoftmax", {"x"}, {"y"});
  const double sum = std::log1p(std::exp(-1.0));
  EXPECT_EQ(Compare(RunNode(maker, {{"float32", {1, 2}, {0, 1}}}), {"", {1, 2}, {-1 - sum, -sum}}, kRtol, kAtol), "");
}

// reflect, edge and wrap on an axis of four.
TEST(OnnxOperators, PadModes) {
  const std::pair<const char*, std::vector<double>> cases[] = {{"reflect", {3, 2, 1, 2, 3, 4, 3}},
                                                               {"edge", {1, 1, 1, 2, 3, 4, 4}},
                                                               {"wrap", {3, 4, 1, 2, 3, 4, 1}},
                                                               {"constant", {9, 9, 1, 2, 3, 4, 9}}};
  for (const auto& [mode, want] : cases) {
    ModelMaker maker(19);
    maker.Input("x", {1, 4}).Output("y").Integers("pads", {4}, {0, 2, 0, 1}).Weights("v", {}, {9});
    SetString(maker.Node("Pad", {"x", "pads", "v"}, {"y"}), "mode", mode);
    EXPECT_EQ(Compare(RunNode(maker, {{"float32", {1, 4}, {1, 2, 3, 4}}}), {"", {1, 7}, want}, 0, 0), "") << mode;
  }
}

// What is cropped away does not come back: 2 3 4 repeats, then 1 2 3.
TEST(OnnxOperators, WrapAfterCropping) {
  const std::pair<std::vector<int64_t>, std::vector<double>> cases[] = {{{0, -1, 0, 2}, {2, 3, 4, 2, 3}},
                                                                        {{0, 2, 0, -1}, {2, 3, 1, 2, 3}}};
  for (const auto& [pads, want] : cases) {
    ModelMaker maker(19);
    maker.Input("x", {1, 4}).Output("y").Integers("pads", {4}, pads);
    SetString(maker.Node("Pad", {"x", "pads"}, {"y"}), "mode", "wrap");
    EXPECT_EQ(Compare(RunNode(maker, {{"float32", {1, 4}, {1, 2, 3, 4}}}), {"", {1, 5}, want}, 0, 0), "") << pads[1];
  }
}

// One column more than the kernel reaches, which is 3 * 2 = 6 wide: it is the last one, of zeros, whatever auto_pad
// says.
TEST(OnnxOperators, TransposedSizesBeyondTheKernel) {
  for (const char* auto_pad : {"NOTSET", "SAME_UPPER", "SAME_LOWER"}) {
    ModelMaker maker(11);
    maker.Input("x", {1, 1, 3}).Output("y").Weights("w", {1, 1, 2}, {1, 10});
    auto& node = maker.Node("ConvTranspose", {"x", "w"}, {"y"});
    SetInts(node, "strides", {2});
    SetInts(node, "output_shape", {7});
    SetString(node, "auto_pad", auto_pad);
    const Tensor got = RunNode(maker, {{"float32", {1, 1, 3}, {1, 2, 3}}});
    EXPECT_EQ(Compare(got, {"", {1, 1, 7}, {1, 10, 2, 20, 3, 30, 0}}, 0, 0), "") << auto_pad;
  }
}

// The reach of networks is told to the user right after conversion, of those too that give nothing.
TEST(OnnxOperators, ReachOfTensorsWithoutElements) {
  ModelMaker maker(18);
  maker.Input("x", {1, 1, 2, 9}).Output("y").Weights("s", {4}, {1, 1, 0.3f, 1});
  maker.Node("Resize", {"x", "", "s"}, {"y"});
  converter::Report report;
  const Result<Model> model = ConvertAndLoad(maker.model, {}, &report);
  ASSERT_TRUE(model.ok()) << model.status().message();
  const auto fields = model->ReceptiveFields();
  ASSERT_TRUE(fields.ok()) << fields.status().message();
}

// Strides of 2^20 in a row: their product passes 2^63, and the reach is said to have no end.
TEST(OnnxOperators, ReachOfHugeStrides) {
  ModelMaker maker(12);
  maker.Input("x", {1, 1, 1, 1}).Output("y");
  const char* names[] = {"x", "a", "b", "c", "y"};
  for (int i = 0; i < 4; ++i) {
    auto& node = maker.Node("MaxPool", {names[i]}, {names[i + 1]});
    SetInts(node, "kernel_shape", {1, 1});
    SetInts(node, "strides", {1 << 20, 1 << 20});
  }
  converter::Report report;
  const Result<Model> model = ConvertAndLoad(maker.model, {}, &report);
  ASSERT_TRUE(model.ok()) << model.status().message();
  const auto fields = model->ReceptiveFields();
  ASSERT_TRUE(fields.ok()) << fields.status().message();
  ASSERT_EQ(fields->size(), 1u);
  for (const auto& side : (*fields)[0].sides) EXPECT_TRUE(side.unbounded);
}

// Everything that depends on sizes alone: 2 H W + {0, 1, 2}.
TEST(OnnxOperators, SizeAndRange) {
  ModelMaker maker(13);
  maker.Input("x", {1, 2, -1, -1}).Output("y");
  maker.Integers("zero", {}, {0}).Integers("three", {}, {3}).Integers("one", {}, {1});
  maker.Node("Size", {"x"}, {"n"});
  maker.Node("Range", {"zero", "three", "one"}, {"r"});
  maker.Node("Add", {"n", "r"}, {"sum"});
  SetInt(maker.Node("Cast", {"sum"}, {"f"}), "to", 1);
  maker.Node("ReduceMax", {"x"}, {"m"});
  maker.Node("Reshape", {"m", "shape1"}, {"scalar"});
  maker.Integers("shape1", {1}, {1});
  maker.Node("Add", {"f", "scalar"}, {"y"});
  const Tensor x{"float32", {1, 2, 2, 3}, std::vector<double>(12, 0)};
  EXPECT_EQ(Compare(RunNode(maker, {x}), {"", {3}, {12, 13, 14}}, 0, 0), "");
}

TEST(OnnxOperators, IsNaNAndNot) {
  ModelMaker maker(13);
  maker.Input("x", {3}).Output("y");
  maker.Node("IsNaN", {"x"}, {"n"});
  maker.Node("Not", {"n"}, {"y"});
  const Tensor got = RunNode(maker, {{"float32", {3}, {1, std::nan(""), -INFINITY}}});
  EXPECT_EQ(Compare(got, {"", {3}, {1, 0, 1}}, 0, 0), "");
  EXPECT_EQ(got.type, "bool");
}

}  // namespace
}  // namespace fovea::testing
