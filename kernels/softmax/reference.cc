// Exponentials and their sum in double, one rounding at the end.
#include "kernels/softmax/reference.h"

#include <cmath>
#include <limits>

namespace fovea::kernels::reference {

int64_t SoftmaxUnits(const SoftmaxLayer& layer, const SoftmaxArgs& args) { return SoftmaxLoop(layer, args).units(); }

void Softmax(const SoftmaxLayer& layer, const SoftmaxArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const Loop<2> loop = SoftmaxLoop(layer, args);
  const int64_t size = args.dst.dims[layer.axis];
  const int64_t src_step = args.src.strides[layer.axis], dst_step = args.dst.strides[layer.axis];
  ForEachRow(loop, unit_begin, unit_end, [&](const int64_t* at, int64_t n, int64_t) {
    for (int64_t i = 0; i < n; ++i) {
      const float* src = args.src.data + at[0] + i * loop.strides[0][loop.rank - 1];
      float* dst = args.dst.data + at[1] + i * loop.strides[1][loop.rank - 1];
      double max = -std::numeric_limits<double>::infinity();
      // Not std::fmax: g++ 12 for AArch64 does not survive vectorizing its reduction. This skips NaN in the same way.
      for (int64_t k = 0; k < size; ++k) max = src[k * src_step] > max ? src[k * src_step] : max;
      double sum = 0;
      for (int64_t k = 0; k < size; ++k) sum += std::exp(src[k * src_step] - max);
      const double log_sum = std::log(sum);
      for (int64_t k = 0; k < size; ++k) {
        const double shifted = src[k * src_step] - max;
        dst[k * dst_step] = static_cast<float>(layer.log ? shifted - log_sum : std::exp(shifted) / sum);
      }
    }
  });
}

}  // namespace fovea::kernels::reference
