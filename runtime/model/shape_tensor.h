// Shape rules of the operators on tensors of any rank: numpy's broadcasting and matrix product, moving and cutting of
// axes, reductions. Internal to shapes.cc.
#ifndef FOVEA_RUNTIME_MODEL_SHAPE_TENSOR_H_
#define FOVEA_RUNTIME_MODEL_SHAPE_TENSOR_H_

#include <algorithm>

#include "runtime/model/ops.h"
#include "runtime/model/shape_size.h"

namespace fovea {

template <class S>
using Inputs = std::span<const SizeList<S>* const>;

inline Status CheckAxis(int64_t axis, size_t rank) {
  if (axis >= 0 && static_cast<uint64_t>(axis) < rank) return OkStatus();
  return InvalidArgument("axis " + std::to_string(axis) + " of a tensor of rank " + std::to_string(rank));
}

inline Status CheckCount(const char* what, size_t count, size_t rank) {
  if (count == rank) return OkStatus();
  return InvalidArgument(std::string(what) + " for " + std::to_string(count) + " axes of a tensor of rank " +
                         std::to_string(rank));
}

// Of two sizes that may still turn out equal, the one that says more.
template <class S>
const S& Clearer(const S& a, const S& b) {
  return b.IsConst() ? b : a;
}

template <class S>
Result<SizeList<S>> Broadcast(const SizeList<S>& a, const SizeList<S>& b) {
  SizeList<S> y(std::max(a.size(), b.size()), S(1));
  for (size_t i = 0; i < y.size(); ++i) {  // from the last axis
    const S x = i < a.size() ? a[a.size() - 1 - i] : S(1);
    const S z = i < b.size() ? b[b.size() - 1 - i] : S(1);
    S& out = y[y.size() - 1 - i];
    if (IsNumber(x, 1)) {
      out = z;
    } else if (IsNumber(z, 1)) {
      out = x;
    } else if (Differ(x, z) && Differ(x, S(1)) && Differ(z, S(1))) {
      return InvalidArgument("sizes " + SizesText(a) + " and " + SizesText(b) + " do not broadcast: " + x.ToString() +
                             " against " + z.ToString());
    } else if (x.IsConst() || z.IsConst()) {
      out = Clearer(x, z);  // not 1, so that the other one is 1 or the same
    } else {
      out = Max(x, z);
    }
  }
  return y;
}

template <class S>
Result<SizeList<S>> ShapeOf(const ResizeParams& p, Inputs<S> in, ParameterSizes<S>* sizes) {
  const SizeList<S>& x = *in[0];
  FOVEA_RETURN_IF_ERROR(CheckCount("sizes", p.sizes.size(), x.size()));
  if (!p.scales.empty()) FOVEA_RETURN_IF_ERROR(CheckCount("scales", p.scales.size(), x.size()));
  for (const double scale : p.scales) {
    if (!(scale > 0)) return InvalidArgument("a scale that is not above 0");
  }
  if (!p.roi.empty() && p.roi.size() != 2 * x.size()) {
    return InvalidArgument("a region of " + std::to_string(p.roi.size()) + " numbers for rank " +
                           std::to_string(x.size()));
  }
  SizeList<S> y = (*sizes)(p.sizes);
  for (size_t i = 0; i < y.size(); ++i) {
    if (IsNumber(x[i], 0) && Differ(y[i], S(0))) {
      return InvalidArgument("axis " + std::to_string(i) + " is empty and cannot be resized to " + y[i].ToString());
    }
  }
  return y;
}

template <class S>
Result<SizeList<S>> ShapeOf(const PadParams& p, Inputs<S> in, ParameterSizes<S>* sizes) {
  const SizeList<S>& x = *in[0];
  FOVEA_RETURN_IF_ERROR(CheckCount("padding", p.begin.size(), x.size()));
  FOVEA_RETURN_IF_ERROR(CheckCount("padding", p.end.size(), x.size()));
  if (in[1] != nullptr && Differ(ProductOf(*in[1]), S(1))) {
    return InvalidArgument("a padding value of " + SizesText(*in[1]) + " instead of one number");
  }
  SizeList<S> y;
  for (size_t i = 0; i < x.size(); ++i) {
    y.push_back((*sizes)(p.begin[i]) + x[i] + (*sizes)(p.end[i]));
    if (IsBelow(y[i], 0)) {
      return InvalidArgument("more than the " + x[i].ToString() + " of axis " + std::to_string(i) + " is cut off");
    }
    if (p.mode != kernels::PadMode::kConstant && IsNumber(x[i], 0) && Differ(y[i], S(0))) {
      return InvalidArgument("axis " + std::to_string(i) + " is empty and has nothing to repeat");
    }
  }
  return y;
}

template <class S>
Result<SizeList<S>> ShapeOf(const ConcatParams& p, Inputs<S> in, ParameterSizes<S>*) {
  SizeList<S> y = *in[0];
  FOVEA_RETURN_IF_ERROR(CheckAxis(p.axis, y.size()));
  for (size_t k = 1; k < in.size(); ++k) {
    const SizeList<S>& x = *in[k];
    bool fits = x.size() == y.size();
    for (size_t i = 0; fits && i < y.size(); ++i) {
      if (i == static_cast<size_t>(p.axis)) {
        y[i] = y[i] + x[i];
      } else {
        fits = !Differ(x[i], y[i]);
        y[i] = Clearer(y[i], x[i]);
      }
    }
    if (!fits) {
      return InvalidArgument("input " + std::to_string(k) + " of " + SizesText(x) + " beside " + SizesText(*in[0]) +
                             " along axis " + std::to_string(p.axis));
    }
  }
  return y;
}

template <class S>
Result<SizeList<S>> ShapeOf(const SliceParams& p, Inputs<S> in, ParameterSizes<S>* sizes) {
  const SizeList<S>& x = *in[0];
  FOVEA_RETURN_IF_ERROR(CheckCount("starts", p.start.size(), x.size()));
  FOVEA_RETURN_IF_ERROR(CheckCount("sizes", p.size.size(), x.size()));
  FOVEA_RETURN_IF_ERROR(CheckCount("steps", p.step.size(), x.size()));
  SizeList<S> y;
  for (size_t i = 0; i < x.size(); ++i) {
    const S start = (*sizes)(p.start[i]), size = (*sizes)(p.size[i]);
    const S last = start + (size - 1) * S(p.step[i]);
    const bool empty = IsNumber(size, 0);
    const bool outside =
        IsBelow(size, 0) ||
        (!empty && size.IsConst() &&
         (IsBelow(start, 0) || IsBelow(last, 0) || IsBelow(x[i] - 1 - start, 0) || IsBelow(x[i] - 1 - last, 0)));
    if (p.step[i] == 0 || outside) {
      return InvalidArgument(size.ToString() + " elements from " + start.ToString() + " by steps of " +
                             std::to_string(p.step[i]) + " are not inside axis " + std::to_string(i) + " of " +
                             x[i].ToString());
    }
    y.push_back(size);
  }
  return y;
}

template <class S>
Result<SizeList<S>> ShapeOf(const TransposeParams& p, Inputs<S> in, ParameterSizes<S>*) {
  const SizeList<S>& x = *in[0];
  FOVEA_RETURN_IF_ERROR(CheckCount("a permutation", p.perm.size(), x.size()));
  SizeList<S> y;
  uint32_t seen = 0;
  for (const int64_t axis : p.perm) {
    FOVEA_RETURN_IF_ERROR(CheckAxis(axis, x.size()));
    seen |= 1u << axis;
    y.push_back(x[static_cast<size_t>(axis)]);
  }
  if (seen + 1 != 1u << x.size()) return InvalidArgument("a permutation that names an axis twice");
  return y;
}

template <class S>
Result<SizeList<S>> ShapeOf(const ReshapeParams& p, Inputs<S> in, ParameterSizes<S>* sizes) {
  SizeList<S> y = (*sizes)(p.dims);
  if (sizes->status().ok() && Differ(ProductOf(*in[0]), ProductOf(y))) {
    return InvalidArgument(SizesText(*in[0]) + " cannot be reshaped to " + SizesText(y) +
                           ": the number of elements differs");
  }
  return y;
}

template <class S>
Result<SizeList<S>> ShapeOf(const ExpandParams& p, Inputs<S> in, ParameterSizes<S>* sizes) {
  const SizeList<S>& x = *in[0];
  SizeList<S> y = (*sizes)(p.dims);
  bool fits = x.size() <= y.size();
  for (size_t i = 0; fits && i < x.size(); ++i) {
    const S& from = x[x.size() - 1 - i];
    fits = !(Differ(from, S(1)) && Differ(from, y[y.size() - 1 - i]));
  }
  if (!fits) return InvalidArgument(SizesText(x) + " does not broadcast to " + SizesText(y));
  return y;
}

template <class S>
Result<SizeList<S>> ShapeOf(const TileParams& p, Inputs<S> in, ParameterSizes<S>* sizes) {
  SizeList<S> y = *in[0];
  FOVEA_RETURN_IF_ERROR(CheckCount("repeats", p.repeats.size(), y.size()));
  for (size_t i = 0; i < y.size(); ++i) {
    const S repeats = (*sizes)(p.repeats[i]);
    if (IsBelow(repeats, 0)) return InvalidArgument(repeats.ToString() + " repeats of axis " + std::to_string(i));
    y[i] = y[i] * repeats;
  }
  return y;
}

template <class S>
Result<SizeList<S>> ShapeOf(const GatherParams& p, Inputs<S> in, ParameterSizes<S>*) {
  const SizeList<S>&x = *in[0], &indices = *in[1];
  FOVEA_RETURN_IF_ERROR(CheckAxis(p.axis, x.size()));
  if (IsNumber(x[static_cast<size_t>(p.axis)], 0) && Differ(ProductOf(indices), S(0))) {
    return InvalidArgument("axis " + std::to_string(p.axis) + " is empty and has nothing to take");
  }
  SizeList<S> y(x.begin(), x.begin() + p.axis);
  y.insert(y.end(), indices.begin(), indices.end());
  y.insert(y.end(), x.begin() + p.axis + 1, x.end());
  return y;
}

template <class S>
Result<SizeList<S>> ShapeOf(const UnaryParams&, Inputs<S> in, ParameterSizes<S>*) {
  return *in[0];
}
template <class S>
Result<SizeList<S>> ShapeOf(const CastParams&, Inputs<S> in, ParameterSizes<S>*) {
  return *in[0];
}
template <class S>
Result<SizeList<S>> ShapeOf(const BinaryParams&, Inputs<S> in, ParameterSizes<S>*) {
  return Broadcast(*in[0], *in[1]);
}
template <class S>
Result<SizeList<S>> ShapeOf(const SelectParams&, Inputs<S> in, ParameterSizes<S>*) {
  FOVEA_ASSIGN_OR_RETURN(const SizeList<S> values, Broadcast(*in[1], *in[2]));
  return Broadcast(*in[0], values);
}

template <class S>
Result<SizeList<S>> ShapeOf(const SoftmaxParams& p, Inputs<S> in, ParameterSizes<S>*) {
  FOVEA_RETURN_IF_ERROR(CheckAxis(p.axis, in[0]->size()));
  return *in[0];
}

template <class S>
SizeList<S> WithoutAxes(const SizeList<S>& x, uint32_t axes, bool keep_dims) {
  SizeList<S> y;
  for (size_t i = 0; i < x.size(); ++i) {
    const bool reduced = (axes >> i & 1u) != 0;
    if (!reduced || keep_dims) y.push_back(reduced ? S(1) : x[i]);
  }
  return y;
}
template <class S>
Result<SizeList<S>> ShapeOf(const ReduceParams& p, Inputs<S> in, ParameterSizes<S>*) {
  uint32_t axes = 0;
  for (const int64_t axis : p.axes) {
    FOVEA_RETURN_IF_ERROR(CheckAxis(axis, in[0]->size()));
    if ((axes >> axis & 1u) != 0) return InvalidArgument("axis " + std::to_string(axis) + " is reduced twice");
    axes |= 1u << axis;
  }
  return WithoutAxes(*in[0], axes, p.keep_dims);
}
template <class S>
Result<SizeList<S>> ShapeOf(const ArgReduceParams& p, Inputs<S> in, ParameterSizes<S>*) {
  FOVEA_RETURN_IF_ERROR(CheckAxis(p.axis, in[0]->size()));
  const SizeList<S> y = WithoutAxes(*in[0], 1u << p.axis, p.keep_dims);
  if (IsNumber((*in[0])[static_cast<size_t>(p.axis)], 0) && Differ(ProductOf(y), S(0))) {
    return InvalidArgument("axis " + std::to_string(p.axis) + " is empty and has no largest or smallest element");
  }
  return y;
}

template <class S>
Result<SizeList<S>> ShapeOf(const LayerNormParams& p, Inputs<S> in, ParameterSizes<S>*) {
  const SizeList<S>& x = *in[0];
  FOVEA_RETURN_IF_ERROR(CheckAxis(p.axis, x.size()));
  const SizeList<S> normalised(x.begin() + p.axis, x.end());
  for (size_t k = 1; k <= 2; ++k) {
    bool fits = in[k] == nullptr || in[k]->size() == normalised.size();
    for (size_t i = 0; fits && in[k] != nullptr && i < normalised.size(); ++i) {
      fits = !Differ((*in[k])[i], normalised[i]);
    }
    if (!fits) {
      return InvalidArgument(std::string(k == 1 ? "a scale of " : "a bias of ") + SizesText(*in[k]) + " for " +
                             SizesText(normalised));
    }
  }
  return x;
}

template <class S>
Result<SizeList<S>> ShapeOf(const LrnParams& p, Inputs<S> in, ParameterSizes<S>*) {
  if (in[0]->empty()) return InvalidArgument("x has no axes");
  if (p.size < 1) return InvalidArgument("a window of " + std::to_string(p.size) + " channels");
  return *in[0];
}

template <class S>
Result<SizeList<S>> ShapeOf(const MatMulParams&, Inputs<S> in, ParameterSizes<S>*) {
  // numpy.matmul: a vector on the left is a row, on the right a column, and the axis it gained leaves the result.
  SizeList<S> a = *in[0], b = *in[1];
  if (a.empty() || b.empty()) return InvalidArgument("a matrix product with a single number");
  const bool row = a.size() == 1, column = b.size() == 1;
  if (row) a.insert(a.begin(), S(1));
  if (column) b.push_back(S(1));
  if (Differ(a.back(), b[b.size() - 2])) {
    return InvalidArgument("the matrices " + SizesText(*in[0]) + " and " + SizesText(*in[1]) + " do not multiply: " +
                           a.back().ToString() + " columns against " + b[b.size() - 2].ToString() + " rows");
  }
  FOVEA_ASSIGN_OR_RETURN(SizeList<S> y,
                         Broadcast(SizeList<S>(a.begin(), a.end() - 2), SizeList<S>(b.begin(), b.end() - 2)));
  if (!row) y.push_back(a[a.size() - 2]);
  if (!column) y.push_back(b.back());
  return y;
}

template <class S>
Result<SizeList<S>> ShapeOf(const DropoutParams& p, Inputs<S> in, ParameterSizes<S>*) {
  if (!(p.keep >= 0 && p.keep <= 1)) return InvalidArgument("a probability to keep outside 0 to 1");
  uint32_t axes = 0;
  for (const int64_t axis : p.axes) {
    FOVEA_RETURN_IF_ERROR(CheckAxis(axis, in[0]->size()));
    if ((axes >> axis & 1u) != 0) return InvalidArgument("axis " + std::to_string(axis) + " counts twice");
    axes |= 1u << axis;
  }
  return *in[0];
}

template <class S>
Result<SizeList<S>> ShapeOf(const DimsParams& p, Inputs<S>, ParameterSizes<S>*) {
  return SizeList<S>{S(static_cast<int64_t>(p.dims.size()))};
}

}  // namespace fovea

#endif  // FOVEA_RUNTIME_MODEL_SHAPE_TENSOR_H_
