// The two executors against each other, and tiles against the whole image, over random networks.
#include <gtest/gtest.h>

#include "runtime/include/fovea/session.h"
#include "tests/support/random_graph.h"
#include "tests/support/run_session.h"
#include "tests/support/sanitizers.h"
#include "tests/support/tolerance.h"

namespace fovea {
namespace {

using test::NetBuilder;
using test::RandomNet;
using test::RunSession;
using test::Tensors;
using test::Tolerance;

std::vector<int64_t> RandomSizes(uint32_t seed) {
  std::mt19937 random(seed * 7919 + 1);
  const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int64_t>(low, high)(random); };
  if (seed % 4 == 3) return {1, pick(5, 11), pick(7, 17), pick(8, 19), pick(1, 4)};
  if (seed % 16 == 5) return {2, pick(31, 97), pick(1, 5)};
  return {pick(1, 2), pick(13, 45), pick(15, 50), pick(1, 5)};
}

class Executors : public testing::TestWithParam<uint32_t> {
 protected:
  int banded_ = 0;  // sessions that did run in bands
};

TEST_P(Executors, FastMatchesReference) {
  const std::vector<int64_t> sizes = RandomSizes(GetParam());
  const NetBuilder net = RandomNet(GetParam(), sizes, 12, /*global=*/true);
  auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  const Tensors inputs = test::RandomTensors({sizes}, GetParam());
  auto reference = Session::Create(*model, {sizes}, {.executor = Executor::kReference});
  ASSERT_TRUE(reference.ok()) << reference.status().message();
  const Tensors expected = RunSession(*reference, inputs);
  const double tolerance = Tolerance(net, expected);
  for (const std::string& isa : test::IsaNames()) {
    Tensors first;
    for (int threads = 1; threads <= 3; ++threads) {
      auto session = Session::Create(*model, {sizes}, {.threads = threads, .isa = isa});
      ASSERT_TRUE(session.ok()) << session.status().message();
      const Tensors got = RunSession(*session, inputs);
      ASSERT_EQ(got.size(), expected.size());
      for (size_t o = 0; o < got.size(); ++o) {
        for (size_t i = 0; i < got[o].size(); ++i) {
          ASSERT_NEAR(got[o][i], expected[o][i], tolerance) << isa << " output " << o << " element " << i;
        }
      }
      if (threads == 1) first = got;
      ASSERT_EQ(test::FirstDifference(got, first), "") << isa << " with " << threads << " threads";
      // Nothing is left over from the first run.
      ASSERT_EQ(test::FirstDifference(RunSession(*session, inputs), got), "") << isa;
    }
  }
}

TEST_P(Executors, TilesGiveTheBitsOfTheWhole) {
  const std::vector<int64_t> sizes = RandomSizes(GetParam());
  const NetBuilder net = RandomNet(GetParam(), sizes, 14);
  auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  const Tensors inputs = test::RandomTensors({sizes}, GetParam());
  std::mt19937 random(GetParam());
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (const std::string& isa : test::IsaNames()) {
    auto whole = Session::Create(*model, {sizes}, {.isa = isa});
    ASSERT_TRUE(whole.ok()) << whole.status().message();
    const Tensors expected = RunSession(*whole, inputs);
    for (int round = 0; round < 3; ++round) {
      SessionOptions options{.threads = static_cast<int>(pick(1, 3)), .isa = isa};
      for (int64_t& tile : options.tile) tile = pick(0, 20);
      auto session = Session::Create(*model, {sizes}, options);
      ASSERT_TRUE(session.ok()) << session.status().message();
      const Tensors got = RunSession(*session, inputs);
      const int64_t(&tile)[3] = session->report().tile_size;
      ASSERT_EQ(test::FirstDifference(got, expected), "")
          << isa << " tiles " << tile[0] << "x" << tile[1] << "x" << tile[2];
    }
  }
}

TEST_P(Executors, BandsGiveTheBitsOfTheWhole) {
  std::vector<int64_t> sizes = RandomSizes(GetParam());
  sizes[0] = 1;
  const NetBuilder net = RandomNet(GetParam(), sizes, 14, /*global=*/GetParam() % 3 == 0);
  auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  const Tensors inputs = test::RandomTensors({sizes}, GetParam());
  std::mt19937 random(GetParam());
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (const std::string& isa : test::IsaNames()) {
    auto whole = Session::Create(*model, {sizes}, {.isa = isa, .band_rows = -1});
    ASSERT_TRUE(whole.ok()) << whole.status().message();
    const Tensors expected = RunSession(*whole, inputs);
    for (int round = 0; round < 6; ++round) {
      SessionOptions options{.threads = static_cast<int>(pick(1, 3)), .isa = isa, .band_rows = pick(1, 9)};
      options.streaming = pick(0, 1) == 1;
      if (round % 3 == 2 && GetParam() % 3 != 0) {
        for (int64_t& tile : options.tile) tile = pick(0, 20);
      }
      auto session = Session::Create(*model, {sizes}, options);
      ASSERT_TRUE(session.ok()) << session.status().message();
      banded_ += session->report().bands > 1 ? 1 : 0;
      const Tensors got = RunSession(*session, inputs);
      ASSERT_EQ(test::FirstDifference(got, expected), "")
          << isa << " bands of " << options.band_rows << (options.streaming ? " streaming" : "");
    }
  }
  EXPECT_GT(banded_, 0);
}

INSTANTIATE_TEST_SUITE_P(Random, Executors, testing::Range(0u, test::SomeOf(96)));

}  // namespace
}  // namespace fovea
