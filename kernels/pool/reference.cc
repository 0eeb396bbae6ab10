// Sums of an average run in float over the taps in D, H, W order, then one division by the count; the vector rows keep
// that order, so they give the reference's bits. A maximum is NaN if a candidate is.
#include "kernels/pool/reference.h"

#include <cmath>
#include <limits>

namespace fovea::kernels::reference {

int64_t PoolUnits(const PoolLayer&, const PoolArgs& args) {
  const View& dst = args.dst;
  return dst.elements() == 0 ? 0 : dst.dims[kN] * dst.dims[kD] * dst.dims[kH];
}

void Pool(const PoolLayer& layer, const PoolArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const ConstView& src = args.src;
  const View& dst = args.dst;
  const bool average = layer.kind == PoolKind::kAverage;
  for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
    const int64_t h = unit % dst.dims[kH];
    const int64_t d = unit / dst.dims[kH] % dst.dims[kD];
    const int64_t n = unit / dst.dims[kH] / dst.dims[kD];
    const PoolTaps kd = PoolAxisTaps(layer, args, 0, d, 0, src.dims[kD]);
    const PoolTaps kh = PoolAxisTaps(layer, args, 1, h, 0, src.dims[kH]);
    for (int64_t w = 0; w < dst.dims[kW]; ++w) {
      const PoolTaps kw = PoolAxisTaps(layer, args, 2, w, 0, src.dims[kW]);
      const float divisor = PoolDivisor(layer, args, {d, h, w});
      for (int64_t c = 0; c < dst.dims[kC]; ++c) {
        float result = average ? 0.0f : -std::numeric_limits<float>::infinity();
        for (int64_t i = kd.begin; i < kd.end; ++i) {
          for (int64_t j = kh.begin; j < kh.end; ++j) {
            for (int64_t k = kw.begin; k < kw.end; ++k) {
              const float value =
                  src.data[n * src.strides[kN] +
                           (d * layer.stride[0] - args.pad[0] + i * layer.dilation[0]) * src.strides[kD] +
                           (h * layer.stride[1] - args.pad[1] + j * layer.dilation[1]) * src.strides[kH] +
                           (w * layer.stride[2] - args.pad[2] + k * layer.dilation[2]) * src.strides[kW] +
                           c * src.strides[kC]];
              if (average) {
                result += value;
              } else if (value > result || std::isnan(value)) {
                result = value;
              }
            }
          }
        }
        dst.data[n * dst.strides[kN] + d * dst.strides[kD] + h * dst.strides[kH] + w * dst.strides[kW] +
                 c * dst.strides[kC]] = average ? result / divisor : result;
      }
    }
  }
}

}  // namespace fovea::kernels::reference
