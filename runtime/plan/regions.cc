#include "runtime/plan/regions.h"

#include <algorithm>

namespace fovea::plan {
namespace {

Interval Clip(Interval in, int64_t size) { return {std::max<int64_t>(0, in.begin), std::min(size, in.end)}; }

// A window that lies wholly in the padding reads nothing; the nearest pixel is kept so that views are never empty.
Interval ClipToSome(Interval in, int64_t size) {
  if (in.begin >= size) return {size - 1, size};
  if (in.end <= 0) return {0, 1};
  return Clip(in, size);
}

Interval PadNeeded(kernels::PadMode mode, const AxisLink& link, Interval out) {
  const Interval shifted{out.begin - link.offset, out.end - link.offset};
  if (mode == kernels::PadMode::kConstant) return ClipToSome(shifted, link.in_size);
  Interval need = Clip(shifted, link.in_size);
  const auto take = [&](int64_t o) {
    const int64_t at = kernels::PadSource(mode, o, link.in_size);
    if (at < 0) return;
    need = need.empty() ? Interval{at, at + 1} : Interval{std::min(need.begin, at), std::max(need.end, at + 1)};
  };
  const int64_t before_end = std::min<int64_t>(0, shifted.end);
  const int64_t after_begin = std::max(link.in_size, shifted.begin);
  const int64_t outside =
      std::max<int64_t>(0, before_end - shifted.begin) + std::max<int64_t>(0, shifted.end - after_begin);
  // Beyond one whole reflection on each side everything has been read.
  if (outside > 4 * link.in_size) return {0, link.in_size};
  for (int64_t o = shifted.begin; o < before_end; ++o) take(o);
  for (int64_t o = after_begin; o < shifted.end; ++o) take(o);
  return need;
}

}  // namespace

Region WholeRegion(const Dims& dims) {
  Region region;
  region.wanted = true;
  for (size_t a = 0; a < dims.size(); ++a) region.axis[a] = {0, dims[a]};
  return region;
}

bool IsEmpty(const Region& region, size_t rank) {
  if (!region.wanted) return true;
  for (size_t a = 0; a < rank; ++a) {
    if (region.axis[a].empty()) return true;
  }
  return false;
}

int64_t RegionElements(const Region& region, size_t rank) {
  if (IsEmpty(region, rank)) return 0;
  int64_t n = 1;
  for (size_t a = 0; a < rank; ++a) n *= region.axis[a].size();
  return n;
}

void Include(const Region& more, size_t rank, Region* region) {
  if (IsEmpty(more, rank)) return;
  if (IsEmpty(*region, rank)) {
    *region = more;
    return;
  }
  for (size_t a = 0; a < rank; ++a) {
    region->axis[a].begin = std::min(region->axis[a].begin, more.axis[a].begin);
    region->axis[a].end = std::max(region->axis[a].end, more.axis[a].end);
  }
}

Interval Needed(const NodeLinks& links, const AxisLink& link, Interval out, bool clip) {
  const int64_t n = link.in_size;
  Interval need{0, n};
  switch (link.kind) {
    case LinkKind::kWhole:
    case LinkKind::kBroadcast:
    case LinkKind::kRepeat:
    case LinkKind::kHeld: return need;
    case LinkKind::kUnused: return {0, 0};
    case LinkKind::kSame: need = {out.begin + link.offset, out.end + link.offset}; return clip ? Clip(need, n) : need;
    case LinkKind::kWindow:
      need = {out.begin * link.stride - link.offset,
              (out.end - 1) * link.stride - link.offset + (link.kernel - 1) * link.dilation + 1};
      need = {FloorDiv(need.begin, link.factor), CeilDiv(need.end, link.factor)};
      break;
    case LinkKind::kTransposed:
      need = {CeilDiv(out.begin + link.offset - (link.kernel - 1) * link.dilation, link.stride),
              FloorDiv(out.end - 1 + link.offset, link.stride) + 1};
      // With a stride beyond the kernel some outputs have no source at all.
      if (need.empty()) need.end = need.begin + 1;
      break;
    case LinkKind::kResize: {
      const Interval inside = Clip(out, link.out_size);
      if (inside.empty()) return {0, 1};
      const auto support = [&](int64_t begin, int64_t end) {
        return kernels::ResizeAxisSupport(links.resize, n, link.out_size, link.scale, link.roi_begin, link.roi_end,
                                          begin, end);
      };
      if (link.monotone) {
        need = {support(inside.begin, inside.begin + 1).begin, support(inside.end - 1, inside.end).end};
      } else {
        const auto all = support(inside.begin, inside.end);
        need = {all.begin, all.end};
      }
      if (need.empty()) need = {0, 1};  // every position takes the extrapolation value
      break;
    }
    case LinkKind::kPad:
      if (clip) return PadNeeded(links.pad_mode, link, out);
      need = {out.begin - link.offset, out.end - link.offset};
      break;
    case LinkKind::kSlice:
      need = link.stride > 0
                 ? Interval{link.offset + out.begin * link.stride, link.offset + (out.end - 1) * link.stride + 1}
                 : Interval{link.offset + (out.end - 1) * link.stride, link.offset + out.begin * link.stride + 1};
      break;
    case LinkKind::kExpand: need = {out.begin * link.factor, out.end * link.factor}; break;
    case LinkKind::kShrink: need = {FloorDiv(out.begin, link.factor), CeilDiv(out.end, link.factor)}; break;
  }
  return clip ? ClipToSome(need, n) : need;
}

void AlignOutput(const NodeLinks& links, const Dims& out, Region* region) {
  for (size_t a = 0; a < links.align.size(); ++a) {
    const int64_t align = links.align[a], phase = links.phase[a];
    if (align == 1) continue;
    Interval& i = region->axis[a];
    i = align == 0 ? Interval{0, out[a]}
                   : Interval{std::max<int64_t>(0, FloorDiv(i.begin - phase, align) * align + phase),
                              std::min(out[a], CeilDiv(i.end - phase, align) * align + phase)};
  }
}

void Propagate(const ResolvedGraph& graph, std::span<const NodeLinks> links, std::span<const uint8_t> whole_channels,
               std::span<Region> regions) {
  for (const ResolvedNode& node : graph.nodes) {
    bool is_output = false;
    for (const Port& port : graph.graph->outputs) is_output |= port.value == node.node->output;
    if (!is_output) regions[static_cast<size_t>(node.node->output)].wanted = false;
  }
  for (const Port& port : graph.graph->inputs) {
    bool is_output = false;
    for (const Port& out : graph.graph->outputs) is_output |= port.value == out.value;
    if (!is_output) regions[static_cast<size_t>(port.value)].wanted = false;
  }
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const ResolvedNode& node = graph.nodes[n];
    const size_t value = static_cast<size_t>(node.node->output);
    Region& out = regions[value];
    if (IsEmpty(out, node.out.size())) continue;
    AlignOutput(links[n], node.out, &out);
    if (whole_channels[value] && !node.out.empty()) out.axis[node.out.size() - 1] = {0, node.out.back()};
    for (size_t i = 0; i < node.in.size(); ++i) {
      if (!node.Has(i)) continue;
      const std::vector<AxisLink>& axes = links[n].inputs[i];
      Region& held = regions[static_cast<size_t>(node.node->inputs[i])];
      Region need;
      need.wanted = true;
      for (size_t a = 0; a < axes.size(); ++a) {
        const AxisLink& link = axes[a];
        if (link.kind == LinkKind::kUnused) need.wanted = false;
        const Interval wanted = link.out_axis < 0 ? Interval{0, 1} : out.axis[static_cast<size_t>(link.out_axis)];
        need.axis[a] = Needed(links[n], link, wanted);
        // Readers come after what they read, and those that go on with the statistics after the node that takes them.
        if (link.kind == LinkKind::kHeld && !IsEmpty(held, axes.size())) need.axis[a] = held.axis[a];
      }
      Include(need, axes.size(), &held);
    }
  }
}

std::vector<NodeLinks> LinkNodes(const ResolvedGraph& graph) {
  std::vector<NodeLinks> links;
  links.reserve(graph.nodes.size());
  for (const ResolvedNode& node : graph.nodes) links.push_back(LinkNode(node));
  return links;
}

}  // namespace fovea::plan
