// Functions of one tensor: activations, arithmetic functions, Cast, Softmax.
#include "converter/tensorflow/common.h"
#include "converter/tensorflow/importers.h"

namespace fovea::converter::tf {
namespace {

using kernels::BinaryFn;
using kernels::UnaryFn;

// Constants as template arguments: whole numbers do for all that TensorFlow has.
template <UnaryFn kFn, int kAlpha = 0, int kBeta = 0>
Status Unary(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  return c.Out(0, c.b.Unary(kFn, x, static_cast<float>(kAlpha), static_cast<float>(kBeta)));
}

Status LeakyRelu(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  return c.Out(0, c.b.Unary(UnaryFn::kLeakyRelu, x, c.Float("alpha", 0.2f)));
}

Status Prelu(NodeContext& c) {  // of TF.js
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const ValueId slope, c.Need(1));
  return c.Out(0, c.b.Binary(BinaryFn::kPRelu, x, slope));
}

Status Selu(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  return c.Out(0, c.b.Unary(UnaryFn::kSelu, x, 1.67326319217681884765625f, 1.05070102214813232421875f));
}

Status Log1p(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const ValueId sum, c.b.Binary(BinaryFn::kAdd, x, c.b.Scalar(1)));
  return c.Out(0, c.b.Unary(UnaryFn::kLog, sum));
}

Status Expm1(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const ValueId power, c.b.Unary(UnaryFn::kExp, x));
  return c.Out(0, c.b.Binary(BinaryFn::kSub, power, c.b.Scalar(1)));
}

Status Erfc(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const ValueId erf, c.b.Unary(UnaryFn::kErf, x));
  return c.Out(0, c.b.Binary(BinaryFn::kSub, c.b.Scalar(1), erf));
}

Status Cast(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const DType to, c.Type("DstT", DType::kFloat32));
  if (c.b.value(x).dtype == to) return c.Out(0, x);
  return c.Out(0, c.b.Cast(x, to));
}

Status ClipByValue(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const ValueId low, c.Need(1));
  FOVEA_ASSIGN_OR_RETURN(const ValueId high, c.Need(2));
  FOVEA_ASSIGN_OR_RETURN(x, c.b.Binary(BinaryFn::kMin, x, high));
  return c.Out(0, c.b.Binary(BinaryFn::kMax, x, low));
}

Status Softmax(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  if (c.b.rank(x) < 1) return CorruptFile("a tensor without axes");
  return c.Out(0, c.b.Add(SoftmaxParams{c.b.rank(x) - 1, c.op() == "LogSoftmax"}, {x}));
}

Status Identity(NodeContext& c) { return c.Out(0, c.Input(0)); }

// One output for each input.
Status IdentityN(NodeContext& c) {
  for (int i = 0; i < c.input_count(); ++i) FOVEA_RETURN_IF_ERROR(c.Out(i, c.Input(i)));
  return OkStatus();
}

constexpr OpRow kOps[] = {{"Relu", Unary<UnaryFn::kRelu>},
                          {"Relu6", Unary<UnaryFn::kClip, 0, 6>},
                          {"Elu", Unary<UnaryFn::kElu, 1>},
                          {"Selu", Selu},
                          {"LeakyRelu", LeakyRelu},
                          {"Prelu", Prelu},
                          {"Sigmoid", Unary<UnaryFn::kSigmoid>},
                          {"Tanh", Unary<UnaryFn::kTanh>},
                          {"Softplus", Unary<UnaryFn::kSoftplus>},
                          {"Softsign", Unary<UnaryFn::kSoftsign>},
                          {"Exp", Unary<UnaryFn::kExp>},
                          {"Expm1", Expm1},
                          {"Log", Unary<UnaryFn::kLog>},
                          {"Log1p", Log1p},
                          {"Sqrt", Unary<UnaryFn::kSqrt>},
                          {"Rsqrt", Unary<UnaryFn::kRsqrt>},
                          {"Square", Unary<UnaryFn::kSquare>},
                          {"Abs", Unary<UnaryFn::kAbs>},
                          {"Neg", Unary<UnaryFn::kNeg>},
                          {"Floor", Unary<UnaryFn::kFloor>},
                          {"Ceil", Unary<UnaryFn::kCeil>},
                          {"Round", Unary<UnaryFn::kRound>},
                          {"Rint", Unary<UnaryFn::kRound>},
                          {"Sign", Unary<UnaryFn::kSign>},
                          {"Reciprocal", Unary<UnaryFn::kReciprocal>},
                          {"Inv", Unary<UnaryFn::kReciprocal>},
                          {"Erf", Unary<UnaryFn::kErf>},
                          {"Erfc", Erfc},
                          {"Sin", Unary<UnaryFn::kSin>},
                          {"Cos", Unary<UnaryFn::kCos>},
                          {"IsNan", Unary<UnaryFn::kIsNan>},
                          {"LogicalNot", Unary<UnaryFn::kNot>},
                          {"Cast", Cast},
                          {"ClipByValue", ClipByValue},
                          {"Softmax", Softmax},
                          {"LogSoftmax", Softmax},
                          {"Identity", Identity},
                          {"IdentityN", IdentityN},
                          {"Snapshot", Identity},
                          {"StopGradient", Identity},
                          {"PreventGradient", Identity},
                          {"CheckNumerics", Identity},
                          {"ReadVariableOp", Identity},
                          {"PlaceholderWithDefault", Identity},
                          {"EnsureShape", Identity}};

}  // namespace

std::span<const OpRow> ActivationOps() { return kOps; }

}  // namespace fovea::converter::tf
