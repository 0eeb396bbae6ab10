// Whatever the strategy - budgets, bands, tiles, weights packed when used - the bits are those of the whole image.
//
// Every day 24 random networks a test at each instruction set. FOVEA_BITS_NETWORKS=N in the environment asks for N
// instead, and leaves the plain C++ kernels out, which would take nine tenths of the time (tools/check-long, step
// bits). The cases (two results compared bit for bit) are counted by instruction set and printed at the end.
#include <gtest/gtest.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

#include "runtime/exec/fast.h"
#include "runtime/include/fovea/session.h"
#include "tests/support/random_graph.h"
#include "tests/support/run_session.h"
#include "tests/support/sanitizers.h"

namespace fovea {
namespace {

using test::NetBuilder;
using test::RunSession;
using test::Tensors;

// Two levels; enough channels that Winograd kernels are picked on every instruction set.
NetBuilder WideUNet(uint32_t seed) {
  NetBuilder net(seed);
  const kernels::Activation relu{kernels::UnaryFn::kRelu};
  const int64_t kernel = net.Chance(0.3) ? 5 : 3;
  int x = net.Input("byxc", {1, DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), 2});
  std::vector<int> skips;
  for (int level = 0; level < 2; ++level) {
    x = net.Conv(x, 16 + 16 * level, 3, 1, 1, 1, relu);
    x = net.Conv(x, 16 + 16 * level, kernel, 1, 1, 1, relu);
    skips.push_back(x);
    x = net.Pool(x, kernels::PoolKind::kMax, 2, 2);
  }
  x = net.Conv(x, 48, 3, 1, 1, 1, relu);
  for (int level = 2; level-- > 0;) {
    if (net.Chance(0.3)) {
      x = net.ConvTranspose(x, 16, 2, 2);
    } else {
      const bool linear = net.Chance(0.5);
      x = net.Upsample2(x, linear ? kernels::ResizeMode::kLinear : kernels::ResizeMode::kNearest,
                        linear ? kernels::ResizeCoordinates::kHalfPixel : kernels::ResizeCoordinates::kAsymmetric);
    }
    x = net.Concat({skips[static_cast<size_t>(level)], x});
    x = net.Conv(x, 16, 3, 1, 1, 1, relu);
  }
  net.Output(net.Conv(x, 2, 1));
  return net;
}

const uint32_t kDailyNetworks = test::SomeOf(24);

uint32_t Networks() {
  const char* text = std::getenv("FOVEA_BITS_NETWORKS");
  const long networks = text ? std::strtol(text, nullptr, 10) : 0;
  return networks > 0 ? static_cast<uint32_t>(networks) : kDailyNetworks;
}

std::vector<std::string> IsasToCompare() {
  std::vector<std::string> names = test::IsaNames();
  if (Networks() != kDailyNetworks && names.size() > 1) std::erase(names, "reference");
  return names;
}

// The plan that a session follows.
Result<plan::Plan> PlanOf(const Model& model, const std::vector<int64_t>& sizes, const SessionOptions& options) {
  kernels::Isa isa = kernels::Isa::kReference;
  if (!kernels::ParseIsa(options.isa.c_str(), &isa)) return InvalidArgument(options.isa);
  FOVEA_ASSIGN_OR_RETURN(plan::ResolvedGraph resolved,
                         plan::Resolve(model.file()->graph(), std::vector<plan::Dims>{sizes}, {}));
  return exec::PlanSession(*model.file(), std::move(resolved), options, isa, options.threads, false);
}

// Whether the plan of a session has nodes that make more rows at once than their kernels' tiles have.
bool MakesTwiceTheRows(const Model& model, const std::vector<int64_t>& sizes, const SessionOptions& options) {
  const auto plan = PlanOf(model, sizes, options);
  if (!plan.ok()) return false;
  for (size_t n = 0; n < plan->operators.size(); ++n) {
    const plan::NodeLinks& links = plan->links[n];
    if (links.align.size() > 1 && plan->row_steps[n].rows > std::max<int64_t>(1, links.align[1])) return true;
  }
  return false;
}

class Strategies : public testing::TestWithParam<uint32_t> {
 protected:
  static void TearDownTestSuite() {
    for (const auto& [isa, cases] : cases_) std::printf("%s: %d cases of equal bits\n", isa.c_str(), cases);
  }

  static void ExpectEqualBits(const Tensors& actual, const Tensors& expected, const std::string& isa,
                              const std::string& what) {
    ASSERT_EQ(test::FirstDifference(actual, expected), "") << isa << " " << what;
    ++cases_[isa];
  }

 private:
  static inline std::map<std::string, int> cases_;
};

// Long axes, where lattices of kernels are counted from phases (plan/phases.h).
TEST_P(Strategies, LongImagesInBandsAndTiles) {
  const NetBuilder net = WideUNet(GetParam());
  auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  std::mt19937 random(GetParam());
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (const bool tall : {false, true}) {
    const int64_t along = 4 * pick(520, 640), across = 4 * pick(4, 8);
    const std::vector<int64_t> sizes{1, tall ? along : across, tall ? across : along, 2};
    const Tensors inputs = test::RandomTensors({sizes}, GetParam());
    for (const std::string& isa : IsasToCompare()) {
      auto whole = Session::Create(*model, {sizes}, {.isa = isa, .band_rows = -1});
      ASSERT_TRUE(whole.ok()) << whole.status().message();
      const Tensors expected = RunSession(*whole, inputs);
      for (int round = 0; round < 3; ++round) {
        SessionOptions options{.threads = 2, .isa = isa, .band_rows = round == 1 ? -1 : pick(3, 40)};
        if (round > 0) options.tile[1] = pick(1, sizes[1]), options.tile[2] = pick(1, sizes[2]);
        auto session = Session::Create(*model, {sizes}, options);
        ASSERT_TRUE(session.ok()) << session.status().message();
        std::ostringstream what;
        what << (tall ? "tall " : "wide ") << along << " bands of " << options.band_rows << " tile " << options.tile[1]
             << "x" << options.tile[2];
        ASSERT_NO_FATAL_FAILURE(ExpectEqualBits(RunSession(*session, inputs), expected, isa, what.str()));
      }
    }
  }
}

// Skip connections computed twice (plan/recompute.h): the copies keep their phases, and make rows when they are read.
TEST_P(Strategies, SkipConnectionsComputedTwice) {
  const NetBuilder net = WideUNet(GetParam());
  auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  std::mt19937 random(GetParam());
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  const bool tall = GetParam() % 2 == 1;  // so that lattices have phases
  const std::vector<int64_t> sizes{1, tall ? 4 * pick(520, 640) : 4 * pick(40, 60),
                                   tall ? 4 * pick(14, 18) : 4 * pick(40, 60), 2};
  const Tensors inputs = test::RandomTensors({sizes}, GetParam());
  int twice = 0;
  for (const std::string& isa : IsasToCompare()) {
    if (isa == "reference" && IsasToCompare().size() > 1) continue;  // takes long
    auto whole = Session::Create(*model, {sizes}, {.isa = isa, .band_rows = -1});
    ASSERT_TRUE(whole.ok()) << whole.status().message();
    const Tensors expected = RunSession(*whole, inputs);
    SessionOptions options{.threads = 2, .isa = isa, .streaming = true};
    const auto least = Session::Plan(*model, {sizes}, options, {}, Session::Goal::kSmallest);
    ASSERT_TRUE(least.ok()) << least.status().message();
    for (const int percent : {100, 110, 140}) {
      options.memory_bytes = least->total_bytes() * static_cast<uint64_t>(percent) / 100;
      auto session = Session::Create(*model, {sizes}, options);
      ASSERT_TRUE(session.ok()) << session.status().message();
      twice += session->report().recomputed_skips > 0 ? 1 : 0;
      ASSERT_NO_FATAL_FAILURE(
          ExpectEqualBits(RunSession(*session, inputs), expected, isa, std::to_string(percent) + " % of the least"));
    }
  }
  EXPECT_GT(twice, 0);
}

// Kernels with large weights make two of their tiles' rows at once (plan/row_steps.h) where that packs half as often.
TEST(StrategiesOfLargeWeights, TwiceTheRowsAreTheSameBits) {
  NetBuilder net(5);
  const kernels::Activation relu{kernels::UnaryFn::kRelu};
  const int skip = net.Conv(net.Input("byxc", {1, DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), 2}), 16, 3);
  int x = net.Pool(net.Conv(skip, 16, 3, 1, 1, 1, relu), kernels::PoolKind::kMax, 2, 2);
  x = net.Conv(net.Conv(x, 176, 3, 1, 1, 1, relu), 180, 3, 1, 1, 1, relu);  // 36 x 176 x 192 floats packed
  x = net.Upsample2(net.Conv(x, 16, 3), kernels::ResizeMode::kNearest, kernels::ResizeCoordinates::kAsymmetric);
  net.Output(net.Conv(net.Concat({skip, x}), 2, 3));
  auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  std::map<std::string, int> twice;
  for (const int64_t rows : {148, 1036}) {  // the longer one has phases
    const std::vector<int64_t> sizes{1, rows, 100, 2};
    const Tensors inputs = test::RandomTensors({sizes}, 5);
    for (const std::string& isa : IsasToCompare()) {
      if (isa == "reference") continue;  // takes long, and has no tiles
      auto whole = Session::Create(*model, {sizes}, {.isa = isa, .band_rows = -1});
      ASSERT_TRUE(whole.ok()) << whole.status().message();
      const Tensors expected = RunSession(*whole, inputs);
      SessionOptions options{.threads = 2, .isa = isa, .streaming = true};
      const auto least = Session::Plan(*model, {sizes}, options, {}, Session::Goal::kSmallest);
      ASSERT_TRUE(least.ok()) << least.status().message();
      for (const int percent : {110, 140, 180, 220}) {
        options.memory_bytes = least->total_bytes() * static_cast<uint64_t>(percent) / 100;
        auto session = Session::Create(*model, {sizes}, options);
        ASSERT_TRUE(session.ok()) << session.status().message();
        EXPECT_EQ(test::FirstDifference(RunSession(*session, inputs), expected), "")
            << isa << " " << percent << " % of the least";
        twice[isa] += MakesTwiceTheRows(*model, sizes, options) ? 1 : 0;
      }
    }
  }
  for (const auto& [isa, sessions] : twice) EXPECT_GT(sessions, 0) << isa;
}

// The most floats that a ring of rows holds twice.
int64_t FloatsRepeated(const plan::Plan& plan) {
  int64_t most = 0;
  for (const plan::Group& group : plan.groups) {
    const plan::Dims& dims = plan.graph.dims[static_cast<size_t>(group.root)];
    if (group.ring_rows > 0) most = std::max(most, (group.window_rows - group.ring_rows) * dims[2] * dims[3]);
  }
  return most;
}

// Where so much is repeated that threads share it.
TEST(StrategiesOfWideImages, RowsThatRingsRepeatAreTheSameBits) {
  NetBuilder net(5);
  const std::vector<int64_t> sizes{1, 176, 4000, 1};
  const int skip = net.Conv(net.Input("byxc", {1, DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), 1}), 16, 3);
  int x = net.Conv(net.Pool(skip, kernels::PoolKind::kMax, 4, 4), 4, 3, 1, 8);
  x = net.Conv(x, 4, 3, 1, 6);
  for (int level = 0; level < 2; ++level) {
    x = net.Upsample2(x, kernels::ResizeMode::kNearest, kernels::ResizeCoordinates::kAsymmetric);
  }
  net.Output(net.Conv(net.Concat({skip, x}), 1, 3));
  auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  const Tensors inputs = test::RandomTensors({sizes}, 5);
  const SessionOptions options{.threads = 3, .isa = test::IsaNames().back(), .band_rows = 16};
  const auto plan = PlanOf(*model, sizes, options);
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_GT(FloatsRepeated(*plan), 500'000);
  auto whole = Session::Create(*model, {sizes}, {.isa = options.isa, .band_rows = -1});
  auto bands = Session::Create(*model, {sizes}, options);
  ASSERT_TRUE(whole.ok() && bands.ok());
  EXPECT_EQ(test::FirstDifference(RunSession(*bands, inputs), RunSession(*whole, inputs)), "");
}

TEST_P(Strategies, WeightsPackedWhenUsed) {
  NetBuilder net(GetParam());
  const auto dim = [](int axis) { return DimExpr::InputDim(0, axis); };
  int x = net.Input("byxc", {1, dim(1), dim(2), 3});
  const int first = x = net.Conv(x, net.Pick(120, 210), 3);
  x = net.Conv(x, net.Pick(120, 210), net.Chance(0.5) ? 3 : 5, 1, 1, 1, {kernels::UnaryFn::kRelu});
  x = net.Conv(x, net.channels(first), 3, 1, 1, 1, {}, first);
  x = net.Conv(x, 130, 1);
  x = net.ConvTranspose(x, 140, 3, 2);
  net.Output(net.Conv(x, 4, 1));
  auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  const std::vector<int64_t> sizes{1, net.Pick(9, 20), net.Pick(9, 20), 3};
  const Tensors inputs = test::RandomTensors({sizes}, GetParam());
  for (const std::string& isa : IsasToCompare()) {
    auto ahead = Session::Create(*model, {sizes}, {.isa = isa});
    ASSERT_TRUE(ahead.ok()) << ahead.status().message();
    const Tensors expected = RunSession(*ahead, inputs);
    for (const uint64_t limit : {uint64_t{1}, uint64_t{200} << 10}) {
      for (const int64_t rows : {-1, 3}) {
        auto session = Session::Create(*model, {sizes},
                                       {.threads = 2, .isa = isa, .band_rows = rows, .packed_weight_limit = limit});
        ASSERT_TRUE(session.ok()) << session.status().message();
        EXPECT_LT(session->report().packed_weight_bytes, ahead->report().packed_weight_bytes);
        EXPECT_GT(session->report().mapped_bytes, 0u);
        ASSERT_NO_FATAL_FAILURE(
            ExpectEqualBits(RunSession(*session, inputs), expected, isa, "limit " + std::to_string(limit)));
      }
    }
  }
}

// The number after "at least".
uint64_t LeastBytes(const std::string& message) {
  const std::string words = "at least ";
  const size_t at = message.find(words);
  uint64_t bytes = 0;
  if (at != std::string::npos) {
    std::from_chars(message.data() + at + words.size(), message.data() + message.size(), bytes);
  }
  return bytes;
}

TEST_P(Strategies, BudgetsAreKeptWithTheSameBits) {
  std::mt19937 random(GetParam());
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  const bool volume = GetParam() % 4 == 3, wide = GetParam() % 4 == 1;
  std::vector<int64_t> sizes{1, pick(13, 45), pick(40, 120), pick(1, 5)};
  if (volume) sizes = {1, pick(5, 14), pick(9, 30), pick(9, 30), pick(1, 3)};
  if (wide) sizes = {1, 4 * pick(12, 40), 4 * pick(12, 40), 2};
  const NetBuilder net = wide ? WideUNet(GetParam()) : test::RandomNet(GetParam(), sizes, 14, GetParam() % 8 == 0);
  auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  const Tensors inputs = test::RandomTensors({sizes}, GetParam());
  for (const std::string& isa : IsasToCompare()) {
    auto free = Session::Create(*model, {sizes}, {.isa = isa});
    ASSERT_TRUE(free.ok()) << free.status().message();
    const Tensors expected = RunSession(*free, inputs);
    SessionOptions options{.threads = static_cast<int>(pick(1, 3)), .isa = isa, .memory_bytes = 1, .streaming = true};
    const auto refused = Session::Create(*model, {sizes}, options);
    ASSERT_EQ(refused.status().code(), StatusCode::kOverBudget);
    const uint64_t least = LeastBytes(refused.status().message());
    ASSERT_GT(least, 0u) << refused.status().message();
    options.memory_bytes = 0;
    auto most = Session::Create(*model, {sizes}, options);
    ASSERT_TRUE(most.ok()) << most.status().message();
    const double ratio = static_cast<double>(most->report().total_bytes()) / static_cast<double>(least);
    for (const double share : {0.0, 0.2, 0.6}) {
      options.memory_bytes = static_cast<uint64_t>(static_cast<double>(least) * std::max(1.0, std::pow(ratio, share)));
      auto session = Session::Create(*model, {sizes}, options);
      ASSERT_TRUE(session.ok()) << session.status().message();
      EXPECT_LE(session->report().total_bytes(), options.memory_bytes);
      const std::string what = "budget " + std::to_string(options.memory_bytes) + ": " + session->report().strategy;
      ASSERT_NO_FATAL_FAILURE(ExpectEqualBits(RunSession(*session, inputs), expected, isa, what));
    }
  }
}

// A run that was interrupted goes on with the tiles that its budget chose.
TEST_P(Strategies, TilesOfAPlanThatAreAskedForKeepToItsBudget) {
  NetBuilder net = WideUNet(GetParam());
  auto model = net.Build();
  ASSERT_TRUE(model.ok()) << model.status().message();
  const std::vector<std::vector<int64_t>> sizes{{1, 64 * net.Pick(4, 30), 64 * net.Pick(4, 30), 2}};
  SessionOptions options{.threads = 2, .streaming = true};
  const auto free = Session::Plan(*model, sizes, options);
  const auto least = Session::Plan(*model, sizes, options, {}, Session::Goal::kSmallest);
  ASSERT_TRUE(free.ok() && least.ok());
  for (const double share : {0.0, 0.02, 0.1, 0.3, 0.8}) {
    options = {.threads = 2, .streaming = true};
    const double most = static_cast<double>(std::max(free->total_bytes(), 2 * least->total_bytes()));
    options.memory_bytes = least->total_bytes() + static_cast<uint64_t>(share * most);
    const auto chosen = Session::Plan(*model, sizes, options);
    ASSERT_TRUE(chosen.ok()) << chosen.status().message();
    if (chosen->tiles == 1) continue;
    std::copy_n(chosen->tile_size, 3, options.tile);
    const auto again = Session::Plan(*model, sizes, options);
    ASSERT_TRUE(again.ok()) << share << " " << chosen->strategy << ": " << again.status().message();
    EXPECT_LE(again->total_bytes(), options.memory_bytes);
    EXPECT_EQ(again->tiles, chosen->tiles);
    EXPECT_LE(again->seconds, 1.001 * chosen->seconds);
  }
}

INSTANTIATE_TEST_SUITE_P(Random, Strategies, testing::Range(0u, Networks()));

}  // namespace
}  // namespace fovea
