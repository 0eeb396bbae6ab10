// Graphs that hold training and inference: flags, Switch and Merge, placeholders, dropout, the interface that is left.
#include "tests/converter/tensorflow/maker.h"

namespace fovea::testing {
namespace {

std::string Cond(TfMaker& m, const std::string& x, const std::string& flag, const std::string& when_true,
                 const std::string& when_false) {
  const std::string pick = m.Op("Switch", {x, m.Op("Identity", {flag})});
  return m.Op("Merge", {m.Op(when_false, {pick}), m.Op(when_true, {pick + ":1"})});
}

std::string Flag(TfMaker& m, const std::string& name, bool value) {
  m.graph.nodes.push_back({name,
                           "PlaceholderWithDefault",
                           {m.Truth(value)},
                           {{"dtype", TfType(DType::kBool)}, {"shape", TfShape{true, {}}}}});
  return name;
}

const ir::Tensor kImage{{1, 2, 2, 1}, {-1, 4, -9, 16}};
const ir::Tensor kRelu{{1, 2, 2, 1}, {0, 4, 0, 16}}, kNegative{{1, 2, 2, 1}, {1, -4, 9, -16}};

TEST(TensorFlowInference, DefaultsDecideBranches) {
  for (const bool training : {false, true}) {
    TfMaker m;
    const std::string x = m.Input("x", {1, -1, -1, 1});
    const std::string y = Cond(m, x, Flag(m, "use_relu", training), "Relu", "Neg");
    ExpectResult(m, y, {kImage}, training ? kRelu : kNegative);
  }
}

TEST(TensorFlowInference, LearningPhaseIsFalse) {
  TfMaker m;
  const std::string x = m.Input("x", {1, -1, -1, 1});
  const std::string flag = m.Placeholder("block/keras_learning_phase", {}, DType::kBool);
  ExpectResult(m, Cond(m, x, flag, "Relu", "Neg"), {kImage}, kNegative);
}

// A training flag is false whatever it was when the model was saved: a default of true, a variable that is still true,
// Keras 1's integer. A constant of the graph is no flag, whatever its name.
TEST(TensorFlowInference, TrainingFlagsAreFalseWhateverTheyHold) {
  const auto placeholder = [](TfMaker& m, const std::string& name, DType dtype) {
    const std::string flag = Flag(m, name, true);
    m.graph.nodes.back().attrs["dtype"] = TfType(dtype);
    return flag;
  };
  for (const char* name : {"is_training", "scope/training", "phase", "gan/Train"}) {
    TfMaker m;
    const std::string x = m.Input("x", {1, -1, -1, 1});
    ExpectResult(m, Cond(m, x, placeholder(m, name, DType::kBool), "Relu", "Neg"), {kImage}, kNegative);
  }
  {
    TfMaker m;
    const std::string x = m.Input("x", {1, -1, -1, 1});
    const std::string flag =
        m.Op("Cast", {placeholder(m, "keras_learning_phase", DType::kUInt8)}, {{"DstT", TfType(DType::kBool)}});
    ExpectResult(m, Cond(m, x, flag, "Relu", "Neg"), {kImage}, kNegative);
  }
  for (const bool is_variable : {false, true}) {
    TfMaker m;
    const std::string x = m.Input("x", {1, -1, -1, 1});
    m.Truth(true);
    m.graph.nodes.back().name = "is_training";
    m.graph.nodes.back().attrs["dtype"] = TfType(DType::kBool);
    if (is_variable) m.graph.nodes.back().attrs["shape"] = TfShape{true, {}};
    ExpectResult(m, Cond(m, x, "is_training", "Relu", "Neg"), {kImage}, is_variable ? kNegative : kRelu);
  }
}

// A learning phase that the signature lists as an input is none of the model's.
TEST(TensorFlowInference, LearningPhaseAsInputDisappears) {
  TfMaker m;
  const std::string flag = m.Input("keras_learning_phase", {}, DType::kBool);
  const std::string x = m.Input("x", {1, -1, -1, 1});
  m.Output(Cond(m, x, flag, "Relu", "Neg"));
  const ir::Graph graph = Import(m.graph);
  ASSERT_EQ(graph.inputs.size(), 1u);
  EXPECT_EQ(graph.inputs[0].name, "x");
  EXPECT_TRUE(graph.warnings.empty());
  ExpectResult(m.graph, {kImage}, kNegative);
}

TEST(TensorFlowInference, UnknownFlagIsFalseWithAWarningAndCanBeSet) {
  TfMaker m;
  const std::string x = m.Input("x", {1, -1, -1, 1});
  const std::string flag = m.Placeholder("mode", {}, DType::kBool);
  m.Output(Cond(m, x, flag, "Relu", "Neg"));
  ASSERT_EQ(Import(m.graph).warnings.size(), 1u);
  EXPECT_NE(Import(m.graph).warnings[0].find("--set mode"), std::string::npos);
  ExpectResult(m.graph, {kImage}, kNegative);
  converter::Options options;
  options.set.push_back({"mode", DType::kFloat32, {}, {1}});
  EXPECT_TRUE(Import(m.graph, options).warnings.empty());
  ExpectResult(m.graph, {kImage}, kRelu, 0, options);
}

// Constants that a branch makes hang on it by control inputs only.
TEST(TensorFlowInference, ConstantBranches) {
  TfMaker m;
  const std::string x = m.Input("x", {1, -1, -1, 1});
  const std::string flag = Flag(m, "training", false);
  const std::string pivot = m.Op("Switch", {flag, flag});
  const std::string no = m.Op("Identity", {pivot}), yes = m.Op("Identity", {pivot + ":1"});
  const std::string two = m.Number(2), three = m.Number(3);
  m.graph.nodes[m.graph.nodes.size() - 2].inputs = {"^" + no};
  m.graph.nodes[m.graph.nodes.size() - 1].inputs = {"^" + yes};
  const std::string factor = m.Op("Merge", {three, two});
  ExpectResult(m, m.Op("Mul", {x, factor}), {kImage}, {{1, 2, 2, 1}, {-2, 8, -18, 32}});
}

TEST(TensorFlowInference, ControlInputsAndAssertsVanish) {
  TfMaker m;
  const std::string x = m.Input("x", {1, -1, -1, 1});
  const std::string check = m.Op("Assert", {m.Truth(true), x});
  m.Output(m.Op("Identity", {m.Op("Relu", {x, "^" + check})}));
  EXPECT_EQ(Import(m.graph).nodes.size(), 1u);
  ExpectResult(m.graph, {kImage}, kRelu);
}

TEST(TensorFlowInference, UnusedInputsDisappear) {
  TfMaker m;
  m.Input("mask", {-1, -1});
  // Read by dropout's shape alone.
  const std::string shaped = m.Input("noise_like", {-1, -1, -1, 1});
  const std::string x = m.Input("x", {-1, -1, -1, 1});
  const std::string noise = m.Op("RandomUniform", {m.Op("Shape", {shaped})});
  const std::string mask = m.Op("Floor", {m.Op("Add", {m.Number(0.5f), noise})});
  const std::string y = m.Op("Mul", {m.Op("RealDiv", {x, m.Number(0.5f)}), mask});
  m.Output(m.Op("MaxPool", {m.Op("Neg", {y})},
                {{"ksize", Ints{1, 2, 2, 1}}, {"strides", Ints{1, 2, 2, 1}}, {"padding", Text("SAME")}}));
  const ir::Graph graph = Import(m.graph);
  ASSERT_EQ(graph.inputs.size(), 1u);
  EXPECT_EQ(graph.inputs[0].name, "x");
  ExpectResult(m.graph, {kImage}, {{1, 1, 1, 1}, {9}});
}

TEST(TensorFlowInference, UnknownRankIsTakenFromTheFirstConvolution) {
  Random random(1);
  TfMaker m;
  const std::string x = m.Input("x", {}, DType::kFloat32);
  m.graph.inputs[0].shape = {};
  const std::string w = m.Op("Identity", {m.Floats(random.Tensor({1, 1, 3, 2}))});
  m.Output(
      m.Op("Conv2D", {m.Op("Mul", {x, m.Number(2)}), w}, {{"strides", Ints{1, 1, 1, 1}}, {"padding", Text("SAME")}}));
  const ir::Graph graph = Import(m.graph);
  const auto& dims = graph.values[static_cast<size_t>(graph.inputs[0].value)].dims;
  ASSERT_EQ(dims.size(), 4u);
  EXPECT_TRUE(dims[3] == DimExpr(3));
  EXPECT_FALSE(dims[1].IsConst());
  // Nothing says it: the user has to.
  TfMaker relu;
  const std::string y = relu.Input("x", {});
  relu.graph.inputs[0].shape = {};
  relu.Output(relu.Op("Relu", {y}));
  EXPECT_NE(ImportFails(relu.graph).message().find("--size x="), std::string::npos);
  converter::Options options;
  options.size["x"] = "1x?x?x1";
  ExpectResult(relu.graph, {kImage}, kRelu, 0, options);
}

TEST(TensorFlowInference, PlaceholdersThatAreNoInputsAreNamed) {
  TfMaker m;
  const std::string x = m.Input("x", {1, -1, -1, 1});
  m.Output(m.Op("Mul", {x, m.Placeholder("factor", {}, DType::kFloat32)}));
  EXPECT_NE(ImportFails(m.graph).message().find("--set factor="), std::string::npos);
  converter::Options options;
  options.set.push_back({"factor", DType::kFloat32, {1}, {-1}});
  ExpectResult(m.graph, {kImage}, kNegative, 0, options);
  options.set[0].name = "elsewhere";
  EXPECT_EQ(ImportFails(m.graph, options).code(), StatusCode::kInvalidArgument);
}

// The three spellings of dropout, with the rate as constants are: rounded to float32.
TEST(TensorFlowInference, LiveDropoutIsTheIdentity) {
  for (const float keep : {0.5f, 0.9f, 0.75f}) {
    const auto uniform = [&](TfMaker& m, const std::string& x) {
      const std::string u = m.Op("RandomUniform", {m.Op("Shape", {x})}, {{"seed", int64_t{0}}});
      const std::string range = m.Op("Sub", {m.Number(1), m.Number(0)});
      return m.Op("Add", {m.Op("Mul", {u, range}), m.Number(0)});
    };
    TfMaker old;
    std::string x = old.Op("Relu", {old.Input("x", {1, -1, -1, 1})});
    const std::string floor = old.Op("Floor", {old.Op("Add", {old.Number(keep), uniform(old, x)})});
    old.Output(old.Op("Mul", {old.Op("RealDiv", {x, old.Number(keep)}), floor}));

    TfMaker newer;
    x = newer.Op("Relu", {newer.Input("x", {1, -1, -1, 1})});
    const std::string scaled = newer.Op("Mul", {x, newer.Number(1 / keep)});
    const std::string flags = newer.Op("GreaterEqual", {uniform(newer, x), newer.Number(1 - keep)});
    newer.Output(newer.Op("Mul", {scaled, newer.Op("Cast", {flags}, {{"DstT", TfType(DType::kFloat32)}})}));

    TfMaker newest;
    x = newest.Op("Relu", {newest.Input("x", {1, -1, -1, 1})});
    const std::string kept = newest.Op("GreaterEqual", {uniform(newest, x), newest.Number(1 - keep)});
    newest.Output(newest.Op("SelectV2", {kept, newest.Op("Mul", {x, newest.Number(1 / keep)}), newest.Number(0)}));

    for (const TfMaker* m : {&old, &newer, &newest}) {
      const ir::Graph graph = Import(m->graph);
      EXPECT_EQ(graph.nodes.size(), 1u) << graph.ToString();
      ASSERT_EQ(graph.warnings.size(), 1u);
      EXPECT_NE(graph.warnings[0].find("dropout"), std::string::npos);
      ExpectResult(m->graph, {kImage}, kRelu);
    }
  }
}

std::vector<float> Evaluated(const TfGraph& tf, const converter::Options& options, const ir::Tensor& x) {
  return Must(ir::Evaluate(Import(tf, options), {x}))[0].data;
}

// With a seed, elements are either dropped or divided by keep; the optimised and the fast graph decide alike.
TEST(TensorFlowInference, LiveDropoutStaysWithASeed) {
  const Ints dims{1, 40, 30, 4};
  const ir::Tensor image = Random(1).Tensor(dims, 0.5f, 1);
  for (const bool whole_channels : {false, true}) {
    for (const bool select : {false, true}) {
      TfMaker m;
      const std::string x = m.Op("Relu", {m.Input("x", {1, -1, -1, 4})});
      const std::string shape = whole_channels ? m.Integers({1, 1, 1, 4}) : m.Op("Shape", {x});
      const std::string u = m.Op("RandomUniform", {shape});
      const std::string scaled = m.Op("RealDiv", {x, m.Number(0.75f)});
      if (select) {
        m.Output(m.Op("SelectV2", {m.Op("GreaterEqual", {u, m.Number(0.25f)}), scaled, m.Number(0)}));
      } else {
        m.Output(m.Op("Mul", {scaled, m.Op("Floor", {m.Op("AddV2", {u, m.Number(0.75f)})})}));
      }
      converter::Options options;
      options.dropout_seed = 3;
      const ir::Graph graph = Import(m.graph, options);
      EXPECT_EQ(CountKind(graph, OpKind::kDropout), 1) << graph.ToString();
      ASSERT_EQ(graph.warnings.size(), 1u);
      EXPECT_NE(graph.warnings[0].find("seed 3"), std::string::npos);
      const std::vector<float> result = Evaluated(m.graph, options, image);
      double kept = 0;
      for (size_t i = 0; i < result.size(); ++i) {
        if (result[i] != 0) {
          EXPECT_NEAR(result[i], image.data[i] / 0.75f, 1e-6);
        }
        kept += result[i] != 0;
        if (whole_channels) {
          EXPECT_EQ(result[i] != 0, result[i % 4] != 0);
        }
      }
      if (!whole_channels) {
        EXPECT_NEAR(kept / 4800, 0.75, 5 * std::sqrt(0.75 * 0.25 / 4800));
      }
      ExpectResult(m.graph, {image}, {dims, result}, 1e-6, options);
      options.dropout_seed = 4;
      if (!whole_channels) {
        EXPECT_NE(Evaluated(m.graph, options, image), result);
      }
    }
  }
}

// Two nodes decide independently; two readers of one draw alike.
TEST(TensorFlowInference, SeededDropoutFollowsItsDraw) {
  TfMaker m;
  const std::string x = m.Op("Relu", {m.Input("x", {1, -1, -1, 1})});
  const auto mask = [&] {
    const std::string u = m.Op("RandomUniform", {m.Op("Shape", {x})});
    return m.Op("Floor", {m.Op("Add", {u, m.Number(0.5f)})});
  };
  const std::string first = mask(), second = mask();
  m.Output(m.Op("Sub", {m.Op("Mul", {x, first}), m.Op("Mul", {first, x})}), "same");
  m.Output(m.Op("Sub", {m.Op("Mul", {x, first}), m.Op("Mul", {x, second})}), "other");
  converter::Options options;
  options.dropout_seed = 0;
  const auto results = Must(ir::Evaluate(Import(m.graph, options), {Random(1).Tensor({1, 30, 30, 1}, 1, 2)}));
  int differ = 0;
  for (size_t i = 0; i < 900; ++i) {
    EXPECT_EQ(results[0].data[i], 0);
    differ += results[1].data[i] != 0;
  }
  EXPECT_NEAR(differ, 450, 75);  // five standard deviations
}

TEST(TensorFlowInference, SeededDropoutOfUnknownShapeIsRefused) {
  TfMaker m;
  const std::string x = m.Input("x", {1, -1, -1, 1});
  const std::string u = m.Op("RandomUniform", {m.Op("Shape", {m.Op("Relu", {m.Input("y", {1, -1, -1, 1})})})});
  m.Output(m.Op("Mul", {x, m.Op("Floor", {m.Op("Add", {u, m.Number(0.5f)})})}));
  converter::Options options;
  options.dropout_seed = 0;
  EXPECT_NE(ImportFails(m.graph, options).message().find("leave out --dropout"), std::string::npos);
}

// Without the division by keep, the mean of the result is keep x.
TEST(TensorFlowInference, UnscaledDropoutIsItsMean) {
  TfMaker m;
  const std::string x = m.Input("x", {1, -1, -1, 1});
  const std::string noise = m.Op("RandomUniform", {m.Op("Shape", {x})});
  ExpectResult(m, m.Op("Mul", {x, m.Op("Floor", {m.Op("Add", {noise, m.Number(0.25f)})})}), {kImage},
               {{1, 2, 2, 1}, {-0.25f, 1, -2.25f, 4}});
}

TEST(TensorFlowInference, NoiseIsItsMean) {
  TfMaker m;
  const std::string x = m.Input("x", {1, -1, -1, 1});
  const std::string noise = m.Op("Mul", {m.Op("RandomStandardNormal", {m.Op("Shape", {x})}), m.Number(0.1f)});
  ExpectResult(m, m.Op("AddV2", {x, noise}), {kImage}, kImage);
}

TEST(TensorFlowInference, OtherRandomNumbersAreRefused) {
  TfMaker m;
  const std::string x = m.Input("x", {1, -1, -1, 1});
  m.Output(m.Op("Mul", {x, m.Op("Exp", {m.Op("RandomUniform", {m.Op("Shape", {x})})})}));
  EXPECT_EQ(ImportFails(m.graph).code(), StatusCode::kUnsupported);
}

}  // namespace
}  // namespace fovea::testing
