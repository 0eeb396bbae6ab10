// Two passes in double, first the mean, then the squared distances from it: no cancellation. Elements in row-major
// order.
#include "kernels/normalize/reference.h"

#include <cmath>

namespace fovea::kernels::reference {
namespace {

// fn(src offset, dst offset, channel) for every element of group `group` of sample `n`.
template <class Fn>
void ForEachInGroup(const GroupNormLayer& layer, const GroupNormArgs& args, int64_t n, int64_t group, Fn&& fn) {
  const ConstView& src = args.src;
  const View& dst = args.dst;
  const int64_t per_group = src.dims[kC] / layer.groups;
  for (int64_t d = 0; d < src.dims[kD]; ++d) {
    for (int64_t h = 0; h < src.dims[kH]; ++h) {
      for (int64_t w = 0; w < src.dims[kW]; ++w) {
        for (int64_t c = group * per_group; c < (group + 1) * per_group; ++c) {
          fn(n * src.strides[kN] + d * src.strides[kD] + h * src.strides[kH] + w * src.strides[kW] +
                 c * src.strides[kC],
             n * dst.strides[kN] + d * dst.strides[kD] + h * dst.strides[kH] + w * dst.strides[kW] +
                 c * dst.strides[kC],
             c);
        }
      }
    }
  }
}

float Normalize(float x, double mean, double scale, const float* bias, int64_t c) {
  return static_cast<float>((x - mean) * scale + (bias != nullptr ? static_cast<double>(bias[c]) : 0.0));
}

}  // namespace

int64_t GroupNormUnits(const GroupNormLayer& layer, const GroupNormArgs& args) {
  return args.dst.elements() == 0 ? 0 : args.dst.dims[kN] * layer.groups;
}

void GroupNorm(const GroupNormLayer& layer, const GroupNormArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const double count = static_cast<double>(args.src.elements() / args.src.dims[kN] / layer.groups);
  for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
    const int64_t n = unit / layer.groups, group = unit % layer.groups;
    double sum = 0, square = 0;
    ForEachInGroup(layer, args, n, group, [&](int64_t from, int64_t, int64_t) { sum += args.src.data[from]; });
    const double mean = sum / count;
    ForEachInGroup(layer, args, n, group, [&](int64_t from, int64_t, int64_t) {
      square += (args.src.data[from] - mean) * (args.src.data[from] - mean);
    });
    const double inverse = 1 / std::sqrt(square / count + static_cast<double>(layer.epsilon));
    ForEachInGroup(layer, args, n, group, [&](int64_t from, int64_t to, int64_t c) {
      const double scale = args.scale != nullptr ? inverse * args.scale[c] : inverse;
      args.dst.data[to] = ApplyUnary(layer.act, Normalize(args.src.data[from], mean, scale, args.bias, c));
    });
  }
}

int64_t LayerNormUnits(const LayerNormLayer&, const LayerNormArgs& args) {
  return CeilDiv(args.dst.dims[0], kNormalizeRowsPerUnit);
}

void LayerNorm(const LayerNormLayer& layer, const LayerNormArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const int64_t inner = args.src.dims[1];
  const int64_t end = std::min(args.dst.dims[0], unit_end * kNormalizeRowsPerUnit);
  for (int64_t row = unit_begin * kNormalizeRowsPerUnit; row < end; ++row) {
    const float* src = args.src.data + row * args.src.strides[0];
    float* dst = args.dst.data + row * args.dst.strides[0];
    double sum = 0, square = 0;
    for (int64_t i = 0; i < inner; ++i) sum += src[i];
    const double mean = sum / static_cast<double>(inner);
    for (int64_t i = 0; i < inner; ++i) square += (src[i] - mean) * (src[i] - mean);
    const double inverse = 1 / std::sqrt(square / static_cast<double>(inner) + static_cast<double>(layer.epsilon));
    for (int64_t i = 0; i < inner; ++i) {
      dst[i] = Normalize(src[i], mean, args.scale != nullptr ? inverse * args.scale[i] : inverse, args.bias, i);
    }
  }
}

int64_t LrnUnits(const LrnLayer&, const LrnArgs& args) { return CeilDiv(args.dst.dims[0], kNormalizeRowsPerUnit); }

void Lrn(const LrnLayer& layer, const LrnArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const int64_t channels = args.src.dims[1];
  const int64_t end = std::min(args.dst.dims[0], unit_end * kNormalizeRowsPerUnit);
  for (int64_t row = unit_begin * kNormalizeRowsPerUnit; row < end; ++row) {
    const float* src = args.src.data + row * args.src.strides[0];
    float* dst = args.dst.data + row * args.dst.strides[0];
    for (int64_t c = 0; c < channels; ++c) {
      double sum = 0;
      const int64_t last = std::min(channels - 1, c + layer.size / 2);
      for (int64_t k = std::max<int64_t>(0, c - (layer.size - 1) / 2); k <= last; ++k) {
        sum += static_cast<double>(src[k]) * static_cast<double>(src[k]);
      }
      const double base = layer.bias + layer.alpha / static_cast<double>(layer.size) * sum;
      dst[c] = static_cast<float>(src[c] / std::pow(base, static_cast<double>(layer.beta)));
    }
  }
}

}  // namespace fovea::kernels::reference
