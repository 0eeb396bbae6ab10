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

bool IsFlexible(const ir::Graph& graph, const ir::Node& node) {
  const auto rank = [&graph](ir::ValueId v) { return ValueOf(graph, v).dims.size(); };
  switch (KindOf(node.params)) {
    case OpKind::kUnary:
    case OpKind::kCast:
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

Frame OutputFrame(const ir::Graph& graph, const ir::Node& node, const Frame& frame) {
  const size_t out_rank = ValueOf(graph, node.output).dims.size();
  std::vector<bool> dropped(frame.size(), false);
  if (out_rank != frame.size()) {
    if (const ReduceParams* reduce = std::get_if<ReduceParams>(&node.params)) {
      for (const int64_t axis : reduce->axes) dropped[static_cast<size_t>(axis)] = true;
    } else if (const ArgReduceParams* arg = std::get_if<ArgReduceParams>(&node.params)) {
      dropped[static_cast<size_t>(arg->axis)] = true;
    }
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
