// One plan or several passes: which is taken, that the bits do not tell, and what is said of the other.
#include "runtime/exec/choice.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/isa.h"
#include "runtime/include/fovea/session.h"
#include "runtime/plan/cost.h"
#include "tests/support/random_graph.h"
#include "tests/support/run_session.h"

namespace fovea {
namespace {

using test::NetBuilder;
using test::RunSession;
using test::Tensors;

// A U-Net with large weights behind a normalisation in the graph, which a glance at the image decides.
Result<Model> NormalizedUnet() {
  NetBuilder net(5);
  const kernels::Activation relu{kernels::UnaryFn::kRelu};
  int x = net.Input("byxc", {1, DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), 1});
  const int least = net.Add(ReduceParams{kernels::ReduceFn::kMin, {1, 2}, true}, {x});
  const int most = net.Add(ReduceParams{kernels::ReduceFn::kMax, {1, 2}, true}, {x});
  x = net.Binary(kernels::BinaryFn::kDiv, net.Binary(kernels::BinaryFn::kSub, x, least),
                 net.Binary(kernels::BinaryFn::kSub, most, least));
  std::vector<int> skips;
  for (const int64_t channels : {32, 64, 128}) {
    if (!skips.empty()) x = net.Pool(x, kernels::PoolKind::kMax, 2, 2);
    x = net.Conv(net.Conv(x, channels, 3, 1, 1, 1, relu), channels, 3, 1, 1, 1, relu);
    skips.push_back(x);
  }
  for (const size_t level : {1u, 0u}) {
    x = net.Upsample2(x, kernels::ResizeMode::kNearest, kernels::ResizeCoordinates::kAsymmetric);
    x = net.Conv(net.Concat({x, skips[level]}), net.channels(skips[level]), 3, 1, 1, 1, relu);
  }
  net.Output(net.Conv(x, 1, 1));
  return net.Build();
}

// What one plan would do under a budget, whatever is chosen.
struct OnePlan {
  uint64_t needed_bytes = 0;  // where it does not fit
  uint64_t bytes = 0;
  double seconds = 0;
};

OnePlan PlanWithoutPasses(const Model& model, const std::vector<int64_t>& sizes, uint64_t budget) {
  const kernels::Isa isa = kernels::BestIsa();
  auto graph = plan::Resolve(model.file()->graph(), std::vector<plan::Dims>{sizes}, {});
  EXPECT_TRUE(graph.ok());
  const auto plan = exec::PlanSession(*model.file(), *std::move(graph), {.memory_bytes = budget}, isa, 1);
  if (!plan.ok()) return {plan.status().needed_bytes(), 0, 0};
  return {0, plan->total_bytes(), plan::PredictCost(*plan, 1, plan::NominalRates(isa)).seconds};
}

// The words of what was looked at besides, in one pass or in several.
const PlanAlternative* Find(const PlanReport& report, bool passes) {
  const auto is_it = [&](const PlanAlternative& a) { return (a.passes > 1) == passes; };
  const auto at = std::find_if(report.alternatives.begin(), report.alternatives.end(), is_it);
  return at == report.alternatives.end() ? nullptr : &*at;
}

// One plan keeps to the budget, too, but only in bands across the whole image that pack the weights again and again;
// passes may be narrow.
TEST(Choice, PassesAreTakenWhereOnePlanFitsAndIsMuchSlower) {
  if (kernels::BestIsa() == kernels::Isa::kReference) GTEST_SKIP() << "reference kernels have no passes";
  const auto model = NormalizedUnet();
  ASSERT_TRUE(model.ok()) << model.status().message();
  const std::vector<int64_t> sizes{1, 256, 512, 1};
  const Tensors image = test::RandomTensors({sizes}, 1);
  auto free = Session::Create(*model, {sizes}, {});
  ASSERT_TRUE(free.ok()) << free.status().message();
  EXPECT_EQ(free->report().passes, 1);
  const Tensors expected = RunSession(*free, image);
  const uint64_t least = PlanWithoutPasses(*model, sizes, 1).needed_bytes;
  ASSERT_GT(least, 0u);

  // The first budget from there on at which passes are taken nevertheless.
  uint64_t tight = 0;
  OnePlan one;
  for (uint64_t percent = 100; percent <= 130 && tight == 0; percent += 2) {
    const uint64_t budget = least * percent / 100;
    one = PlanWithoutPasses(*model, sizes, budget);
    const auto plan = Session::Plan(*model, {sizes}, {.memory_bytes = budget});
    ASSERT_TRUE(plan.ok()) << plan.status().message();
    if (one.needed_bytes == 0 && plan->passes > 1) tight = budget;
  }
  ASSERT_GT(tight, 0u);
  ASSERT_LE(one.bytes, tight);
  auto passes = Session::Create(*model, {sizes}, {.memory_bytes = tight});
  ASSERT_TRUE(passes.ok()) << passes.status().message();
  EXPECT_EQ(passes->report().passes, 3);  // extremes; what follows from them; the rest
  EXPECT_LE(passes->report().total_bytes(), tight);
  EXPECT_LT(passes->report().seconds, 0.75 * one.seconds);
  EXPECT_EQ(test::FirstDifference(RunSession(*passes, image), expected), "");
  const auto plan = Session::Plan(*model, {sizes}, {.memory_bytes = tight});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->strategy, passes->report().strategy);
  const PlanAlternative* other = Find(*plan, false);
  ASSERT_NE(other, nullptr);
  EXPECT_TRUE(other->fits);
  EXPECT_EQ(other->total_bytes, one.bytes);
  EXPECT_NEAR(other->seconds, one.seconds, 1e-9);

  // With room for packed weights passes gain nothing.
  const uint64_t roomy = 2 * least;
  auto single = Session::Create(*model, {sizes}, {.memory_bytes = roomy});
  ASSERT_TRUE(single.ok()) << single.status().message();
  EXPECT_EQ(single->report().passes, 1);
  EXPECT_EQ(test::FirstDifference(RunSession(*single, image), expected), "");
}

// Every way that was looked at is listed with what it would take: memory and time of all passes, not of the last one.
TEST(Choice, PassesAreListedWhereTheyAreNotTaken) {
  if (kernels::BestIsa() == kernels::Isa::kReference) GTEST_SKIP() << "reference kernels have no passes";
  const auto model = NormalizedUnet();
  ASSERT_TRUE(model.ok()) << model.status().message();
  const std::vector<int64_t> sizes{1, 256, 512, 1};
  const uint64_t least = PlanWithoutPasses(*model, sizes, 1).needed_bytes;
  int listed = 0, refused = 0;
  for (int percent = 60; percent <= 160; percent += 4) {
    const uint64_t budget = least * static_cast<uint64_t>(percent) / 100;
    const auto plan = Session::Plan(*model, {sizes}, {.memory_bytes = budget});
    if (!plan.ok()) continue;
    EXPECT_LE(plan->alternatives.size(), 4u);
    const auto slower = [](const PlanAlternative& a, const PlanAlternative& b) { return a.seconds < b.seconds; };
    EXPECT_TRUE(std::is_sorted(plan->alternatives.begin(), plan->alternatives.end(), slower)) << percent;
    for (const PlanAlternative& a : plan->alternatives) {
      EXPECT_EQ(a.fits, a.total_bytes <= budget) << a.strategy;
      EXPECT_EQ(a.passes > 1, a.strategy.find(" passes, ") != std::string::npos) << a.strategy;
      EXPECT_TRUE(a.passes == 1 || a.passes == 3) << a.strategy;
    }
    if (const PlanAlternative* other = Find(*plan, true); plan->passes == 1 && other != nullptr) {
      EXPECT_GT(other->seconds, 0.7 * plan->seconds);
      ++listed;
    }
    if (const PlanAlternative* other = Find(*plan, false); plan->passes > 1 && other != nullptr && !other->fits) {
      EXPECT_GT(other->total_bytes, budget);
      ++refused;
    }
  }
  EXPECT_GT(listed, 0);
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace fovea
