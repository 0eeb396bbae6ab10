// Model: ports, sizes, receptive fields against the response to a delta.
#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/model/size_rules.h"
#include "tests/support/random_graph.h"
#include "tests/support/run_session.h"

namespace fovea {
namespace {

using kernels::PoolKind;
using kernels::ResizeCoordinates;
using kernels::ResizeMode;
using kernels::UnaryFn;
using test::NetBuilder;

// An encoder of `levels` stride-2 poolings and a decoder with skips.
NetBuilder UNet(int levels, bool padded = true) {
  NetBuilder net(11);
  int x = net.Input("byxc", {DimExpr::InputDim(0, 0), DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), 1});
  std::vector<int> skips;
  const auto conv = [&](int from, int64_t channels) {
    const int y = net.Conv(from, channels, 3, 1, 1, 1, {UnaryFn::kRelu});
    if (!padded) {
      auto& p = std::get<ConvParams>(net.graph().nodes.back().params);
      p.pad_begin = p.pad_end = {0, 0, 0};
      for (size_t a = 1; a < 3; ++a) {
        net.graph().values[static_cast<size_t>(y)].dims[a] = net.dims(from)[a] - 2;
      }
    }
    return y;
  };
  for (int level = 0; level < levels; ++level) {
    skips.push_back(conv(x, 4));
    x = net.Pool(skips.back(), PoolKind::kMax, 2, 2);
  }
  x = conv(x, 6);
  for (int level = levels; level-- > 0;) {
    x = net.ConvTranspose(x, 4, 2, 2);
    int skip = skips[static_cast<size_t>(level)];
    if (!padded) {
      SliceParams p;
      p.step.assign(4, 1);
      p.size = net.dims(x);
      p.start.assign(4, 0);
      for (size_t a = 1; a < 3; ++a) p.start[a] = FloorDiv(net.dims(skip)[a] - net.dims(x)[a], 2);
      p.size.back() = net.dims(skip).back();
      skip = net.Add(p, {skip});
    }
    x = conv(net.Concat({skip, x}), 4);
  }
  net.Output(net.Conv(x, 1, 1));
  return net;
}

TEST(SizeRules, EncoderWithThreePoolingsNeedsMultiplesOfEight) {
  const auto rules = FindSizeRules(UNet(3).graph());
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(rules[0][0], (AxisRule{1, 1}));
  EXPECT_EQ(rules[0][1], (AxisRule{8, 8}));
  EXPECT_EQ(rules[0][2], (AxisRule{8, 8}));
  EXPECT_EQ(rules[0][3], (AxisRule{1, 0}));
}

TEST(SizeRules, OfRandomlyPlacedConstraintsHold) {
  // Valid 5x5 windows twice: at least 9 pixels, any size from there.
  NetBuilder net(3);
  const int x = net.Input("byxc", {1, DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), 1});
  ConvParams p;
  p.kernel = {1, 5, 5};
  int y = net.Add(p, {x, net.RandomConst({1, 5, 5, 1, 2}, 0.1f), kNoValue, kNoValue});
  y = net.Add(p, {y, net.RandomConst({1, 5, 5, 2, 1}, 0.1f), kNoValue, kNoValue});
  net.Output(y);
  const auto rules = FindSizeRules(net.graph());
  EXPECT_EQ(rules[0][1], (AxisRule{9, 1}));
  EXPECT_EQ(rules[0][2], (AxisRule{9, 1}));
}

TEST(Model, RefusesSizesThatItsRulesDoNotAllow) {
  NetBuilder net = UNet(2);
  net.graph().inputs[0].rules = FindSizeRules(net.graph())[0];
  auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(model->LegalSize(0, std::vector<int64_t>{1, 13, 16, 1}), (std::vector<int64_t>{1, 16, 16, 1}));
  EXPECT_EQ(model->DefaultSizes()[0], (std::vector<int64_t>{1, 256, 256, 1}));
  auto session = Session::Create(*model, {{1, 13, 16, 1}});
  ASSERT_FALSE(session.ok());
  EXPECT_EQ(session.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(session.status().message().find("16"), std::string::npos) << session.status().message();
}

// The response of the output pixel at `at` to every input pixel: which of them, made NaN, reach it.
struct Reach {
  int64_t before = -1, after = -1;
};
Reach Measure(Session& session, const std::vector<int64_t>& in, int64_t row, int64_t scale_num, int64_t scale_den) {
  const int64_t pixel = row * scale_den / scale_num;
  Reach reach;
  for (int64_t y = 0; y < in[1]; ++y) {
    test::Tensors input{std::vector<float>(static_cast<size_t>(test::Count(in)), 1.0f)};
    // One row of NaN: any use of it, whatever the weight, shows.
    for (int64_t x = 0; x < in[2]; ++x) input[0][static_cast<size_t>(y * in[2] + x)] = NAN;
    const test::Tensors output = test::RunSession(session, input);
    const std::vector<int64_t>& out = session.output_dims()[0];
    const float seen = output[0][static_cast<size_t>((row * out[2] + out[2] / 2) * out[3])];
    if (!std::isnan(seen)) continue;
    reach.before = std::max(reach.before, pixel - y);
    reach.after = std::max(reach.after, y - pixel);
  }
  return reach;
}

void ExpectMeasured(NetBuilder net, const std::vector<int64_t>& sizes, int64_t phases) {
  auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  auto fields = model->ReceptiveFields();
  ASSERT_TRUE(fields.ok()) << fields.status().message();
  ASSERT_EQ(fields->size(), 1u);
  const ReceptiveField::Axis& rows = (*fields)[0].sides[0];
  ASSERT_FALSE(rows.unbounded);
  auto session = Session::Create(*model, {sizes}, {.executor = Executor::kReference});
  ASSERT_TRUE(session.ok()) << session.status().message();
  const int64_t out_rows = session->output_dims()[0][1];
  Reach most;
  for (int64_t row = out_rows / 2 - phases / 2; row < out_rows / 2 - phases / 2 + phases; ++row) {
    const Reach reach = Measure(*session, sizes, row, rows.scale_numerator, rows.scale_denominator);
    most.before = std::max(most.before, reach.before);
    most.after = std::max(most.after, reach.after);
  }
  EXPECT_EQ(rows.before, most.before);
  EXPECT_EQ(rows.after, most.after);
}

TEST(ReceptiveField, OfAUNetIsWhatADeltaReaches) {
  NetBuilder net = UNet(2);
  // Rectifiers would hide NaN; the geometry is the same without them.
  for (Node& node : net.graph().nodes) {
    if (auto* conv = std::get_if<ConvParams>(&node.params)) conv->act = {};
    if (auto* pool = std::get_if<PoolParams>(&node.params)) pool->kind = PoolKind::kAverage;
  }
  ExpectMeasured(std::move(net), {1, 64, 12, 1}, 4);
}

TEST(ReceptiveField, OfStridesDilationAndResizes) {
  NetBuilder net(5);
  int x = net.Input("byxc", {1, DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), 1});
  x = net.Conv(x, 2, 3, 2);
  x = net.Conv(x, 2, 3, 1, 2);
  x = net.Upsample2(x, ResizeMode::kLinear, ResizeCoordinates::kHalfPixel);
  x = net.ConvTranspose(x, 2, 3, 2);
  x = net.Pool(x, PoolKind::kAverage, 3, 2, 1);
  net.Output(net.Conv(x, 1, 4, 1));
  ExpectMeasured(std::move(net), {1, 60, 9, 1}, 2);
}

TEST(ReceptiveField, OfGlobalOperatorsIsUnbounded) {
  NetBuilder net(5);
  const int x = net.Input("byxc", {1, DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), 2});
  net.Output(net.Binary(kernels::BinaryFn::kSub, x, net.Add(ReduceParams{kernels::ReduceFn::kMean, {1}, true}, {x})));
  auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  auto fields = model->ReceptiveFields();
  ASSERT_TRUE(fields.ok());
  EXPECT_EQ((*fields)[0].axes, "yx");
  EXPECT_TRUE((*fields)[0].sides[0].unbounded);
  EXPECT_FALSE((*fields)[0].sides[1].unbounded);
  EXPECT_EQ((*fields)[0].sides[1].before, 0);
}

}  // namespace
}  // namespace fovea
