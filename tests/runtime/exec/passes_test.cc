// Networks with statistics of the whole image, in tiles: approximate where that is asked for, else exact.
#include <gtest/gtest.h>

#include "runtime/include/fovea/session.h"
#include "tests/support/random_graph.h"
#include "tests/support/run_session.h"

namespace fovea {
namespace {

using test::NetBuilder;
using test::RunSession;
using test::Tensors;

std::vector<DimExpr> Flexible(int64_t channels, size_t rank = 4) {
  std::vector<DimExpr> dims{1};
  for (size_t a = 1; a + 1 < rank; ++a) dims.push_back(DimExpr::InputDim(0, static_cast<int>(a)));
  dims.push_back(channels);
  return dims;
}

std::vector<int64_t> Positions(const NetBuilder& net, int x) {
  std::vector<int64_t> axes;
  for (size_t a = 1; a + 1 < net.rank(x); ++a) axes.push_back(static_cast<int64_t>(a));
  return axes;
}

int Norm(NetBuilder* net, int x, int64_t groups = 0) {
  GroupNormParams p;
  p.groups = groups;
  return net->Add(p, {x, net->RandomConst({net->channels(x)}, 0.3f, 1), net->RandomConst({net->channels(x)}, 0.1f)});
}

// Squeeze and excitation: channels weighted by what the image's means say.
int Excite(NetBuilder* net, int x, kernels::ReduceFn fn = kernels::ReduceFn::kMean) {
  int s = net->Add(ReduceParams{fn, Positions(*net, x), true}, {x});
  s = net->Conv(s, 4, 1, 1, 1, 1, {kernels::UnaryFn::kRelu});
  s = net->Conv(s, net->channels(x), 1, 1, 1, 1, {kernels::UnaryFn::kSigmoid});
  return net->Binary(kernels::BinaryFn::kMul, x, s);
}

double LargestDifference(const Tensors& a, const Tensors& b) {
  double most = 0;
  for (size_t o = 0; o < a.size(); ++o) {
    for (size_t i = 0; i < a[o].size(); ++i) most = std::max(most, std::fabs(double{a[o][i]} - double{b[o][i]}));
  }
  return most;
}

TEST(ApproximateTiles, TakeStatisticsOfTheTile) {
  // No kernel looks beyond a pixel, so that a tile's result is that of the tile as an image of its own.
  NetBuilder net(1);
  const int x = net.Input("byxc", Flexible(3));
  net.Output(Excite(&net, Norm(&net, net.Conv(x, 8, 1))));
  const auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  const std::vector<int64_t> sizes{1, 24, 20, 3}, part{1, 12, 10, 3};
  const Tensors image = test::RandomTensors({sizes}, 1);
  SessionOptions options{.tile = {0, 12, 10}, .tiling = Tiling::kApproximate};
  auto tiles = Session::Create(*model, {sizes}, options);
  ASSERT_TRUE(tiles.ok()) << tiles.status().message();
  EXPECT_TRUE(tiles->report().approximate);
  EXPECT_EQ(tiles->report().tiles, 4);
  EXPECT_NE(tiles->report().strategy.find("approximate"), std::string::npos);
  const Tensors got = RunSession(*tiles, image);
  auto small = Session::Create(*model, {part}, {});
  ASSERT_TRUE(small.ok()) << small.status().message();
  for (int64_t ty = 0; ty < 2; ++ty) {
    for (int64_t tx = 0; tx < 2; ++tx) {
      Tensors in(1), out(1);
      for (int64_t y = 12 * ty; y < 12 * ty + 12; ++y) {
        for (int64_t i = 10 * tx; i < 10 * tx + 10; ++i) {
          const int64_t at = y * 20 + i;
          for (int64_t c = 0; c < 3; ++c) in[0].push_back(image[0][static_cast<size_t>(at * 3 + c)]);
          for (int64_t c = 0; c < 8; ++c) out[0].push_back(got[0][static_cast<size_t>(at * 8 + c)]);
        }
      }
      EXPECT_LT(LargestDifference(RunSession(*small, in), out), 1e-5);
    }
  }
  auto whole = Session::Create(*model, {sizes}, {.tiling = Tiling::kApproximate});
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  EXPECT_FALSE(whole->report().approximate);
  EXPECT_GT(LargestDifference(RunSession(*whole, image), got), 0.01);
}

TEST(ApproximateTiles, ExactWhereNothingLooksAtTheImageOrItFits) {
  const std::vector<int64_t> sizes{1, 40, 36, 2};
  const Tensors image = test::RandomTensors({sizes}, 2);
  for (const bool norm : {false, true}) {
    NetBuilder net(2);
    int x = net.Conv(net.Input("byxc", Flexible(2)), 8, 3, 1, 1, 1, {kernels::UnaryFn::kRelu});
    if (norm) x = Norm(&net, x, 2);
    net.Output(net.Conv(x, 2, 3));
    const auto model = net.Build();
    ASSERT_TRUE(model.ok()) << model.status().message();
    auto exact = Session::Create(*model, {sizes}, {});
    SessionOptions options{.tiling = Tiling::kApproximate};
    if (!norm) options.tile[1] = options.tile[2] = 16;
    auto same = Session::Create(*model, {sizes}, options);
    ASSERT_TRUE(exact.ok() && same.ok()) << same.status().message();
    EXPECT_FALSE(same->report().approximate);
    EXPECT_EQ(test::FirstDifference(RunSession(*exact, image), RunSession(*same, image)), "") << norm;
  }
}

TEST(ApproximateTiles, AreForTheFastExecutor) {
  NetBuilder net(3);
  net.Output(net.Conv(net.Input("byxc", Flexible(2)), 2, 3));
  const auto model = net.Build();
  ASSERT_TRUE(model.ok());
  const auto session =
      Session::Create(*model, {{1, 8, 8, 2}}, {.executor = Executor::kReference, .tiling = Tiling::kApproximate});
  EXPECT_EQ(session.status().code(), StatusCode::kInvalidArgument);
}

// Tiles whose neighbours belong to them make regions of all kinds: it is the layout that is tested.
TEST(ApproximateTiles, RandomNetworksRunWithinTheirBudget) {
  int approximate = 0;
  for (uint32_t seed = 0; seed < 12; ++seed) {
    NetBuilder net(seed);
    int x = net.Conv(net.Input("byxc", Flexible(2)), 16, 3, 1, 1, 1, {kernels::UnaryFn::kRelu});
    for (int block = 0; block < 2; ++block) {
      int y = Norm(&net, net.Conv(x, 16, 3), net.Chance(0.5) ? 0 : 4);
      if (net.Chance(0.5)) y = Excite(&net, y);
      x = net.Binary(kernels::BinaryFn::kAdd, x, y);
    }
    net.Output(net.Conv(x, 1, 1));
    const auto model = net.Build();
    ASSERT_TRUE(model.ok()) << model.status().message();
    const std::vector<int64_t> sizes{1, 4 * net.Pick(20, 40), 4 * net.Pick(20, 40), 2};
    auto free = Session::Create(*model, {sizes}, {});
    ASSERT_TRUE(free.ok());
    SessionOptions options{.tiling = Tiling::kApproximate, .memory_bytes = free->report().total_bytes() / 3};
    auto session = Session::Create(*model, {sizes}, options);
    ASSERT_TRUE(session.ok()) << session.status().message();
    EXPECT_LE(session->report().total_bytes(), options.memory_bytes);
    approximate += session->report().approximate ? 1 : 0;
    const Tensors out = RunSession(*session, test::RandomTensors({sizes}, seed));
    EXPECT_TRUE(std::all_of(out[0].begin(), out[0].end(), [](float v) { return std::isfinite(v); })) << seed;
  }
  EXPECT_GT(approximate, 6);
}

}  // namespace
}  // namespace fovea
