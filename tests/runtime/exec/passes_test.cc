// Networks with statistics of the whole image, in tiles: approximate where that is asked for, else exact.
#include <gtest/gtest.h>

#include "runtime/include/fovea/session.h"
#include "tests/support/random_graph.h"
#include "tests/support/run_session.h"
#include "tests/support/sanitizers.h"

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

// A network of norms, squeeze and excitation, residuals, and two resolutions.
NetBuilder NormNet(uint32_t seed, size_t rank) {
  NetBuilder net(seed);
  const kernels::Activation relu{kernels::UnaryFn::kRelu};
  const int64_t channels = net.Chance(0.5) ? 16 : 12;
  int x = net.Input(rank == 5 ? "bzyxc" : "byxc", Flexible(2, rank));
  if (net.Chance(0.3)) {  // normalised in the graph
    const int least = net.Add(ReduceParams{kernels::ReduceFn::kMin, Positions(net, x), true}, {x});
    const int most = net.Add(ReduceParams{kernels::ReduceFn::kMax, Positions(net, x), true}, {x});
    x = net.Binary(kernels::BinaryFn::kDiv, net.Binary(kernels::BinaryFn::kSub, x, least),
                   net.Binary(kernels::BinaryFn::kSub, most, least));
  }
  x = net.Conv(x, channels, 3, 1, 1, 1, relu);
  const int64_t blocks = net.Pick(1, 3);
  for (int64_t block = 0; block < blocks; ++block) {
    int y = net.Conv(x, channels, 3);
    if (net.Chance(0.7)) y = Norm(&net, y, net.Chance(0.5) ? 0 : 4);
    if (net.Chance(0.6)) y = Excite(&net, y, net.Chance(0.5) ? kernels::ReduceFn::kMean : kernels::ReduceFn::kMax);
    if (block == 0) {
      y = net.Conv(net.Pool(y, kernels::PoolKind::kMax, 2, 2), channels, 3, 1, 1, 1, relu);
      if (net.Chance(0.5)) y = Norm(&net, y);
      y = net.Upsample2(y, kernels::ResizeMode::kNearest, kernels::ResizeCoordinates::kAsymmetric);
    }
    x = net.Binary(kernels::BinaryFn::kAdd, x, y, relu);
  }
  net.Output(net.Conv(Excite(&net, x), 2, 1));
  return net;
}

class Passes : public testing::TestWithParam<uint32_t> {};

TEST_P(Passes, TilesGiveTheBitsOfTheWholeImage) {
  const uint32_t seed = GetParam();
  const size_t rank = seed % 4 == 3 ? 5 : 4;
  const NetBuilder net = NormNet(seed, rank);
  const auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  std::mt19937 random(seed);
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  std::vector<int64_t> sizes{1, 4 * pick(8, 50), 4 * pick(8, 50), 2};
  if (rank == 5) sizes = {1, 2 * pick(4, 12), 2 * pick(10, 30), 2 * pick(10, 30), 2};
  const Tensors image = test::RandomTensors({sizes}, seed);
  for (const std::string& isa : test::IsaNames()) {
    if (isa == "reference") continue;
    auto free = Session::Create(*model, {sizes}, {.isa = isa});
    ASSERT_TRUE(free.ok()) << free.status().message();
    const Tensors expected = RunSession(*free, image);
    auto banded = Session::Create(*model, {sizes}, {.threads = 2, .isa = isa, .band_rows = pick(2, 9)});
    ASSERT_TRUE(banded.ok()) << banded.status().message();
    ASSERT_EQ(test::FirstDifference(RunSession(*banded, image), expected), "") << isa << " bands";
    for (int round = 0; round < 2; ++round) {
      SessionOptions options{.threads = static_cast<int>(pick(1, 2)), .isa = isa};
      for (size_t s = 0; s < 3; ++s) options.tile[s] = s == 0 && rank == 4 ? 0 : pick(8, 60);
      options.tile[rank == 5 ? 0 : 1] = pick(1, 7);
      if (round == 1) options.band_rows = pick(2, 9);
      auto session = Session::Create(*model, {sizes}, options);
      ASSERT_TRUE(session.ok()) << session.status().message();
      EXPECT_GT(session->report().passes, 1);
      EXPECT_FALSE(session->report().approximate);
      ASSERT_EQ(test::FirstDifference(RunSession(*session, image), expected), "")
          << isa << " " << session->report().strategy << " " << options.tile[0] << "x" << options.tile[1] << "x"
          << options.tile[2];
      ASSERT_EQ(test::FirstDifference(RunSession(*session, image), expected), "") << "again";
    }
  }
}

class PassBudgets : public testing::TestWithParam<uint32_t> {};

TEST_P(PassBudgets, BelowTheWholeImageAreKept) {
  const uint32_t seed = GetParam();
  const NetBuilder net = NormNet(seed, 4);
  const auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  const std::vector<int64_t> sizes{1, 256, 192, 2};
  const Tensors image = test::RandomTensors({sizes}, seed);
  auto free = Session::Create(*model, {sizes}, {});
  ASSERT_TRUE(free.ok()) << free.status().message();
  const Tensors expected = RunSession(*free, image);
  const auto refused = Session::Create(*model, {sizes}, {.threads = 2, .memory_bytes = 1});
  ASSERT_EQ(refused.status().code(), StatusCode::kOverBudget);
  const uint64_t least = refused.status().needed_bytes();
  EXPECT_LT(least, free->report().total_bytes() / 2);
  for (const uint64_t budget : {least, (least + free->report().total_bytes()) / 3}) {
    // Held at once, by the allocator that the session is given.
    struct Held {
      uint64_t now = 0, most = 0;
    } held;
    SessionOptions options{.threads = 2, .memory_bytes = budget};
    options.allocator.context = &held;
    options.allocator.allocate = [](void* context, size_t bytes) {
      Held& h = *static_cast<Held*>(context);
      h.now += bytes;
      h.most = std::max(h.most, h.now);
      return std::aligned_alloc(64, bytes);
    };
    options.allocator.release = [](void* context, void* data, size_t bytes) {
      static_cast<Held*>(context)->now -= bytes;
      std::free(data);
    };
    auto session = Session::Create(*model, {sizes}, options);
    ASSERT_TRUE(session.ok()) << session.status().message();
    EXPECT_GT(session->report().passes, 1) << session->report().strategy;
    EXPECT_LE(session->report().total_bytes(), budget);
    ASSERT_EQ(test::FirstDifference(RunSession(*session, image), expected), "") << session->report().strategy;
    EXPECT_LE(held.most, session->report().total_bytes());
    const auto plan = Session::Plan(*model, {sizes}, options);
    ASSERT_TRUE(plan.ok()) << plan.status().message();
    EXPECT_EQ(plan->total_bytes(), session->report().total_bytes());
    EXPECT_EQ(plan->strategy, session->report().strategy);
  }
}

INSTANTIATE_TEST_SUITE_P(Random, Passes, testing::Range(0u, test::SomeOf(12)));
INSTANTIATE_TEST_SUITE_P(Random, PassBudgets, testing::Values(0u, 4u, 8u, 12u));

TEST(PassesOfOthers, AreRefusedWithTheNode) {
  NetBuilder net(4);
  const int x = net.Conv(net.Input("byxc", Flexible(2)), 4, 3);
  net.Output(net.Add(SoftmaxParams{1, false}, {x}));
  const auto model = net.Build();
  ASSERT_TRUE(model.ok());
  const auto session = Session::Create(*model, {{1, 64, 64, 2}}, {.tile = {0, 16, 16}});
  EXPECT_EQ(session.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(session.status().message().find("softmax"), std::string::npos) << session.status().message();
}

TEST(PassesByHand, OneStatisticOfEachKind) {
  for (int kind = 0; kind < 4; ++kind) {
    NetBuilder net(7);
    const int x = net.Input("byxc", Flexible(3));
    int y = kind == 3 ? x : net.Conv(x, 8, 3);
    if (kind == 0) y = Norm(&net, y);
    if (kind == 1) {
      y = net.Binary(kernels::BinaryFn::kMul, y,
                     net.Unary(net.Add(ReduceParams{kernels::ReduceFn::kMean, Positions(net, y), true}, {y}),
                               {kernels::UnaryFn::kSigmoid}));
    }
    if (kind >= 2) {
      const int most = net.Add(ReduceParams{kernels::ReduceFn::kMax, Positions(net, y), true}, {y});
      y = net.Binary(kernels::BinaryFn::kDiv, y, most);
    }
    net.Output(y);
    const auto model = net.Build();
    ASSERT_TRUE(model.ok()) << model.status().message();
    const std::vector<int64_t> sizes{1, 24, 70, 3};
    const Tensors image = test::RandomTensors({sizes}, 7);
    auto whole = Session::Create(*model, {sizes}, {});
    auto tiles = Session::Create(*model, {sizes}, {.tile = {0, 5, 32}});
    ASSERT_TRUE(whole.ok() && tiles.ok()) << tiles.status().message();
    EXPECT_EQ(tiles->report().passes, kind == 1 ? 3 : 2);
    EXPECT_EQ(test::FirstDifference(RunSession(*whole, image), RunSession(*tiles, image)), "") << kind;
  }
}

// A network of the residual kind: at the least budget every pass makes again what came before; with room for the values
// between blocks, no pass makes a block again.
TEST(PassesByHand, ValuesBetweenBlocksAreKept) {
  NetBuilder net(11);
  const kernels::Activation relu{kernels::UnaryFn::kRelu};
  const auto block = [&](int x, int64_t channels, int64_t stride) {
    return net.Unary(Norm(&net, net.Conv(x, channels, 3, stride)), relu);
  };
  int x = block(block(net.Input("byxc", Flexible(3)), 64, 1), 48, 2);
  constexpr int kBlocks = 5;
  for (int i = 0; i < kBlocks; ++i) {
    x = net.Binary(kernels::BinaryFn::kAdd, x, Norm(&net, net.Conv(block(x, 48, 1), 48, 3)));
  }
  x = net.Upsample2(x, kernels::ResizeMode::kNearest, kernels::ResizeCoordinates::kAsymmetric);
  net.Output(net.Conv(block(x, 64, 1), 3, 3));
  const auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  const std::vector<int64_t> sizes{1, 512, 256, 3};
  const Tensors image = test::RandomTensors({sizes}, 11);
  auto whole = Session::Create(*model, {sizes}, {.threads = 2});
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  const Tensors expected = RunSession(*whole, image);
  const uint64_t least = [&] {
    const auto refused = Session::Create(*model, {sizes}, {.threads = 2, .memory_bytes = 1, .streaming = true});
    return refused.status().needed_bytes();
  }();
  ASSERT_GT(least, 0u);
  const uint64_t between = 256 * 128 * 48 * sizeof(float);
  const auto run = [&](uint64_t budget) -> PlanReport {
    auto session = Session::Create(*model, {sizes}, {.threads = 2, .memory_bytes = budget, .streaming = true});
    EXPECT_TRUE(session.ok()) << session.status().message();
    if (!session.ok()) return {};
    EXPECT_EQ(test::FirstDifference(RunSession(*session, image), expected), "") << budget;
    EXPECT_LE(session->report().total_bytes(), budget);
    return session->report();
  };
  const PlanReport again = run(least), kept = run(least + 4 * between);
  // Two norms a block, those of the steps down and up, and the pass that makes the output.
  EXPECT_EQ(again.passes, 2 * kBlocks + 3 + 1);
  EXPECT_EQ(kept.passes, again.passes);
  EXPECT_EQ(again.kept_bytes, 0u);
  // The one that a block begins with, and those that its convolutions read and make.
  EXPECT_GT(kept.kept_bytes, between);
  EXPECT_LE(kept.kept_bytes, 4 * between);
  EXPECT_GT(again.redundant_percent, 60);
  EXPECT_LT(kept.redundant_percent, 40);
}

// What SetPassDone tells, and how far the run said it was.
struct Told {
  std::vector<std::vector<uint8_t>> statistics;
  std::vector<double> work;
};

TEST(PassesGoneOnWith, StatisticsThatAreKnownAreNotTakenAgain) {
  for (const uint32_t seed : {1u, 6u, 9u}) {
    const auto model = NormNet(seed, 4).Build();
    ASSERT_TRUE(model.ok()) << model.status().message();
    const std::vector<int64_t> sizes{1, 72, 64, 2};
    const Tensors image = test::RandomTensors({sizes}, seed);
    auto first = Session::Create(*model, {sizes}, {.tile = {0, 32, 32}});
    ASSERT_TRUE(first.ok()) << first.status().message();
    Told told;
    const auto listen = [&told](Session* session) {
      told = Told();
      session->SetPassDone([&told](std::span<const uint8_t> bytes) {
        told.statistics.emplace_back(bytes.begin(), bytes.end());
        return OkStatus();
      });
      session->SetWork([&told](double work) { told.work.push_back(work); });
    };
    listen(&*first);
    const Tensors expected = RunSession(*first, image);
    const auto passes = static_cast<size_t>(first->report().passes);
    ASSERT_EQ(told.statistics.size(), passes - 1);
    EXPECT_TRUE(std::is_sorted(told.work.begin(), told.work.end()));
    EXPECT_NEAR(told.work.back(), 1, 1e-3);
    const std::vector<std::vector<uint8_t>> known = told.statistics;
    for (size_t done = 1; done < passes; ++done) {
      // Other tiles and threads do not matter; statistics of an image that it does not see tell whether it looks again.
      auto second = Session::Create(*model, {sizes}, {.threads = 2, .tile = {0, 16, 64}});
      ASSERT_TRUE(second.ok()) << second.status().message();
      listen(&*second);
      ASSERT_TRUE(second->SkipPasses(known[done - 1]).ok());
      ASSERT_EQ(test::FirstDifference(RunSession(*second, image), expected), "") << done;
      ASSERT_EQ(told.statistics.size(), passes - 1 - done);
      for (size_t p = done; p + 1 < passes; ++p) EXPECT_EQ(told.statistics[p - done], known[p]);
      EXPECT_GT(told.work.front(), 0);
      // The run after that takes them all.
      ASSERT_EQ(test::FirstDifference(RunSession(*second, image), expected), "");
      EXPECT_EQ(told.statistics.size(), passes - 1 - done + passes - 1);
    }
    auto whole = Session::Create(*model, {sizes}, {});
    ASSERT_TRUE(whole.ok());
    EXPECT_TRUE(whole->SkipPasses(known[0]).ok());
    EXPECT_EQ(test::FirstDifference(RunSession(*whole, image), expected), "");
  }
}

TEST(PassesGoneOnWith, WhatIsNotOfThisNetworkIsRefused) {
  const auto model = NormNet(6, 4).Build();
  ASSERT_TRUE(model.ok());
  auto session = Session::Create(*model, {{1, 40, 40, 2}}, {.tile = {0, 16, 16}});
  ASSERT_TRUE(session.ok());
  std::vector<uint8_t> known;
  session->SetPassDone([&known](std::span<const uint8_t> bytes) {
    known.assign(bytes.begin(), bytes.end());
    return OkStatus();
  });
  const Tensors image = test::RandomTensors({{1, 40, 40, 2}}, 6);
  const Tensors expected = RunSession(*session, image);
  const auto refused = [&](std::vector<uint8_t> bytes) {
    EXPECT_EQ(session->SkipPasses(bytes).code(), StatusCode::kCorruptFile) << bytes.size();
  };
  refused({});
  for (size_t size = 1; size < known.size(); size += 13)
    refused({known.begin(), known.begin() + static_cast<long>(size)});
  std::vector<uint8_t> longer = known;
  longer.push_back(0);
  refused(longer);
  for (size_t byte = 0; byte < 16; ++byte) {
    for (const int bit : {0, 7}) {
      std::vector<uint8_t> flipped = known;
      flipped[byte] = static_cast<uint8_t>(flipped[byte] ^ (1 << bit));
      refused(flipped);
    }
  }
  EXPECT_EQ(test::FirstDifference(RunSession(*session, image), expected), "");
}

TEST(PassesGoneOnWith, AnErrorOfTheCallerEndsTheRun) {
  const auto model = NormNet(6, 4).Build();
  ASSERT_TRUE(model.ok());
  const std::vector<int64_t> sizes{1, 40, 40, 2};
  auto session = Session::Create(*model, {sizes}, {.tile = {0, 16, 16}});
  ASSERT_TRUE(session.ok());
  session->SetPassDone([](std::span<const uint8_t>) { return IoError("the disk is full"); });
  const Tensors image = test::RandomTensors({sizes}, 6);
  std::vector<float> result(static_cast<size_t>(test::Count(session->output_dims()[0])));
  const float* in[] = {image[0].data()};
  float* out[] = {result.data()};
  EXPECT_EQ(session->Run(in, out).message(), "the disk is full");
}

}  // namespace
}  // namespace fovea
