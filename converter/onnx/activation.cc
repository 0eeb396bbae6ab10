// Functions of one tensor: activations, arithmetic functions, Cast, Clip, Softmax.
#include <limits>

#include "converter/onnx/common.h"
#include "converter/onnx/importers.h"

namespace fovea::converter {

namespace {

using kernels::BinaryFn;
using kernels::UnaryFn;

template <UnaryFn kFn>
Status Unary(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  return c.Out(0, c.b.Unary(kFn, x));
}

// One or two attributes with their defaults.
Status WithAlpha(NodeContext& c, UnaryFn fn, float alpha, const char* second = nullptr, float beta = 0) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  return c.Out(0, c.b.Unary(fn, x, c.Float("alpha", alpha), second == nullptr ? beta : c.Float(second, beta)));
}

Status LeakyRelu(NodeContext& c) { return WithAlpha(c, UnaryFn::kLeakyRelu, 0.01f); }
Status Elu(NodeContext& c) { return WithAlpha(c, UnaryFn::kElu, 1.0f); }
Status Celu(NodeContext& c) { return WithAlpha(c, UnaryFn::kCelu, 1.0f); }
Status ThresholdedRelu(NodeContext& c) { return WithAlpha(c, UnaryFn::kThresholdedRelu, 1.0f); }
Status Swish(NodeContext& c) { return WithAlpha(c, UnaryFn::kSilu, 1.0f); }
Status HardSigmoid(NodeContext& c) { return WithAlpha(c, UnaryFn::kHardSigmoid, 0.2f, "beta", 0.5f); }

Status Selu(NodeContext& c) {
  return c.opset < 6 ? WithAlpha(c, UnaryFn::kSelu, 1.6732f, "gamma", 1.0507f)
                     : WithAlpha(c, UnaryFn::kSelu, 1.67326319217681884765625f, "gamma", 1.05070102214813232421875f);
}

Status Gelu(NodeContext& c) {
  const std::string approximate = c.String("approximate", "none");
  if (approximate != "none" && approximate != "tanh") return Unsupported("approximate " + approximate);
  return approximate == "tanh" ? Unary<UnaryFn::kGeluTanh>(c) : Unary<UnaryFn::kGelu>(c);
}

Status Clip(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(ValueId x, c.Need(0));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  float low = -kInfinity, high = kInfinity;
  bool is_const = true;
  if (c.opset < 11) {
    low = c.Float("min", low);
    high = c.Float("max", high);
  } else {
    const auto bound = [&](int i, float* value) {
      if (!c.Has(i)) return;
      const auto numbers = c.b.ConstFloats(c.In(i));
      is_const = is_const && numbers && numbers->size() == 1;
      if (is_const) *value = (*numbers)[0];
    };
    bound(1, &low);
    bound(2, &high);
  }
  if (is_const) {
    if (low == -kInfinity && high == kInfinity) return c.Out(0, x);
    return c.Out(0, c.b.Unary(UnaryFn::kClip, x, low, high));
  }
  for (const int i : {1, 2}) {
    if (!c.Has(i)) continue;
    FOVEA_ASSIGN_OR_RETURN(x, c.b.Binary(i == 1 ? BinaryFn::kMax : BinaryFn::kMin, x, c.In(i)));
  }
  return c.Out(0, x);
}

Status Cast(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const auto* to = c.Find("to");
  if (to == nullptr) return CorruptFile("the attribute 'to' is missing");
  int64_t type = to->i();
  if (to->has_s()) {  // opset 5 and older: by name
    static constexpr struct {
      const char* name;
      int64_t type;
    } kNames[] = {{"FLOAT", kOnnxFloat}, {"DOUBLE", kOnnxDouble}, {"FLOAT16", kOnnxFloat16}, {"INT32", kOnnxInt32},
                  {"INT64", kOnnxInt64}, {"UINT8", kOnnxUInt8},   {"INT8", kOnnxInt8},       {"UINT16", kOnnxUInt16},
                  {"INT16", kOnnxInt16}, {"BOOL", kOnnxBool},     {"UINT32", kOnnxUInt32},   {"UINT64", kOnnxUInt64}};
    for (const auto& row : kNames) {
      if (to->s() == row.name) type = row.type;
    }
  }
  if (type < 0 || type > 1000) return CorruptFile("element type " + std::to_string(type));
  FOVEA_ASSIGN_OR_RETURN(const DType dtype, ElementType(static_cast<int32_t>(type)));
  return c.Out(0, c.b.Cast(x, dtype));
}

Status CastLike(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const ValueId like, c.Need(1));
  return c.Out(0, c.b.Cast(x, c.b.value(like).dtype));
}

Status Softmax(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const int rank = c.b.rank(x);
  const bool log = c.op() == "LogSoftmax";
  const int64_t declared = c.Int("axis", c.opset < 13 ? 1 : -1);
  if (c.opset < 13) {
    // One softmax over all axes from `axis` on.
    if (declared < -rank || declared > rank) return CorruptFile("axis " + std::to_string(declared));
    const size_t axis = static_cast<size_t>(declared < 0 ? declared + rank : declared);
    const Dims dims = c.b.dims(x);
    if (axis + 1 != dims.size()) {
      FOVEA_ASSIGN_OR_RETURN(const ValueId flat,
                             c.b.Reshape(x, {Product(dims, 0, axis), Product(dims, axis, dims.size())}));
      FOVEA_ASSIGN_OR_RETURN(const ValueId y, c.b.Add(SoftmaxParams{1, log}, {flat}));
      return c.Out(0, c.b.Reshape(y, dims));
    }
  }
  FOVEA_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(declared, rank));
  return c.Out(0, c.b.Add(SoftmaxParams{axis, log}, {x}));
}

constexpr OpRow kOps[] = {{"Relu", Unary<UnaryFn::kRelu>},
                          {"Sigmoid", Unary<UnaryFn::kSigmoid>},
                          {"HardSwish", Unary<UnaryFn::kHardSwish>},
                          {"Tanh", Unary<UnaryFn::kTanh>},
                          {"Softplus", Unary<UnaryFn::kSoftplus>},
                          {"Softsign", Unary<UnaryFn::kSoftsign>},
                          {"Mish", Unary<UnaryFn::kMish>},
                          {"Abs", Unary<UnaryFn::kAbs>},
                          {"Neg", Unary<UnaryFn::kNeg>},
                          {"Sqrt", Unary<UnaryFn::kSqrt>},
                          {"Exp", Unary<UnaryFn::kExp>},
                          {"Log", Unary<UnaryFn::kLog>},
                          {"Erf", Unary<UnaryFn::kErf>},
                          {"Floor", Unary<UnaryFn::kFloor>},
                          {"Ceil", Unary<UnaryFn::kCeil>},
                          {"Round", Unary<UnaryFn::kRound>},
                          {"Reciprocal", Unary<UnaryFn::kReciprocal>},
                          {"Sign", Unary<UnaryFn::kSign>},
                          {"Sin", Unary<UnaryFn::kSin>},
                          {"Cos", Unary<UnaryFn::kCos>},
                          {"Not", Unary<UnaryFn::kNot>},
                          {"IsNaN", Unary<UnaryFn::kIsNan>},
                          {"LeakyRelu", LeakyRelu},
                          {"Elu", Elu},
                          {"Selu", Selu},
                          {"Celu", Celu},
                          {"ThresholdedRelu", ThresholdedRelu},
                          {"HardSigmoid", HardSigmoid},
                          {"Swish", Swish},
                          {"Gelu", Gelu},
                          {"Clip", Clip},
                          {"Cast", Cast},
                          {"CastLike", CastLike},
                          {"Softmax", Softmax},
                          {"LogSoftmax", Softmax}};

}  // namespace

std::span<const OpRow> ActivationOps() { return kOps; }

}  // namespace fovea::converter
