// What emission adds to the graph: storage of weights, letters of axes, self-tests, outputs that need a node.
#include <bit>
#include <cstring>

#include "converter/convert.h"
#include "converter/emit/half.h"
#include "converter/passes/passes.h"
#include "runtime/include/fovea/model.h"
#include "runtime/model/model_file.h"
#include "tests/converter/support.h"

namespace fovea::testing {
namespace {

double Float16Value(uint16_t h) {
  const int exponent = (h >> 10) & 31;
  const double mantissa = h & 1023;
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return (h & 0x8000) != 0 ? -magnitude : magnitude;
}

// Every finite half is kept; numbers halfway between two go to the even one, a little beyond to the nearer one.
TEST(Half, Float16) {
  for (uint16_t h = 0; h < 0x7c00; ++h) {
    const float x = static_cast<float>(Float16Value(h));
    ASSERT_EQ(converter::ToFloat16(x), h);
    ASSERT_EQ(converter::ToFloat16(-x), h | 0x8000);
    const float next = h == 0x7bff ? 65536.0f : static_cast<float>(Float16Value(static_cast<uint16_t>(h + 1)));
    const float middle = (x + next) / 2;
    ASSERT_EQ(converter::ToFloat16(middle), (h & 1) == 0 ? h : h + 1) << middle;
    ASSERT_EQ(converter::ToFloat16(std::nextafter(middle, 0.0f)), h);
    ASSERT_EQ(converter::ToFloat16(std::nextafter(middle, 1e9f)), h + 1);
  }
  EXPECT_EQ(converter::ToFloat16(1e10f), 0x7c00);
  EXPECT_EQ(converter::ToFloat16(-INFINITY), 0xfc00);
  EXPECT_EQ(converter::ToFloat16(NAN) & 0x7e00, 0x7e00);
}

TEST(Half, BFloat16) {
  EXPECT_EQ(converter::ToBFloat16(1.0f), 0x3f80);
  EXPECT_EQ(converter::ToBFloat16(std::bit_cast<float>(0x3f808000u)), 0x3f80);  // tie, even below
  EXPECT_EQ(converter::ToBFloat16(std::bit_cast<float>(0x3f818000u)), 0x3f82);  // tie, even above
  EXPECT_EQ(converter::ToBFloat16(std::bit_cast<float>(0x3f808001u)), 0x3f81);
  EXPECT_EQ(converter::ToBFloat16(std::bit_cast<float>(0x7f7fffffu)), 0x7f80);    // rounds up to infinity
  EXPECT_NE(converter::ToBFloat16(std::bit_cast<float>(0x7f800001u)) & 0x7f, 0);  // NaN stays NaN
}

class Emission : public ::testing::Test {
 protected:
  Emission() : b(&graph), random(5) {}
  Model Emitted(const converter::Options& options = {}) {
    bytes = Must(converter::Emit(graph, options));
    return Must(Model::FromBytes(bytes, "test"));
  }
  ir::Graph graph;
  Builder b;
  Random random;
  std::vector<std::byte> bytes;
};

TEST_F(Emission, ConstantsAreAlignedAndShared) {
  const ValueId x = b.Input("x", DType::kFloat32, {1, 3});
  const auto data = std::make_shared<const std::vector<float>>(std::vector<float>{1, 2, 3});
  const ValueId c1 = b.Constant("one", DType::kFloat32, {3}, data), c2 = b.Constant("two", DType::kFloat32, {3}, data);
  const ValueId y = Must(b.Binary(BinaryFn::kMul, Must(b.Binary(BinaryFn::kAdd, x, c1)), c2));
  b.Output("y", Must(b.Binary(BinaryFn::kAdd, y, b.Scalar(4))));
  const Model model = Emitted();
  std::vector<uint64_t> offsets;
  for (const fovea::Value& value : model.file()->graph().values) {
    if (!value.is_const) continue;
    EXPECT_EQ(value.offset % 64, 0u);
    offsets.push_back(value.offset);
  }
  ASSERT_EQ(offsets.size(), 3u);
  EXPECT_EQ(offsets[0], offsets[1]);
  EXPECT_NE(offsets[0], offsets[2]);
}

TEST_F(Emission, WeightsAreNarrowedBiasesAreNot) {
  b.Output("y", Conv(&b, &random, OpenImage(&b, 2), 2, 3));
  Must(converter::Layout(&graph));
  const ir::Tensor input = random.Tensor({1, 2, 5, 6});
  for (const WeightType type : {WeightType::kFloat16, WeightType::kBFloat16}) {
    converter::Options options;
    options.weights = type;
    const Model model = Emitted(options);
    for (const fovea::Value& value : model.file()->graph().values) {
      if (!value.is_const) continue;
      EXPECT_EQ(value.weight_type, value.dims.size() == 5 ? type : WeightType::kFloat32);
      EXPECT_EQ(value.bytes, value.dims.size() == 5 ? 2u * 9 * 2 * 3 : 4u * 3);
    }
  }
  // A weight that float16 cannot hold keeps the whole constant in float32.
  for (ir::Value& value : graph.values) {
    if (!value.is_const() || value.dims.size() != 5) continue;
    std::vector<float> data = *value.constant;
    data[0] = 1e6f;
    value.constant = std::make_shared<const std::vector<float>>(std::move(data));
  }
  converter::Options half;
  half.weights = WeightType::kFloat16;
  const Model kept = Emitted(half);
  for (const fovea::Value& value : kept.file()->graph().values) {
    EXPECT_EQ(value.weight_type, WeightType::kFloat32);
  }
}

TEST_F(Emission, AxesOfChannelsFirstSources) {
  b.Output("y", Conv(&b, &random, OpenImage(&b, 2), 2, 3));
  Must(converter::Layout(&graph));
  const Model model = Emitted();
  EXPECT_EQ(model.inputs()[0].axes, "byxc");
  EXPECT_EQ(model.outputs()[0].axes, "byxc");
  EXPECT_EQ(model.inputs()[0].source_axes, (std::vector<int>{0, 3, 1, 2}));
}

TEST_F(Emission, AxesWithoutSpatialOperators) {
  const ValueId x = OpenImage(&b, 2);
  b.Output("y", Must(b.Unary(UnaryFn::kRelu, x)));
  b.Output("mean", Must(b.Add(ReduceParams{kernels::ReduceFn::kMean, {2, 3}, false}, {x})));
  const Model model = Emitted();
  EXPECT_EQ(model.inputs()[0].axes, "bcyx");
  EXPECT_EQ(model.outputs()[1].axes, "bi");
}

TEST_F(Emission, GivenAxesWin) {
  b.Output("y", Conv(&b, &random, OpenImage(&b, 2), 2, 3));
  Must(converter::Layout(&graph));
  converter::Options options;
  options.axes["x"] = "tcyx";
  EXPECT_EQ(Emitted(options).inputs()[0].axes, "tyxc");
  for (const char* wrong : {"bcy", "bcqx", "bccx"}) {
    options.axes["x"] = wrong;
    EXPECT_EQ(converter::Emit(graph, options).status().code(), StatusCode::kInvalidArgument) << wrong;
  }
  options.axes = {{"nobody", "bcyx"}};
  EXPECT_EQ(converter::Emit(graph, options).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(Emission, OutputsThatAreInputsOrConstants) {
  const ValueId x = b.Input("x", DType::kFloat32, {2, 2});
  const ValueId y = Must(b.Unary(UnaryFn::kAbs, x));
  b.Output("x again", x);
  b.Output("y", y);
  b.Output("y again", y);
  b.Output("constant", b.Constant("c", DType::kFloat32, {2}, std::vector<float>{3, 4}));
  const auto results = Must(ir::Evaluate(graph, {{{2, 2}, {-1, 2, -3, 4}}}));
  EXPECT_EQ(results[0].data, (std::vector<float>{-1, 2, -3, 4}));
  EXPECT_EQ(results[1].data, (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(results[2].data, results[1].data);
  EXPECT_EQ(results[3].data, (std::vector<float>{3, 4}));
}

TEST_F(Emission, SelfTestsAndMetadata) {
  b.Output("y", Must(b.Unary(UnaryFn::kNeg, b.Input("x", DType::kFloat32, {1, 2}))));
  graph.metadata.name = "negation";
  graph.metadata.source_format = "by hand";
  graph.metadata.properties = {{"key", "value"}};
  converter::Options options;
  options.test_inputs = {{"", DType::kFloat32, {1, 2}, {1, -2}}};
  options.test_outputs = {{"y", DType::kFloat32, {1, 2}, {-1, 2}}};
  options.test_atol = 0.5;
  const Model model = Emitted(options);
  EXPECT_EQ(model.info().name, "negation");
  EXPECT_EQ(model.info().source_format, "by hand");
  ASSERT_EQ(model.self_tests().size(), 1u);
  EXPECT_EQ(model.self_tests()[0].inputs[0].values, (std::vector<float>{1, -2}));
  EXPECT_EQ(model.self_tests()[0].expected[0].values, (std::vector<float>{-1, 2}));
  EXPECT_EQ(model.self_tests()[0].atol, 0.5);

  options.test_outputs[0].name = "z";
  EXPECT_FALSE(converter::Emit(graph, options).ok());
  options.test_outputs[0] = {"y", DType::kFloat32, {2}, {-1, 2}};
  EXPECT_FALSE(converter::Emit(graph, options).ok());
}

TEST(Convert, RefusesWhatIsNoModel) {
  EXPECT_EQ(converter::Convert("/nonexistent.onnx", {}, nullptr).status().code(), StatusCode::kNotFound);
  const auto text = converter::Convert(FOVEA_SOURCE_DIR "/CMakeLists.txt", {}, nullptr);
  EXPECT_EQ(text.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(text.status().message().find("ONNX"), std::string::npos);
}

}  // namespace
}  // namespace fovea::testing
