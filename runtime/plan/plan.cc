#include "runtime/plan/plan.h"

#include <algorithm>
#include <numeric>

#include "runtime/plan/cost.h"
#include "runtime/plan/fuse_upsampling.h"
#include "runtime/plan/passes.h"
#include "runtime/plan/phases.h"
#include "runtime/plan/recompute.h"
#include "runtime/plan/strategy.h"

namespace fovea::plan {
namespace {

// Sizes of image whose skip connections may be computed twice: the next one costs as much again and frees half.
constexpr int kMostRecomputed = 2;

// Kernels whose tiles are larger than one output get regions on their lattice.
void AlignToKernel(const exec::Operator& op, size_t rank, NodeLinks* links) {
  const std::array<int64_t, 3> lattice = op.lattice();
  for (int s = 0; s < 3; ++s) {
    const int axis = SpatialAxis(s, static_cast<int>(rank));
    if (axis < 1 || lattice[static_cast<size_t>(s)] == 1) continue;
    links->align.resize(std::max(links->align.size(), rank), 1);
    links->phase.resize(links->align.size(), 0);
    int64_t& align = links->align[static_cast<size_t>(axis)];
    if (align != 0) align = std::lcm(align, lattice[static_cast<size_t>(s)]);
  }
}

void PrepareOperators(const PlanOptions& options, Plan* plan) {
  const Graph& graph = *plan->graph.graph;
  plan->links = LinkNodes(plan->graph);
  plan->constant.assign(graph.values.size(), 0);
  for (size_t v = 0; v < graph.values.size(); ++v) plan->constant[v] = graph.values[v].is_const ? 1 : 0;
  plan->operators.reserve(plan->graph.nodes.size());
  for (const ResolvedNode& node : plan->graph.nodes) {
    const size_t n = plan->operators.size();
    const exec::Operator& op = plan->operators.emplace_back(node, options.cap, options.exact_order);
    AlignToKernel(op, plan->graph.dims[static_cast<size_t>(node.node->output)].size(), &plan->links[n]);
    if (node.kind == OpKind::kDims) plan->constant[static_cast<size_t>(node.node->output)] = 1;
    const auto known = [&](size_t i) {
      return !node.Has(i) || plan->constant[static_cast<size_t>(node.node->inputs[i])] != 0;
    };
    plan->packable.push_back(op.PackedFloats() > 0 && known(1) && known(2) ? 1 : 0);
    plan->multiply_adds += MultiplyAdds(node);
  }
  ChoosePhases(plan);
}

}  // namespace

Plan PreparePlan(ResolvedGraph graph, const PlanOptions& options) {
  Plan plan;
  FuseUpsampling(options.cap, options.exact_order, &graph);
  plan.graph = std::move(graph);
  plan.fixed_bytes = options.fixed_bytes;
  plan.streaming = options.streaming;
  PrepareOperators(options, &plan);
  return plan;
}

namespace {

// Whether computing skip connections twice may help: some of the time goes into halos or packing, or nothing fits.
bool IsShortOfMemory(const Plan& plan, const Status& chosen, const PlanOptions& options) {
  if (options.band_rows < 0) return false;  // what is computed again is so in bands
  if (options.smallest || chosen.code() == StatusCode::kOverBudget) return true;
  return chosen.ok() && options.memory_bytes > 0 && (plan.tiled || plan.packed_ahead != plan.packable);
}

// The better of two plans as asked: the smaller, or the faster.
bool IsBetter(const Plan& one, const Plan& other, const PlanOptions& options) {
  if (options.smallest) return one.total_bytes() < other.total_bytes();
  const auto seconds = [&](const Plan& plan) {
    return PredictCost(plan, options.threads, NominalRates(options.cap)).seconds;
  };
  return seconds(one) < seconds(other);
}

// Replaces the plan by one with skip connections computed twice where that is better.
Status ConsiderRecomputing(const PlanOptions& options, Status chosen, Plan* plan) {
  if (!IsShortOfMemory(*plan, chosen, options)) return chosen;
  const int levels = std::min(SkipLevels(*plan), kMostRecomputed);
  Plan best;
  for (int level = 1; level <= levels; ++level) {
    Plan again = Recompute(*plan, level, options);
    const Status fits = Strategist(options, &again).Choose();
    if (fits.ok() && (!chosen.ok() || IsBetter(again, best.recomputed > 0 ? best : *plan, options))) {
      best = std::move(again);
      chosen = fits;
    } else if (chosen.ok() && !options.smallest) {
      break;  // more of it does not pay where this did not
    } else if (!chosen.ok() && fits.needed_bytes() < chosen.needed_bytes()) {
      chosen = fits;
    }
  }
  if (best.recomputed > 0) *plan = std::move(best);
  return chosen;
}

}  // namespace

Result<Plan> MakePlan(ResolvedGraph graph, const PlanOptions& options) {
  Plan plan = PreparePlan(std::move(graph), options);
  Status chosen = Strategist(options, &plan).Choose();
  chosen = ConsiderRecomputing(options, std::move(chosen), &plan);
  if (chosen.ok() && !(options.approximate && options.smallest)) return plan;
  // Only where nothing exact does.
  if (!options.approximate || !LoosenBarriers(&plan)) return chosen;
  plan.approximate = true;
  FOVEA_RETURN_IF_ERROR(Strategist(options, &plan).Choose());
  return plan;
}

}  // namespace fovea::plan
