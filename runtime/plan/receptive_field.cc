#include "runtime/plan/receptive_field.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace fovea::plan {
namespace {

constexpr int64_t kMaxLattice = 4096;
// Times a position of an image it still fits into 64 bits.
constexpr int64_t kMaxRate = int64_t{1} << 30;

// Positions of the input axis per position of the output axis.
void LinkRate(const AxisLink& link, int64_t* numerator, int64_t* denominator) {
  switch (link.kind) {
    case LinkKind::kWindow: *numerator = link.stride, *denominator = link.factor; break;
    case LinkKind::kTransposed: *denominator = link.stride; break;
    case LinkKind::kSlice: *numerator = std::abs(link.stride); break;
    case LinkKind::kExpand: *numerator = link.factor; break;
    case LinkKind::kShrink: *denominator = link.factor; break;
    case LinkKind::kResize:
      if (link.scale >= 1 && link.scale == std::floor(link.scale) && link.scale < 1e6) {
        *denominator = static_cast<int64_t>(link.scale);
      } else if (link.scale < 1 && 1 / link.scale == std::floor(1 / link.scale) && link.scale > 1e-6) {
        *numerator = static_cast<int64_t>(1 / link.scale);
      } else {
        *numerator = link.in_size;
        *denominator = link.out_size;
      }
      break;
    default: break;
  }
}

// The rate a/c after b/d, reduced. Rates without a value (tensors without elements) and beyond kMaxRate (files from
// strangers: strides of millions, one after the other) reach everything.
void SetRate(int64_t a, int64_t b, int64_t c, int64_t d, AxisTrace* found) {
  int64_t top = 0, bottom = 0;
  if (!__builtin_mul_overflow(a, b, &top) && !__builtin_mul_overflow(c, d, &bottom) && top > 0 && bottom > 0) {
    const int64_t common = std::gcd(top, bottom);
    found->numerator = top / common;
    found->denominator = bottom / common;
    if (found->numerator <= kMaxRate && found->denominator <= kMaxRate) return;
  }
  found->unbounded = true;
  found->numerator = found->denominator = kMaxLattice + 1;
}

void TraceAxis(const NodeLinks& links, const AxisLink& link, const AxisTrace* out, AxisTrace* in) {
  if (link.kind == LinkKind::kUnused) return;
  AxisTrace found;
  found.seen = true;
  found.interval = {0, link.in_size};
  if (link.kind == LinkKind::kWhole || link.kind == LinkKind::kRepeat) {
    found.unbounded = link.in_size > 1;
  } else if (link.kind != LinkKind::kBroadcast && out != nullptr) {
    found.unbounded = out->unbounded;
    found.interval = Needed(links, link, out->interval, /*clip=*/false);
    found.origin = out->origin;
    int64_t numerator = 1, denominator = 1;
    LinkRate(link, &numerator, &denominator);
    SetRate(out->numerator, numerator, out->denominator, denominator, &found);
  }
  if (!in->seen) {
    *in = found;
    return;
  }
  in->unbounded |= found.unbounded;
  in->interval = {std::min(in->interval.begin, found.interval.begin), std::max(in->interval.end, found.interval.end)};
  if (in->origin < 0) {
    in->origin = found.origin;
    in->numerator = found.numerator;
    in->denominator = found.denominator;
  }
}

bool IsSpatialLetter(char c) { return c == 'z' || c == 'y' || c == 'x'; }

}  // namespace

std::vector<ValueTrace> TraceBack(const ResolvedGraph& graph, std::span<const NodeLinks> links, int output,
                                  const Region& start) {
  std::vector<ValueTrace> traces(graph.dims.size());
  std::vector<uint8_t> reached(graph.dims.size(), 0);
  reached[static_cast<size_t>(output)] = 1;
  for (size_t a = 0; a < graph.dims[static_cast<size_t>(output)].size(); ++a) {
    traces[static_cast<size_t>(output)][a] = {true, false, start.axis[a], static_cast<int>(a), 1, 1};
  }
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const ResolvedNode& node = graph.nodes[n];
    const size_t to = static_cast<size_t>(node.node->output);
    if (!reached[to]) continue;
    // A region that is widened to the whole axis before it is computed has lost its place.
    for (size_t a = 0; a < links[n].align.size(); ++a) {
      AxisTrace& axis = traces[to][a];
      if (links[n].align[a] == 0) axis.interval = {0, node.out[a]};
      if (links[n].align[a] > 1) {
        const int64_t align = links[n].align[a];
        axis.interval = {FloorDiv(axis.interval.begin, align) * align, CeilDiv(axis.interval.end, align) * align};
      }
    }
    for (size_t i = 0; i < node.in.size(); ++i) {
      if (!node.Has(i)) continue;
      const size_t from = static_cast<size_t>(node.node->inputs[i]);
      const std::vector<AxisLink>& axes = links[n].inputs[i];
      for (size_t a = 0; a < axes.size(); ++a) {
        if (axes[a].kind != LinkKind::kUnused) reached[from] = 1;
        const AxisTrace* out = axes[a].out_axis < 0 ? nullptr : &traces[to][static_cast<size_t>(axes[a].out_axis)];
        TraceAxis(links[n], axes[a], out, &traces[from][a]);
      }
    }
  }
  return traces;
}

std::vector<int64_t> StrideLattice(const ResolvedGraph& graph, std::span<const NodeLinks> links, int output) {
  const Dims& dims = graph.dims[static_cast<size_t>(output)];
  std::vector<int64_t> lattice(dims.size(), 1);
  for (const ValueTrace& value : TraceBack(graph, links, output, WholeRegion(dims))) {
    for (const AxisTrace& axis : value) {
      if (!axis.seen || axis.origin < 0) continue;
      int64_t& at = lattice[static_cast<size_t>(axis.origin)];
      if (at <= kMaxLattice && axis.denominator <= kMaxLattice) at = std::lcm(at, axis.denominator);
      if (axis.denominator > kMaxLattice) at = kMaxLattice + 1;
    }
  }
  for (int64_t& at : lattice) at = at > kMaxLattice ? 1 : at;
  return lattice;
}

std::string FindTileBarrier(const ResolvedGraph& graph, std::span<const NodeLinks> links) {
  std::vector<std::array<bool, kMaxTensorRank>> spatial(graph.dims.size());
  for (const Port& port : graph.graph->inputs) {
    for (size_t a = 0; a < port.axes.size() && a < kMaxTensorRank; ++a) {
      spatial[static_cast<size_t>(port.value)][a] = IsSpatialLetter(port.axes[a]);
    }
  }
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const ResolvedNode& node = graph.nodes[n];
    for (size_t i = 0; i < node.in.size(); ++i) {
      if (!node.Has(i)) continue;
      const auto& labels = spatial[static_cast<size_t>(node.node->inputs[i])];
      const std::vector<AxisLink>& axes = links[n].inputs[i];
      for (size_t a = 0; a < axes.size(); ++a) {
        if (!labels[a] || axes[a].in_size == 1) continue;
        if (axes[a].kind == LinkKind::kWhole || axes[a].kind == LinkKind::kRepeat) {
          return "node '" + node.node->name + "' (" + OpKindName(node.kind) + ") looks at the whole image";
        }
        if (axes[a].out_axis >= 0) {
          spatial[static_cast<size_t>(node.node->output)][static_cast<size_t>(axes[a].out_axis)] = true;
        }
      }
    }
  }
  return "";
}

Result<std::vector<ReceptiveField>> MeasureReceptiveFields(const Graph& graph, std::span<const Dims> input_dims) {
  FOVEA_ASSIGN_OR_RETURN(const ResolvedGraph resolved, Resolve(graph, input_dims, {}));
  const std::vector<NodeLinks> links = LinkNodes(resolved);
  std::vector<ReceptiveField> fields;
  for (size_t o = 0; o < graph.outputs.size(); ++o) {
    const int value = graph.outputs[o].value;
    const Dims& dims = resolved.dims[static_cast<size_t>(value)];
    int64_t phases = 64;  // enough for resizes that drift against the lattice
    for (int64_t step : StrideLattice(resolved, links, value)) phases = std::max(phases, std::min<int64_t>(step, 512));
    std::vector<std::vector<ReceptiveField::Axis>> sides(graph.inputs.size());
    for (int64_t phase = 0; phase < phases; ++phase) {
      Region start = WholeRegion(dims);
      for (size_t a = 0; a < dims.size(); ++a) {
        const bool spatial = a < graph.outputs[o].axes.size() && IsSpatialLetter(graph.outputs[o].axes[a]);
        const int64_t at = std::min(dims[a] - 1, std::max<int64_t>(0, dims[a] / 2 - phases / 2) + phase);
        if (spatial) start.axis[a] = {at, at + 1};
      }
      const std::vector<ValueTrace> traces = TraceBack(resolved, links, value, start);
      for (size_t i = 0; i < graph.inputs.size(); ++i) {
        const Port& port = graph.inputs[i];
        sides[i].resize(port.axes.size());
        for (size_t a = 0; a < port.axes.size(); ++a) {
          const AxisTrace& trace = traces[static_cast<size_t>(port.value)][a];
          ReceptiveField::Axis& side = sides[i][a];
          if (!trace.seen) continue;
          side.unbounded |= trace.unbounded || trace.origin < 0;
          if (side.unbounded) continue;
          side.scale_numerator = trace.denominator;
          side.scale_denominator = trace.numerator;
          const int64_t position = start.axis[static_cast<size_t>(trace.origin)].begin;
          const int64_t pixel = FloorDiv(position * trace.numerator, trace.denominator);
          side.before = std::max(side.before, pixel - trace.interval.begin);
          side.after = std::max(side.after, trace.interval.end - 1 - pixel);
        }
      }
    }
    const std::vector<ValueTrace> traces = TraceBack(resolved, links, value, WholeRegion(dims));
    for (size_t i = 0; i < graph.inputs.size(); ++i) {
      const Port& port = graph.inputs[i];
      if (port.is_shape || port.axes.empty() || !traces[static_cast<size_t>(port.value)][0].seen) continue;
      ReceptiveField& field = fields.emplace_back();
      field.input = static_cast<int>(i);
      field.output = static_cast<int>(o);
      for (size_t a = 0; a < port.axes.size(); ++a) {
        if (!IsSpatialLetter(port.axes[a])) continue;
        field.axes += port.axes[a];
        field.sides.push_back(sides[i][a]);
      }
    }
  }
  return fields;
}

}  // namespace fovea::plan
