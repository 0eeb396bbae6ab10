// Model: ports, sizes, receptive fields against the response to a delta.
#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/model/size_rules.h"
#include "tests/support/random_graph.h"
#include "tests/support/run_session.h"
#include "tests/support/small_nets.h"

namespace fovea {
namespace {

using kernels::PoolKind;
using kernels::ResizeCoordinates;
using kernels::ResizeMode;
using test::NetBuilder;

TEST(Model, RefusesSizesThatItsRulesDoNotAllow) {
  NetBuilder net = test::UNet(2);
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

// Probabilities show in the graph's last operator that computes, whatever moves the values behind it.
TEST(Model, TellsOutputsThatAreProbabilities) {
  using kernels::UnaryFn;
  const auto is_probability = [](auto&& last) {
    NetBuilder net(3);
    const int x = net.Conv(net.Input("byxc", {1, 8, 8, 2}), 4, 3);
    net.Output(last(net, x));
    auto model = net.Build();
    EXPECT_TRUE(model.ok()) << model.status().message();
    return model->outputs()[0].is_probability;
  };
  const auto sigmoid = [](NetBuilder& net, int x) { return net.Conv(x, 2, 1, 1, 1, 1, {UnaryFn::kSigmoid}); };
  const auto softmax = [](NetBuilder& net, int x) { return net.Add(SoftmaxParams{.axis = 3}, {x}); };
  EXPECT_FALSE(is_probability([](NetBuilder& net, int x) { return net.Conv(x, 2, 1); }));
  EXPECT_TRUE(is_probability(sigmoid));
  EXPECT_TRUE(is_probability(softmax));
  EXPECT_FALSE(is_probability([](NetBuilder& net, int x) { return net.Add(SoftmaxParams{3, true}, {x}); }));
  EXPECT_TRUE(is_probability([](NetBuilder& net, int x) { return net.Unary(x, {UnaryFn::kSigmoid}); }));
  EXPECT_TRUE(is_probability([&](NetBuilder& net, int x) { return net.Crop(sigmoid(net, x), 1); }));
  EXPECT_TRUE(is_probability([&](NetBuilder& net, int x) { return net.Concat({sigmoid(net, x), softmax(net, x)}); }));
  EXPECT_FALSE(is_probability([&](NetBuilder& net, int x) { return net.Concat({sigmoid(net, x), x}); }));
  EXPECT_FALSE(is_probability([&](NetBuilder& net, int x) { return net.Unary(sigmoid(net, x), {UnaryFn::kRelu}); }));
  EXPECT_FALSE(is_probability([](NetBuilder&, int x) { return x; }));
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
  NetBuilder net = test::UNet(2);
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
