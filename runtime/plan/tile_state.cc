// Regions and memory of one tile: the part of the plan that runs again for every tile.
#include <algorithm>

#include "runtime/plan/plan.h"

namespace fovea::plan {

TileState MakeTileState(const Plan& plan) {
  TileState state;
  state.regions.resize(plan.graph.dims.size());
  state.memory.resize(plan.groups.size());
  const bool banded =
      std::any_of(plan.segments.begin(), plan.segments.end(), [](const Segment& s) { return s.banded(); });
  if (banded) {
    state.tile_rows.resize(plan.graph.dims.size());
    state.bands.resize(plan.graph.dims.size());
    state.slides.resize(plan.groups.size());
  }
  return state;
}

Region OutputTile(const Plan& plan, size_t output, const std::array<int64_t, 3>& tile) {
  const Port& port = plan.graph.graph->outputs[output];
  const Dims& dims = plan.graph.dims[static_cast<size_t>(port.value)];
  Region region = WholeRegion(dims);
  if (!plan.tiled) return region;
  for (size_t a = 0; a < std::min(dims.size(), port.axes.size()); ++a) {
    const size_t s = std::string("zyx").find(port.axes[a]);
    if (s == std::string::npos) continue;
    const int64_t begin = tile[s] * plan.grid.tile[s];
    const int64_t end = std::min(plan.grid.size[s], begin + plan.grid.tile[s]);
    region.axis[a] = {begin * dims[a] / plan.grid.size[s], end * dims[a] / plan.grid.size[s]};
  }
  return region;
}

void LayOutTile(const Plan& plan, const std::array<int64_t, 3>& tile, TileState* state) {
  const Graph& graph = *plan.graph.graph;
  for (const Port& port : graph.outputs) state->regions[static_cast<size_t>(port.value)].wanted = false;
  for (size_t o = 0; o < graph.outputs.size(); ++o) {
    const size_t v = static_cast<size_t>(graph.outputs[o].value);
    Include(OutputTile(plan, o, tile), plan.graph.dims[v].size(), &state->regions[v]);
  }
  Propagate(plan.graph, plan.links, plan.whole_channels, state->regions);
  for (size_t g = 0; g < plan.groups.size(); ++g) {
    const Group& group = plan.groups[g];
    const Dims& root = plan.graph.dims[static_cast<size_t>(group.root)];
    Region& memory = state->memory[g];
    if (group.whole) {
      memory = WholeRegion(root);
      continue;
    }
    memory.wanted = false;
    for (const Member& member : group.members) {
      const Region& region = state->regions[static_cast<size_t>(member.value)];
      if (IsEmpty(region, root.size())) continue;
      Region at = region;
      if (group.placed) at.axis[root.size() - 1] = {0, root.back()};
      Include(at, root.size(), &memory);
    }
  }
}

exec::Operand OperandOf(const Plan& plan, const TileState& state, int value, float* buffer) {
  const size_t v = static_cast<size_t>(value);
  const Slot& slot = plan.slots[v];
  const Group& group = plan.groups[static_cast<size_t>(slot.group)];
  const Region& memory = state.memory[static_cast<size_t>(slot.group)];
  exec::Operand operand;
  operand.data = buffer;
  operand.rank = plan.graph.dims[v].size();
  operand.region = state.regions[v];
  int64_t stride = 1;
  for (size_t a = operand.rank; a-- > 0;) {
    operand.dims[a] = plan.graph.dims[v][a];
    operand.strides[a] = stride;
    const int64_t shift = a + 1 == operand.rank ? slot.channel : 0;
    const bool ring = a == 1 && group.ring_rows > 0;
    const int64_t at = ring ? group.RingRow(operand.begin(a)) : operand.begin(a) + shift - memory.axis[a].begin;
    operand.data += at * stride;
    stride *= memory.axis[a].size();
  }
  return operand;
}

exec::Operand NarrowToNeed(const Plan& plan, const TileState& state, size_t node, size_t input,
                           const exec::Operand& held) {
  const NodeLinks& links = plan.links[node];
  const Region& out = state.regions[static_cast<size_t>(plan.graph.nodes[node].node->output)];
  const int group = plan.slots[static_cast<size_t>(plan.graph.nodes[node].node->inputs[input])].group;
  const Group* ring = group < 0 ? nullptr : &plan.groups[static_cast<size_t>(group)];
  if (ring != nullptr && ring->ring_rows == 0) ring = nullptr;
  exec::Operand need = held;
  for (size_t a = 0; a < held.rank; ++a) {
    const AxisLink& link = links.inputs[input][a];
    if (link.kind == LinkKind::kUnused) return exec::Operand();
    const Interval wanted = link.out_axis < 0 ? Interval{0, 1} : out.axis[static_cast<size_t>(link.out_axis)];
    const Interval interval = link.kind == LinkKind::kHeld ? held.region.axis[a] : Needed(links, link, wanted);
    // An empty interval (this input has no part in the region) stays where the memory is.
    if (!interval.empty()) {
      const bool in_ring = a == 1 && ring != nullptr;
      const int64_t rows =
          in_ring ? ring->RingRow(interval.begin) - ring->RingRow(held.begin(a)) : interval.begin - held.begin(a);
      need.data += rows * held.strides[a];
    }
    need.region.axis[a] = interval;
  }
  return need;
}

}  // namespace fovea::plan
