#include "runtime/plan/plan.h"

#include <algorithm>
#include <numeric>

#include "runtime/plan/fuse_upsampling.h"
#include "runtime/plan/passes.h"
#include "runtime/plan/phases.h"
#include "runtime/plan/strategy.h"

namespace fovea::plan {
namespace {

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

Result<Plan> MakePlan(ResolvedGraph graph, const PlanOptions& options) {
  Plan plan = PreparePlan(std::move(graph), options);
  const Status chosen = Strategist(options, &plan).Choose();
  if (chosen.ok() && !(options.approximate && options.smallest)) return plan;
  // Only where nothing exact does.
  if (!options.approximate || !LoosenBarriers(&plan)) return chosen;
  plan.approximate = true;
  FOVEA_RETURN_IF_ERROR(Strategist(options, &plan).Choose());
  return plan;
}

}  // namespace fovea::plan
