#include "runtime/exec/choice.h"

#include <algorithm>
#include <string>

#include "runtime/exec/passes.h"
#include "runtime/plan/cost.h"

namespace fovea::exec {
namespace {

// Passes are taken instead of one plan that fits where they are predicted to take at most this part of its time: each
// reads the image again and sums it up, which predictions leave out. Measured on one thread of Zen 5 on 15 networks and
// budgets: those predicted at 0.64 to 0.69 took 0.83 to 1.02 of the one plan's time, those at 0.73 to 0.94 took 0.98 to
// 1.76 of it.
constexpr double kPassesPay = 0.7;
// As many as one plan lists.
constexpr size_t kMostAlternatives = 4;

// Of two refusals, the one that a smaller budget would turn.
Status Nearer(const Status& one, const Status& other) {
  if (one.code() != StatusCode::kOverBudget) return other;
  if (other.code() != StatusCode::kOverBudget) return one;
  return other.needed_bytes() < one.needed_bytes() ? other : one;
}

void AddAlternative(PlanAlternative other, std::vector<PlanAlternative>* all) {
  if (all->size() >= kMostAlternatives) all->pop_back();
  const auto slower = [&](const PlanAlternative& a) { return a.seconds > other.seconds; };
  all->insert(std::find_if(all->begin(), all->end(), slower), std::move(other));
}

PlanAlternative AlternativeOf(const PlanReport& report, std::string words, uint64_t budget) {
  const bool fits = budget == 0 || report.total_bytes() <= budget;
  return {std::move(words), report.total_bytes(), report.seconds, fits, report.passes};
}

}  // namespace

Result<Choice> Choose(const ModelFile& file, const plan::ResolvedGraph& graph, const SessionOptions& options,
                      kernels::Isa cap, int threads, bool smallest) {
  Choice choice;
  Result<plan::Plan> plan = PlanSession(file, graph, options, cap, threads, smallest);
  const StatusCode code = plan.ok() ? StatusCode::kOk : plan.status().code();
  if (!plan.ok() && code != StatusCode::kOverBudget && code != StatusCode::kUnsupported) return plan.status();
  double seconds = 0;
  if (plan.ok()) {
    seconds = plan::PredictCost(*plan, threads, plan::NominalRates(cap)).seconds;
    const double least = plan::LeastPassSeconds(*plan, cap, threads);
    const bool may_be_better = least > 0 && options.tiling == Tiling::kExact &&
                               (smallest || (options.memory_bytes > 0 && least < kPassesPay * seconds));
    if (!may_be_better) {
      choice.one.emplace(*std::move(plan));
      return choice;
    }
  }
  auto passes = plan::MakePassPlan(graph, PlanOptionsOf(file, graph, options, cap, threads, smallest));
  choice.looked_at_passes = true;
  if (!plan.ok() && !passes.ok()) {
    return passes.status().code() == StatusCode::kUnsupported ? plan.status() : Nearer(plan.status(), passes.status());
  }
  choice.takes_passes =
      passes.ok() &&
      (!plan.ok() || (smallest ? passes->total_bytes() < plan->total_bytes() : passes->seconds < kPassesPay * seconds));
  if (plan.ok()) choice.one.emplace(*std::move(plan));
  if (passes.ok()) choice.passes.emplace(*std::move(passes));
  return choice;
}

Result<PlanReport> PlanReportOf(const ModelFile& file, const plan::ResolvedGraph& graph, const SessionOptions& options,
                                kernels::Isa cap, int threads, const MachineSpeed& speed, bool smallest) {
  FOVEA_ASSIGN_OR_RETURN(Choice choice, Choose(file, graph, options, cap, threads, smallest));
  if (!choice.takes_passes) {
    PlanReport report = ReportOf(*choice.one, cap, threads, speed);
    if (!choice.passes || smallest) return report;
    const PlanReport other = ReportOf(*choice.passes, cap, threads, speed);
    const std::string words = Words(*choice.passes, choice.passes->passes.back().plan.Words());
    AddAlternative(AlternativeOf(other, words, options.memory_bytes), &report.alternatives);
    return report;
  }
  PlanReport report = ReportOf(*choice.passes, cap, threads, speed);
  if (smallest) return report;
  if (!choice.one) {  // what one plan would need, where tiles are not asked for
    SessionOptions free = options;
    free.memory_bytes = 0;
    auto plan = PlanSession(file, graph, free, cap, threads);
    if (plan.ok()) choice.one.emplace(*std::move(plan));
  }
  if (!choice.one) return report;
  const PlanReport other = ReportOf(*choice.one, cap, threads, speed);
  AddAlternative(AlternativeOf(other, choice.one->Words(), options.memory_bytes), &report.alternatives);
  return report;
}

}  // namespace fovea::exec
