#include "runtime/plan/phases.h"

#include <algorithm>

#include "runtime/plan/receptive_field.h"

namespace fovea::plan {
namespace {

// Part of all multiply-adds that partial tiles may add along one axis.
constexpr double kMostWaste = 0.01;
// The end of a tile is traced in the middle of the image, at a multiple of the strides and of this.
constexpr int64_t kLattice = 4;

// Ends [value][axis] of what is read when the first output ends at a multiple of everything; -1: not known. Where there
// are several readers the first one counts: the others (skip connections) wait anyway.
using Ends = std::vector<std::array<int64_t, kMaxTensorRank>>;

void StartAtOutputs(const Plan& plan, Ends* ends) {
  const std::vector<Port>& ports = plan.graph.graph->outputs;
  for (const Port& port : ports) {
    const Dims& dims = plan.graph.dims[static_cast<size_t>(port.value)];
    const std::vector<int64_t> lattice = StrideLattice(plan.graph, plan.links, port.value);
    for (size_t a = 0; a < lattice.size(); ++a) {
      const int64_t step = lattice[a] * kLattice;
      (*ends)[static_cast<size_t>(port.value)][a] = dims[a] / 2 / step * step;
    }
  }
}

// Axis along which output axis a of the node is cut for its kernel's sake; 0: it is not.
int64_t KernelLattice(const Plan& plan, size_t n, size_t a) {
  const std::array<int64_t, 3> lattice = plan.operators[n].lattice();
  const int s = static_cast<int>(a) + 4 - static_cast<int>(plan.graph.nodes[n].out.size());
  if (a < 1 || s < 0 || s > 2) return 0;
  const int64_t own = lattice[static_cast<size_t>(s)];
  return own > 1 && plan.links[n].align[a] == own ? own : 0;
}

// Tiles along an axis of `size` positions, for each that there would be with phase 0.
double Tiles(int64_t size, int64_t lattice, int64_t phase) {
  const int64_t before = phase > 0 ? 1 : 0;
  return static_cast<double>(before + CeilDiv(std::max<int64_t>(0, size - phase), lattice)) /
         static_cast<double>(std::max<int64_t>(1, CeilDiv(size, lattice)));
}

}  // namespace

void ChoosePhases(Plan* plan) {
  const ResolvedGraph& graph = plan->graph;
  Ends ends(graph.dims.size());
  for (auto& end : ends) end.fill(-1);
  StartAtOutputs(*plan, &ends);
  double total = 0;
  std::array<double, kMaxTensorRank> waste{};
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const ResolvedNode& node = graph.nodes[n];
    NodeLinks& links = plan->links[n];
    const auto work = static_cast<double>(MultiplyAdds(node));
    total += work;
    std::array<int64_t, kMaxTensorRank> end = ends[static_cast<size_t>(node.node->output)];
    links.end.assign(links.align.size(), 0);
    for (size_t a = 0; a < node.out.size() && a < links.align.size(); ++a) {
      if (end[a] <= 0 || links.align[a] <= 1) continue;
      const int64_t lattice = KernelLattice(*plan, n, a);
      if (lattice == 0) {
        end[a] = CeilDiv(end[a], links.align[a]) * links.align[a];
      } else {
        // Tiles of a doubled image begin at even positions.
        const int64_t step = node.upsample[a + 4 - node.out.size()];
        end[a] = CeilDiv(end[a], step) * step;
        links.phase[a] = end[a] % lattice;
        links.end[a] = end[a];
        waste[a] += work * (Tiles(node.out[a], lattice, links.phase[a]) - 1);
      }
    }
    for (size_t i = 0; i < node.in.size(); ++i) {
      if (!node.Has(i)) continue;
      const std::vector<AxisLink>& axes = links.inputs[i];
      for (size_t a = 0; a < axes.size(); ++a) {
        const int to = axes[a].out_axis;
        if (to < 0 || end[static_cast<size_t>(to)] <= 0) continue;
        const int64_t at = end[static_cast<size_t>(to)];
        ends[static_cast<size_t>(node.node->inputs[i])][a] = Needed(links, axes[a], {at - 1, at}, false).end;
      }
    }
  }
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    NodeLinks& links = plan->links[n];
    for (size_t a = 0; a < links.phase.size(); ++a) {
      if (waste[a] > kMostWaste * total) links.phase[a] = links.end[a] = 0;
    }
    plan->operators[n].SetPhase(links.phase);
  }
}

}  // namespace fovea::plan
