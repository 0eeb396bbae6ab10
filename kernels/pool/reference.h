// The reference row of pooling, and what its vector rows share with it.
#ifndef FOVEA_KERNELS_POOL_REFERENCE_H_
#define FOVEA_KERNELS_POOL_REFERENCE_H_

#include <algorithm>

#include "kernels/loop.h"
#include "kernels/pool/pool.h"

namespace fovea::kernels::reference {

// Taps [begin, end) of axis i (0..2: D, H, W) whose source position for output o lies in [low, high).
struct PoolTaps {
  int64_t begin, end;
};
inline PoolTaps PoolAxisTaps(const PoolLayer& layer, const PoolArgs& args, int i, int64_t o, int64_t low,
                             int64_t high) {
  const int64_t start = o * layer.stride[i] - args.pad[i];
  const int64_t begin = low > start ? CeilDiv(low - start, layer.dilation[i]) : 0;
  const int64_t end = high > start ? CeilDiv(high - start, layer.dilation[i]) : 0;
  return {std::min(begin, layer.kernel[i]), std::max(std::min(begin, layer.kernel[i]), std::min(end, layer.kernel[i]))};
}

// The divisor of an average: taps inside the padded image, or inside the view.
inline float PoolDivisor(const PoolLayer& layer, const PoolArgs& args, const int64_t (&o)[3]) {
  int64_t count = 1;
  for (int i = 0; i < 3; ++i) {
    const PoolTaps taps = layer.count_include_pad
                              ? PoolAxisTaps(layer, args, i, o[i], args.padded_begin[i], args.padded_end[i])
                              : PoolAxisTaps(layer, args, i, o[i], 0, args.src.dims[kD + i]);
    count *= taps.end - taps.begin;
  }
  return static_cast<float>(std::max<int64_t>(1, count));
}

int64_t PoolUnits(const PoolLayer&, const PoolArgs& args);  // one unit: one output row (n, d, h)
void Pool(const PoolLayer& layer, const PoolArgs& args, int64_t unit_begin, int64_t unit_end, float*);

}  // namespace fovea::kernels::reference

#endif  // FOVEA_KERNELS_POOL_REFERENCE_H_
