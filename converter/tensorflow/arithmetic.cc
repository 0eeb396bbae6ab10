// Functions of two or more tensors: arithmetic, comparison, logic, selection, with numpy's broadcasting.
#include "converter/tensorflow/common.h"
#include "converter/tensorflow/importers.h"

namespace fovea::converter::tf {
namespace {

using kernels::BinaryFn;
using kernels::UnaryFn;

// Small integers wrap around in the file's arithmetic; ours is float32.
bool Wraps(DType dtype) {
  return dtype == DType::kInt8 || dtype == DType::kUInt8 || dtype == DType::kInt16 || dtype == DType::kUInt16;
}

Status Apply(NodeContext& c, BinaryFn fn, std::optional<UnaryFn> behind = std::nullopt) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId a, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const ValueId b, c.Need(1));
  const DType dtype = c.b.value(a).dtype;
  FOVEA_ASSIGN_OR_RETURN(ValueId y, c.b.Binary(fn, a, b));
  // A whole power comes out of exp and log a little beside its whole number.
  if (!IsFloat(dtype) && fn == BinaryFn::kPow) behind = UnaryFn::kRound;
  if (behind) {
    FOVEA_ASSIGN_OR_RETURN(y, c.b.Unary(*behind, y));
  }
  const bool keeps_range = fn == BinaryFn::kMin || fn == BinaryFn::kMax || fn == BinaryFn::kMod;
  if (Wraps(dtype) && c.b.value(y).dtype == dtype && !keeps_range) {
    FOVEA_ASSIGN_OR_RETURN(y, c.b.Cast(y, dtype));
  }
  return c.Out(0, y);
}

template <BinaryFn kFn>
Status Binary(NodeContext& c) {
  return Apply(c, kFn);
}

// Truncated for integers.
Status Div(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId a, c.Need(0));
  if (IsFloat(c.b.value(a).dtype)) return Apply(c, BinaryFn::kDiv);
  return Apply(c, BinaryFn::kDiv, UnaryFn::kTrunc);
}
Status FloorDiv(NodeContext& c) { return Apply(c, BinaryFn::kDiv, UnaryFn::kFloor); }

// 0 where the divisor is 0.
Status DivNoNan(NodeContext& c) {
  FOVEA_RETURN_IF_ERROR(Div(c));
  const ValueId zero = c.b.Scalar(0);
  FOVEA_ASSIGN_OR_RETURN(const ValueId is_zero, c.b.Binary(BinaryFn::kEqual, c.In(1), zero));
  return c.Out(0, c.b.Add(SelectParams{}, {is_zero, zero, c.OutValue(0)}));
}

Status AddN(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(ValueId y, c.Need(0));
  for (int i = 1; i < c.input_count(); ++i) {
    FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(i));
    FOVEA_ASSIGN_OR_RETURN(y, c.b.Binary(BinaryFn::kAdd, y, x));
  }
  return c.Out(0, y);
}

Status SelectV2(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId condition, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const ValueId a, c.Need(1));
  FOVEA_ASSIGN_OR_RETURN(const ValueId b, c.Need(2));
  const auto known = c.b.ConstFloats(condition);
  if (known && known->size() == 1 && SameDims(c.b.dims(a), c.b.dims(b))) return c.Out(0, (*known)[0] != 0 ? a : b);
  return c.Out(0, c.b.Add(SelectParams{}, {condition, a, b}));
}

// A condition that is a vector chooses along the first axis.
Status Select(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId condition, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const ValueId a, c.Need(1));
  FOVEA_ASSIGN_OR_RETURN(const ValueId b, c.Need(2));
  if (c.b.rank(condition) != 1 || c.b.rank(a) < 2) return SelectV2(c);
  Dims dims(static_cast<size_t>(c.b.rank(a)), 1);
  dims[0] = c.b.dims(condition)[0];
  FOVEA_ASSIGN_OR_RETURN(const ValueId column, ReshapeTo(c.b, condition, dims));
  return c.Out(0, c.b.Add(SelectParams{}, {column, a, b}));
}

constexpr OpRow kOps[] = {{"Add", Binary<BinaryFn::kAdd>},
                          {"AddV2", Binary<BinaryFn::kAdd>},
                          {"Sub", Binary<BinaryFn::kSub>},
                          {"Mul", Binary<BinaryFn::kMul>},
                          {"Div", Div},
                          {"TruncateDiv", Div},
                          {"RealDiv", Binary<BinaryFn::kDiv>},
                          {"DivNoNan", DivNoNan},
                          {"FloorDiv", FloorDiv},
                          {"FloorMod", Binary<BinaryFn::kMod>},
                          {"Mod", Binary<BinaryFn::kFmod>},
                          {"TruncateMod", Binary<BinaryFn::kFmod>},
                          {"Pow", Binary<BinaryFn::kPow>},
                          {"Maximum", Binary<BinaryFn::kMax>},
                          {"Minimum", Binary<BinaryFn::kMin>},
                          {"SquaredDifference", Binary<BinaryFn::kSquaredDifference>},
                          {"Equal", Binary<BinaryFn::kEqual>},
                          {"NotEqual", Binary<BinaryFn::kNotEqual>},
                          {"Less", Binary<BinaryFn::kLess>},
                          {"LessEqual", Binary<BinaryFn::kLessOrEqual>},
                          {"Greater", Binary<BinaryFn::kGreater>},
                          {"GreaterEqual", Binary<BinaryFn::kGreaterOrEqual>},
                          {"LogicalAnd", Binary<BinaryFn::kAnd>},
                          {"LogicalOr", Binary<BinaryFn::kOr>},
                          {"LogicalXor", Binary<BinaryFn::kXor>},
                          {"AddN", AddN},
                          {"AccumulateNV2", AddN},
                          {"Select", Select},
                          {"SelectV2", SelectV2}};

}  // namespace

std::span<const OpRow> ArithmeticOps() { return kOps; }

}  // namespace fovea::converter::tf
