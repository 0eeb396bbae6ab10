// Max and average pooling with a window, 1-D to 3-D, channels last.
#ifndef FOVEA_KERNELS_POOL_POOL_H_
#define FOVEA_KERNELS_POOL_POOL_H_

#include "kernels/kernel.h"
#include "kernels/view.h"

namespace fovea::kernels {

// Stored in .fov files: append only.
enum class PoolKind : uint8_t { kMax = 0, kAverage = 1 };

struct PoolLayer {
  PoolKind kind = PoolKind::kMax;
  int64_t kernel[3] = {1, 1, 1};  // D, H, W
  int64_t stride[3] = {1, 1, 1};
  int64_t dilation[3] = {1, 1, 1};
  bool count_include_pad = false;  // average: positions in the padding count in the divisor
};

struct PoolArgs {
  ConstView src;  // rank 5
  View dst;       // rank 5
  // Output o, tap k reads source position o stride - pad + k dilation of the view; outside the view is padding: no
  // candidate for the maximum (a window wholly in the padding gives -inf), 0 for the average.
  int64_t pad[3] = {0, 0, 0};
  // The padded whole image in the view's coordinates, [begin, end): with count_include_pad the divisor counts the taps
  // inside it (ONNX: ceil_mode windows that leave even the padding do not count what lies beyond).
  int64_t padded_begin[3] = {0, 0, 0};
  int64_t padded_end[3] = {0, 0, 0};
};

using PoolKernel = Kernel<PoolLayer, PoolArgs>;
std::span<const PoolKernel> PoolKernels();

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_POOL_POOL_H_
