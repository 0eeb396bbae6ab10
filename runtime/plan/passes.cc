#include "runtime/plan/passes.h"

namespace fovea::plan {
namespace {

// Reductions over all of a tensor's spatial axes and no others.
bool IsOverPositions(const ResolvedNode& node, const ReduceParams& params) {
  const size_t rank = node.in[0].size();
  if (rank < 3 || rank > 5 || params.axes.size() != rank - 2) return false;
  uint32_t axes = 0;
  for (int64_t a : params.axes) axes |= 1u << a;
  return axes == (1u << (rank - 1)) - 2;
}

}  // namespace

bool TakesStatistics(const ResolvedNode& node) {
  if (node.kind == OpKind::kGroupNorm) return true;
  if (node.kind != OpKind::kReduce) return false;
  return IsOverPositions(node, std::get<ReduceParams>(node.node->params));
}

bool SumsPositions(const ResolvedNode& node) {
  using kernels::ReduceFn;
  if (node.kind != OpKind::kReduce || !TakesStatistics(node)) return false;
  const ReduceFn fn = std::get<ReduceParams>(node.node->params).fn;
  return fn == ReduceFn::kSum || fn == ReduceFn::kMean || fn == ReduceFn::kMax || fn == ReduceFn::kMin;
}

bool LoosenBarriers(Plan* plan) {
  bool found = false;
  for (size_t n = 0; n < plan->graph.nodes.size(); ++n) {
    const ResolvedNode& node = plan->graph.nodes[n];
    if (!TakesStatistics(node)) continue;
    NodeLinks& links = plan->links[n];
    for (size_t a = 1; a + 1 < node.in[0].size(); ++a) {
      AxisLink& link = links.inputs[0][a];
      if (node.kind == OpKind::kGroupNorm) {
        link.kind = LinkKind::kSame;
        link.out_axis = static_cast<int>(a);
        link.out_size = node.out[a];
        links.align[a] = 1;
      } else {
        link.kind = LinkKind::kHeld;
      }
    }
    found = true;
  }
  return found;
}

}  // namespace fovea::plan
