#include "runtime/model/ops.h"

#include <charconv>
#include <string>
#include <utility>

#include "runtime/model/fields.h"

namespace fovea {
namespace {

template <size_t kNames, class E>
const char* NameOf(const char* const (&names)[kNames], E value) {
  static_assert(kNames == static_cast<size_t>(EnumTraits<E>::kCount));
  return static_cast<size_t>(value) < kNames ? names[static_cast<size_t>(value)] : "unknown";
}

std::string Text(bool value) { return value ? "1" : "0"; }
std::string Text(int64_t value) { return std::to_string(value); }
template <class Float>
requires std::is_floating_point_v<Float> std::string Text(Float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value);  // shortest text that reads back, in any locale
  return std::string(text, end.ptr);
}
std::string Text(const DimExpr& value) { return value.ToString(); }
template <class E>
requires std::is_enum_v<E> std::string Text(E value) { return EnumTraits<E>::Name(value); }
std::string Text(const kernels::Activation& act) {
  const std::string name = kernels::UnaryFnName(act.fn);
  if (SameField(act.alpha, 0.0f) && SameField(act.beta, 0.0f)) return name;
  return name + "(" + Text(act.alpha) + "," + Text(act.beta) + ")";
}
template <class List>
requires requires(const List& l) { l.begin(); }
std::string Text(const List& values) {
  std::string text;
  for (const auto& v : values) {
    if (!text.empty()) text += ",";
    text += Text(v);
  }
  return text;
}

template <size_t... kIndices>
Result<OpParams> MakeAlternative(size_t index, std::index_sequence<kIndices...>) {
  OpParams params;
  ((kIndices == index ? static_cast<void>(params.emplace<kIndices>()) : static_cast<void>(0)), ...);
  return params;
}

}  // namespace

const char* OpKindName(OpKind kind) {
  switch (kind) {
    case OpKind::kConv: return "conv";
    case OpKind::kConvTranspose: return "conv_transpose";
    case OpKind::kPool: return "pool";
    case OpKind::kResize: return "resize";
    case OpKind::kPad: return "pad";
    case OpKind::kDepthToSpace: return "depth_to_space";
    case OpKind::kSpaceToDepth: return "space_to_depth";
    case OpKind::kConcat: return "concat";
    case OpKind::kSlice: return "slice";
    case OpKind::kTranspose: return "transpose";
    case OpKind::kReshape: return "reshape";
    case OpKind::kExpand: return "expand";
    case OpKind::kTile: return "tile";
    case OpKind::kGather: return "gather";
    case OpKind::kUnary: return "unary";
    case OpKind::kBinary: return "binary";
    case OpKind::kSelect: return "select";
    case OpKind::kSoftmax: return "softmax";
    case OpKind::kReduce: return "reduce";
    case OpKind::kArgReduce: return "arg_reduce";
    case OpKind::kGroupNorm: return "group_norm";
    case OpKind::kLayerNorm: return "layer_norm";
    case OpKind::kLrn: return "lrn";
    case OpKind::kMatMul: return "matmul";
    case OpKind::kCast: return "cast";
    case OpKind::kDims: return "dims";
    case OpKind::kDropout: return "dropout";
  }
  return "unknown";
}

const char* EnumTraits<kernels::PoolKind>::Name(kernels::PoolKind value) { return NameOf({"max", "average"}, value); }
const char* EnumTraits<kernels::ResizeMode>::Name(kernels::ResizeMode value) {
  return NameOf({"nearest", "linear", "cubic"}, value);
}
const char* EnumTraits<kernels::ResizeCoordinates>::Name(kernels::ResizeCoordinates value) {
  return NameOf({"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
                 "tf_crop_and_resize", "tf_half_pixel_for_nn"},
                value);
}
const char* EnumTraits<kernels::ResizeRounding>::Name(kernels::ResizeRounding value) {
  return NameOf({"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}, value);
}
const char* EnumTraits<kernels::PadMode>::Name(kernels::PadMode value) {
  return NameOf({"constant", "reflect", "edge", "wrap", "symmetric"}, value);
}
const char* EnumTraits<kernels::UnaryFn>::Name(kernels::UnaryFn value) { return kernels::UnaryFnName(value); }
const char* EnumTraits<kernels::BinaryFn>::Name(kernels::BinaryFn value) { return kernels::BinaryFnName(value); }
const char* EnumTraits<kernels::ReduceFn>::Name(kernels::ReduceFn value) {
  return NameOf({"sum", "mean", "max", "min", "prod", "l1", "l2", "sum_square", "log_sum", "log_sum_exp"}, value);
}
const char* EnumTraits<BlockOrder>::Name(BlockOrder value) { return NameOf({"dcr", "crd"}, value); }
const char* EnumTraits<DType>::Name(DType value) { return DTypeName(value); }

Result<OpParams> MakeParams(OpKind kind) {
  const size_t index = static_cast<size_t>(kind) - 1;  // 0 wraps to a number out of range
  if (index >= std::variant_size_v<OpParams>) {
    return Unsupported("the operator number " + std::to_string(static_cast<int>(kind)) +
                       " is unknown; the file was written by a newer fovea");
  }
  return MakeAlternative(index, std::make_index_sequence<std::variant_size_v<OpParams>>());
}

std::string ParamsToString(const OpParams& params) {
  std::string text;
  const auto append = [&text](const char* name, const auto& field, const auto& neutral) {
    if (SameField(field, neutral)) return;
    text += (text.empty() ? "" : " ") + std::string(name) + "=" + Text(field);
  };
  std::visit([&append](const auto& p) { ForEachField(p, append); }, params);
  return text;
}

bool SameParams(const OpParams& a, const OpParams& b) {
  if (a.index() != b.index()) return false;
  bool same = true;
  const auto compare = [&same](const char*, const auto& x, const auto& y) { same = same && SameField(x, y); };
  std::visit([&](const auto& p) { ForEachField(p, *std::get_if<std::remove_cvref_t<decltype(p)>>(&b), compare); }, a);
  return same;
}

bool RepeatsEachTwice(const ResizeParams& p) {
  using C = kernels::ResizeCoordinates;
  using R = kernels::ResizeRounding;
  if (p.mode != kernels::ResizeMode::kNearest || !p.roi.empty() || p.scales_input >= 0) return false;
  switch (p.coordinates) {
    case C::kAsymmetric: return p.rounding == R::kFloor || p.rounding == R::kRoundPreferFloor;  // o / 2
    case C::kHalfPixel:                                                                         // o / 2 - 1/4
    case C::kPytorchHalfPixel:
    case C::kHalfPixelSymmetric: return p.rounding == R::kRoundPreferFloor || p.rounding == R::kRoundPreferCeil;
    case C::kTfHalfPixelForNearest: return true;  // floor((o + 1/2) / 2)
    default: return false;
  }
}

}  // namespace fovea
