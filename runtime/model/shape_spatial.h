// Shape rules of the operators with windows and blocks: tensors N, [D,] [H,] W, C.
//
// Formulas: ONNX Conv, ConvTranspose, MaxPool (operator documentation, opset 19; for ceil_mode its correction in
// github.com/onnx/onnx pull request 5741), DepthToSpace. Internal to shapes.cc.
#ifndef FOVEA_RUNTIME_MODEL_SHAPE_SPATIAL_H_
#define FOVEA_RUNTIME_MODEL_SHAPE_SPATIAL_H_

#include "runtime/model/ops.h"
#include "runtime/model/shape_size.h"

namespace fovea {

inline constexpr const char* kSpatialNames[3] = {"depth", "height", "width"};
// Windows, strides, blocks: far beyond any network, small enough that their products stay in 64 bits.
inline constexpr int64_t kMaxWindow = int64_t{1} << 20;

inline Status CheckSpatialRank(size_t rank) {
  if (rank >= 3 && rank <= 5) return OkStatus();
  return InvalidArgument("x has rank " + std::to_string(rank) + "; batch, 1 to 3 spatial axes and channels are needed");
}

// Entry i of the arrays of three belongs to this axis of x; below 1: x has no such axis.
inline int SpatialAxis(size_t rank, int i) { return i - 4 + static_cast<int>(rank); }

inline Status CheckWindow(const char* what, const Int3& values, size_t rank) {
  for (int i = 0; i < 3; ++i) {
    const int64_t v = values[static_cast<size_t>(i)];
    if (v < 1 || v > kMaxWindow) {
      return InvalidArgument(std::string(what) + " " + std::to_string(v) + " along the " + kSpatialNames[i] +
                             " is not between 1 and " + std::to_string(kMaxWindow));
    }
    if (SpatialAxis(rank, i) < 1 && v != 1) {
      return InvalidArgument(std::string(what) + " " + std::to_string(v) + " along the " + kSpatialNames[i] +
                             ", which x does not have");
    }
  }
  return OkStatus();
}

template <class S, class P>
Status CheckWindows(const P& p, size_t rank, ParameterSizes<S>* sizes) {
  FOVEA_RETURN_IF_ERROR(CheckWindow("kernel", p.kernel, rank));
  FOVEA_RETURN_IF_ERROR(CheckWindow("stride", p.stride, rank));
  FOVEA_RETURN_IF_ERROR(CheckWindow("dilation", p.dilation, rank));
  for (int i = 0; i < 3; ++i) {
    const size_t k = static_cast<size_t>(i);
    if (SpatialAxis(rank, i) >= 1) continue;
    if (!IsNumber((*sizes)(p.pad_begin[k]), 0) || !IsNumber((*sizes)(p.pad_end[k]), 0)) {
      return InvalidArgument(std::string("padding along the ") + kSpatialNames[i] + ", which x does not have");
    }
  }
  return OkStatus();
}

// Channels of x against the weights [kd, kh, kw, channels / groups, channels of y], the bias [channels of y].
template <class S, class P>
Status CheckWeights(const P& p, const S& channels, const SizeList<S>& weights, const SizeList<S>* bias) {
  if (weights.size() != 5) {
    return InvalidArgument("weights of rank " + std::to_string(weights.size()) + " instead of 5");
  }
  for (size_t i = 0; i < 3; ++i) {
    if (Differ(weights[i], S(p.kernel[i]))) {
      return InvalidArgument("kernel " + std::to_string(p.kernel[i]) + " against " + weights[i].ToString() +
                             " of the weights along the " + kSpatialNames[i]);
    }
  }
  if (IsBelow(weights[3], 1) || IsBelow(weights[4], 1)) {
    return InvalidArgument("weights of " + SizesText(weights) + " have no elements");
  }
  if (p.groups < 1 || p.groups > kMaxWindow) {
    return InvalidArgument(std::to_string(p.groups) + " groups are not between 1 and " + std::to_string(kMaxWindow));
  }
  if (Differ(channels, weights[3] * S(p.groups))) {
    return InvalidArgument("channels " + channels.ToString() + " of x against " +
                           (weights[3] * S(p.groups)).ToString() + " of the weights");
  }
  if (Differ(Mod(weights[4], S(p.groups)), S(0))) {
    return InvalidArgument("channels " + weights[4].ToString() + " of y are not a multiple of " +
                           std::to_string(p.groups) + " groups");
  }
  if (bias != nullptr && (bias->size() != 1 || Differ((*bias)[0], weights[4]))) {
    return InvalidArgument("bias of " + SizesText(*bias) + " for " + weights[4].ToString() + " channels of y");
  }
  return OkStatus();
}

template <class S, class P>
Result<SizeList<S>> WindowShape(const P& p, const SizeList<S>& x, bool ceil_mode, ParameterSizes<S>* sizes) {
  SizeList<S> y = x;
  for (int i = 0; i < 3; ++i) {
    const int axis = SpatialAxis(x.size(), i);
    if (axis < 1) continue;
    const size_t k = static_cast<size_t>(i);
    const S in = x[static_cast<size_t>(axis)];
    const S from_start = in + (*sizes)(p.pad_begin[k]);
    const S padded = from_start + (*sizes)(p.pad_end[k]);
    const S window = (p.kernel[k] - 1) * p.dilation[k] + 1;
    const S stride = p.stride[k];
    S& out = y[static_cast<size_t>(axis)];
    // With ceil_mode the windows may leave the padded image, but they start before the padding at the end.
    out = ceil_mode ? Min(CeilDiv(padded - window, stride) + 1, CeilDiv(from_start, stride))
                    : FloorDiv(padded - window, stride) + 1;
    if (IsBelow(in, 1) || IsBelow(ceil_mode ? out - 1 : padded - window, 0)) {
      return InvalidArgument("a window of " + window.ToString() + " does not fit into " + padded.ToString() +
                             " (padding included) along the " + kSpatialNames[i]);
    }
  }
  return y;
}

template <class S>
Result<SizeList<S>> ShapeOf(const ConvParams& p, std::span<const SizeList<S>* const> in, ParameterSizes<S>* sizes) {
  const SizeList<S>& x = *in[0];
  FOVEA_RETURN_IF_ERROR(CheckSpatialRank(x.size()));
  FOVEA_RETURN_IF_ERROR((CheckWindows<S>(p, x.size(), sizes)));
  FOVEA_RETURN_IF_ERROR((CheckWeights<S>(p, x.back(), *in[1], in[2])));
  FOVEA_ASSIGN_OR_RETURN(SizeList<S> y, WindowShape<S>(p, x, false, sizes));
  y.back() = in[1]->back();
  const SizeList<S>* residual = in[3];
  bool fits = residual == nullptr || residual->size() == y.size();
  for (size_t i = 0; fits && residual != nullptr && i < y.size(); ++i) fits = !Differ((*residual)[i], y[i]);
  if (!fits) return InvalidArgument("a residual of " + SizesText(*residual) + " for a result of " + SizesText(y));
  return y;
}

template <class S>
Result<SizeList<S>> ShapeOf(const ConvTransposeParams& p, std::span<const SizeList<S>* const> in,
                            ParameterSizes<S>* sizes) {
  const SizeList<S>& x = *in[0];
  FOVEA_RETURN_IF_ERROR(CheckSpatialRank(x.size()));
  FOVEA_RETURN_IF_ERROR((CheckWindows<S>(p, x.size(), sizes)));
  FOVEA_RETURN_IF_ERROR((CheckWeights<S>(p, x.back(), *in[1], in[2])));
  SizeList<S> y = x;
  y.back() = in[1]->back();
  for (int i = 0; i < 3; ++i) {
    const int axis = SpatialAxis(x.size(), i);
    if (axis < 1) continue;
    const size_t k = static_cast<size_t>(i);
    const S& size = x[static_cast<size_t>(axis)];
    S& out = y[static_cast<size_t>(axis)];
    out = (size - 1) * S(p.stride[k]) + S((p.kernel[k] - 1) * p.dilation[k] + 1) - (*sizes)(p.pad_begin[k]) -
          (*sizes)(p.pad_end[k]);
    if (IsBelow(size, 1) || IsBelow(out, 1)) {
      return InvalidArgument("nothing is left of " + size.ToString() + " along the " + kSpatialNames[i] +
                             " after the padding is cut off");
    }
  }
  return y;
}

template <class S>
Result<SizeList<S>> ShapeOf(const PoolParams& p, std::span<const SizeList<S>* const> in, ParameterSizes<S>* sizes) {
  const SizeList<S>& x = *in[0];
  FOVEA_RETURN_IF_ERROR(CheckSpatialRank(x.size()));
  FOVEA_RETURN_IF_ERROR((CheckWindows<S>(p, x.size(), sizes)));
  return WindowShape<S>(p, x, p.ceil_mode, sizes);
}

template <class S>
Result<SizeList<S>> ShapeOf(const DepthToSpaceParams& p, std::span<const SizeList<S>* const> in, ParameterSizes<S>*) {
  SizeList<S> y = *in[0];
  FOVEA_RETURN_IF_ERROR(CheckSpatialRank(y.size()));
  FOVEA_RETURN_IF_ERROR(CheckWindow("block", p.block, y.size()));
  const S block = S(p.block[0]) * S(p.block[1]) * S(p.block[2]);
  if (Differ(Mod(y.back(), block), S(0))) {
    return InvalidArgument("channels " + y.back().ToString() + " are not a multiple of the " + block.ToString() +
                           " positions of a block");
  }
  y.back() = FloorDiv(y.back(), block);
  for (int i = 0; i < 3; ++i) {
    const int axis = SpatialAxis(y.size(), i);
    if (axis >= 1) y[static_cast<size_t>(axis)] = y[static_cast<size_t>(axis)] * S(p.block[static_cast<size_t>(i)]);
  }
  return y;
}

template <class S>
Result<SizeList<S>> ShapeOf(const SpaceToDepthParams& p, std::span<const SizeList<S>* const> in, ParameterSizes<S>*) {
  SizeList<S> y = *in[0];
  FOVEA_RETURN_IF_ERROR(CheckSpatialRank(y.size()));
  FOVEA_RETURN_IF_ERROR(CheckWindow("block", p.block, y.size()));
  for (int i = 0; i < 3; ++i) {
    const int axis = SpatialAxis(y.size(), i);
    if (axis < 1) continue;
    S& size = y[static_cast<size_t>(axis)];
    const S block = p.block[static_cast<size_t>(i)];
    if (Differ(Mod(size, block), S(0))) {
      return InvalidArgument("the " + std::string(kSpatialNames[i]) + " " + size.ToString() +
                             " is not a multiple of the block " + block.ToString());
    }
    size = FloorDiv(size, block);
    y.back() = y.back() * block;
  }
  return y;
}

template <class S>
Result<SizeList<S>> ShapeOf(const GroupNormParams& p, std::span<const SizeList<S>* const> in, ParameterSizes<S>*) {
  const SizeList<S>& x = *in[0];
  FOVEA_RETURN_IF_ERROR(CheckSpatialRank(x.size()));
  if (p.groups < 0) return InvalidArgument(std::to_string(p.groups) + " groups");
  if (p.groups > 0 && Differ(Mod(x.back(), S(p.groups)), S(0))) {
    return InvalidArgument("channels " + x.back().ToString() + " are not a multiple of " + std::to_string(p.groups) +
                           " groups");
  }
  for (size_t i = 1; i <= 2; ++i) {
    if (in[i] != nullptr && (in[i]->size() != 1 || Differ((*in[i])[0], x.back()))) {
      return InvalidArgument(std::string(i == 1 ? "a scale of " : "a bias of ") + SizesText(*in[i]) + " for " +
                             x.back().ToString() + " channels");
    }
  }
  return x;
}

}  // namespace fovea

#endif  // FOVEA_RUNTIME_MODEL_SHAPE_SPATIAL_H_
