// Operators that change nothing: identity functions, casts between types that float32 arithmetic does not tell apart,
// reshapes, expansions and tilings to the same dims, slices of everything, padding by nothing, unit transposes.
#include <algorithm>

#include "converter/ir/symbolic.h"
#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"

namespace fovea::converter {
namespace {

bool AllEqual(const std::vector<DimExpr>& list, int64_t x) {
  return std::all_of(list.begin(), list.end(), [x](const DimExpr& e) { return e == DimExpr(x); });
}

// The integers a type holds, as bits of magnitude and sign; floats hold all of them.
int MagnitudeBits(DType t) {
  switch (t) {
    case DType::kBool: return 1;
    case DType::kInt8: return 7;
    case DType::kUInt8: return 8;
    case DType::kInt16: return 15;
    case DType::kUInt16: return 16;
    case DType::kInt32: return 31;
    case DType::kUInt32: return 32;
    case DType::kInt64: return 63;
    case DType::kUInt64: return 64;
    case DType::kFloat16: return 11;
    default: return 64;
  }
}
bool IsSigned(DType t) {
  return IsFloat(t) || t == DType::kInt8 || t == DType::kInt16 || t == DType::kInt32 || t == DType::kInt64;
}

// Whether the numbers in v are surely ones that its type can hold. Arithmetic is float32 whatever the type: frontends
// put a Cast to the same type behind it where it must wrap around or round.
bool HoldsItsType(const ir::Graph& graph, ir::ValueId v) {
  const ir::Value& value = ValueOf(graph, v);
  if (value.producer < 0 || value.dtype == DType::kBool) return true;
  const ir::Node& node = graph.nodes[static_cast<size_t>(value.producer)];
  switch (KindOf(node.params)) {
    case OpKind::kCast: return true;
    case OpKind::kTranspose:
    case OpKind::kReshape:
    case OpKind::kSlice:
    case OpKind::kExpand:
    case OpKind::kTile:
    case OpKind::kGather: return HoldsItsType(graph, node.inputs[0]);
    default: return false;
  }
}

// Every number that type `from` holds is left as it is by Cast to `to`.
bool CastKeeps(DType from, DType to) {
  if (from == to) return true;
  if (IsFloat(from) || to == DType::kBool) return false;
  if (IsSigned(from) && !IsSigned(to)) return false;
  return MagnitudeBits(from) <= MagnitudeBits(to);
}

bool ChangesNothing(const ir::Graph& graph, const ir::Node& node) {
  const auto same_dims = [&] { return SameDims(graph, node.inputs[0], node.output); };
  switch (KindOf(node.params)) {
    case OpKind::kUnary: return std::get<UnaryParams>(node.params).fn.fn == kernels::UnaryFn::kIdentity;
    case OpKind::kCast: {
      // Types decide what division means in arithmetic on sizes, so casts of what may be sizes stay.
      const ir::Value& x = ValueOf(graph, node.inputs[0]);
      const DType to = std::get<CastParams>(node.params).to;
      if (x.dtype != to && ir::SmallCount(x.dims, ir::kMaxSizeElements)) return false;
      if (to == DType::kFloat32 || to == DType::kFloat64) return true;
      return HoldsItsType(graph, node.inputs[0]) && CastKeeps(x.dtype, to);
    }
    case OpKind::kReshape:
    case OpKind::kExpand:
    case OpKind::kTile: return same_dims();
    case OpKind::kTranspose: {
      const std::vector<int64_t>& perm = std::get<TransposeParams>(node.params).perm;
      return std::is_sorted(perm.begin(), perm.end());
    }
    case OpKind::kSlice: {
      const SliceParams& p = std::get<SliceParams>(node.params);
      const bool forward = std::all_of(p.step.begin(), p.step.end(), [](int64_t step) { return step == 1; });
      return forward && AllEqual(p.start, 0) && same_dims();
    }
    case OpKind::kPad: {
      const PadParams& p = std::get<PadParams>(node.params);
      return AllEqual(p.begin, 0) && AllEqual(p.end, 0);
    }
    case OpKind::kConcat: return node.inputs.size() == 1;
    default: return false;
  }
}

}  // namespace

Status RemoveIdentity(ir::Graph* graph) {
  for (ir::Node& node : graph->nodes) {
    if (!node.removed && !node.inputs.empty() && ChangesNothing(*graph, node)) Replace(graph, &node, node.inputs[0]);
  }
  graph->Compact();
  return OkStatus();
}

}  // namespace fovea::converter
