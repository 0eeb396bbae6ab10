#include "converter/passes/frames.h"

#include <algorithm>
#include <numeric>

#include "converter/passes/rewrite.h"

namespace fovea::converter {

Frame IdentityFrame(size_t rank) {
  Frame f(rank);
  std::iota(f.begin(), f.end(), 0);
  return f;
}

Frame Inverse(const Frame& f) {
  Frame inverse(f.size());
  for (size_t i = 0; i < f.size(); ++i) inverse[static_cast<size_t>(f[i])] = static_cast<int64_t>(i);
  return inverse;
}

Frame Compose(const Frame& outer, const Frame& inner) {
  Frame f(inner.size());
  for (size_t i = 0; i < f.size(); ++i) f[i] = outer[static_cast<size_t>(inner[i])];
  return f;
}

TransposedSource TraceTransposes(const ir::Graph& graph, ir::ValueId v) {
  TransposedSource source{v, IdentityFrame(ValueOf(graph, v).dims.size())};
  for (int n = ValueOf(graph, v).producer; n >= 0; n = ValueOf(graph, source.root).producer) {
    const ir::Node& node = graph.nodes[static_cast<size_t>(n)];
    const TransposeParams* transpose = std::get_if<TransposeParams>(&node.params);
    if (transpose == nullptr) break;
    source.perm = Compose(transpose->perm, source.perm);
    source.root = node.inputs[0];
  }
  return source;
}

namespace {

// Axes [in_begin, in_end) of a Reshape's input and [out_begin, out_end) of its result that hold the same elements. One
// of the two sides has one axis, or none where the other is of size 1.
struct Group {
  size_t in_begin, in_end, out_begin, out_end;
};

// The groups of a Reshape in order; empty when there is no such division.
std::vector<Group> ReshapeGroups(const std::vector<DimExpr>& in, const std::vector<DimExpr>& out) {
  const DimExpr one = 1;
  std::vector<Group> groups;
  size_t i = 0, o = 0;
  // The end of the axes from `begin` on whose product is `size`; 0 when there is none.
  const auto product_end = [](const std::vector<DimExpr>& dims, size_t begin, const DimExpr& size) -> size_t {
    DimExpr product = 1;
    for (size_t end = begin; end < dims.size();) {
      product = product * dims[end++];
      if (product == size) return end;
    }
    return 0;
  };
  while (i < in.size() || o < out.size()) {
    Group group{i, i, o, o};
    if (i < in.size() && o < out.size() && in[i] == out[o]) {
      group.in_end = i + 1;
      group.out_end = o + 1;
    } else if (i < in.size() && in[i] == one) {
      group.in_end = i + 1;
    } else if (o < out.size() && out[o] == one) {
      group.out_end = o + 1;
    } else if (i == in.size() || o == out.size()) {
      return {};
    } else if (const size_t split = product_end(out, o, in[i]); split != 0) {
      group.in_end = i + 1;
      group.out_end = split;
    } else if (const size_t joined = product_end(in, i, out[o]); joined != 0) {
      group.in_end = joined;
      group.out_end = o + 1;
    } else {
      return {};
    }
    i = group.in_end;
    o = group.out_end;
    groups.push_back(group);
  }
  return groups;
}

std::vector<Group> ReshapeGroups(const ir::Graph& graph, const ir::Node& node) {
  return ReshapeGroups(ValueOf(graph, node.inputs[0]).dims, ValueOf(graph, node.output).dims);
}

Frame AxesOf(const std::vector<Group>& groups, const Frame& order, bool of_input) {
  Frame axes;
  for (const int64_t g : order) {
    const Group& group = groups[static_cast<size_t>(g)];
    const size_t end = of_input ? group.in_end : group.out_end;
    for (size_t axis = of_input ? group.in_begin : group.out_begin; axis < end; ++axis) {
      axes.push_back(static_cast<int64_t>(axis));
    }
  }
  return axes;
}

// The order of groups that gives these axes. Groups without axes on this side follow the group before them.
std::optional<Frame> OrderOf(const std::vector<Group>& groups, const Frame& axes, bool of_input) {
  Frame order;
  const auto is_empty = [&](size_t g) {
    return of_input ? groups[g].in_begin == groups[g].in_end : groups[g].out_begin == groups[g].out_end;
  };
  const auto add_empty_from = [&](size_t g) {
    for (; g < groups.size() && is_empty(g); ++g) order.push_back(static_cast<int64_t>(g));
  };
  add_empty_from(0);
  for (const int64_t axis : axes) {
    for (size_t g = 0; g < groups.size(); ++g) {
      if (is_empty(g) || (of_input ? groups[g].in_begin : groups[g].out_begin) != static_cast<size_t>(axis)) continue;
      order.push_back(static_cast<int64_t>(g));
      add_empty_from(g + 1);
    }
  }
  if (order.size() != groups.size() || AxesOf(groups, order, of_input) != axes) return std::nullopt;
  return order;
}

bool DropsAxes(const ir::Graph& graph, const ir::Node& node) {
  const bool reduces =
      std::holds_alternative<ReduceParams>(node.params) || std::holds_alternative<ArgReduceParams>(node.params);
  return reduces && ValueOf(graph, node.inputs[0]).dims.size() != ValueOf(graph, node.output).dims.size();
}

}  // namespace

bool IsFlexible(const ir::Graph& graph, const ir::Node& node) {
  const auto rank = [&graph](ir::ValueId v) { return ValueOf(graph, v).dims.size(); };
  switch (KindOf(node.params)) {
    case OpKind::kUnary:
    case OpKind::kCast:
    case OpKind::kDropout:
    case OpKind::kBinary:
    case OpKind::kSelect:
    case OpKind::kConcat:
    case OpKind::kPad:
    case OpKind::kSlice:
    case OpKind::kTile:
    case OpKind::kSoftmax:
    case OpKind::kReduce:
    case OpKind::kArgReduce: return true;
    case OpKind::kExpand: return rank(node.inputs[0]) == rank(node.output);
    // Scales that a model input holds are in the source's order.
    case OpKind::kResize: return std::get<ResizeParams>(node.params).scales_input < 0;
    case OpKind::kGather: return rank(node.inputs[1]) == 1;
    case OpKind::kReshape: return !ReshapeGroups(graph, node).empty();
    default: return false;
  }
}

bool InputFollowsFrame(const ir::Graph& graph, const ir::Node& node, size_t i) {
  switch (KindOf(node.params)) {
    case OpKind::kConcat: return true;
    case OpKind::kBinary:
    case OpKind::kSelect: return ValueOf(graph, node.inputs[i]).dims.size() == ValueOf(graph, node.output).dims.size();
    default: return i == 0;
  }
}

size_t FrameRank(const ir::Graph& graph, const ir::Node& node) {
  if (std::holds_alternative<ReshapeParams>(node.params)) return ReshapeGroups(graph, node).size();
  return ValueOf(graph, DropsAxes(graph, node) ? node.inputs[0] : node.output).dims.size();
}

Frame InputFrame(const ir::Graph& graph, const ir::Node& node, const Frame& frame) {
  if (!std::holds_alternative<ReshapeParams>(node.params)) return frame;
  return AxesOf(ReshapeGroups(graph, node), frame, true);
}

Frame OutputFrame(const ir::Graph& graph, const ir::Node& node, const Frame& frame) {
  if (std::holds_alternative<ReshapeParams>(node.params)) return AxesOf(ReshapeGroups(graph, node), frame, false);
  if (!DropsAxes(graph, node)) return frame;
  std::vector<bool> dropped(frame.size(), false);
  if (const ReduceParams* reduce = std::get_if<ReduceParams>(&node.params)) {
    for (const int64_t axis : reduce->axes) dropped[static_cast<size_t>(axis)] = true;
  } else {
    dropped[static_cast<size_t>(std::get<ArgReduceParams>(node.params).axis)] = true;
  }
  Frame kept_number(frame.size());  // axis of the source's result that each axis of its input becomes
  int64_t next = 0;
  for (size_t axis = 0; axis < frame.size(); ++axis) kept_number[axis] = dropped[axis] ? -1 : next++;
  Frame out;
  for (const int64_t axis : frame) {
    if (!dropped[static_cast<size_t>(axis)]) out.push_back(kept_number[static_cast<size_t>(axis)]);
  }
  return out;
}

std::optional<Frame> FrameForInput(const ir::Graph& graph, const ir::Node& node, const Frame& wanted) {
  if (!std::holds_alternative<ReshapeParams>(node.params)) return wanted;
  return OrderOf(ReshapeGroups(graph, node), wanted, true);
}

std::optional<Frame> FrameForOutput(const ir::Graph& graph, const ir::Node& node, const Frame& wanted) {
  if (std::holds_alternative<ReshapeParams>(node.params)) return OrderOf(ReshapeGroups(graph, node), wanted, false);
  if (DropsAxes(graph, node)) return std::nullopt;
  return wanted;
}

bool MovesOnlyUnitAxes(const std::vector<DimExpr>& dims, const Frame& perm) {
  int64_t last = -1;
  for (const int64_t axis : perm) {
    if (dims[static_cast<size_t>(axis)] == DimExpr(1)) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

}  // namespace fovea::converter
