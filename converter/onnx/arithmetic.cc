// Functions of two or more tensors: arithmetic, comparison, logic, selection; numpy broadcasting since opset 7, the
// `broadcast` and `axis` attributes before.
#include "converter/onnx/common.h"
#include "converter/onnx/importers.h"

namespace fovea::converter {

namespace {

using kernels::BinaryFn;
using kernels::UnaryFn;

// b with trailing axes of size 1, so that numpy broadcasting does what opset 6's attributes say.
Result<ValueId> LegacyOperand(NodeContext& c, ValueId a, ValueId b) {
  if (c.opset >= 7 || !c.HasAttr("axis") || c.Int("broadcast", 0) == 0) return b;
  FOVEA_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(c.Int("axis", 0), c.b.rank(a)));
  Dims dims = c.b.dims(b);
  const int64_t trailing = c.b.rank(a) - axis - c.b.rank(b);
  if (trailing < 0) return CorruptFile("axis " + std::to_string(axis) + " leaves no room for the second operand");
  dims.insert(dims.end(), static_cast<size_t>(trailing), DimExpr(1));
  return ReshapeTo(c.b, b, dims);
}

// Small integers wrap around in the file's arithmetic; ours is float32.
bool Wraps(DType dtype) {
  return dtype == DType::kInt8 || dtype == DType::kUInt8 || dtype == DType::kInt16 || dtype == DType::kUInt16;
}

Result<ValueId> Apply(NodeContext& c, BinaryFn fn, ValueId a, ValueId b) {
  const DType dtype = c.b.value(a).dtype;
  FOVEA_ASSIGN_OR_RETURN(ValueId y, c.b.Binary(fn, a, b));
  if (IsFloat(dtype)) return y;
  if (fn == BinaryFn::kDiv || fn == BinaryFn::kPow) {
    // A whole power comes out of exp and log a little beside its whole number.
    const bool whole = fn == BinaryFn::kPow && !IsFloat(c.b.value(b).dtype);
    FOVEA_ASSIGN_OR_RETURN(y, c.b.Unary(whole ? UnaryFn::kRound : UnaryFn::kTrunc, y));
  }
  const bool keeps_range = fn == BinaryFn::kMin || fn == BinaryFn::kMax || fn == BinaryFn::kMod;
  if (Wraps(dtype) && c.b.value(y).dtype == dtype && !keeps_range) {
    FOVEA_ASSIGN_OR_RETURN(y, c.b.Cast(y, dtype));
  }
  return y;
}

template <BinaryFn kFn>
Status Binary(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId a, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(ValueId b, c.Need(1));
  FOVEA_ASSIGN_OR_RETURN(b, LegacyOperand(c, a, b));
  return c.Out(0, Apply(c, kFn, a, b));
}

Status Mod(NodeContext& c) { return c.Int("fmod", 0) != 0 ? Binary<BinaryFn::kFmod>(c) : Binary<BinaryFn::kMod>(c); }

Status PRelu(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(ValueId slope, c.Need(1));
  const Dims& dims = c.b.dims(slope);
  // Opset 6 and older: a vector belongs to the channels.
  if (c.opset < 7 && dims.size() == 1 && c.b.rank(x) > 2) {
    Dims spread(static_cast<size_t>(c.b.rank(x)) - 1, 1);
    spread[0] = dims[0];
    FOVEA_ASSIGN_OR_RETURN(slope, ReshapeTo(c.b, slope, spread));
  }
  return c.Out(0, c.b.Binary(BinaryFn::kPRelu, x, slope));
}

// Sum, Min, Max, Mean of any number of tensors, from the left.
Result<ValueId> Chain(NodeContext& c, BinaryFn fn) {
  FOVEA_ASSIGN_OR_RETURN(ValueId y, c.Need(0));
  for (int i = 1; i < c.input_count(); ++i) {
    FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(i));
    FOVEA_ASSIGN_OR_RETURN(y, c.b.Binary(fn, y, x));
  }
  return y;
}
Status Sum(NodeContext& c) { return c.Out(0, Chain(c, BinaryFn::kAdd)); }
Status Min(NodeContext& c) { return c.Out(0, Chain(c, BinaryFn::kMin)); }
Status Max(NodeContext& c) { return c.Out(0, Chain(c, BinaryFn::kMax)); }
Status Mean(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId sum, Chain(c, BinaryFn::kAdd));
  if (c.input_count() == 1) return c.Out(0, sum);
  return c.Out(0, c.b.Binary(BinaryFn::kDiv, sum, c.b.Scalar(static_cast<float>(c.input_count()))));
}

Status Where(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId condition, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const ValueId a, c.Need(1));
  FOVEA_ASSIGN_OR_RETURN(const ValueId b, c.Need(2));
  return c.Out(0, c.b.Add(SelectParams{}, {condition, a, b}));
}

constexpr OpRow kOps[] = {{"Add", Binary<BinaryFn::kAdd>},
                          {"Sub", Binary<BinaryFn::kSub>},
                          {"Mul", Binary<BinaryFn::kMul>},
                          {"Div", Binary<BinaryFn::kDiv>},
                          {"Pow", Binary<BinaryFn::kPow>},
                          {"And", Binary<BinaryFn::kAnd>},
                          {"Or", Binary<BinaryFn::kOr>},
                          {"Xor", Binary<BinaryFn::kXor>},
                          {"Equal", Binary<BinaryFn::kEqual>},
                          {"Less", Binary<BinaryFn::kLess>},
                          {"LessOrEqual", Binary<BinaryFn::kLessOrEqual>},
                          {"Greater", Binary<BinaryFn::kGreater>},
                          {"GreaterOrEqual", Binary<BinaryFn::kGreaterOrEqual>},
                          {"Mod", Mod},
                          {"PRelu", PRelu},
                          {"Sum", Sum},
                          {"Min", Min},
                          {"Max", Max},
                          {"Mean", Mean},
                          {"Where", Where}};

}  // namespace

std::span<const OpRow> ArithmeticOps() { return kOps; }

}  // namespace fovea::converter
