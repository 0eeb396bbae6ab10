#include "runtime/exec/tile_classes.h"

namespace fovea::exec {
namespace {

using plan::Interval;
using plan::LinkKind;

int AxisOf(size_t s, const plan::Dims& dims) {
  const int axis = plan::SpatialAxis(static_cast<int>(s), static_cast<int>(dims.size()));
  return axis < 1 ? -1 : axis;
}

// Whether the same region of `link`'s input, moved, makes the same region of the output, moved.
bool Moves(const plan::AxisLink& link, const plan::NodeLinks& links, OpKind kind) {
  switch (link.kind) {
    case LinkKind::kUnused:
    case LinkKind::kBroadcast:
    case LinkKind::kSame:
    case LinkKind::kWindow:
    case LinkKind::kTransposed:
    case LinkKind::kExpand:
    case LinkKind::kShrink: return kind != OpKind::kDropout;
    // Positions, and with them the weights of interpolation, are exact and so the same everywhere when the image grows
    // by a power of two and pixels, not corners, are aligned.
    case LinkKind::kResize: {
      using kernels::ResizeCoordinates;
      const int64_t ratio = link.out_size / link.in_size;
      const bool aligned = links.resize.coordinates == ResizeCoordinates::kHalfPixel ||
                           links.resize.coordinates == ResizeCoordinates::kAsymmetric;
      return aligned && ratio * link.in_size == link.out_size && (ratio & (ratio - 1)) == 0 &&
             link.scale == static_cast<double>(ratio);
    }
    case LinkKind::kPad:
    case LinkKind::kSlice: return link.stride == 1;
    case LinkKind::kWhole:
    case LinkKind::kRepeat:
    case LinkKind::kHeld: return false;
  }
  return false;
}

// in, out: by how many positions the regions are apart.
bool Fits(const plan::AxisLink& link, int64_t in, int64_t out) {
  switch (link.kind) {
    case LinkKind::kUnused:
    case LinkKind::kBroadcast: return true;
    case LinkKind::kWindow: return in * link.factor == out * link.stride;
    case LinkKind::kTransposed: return in * link.stride == out;
    case LinkKind::kExpand: return in == out * link.factor;
    case LinkKind::kShrink: return in * link.factor == out;
    case LinkKind::kResize: return in * link.out_size == out * link.in_size;
    default: return in == out;
  }
}

}  // namespace

void TileClasses::Prepare(const plan::Plan& plan) {
  possible_ = plan.tiled;
  for (size_t n = 0; possible_ && n < plan.graph.nodes.size(); ++n) {
    const plan::ResolvedNode& node = plan.graph.nodes[n];
    if (plan.constant[static_cast<size_t>(node.node->output)] != 0) continue;
    for (size_t i = 0; i < node.in.size(); ++i) {
      if (!node.Has(i)) continue;
      const bool constant = plan.constant[static_cast<size_t>(node.node->inputs[i])] != 0;
      for (size_t s = 0; s < 3; ++s) {
        if (plan.grid.count[s] == 1) continue;
        const int out_axis = AxisOf(s, node.out);
        for (const plan::AxisLink& link : plan.links[n].inputs[i]) {
          if (out_axis < 0 || link.out_axis != out_axis) continue;
          // A constant that is the same along the axis is broadcast.
          if (!Moves(link, plan.links[n], node.kind) || (constant && link.kind != LinkKind::kBroadcast))
            possible_ = false;
        }
      }
    }
  }
  if (!possible_) return;
  for (auto& axis : patterns_) {
    for (Pattern& pattern : axis) pattern.values.resize(plan.graph.dims.size());
  }
}

bool TileClasses::TouchesBorder(size_t s, const plan::Plan& plan, const plan::TileState& state) const {
  for (size_t v = 0; v < plan.graph.dims.size(); ++v) {
    const plan::Dims& dims = plan.graph.dims[v];
    const int axis = AxisOf(s, dims);
    if (axis < 0 || plan.constant[v] != 0 || !state.regions[v].wanted) continue;
    const Interval& interval = state.regions[v].axis[static_cast<size_t>(axis)];
    if (dims[static_cast<size_t>(axis)] == 1) continue;
    if (interval.begin <= 0 || interval.end >= dims[static_cast<size_t>(axis)]) return true;
  }
  return false;
}

bool TileClasses::IsShifted(size_t s, const plan::Plan& plan, const plan::TileState& state, const Pattern& from) const {
  const auto interval = [&](int value) -> const Interval& {
    const int axis = AxisOf(s, plan.graph.dims[static_cast<size_t>(value)]);
    return state.regions[static_cast<size_t>(value)].axis[static_cast<size_t>(axis)];
  };
  const auto shift = [&](int value) { return interval(value).begin - from.values[static_cast<size_t>(value)].begin; };
  for (size_t n = 0; n < plan.graph.nodes.size(); ++n) {
    const plan::ResolvedNode& node = plan.graph.nodes[n];
    const int out = node.node->output, axis = AxisOf(s, node.out);
    if (axis < 0 || plan.constant[static_cast<size_t>(out)] != 0) continue;
    if (!state.regions[static_cast<size_t>(out)].wanted) continue;
    if (interval(out).size() != from.values[static_cast<size_t>(out)].size()) return false;
    const std::vector<int64_t>& align = plan.links[n].align;
    const int64_t lattice = static_cast<size_t>(axis) < align.size() ? align[static_cast<size_t>(axis)] : 1;
    if (lattice == 0 || shift(out) % lattice != 0) return false;
    for (size_t i = 0; i < node.in.size(); ++i) {
      if (!node.Has(i) || plan.constant[static_cast<size_t>(node.node->inputs[i])] != 0) continue;
      const int in = node.node->inputs[i];
      for (size_t a = 0; a < plan.links[n].inputs[i].size(); ++a) {
        const plan::AxisLink& link = plan.links[n].inputs[i][a];
        if (link.out_axis != axis || link.kind == LinkKind::kBroadcast || link.kind == LinkKind::kUnused) continue;
        if (static_cast<int>(a) != AxisOf(s, node.in[i]) || !Fits(link, shift(in), shift(out))) return false;
        if (interval(in).size() != from.values[static_cast<size_t>(in)].size()) return false;
      }
    }
  }
  return true;
}

int64_t TileClasses::ClassAlong(size_t s, const plan::Plan& plan, const plan::TileState& state, int64_t index) {
  const int64_t own = index + static_cast<int64_t>(kMostPatterns);  // at a border every place is its own class
  if (plan.grid.count[s] == 1 || TouchesBorder(s, plan, state)) return own;
  for (size_t p = 0; p < known_[s]; ++p) {
    if (IsShifted(s, plan, state, patterns_[s][p])) return static_cast<int64_t>(p);
  }
  if (known_[s] == kMostPatterns) return own;
  Pattern& pattern = patterns_[s][known_[s]];
  for (size_t v = 0; v < pattern.values.size(); ++v) {
    const int axis = AxisOf(s, plan.graph.dims[v]);
    if (axis >= 0) pattern.values[v] = state.regions[v].axis[static_cast<size_t>(axis)];
  }
  return static_cast<int64_t>(known_[s]++);
}

int64_t TileClasses::ClassOf(const plan::Plan& plan, const plan::TileState& state, const std::array<int64_t, 3>& tile) {
  if (!possible_) return -1;
  int64_t result = 0;
  for (size_t s = 0; s < 3; ++s) {
    result = result * (plan.grid.count[s] + static_cast<int64_t>(kMostPatterns)) + ClassAlong(s, plan, state, tile[s]);
  }
  return result;
}

}  // namespace fovea::exec
