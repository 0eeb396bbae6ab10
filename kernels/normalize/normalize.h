// Normalisations by statistics of the input itself: instance/group, layer, and local response.
#ifndef FOVEA_KERNELS_NORMALIZE_NORMALIZE_H_
#define FOVEA_KERNELS_NORMALIZE_NORMALIZE_H_

#include "kernels/elementwise/elementwise.h"
#include "kernels/kernel.h"
#include "kernels/view.h"

namespace fovea::kernels {

// Statistics per sample and group of channels over D, H, W and the group; biased variance:
// dst = act(scale[c] (src - mean) / sqrt(variance + epsilon) + bias[c]). groups == channels is instance normalisation.
// One unit is one (sample, group of channels handled together); sums run in a fixed order over rows.
struct GroupNormLayer {
  int64_t groups = 1;
  float epsilon = 1e-5f;
  Activation act;
  int spatial = 3;  // axes of the image, as in moments.h, whose order of summation the vector rows have
};
struct GroupNormArgs {
  ConstView src;                 // rank 5
  View dst;                      // rank 5; may be src
  const float* scale = nullptr;  // [channels] or null: 1
  const float* bias = nullptr;   // [channels] or null: 0
  // Statistics that are known: sums, squares and first values (MomentFn::kSquares, folded) of `positions` positions,
  // [N][3][MomentChannels]; src is then a part of the image. Null: they are taken of src. Not in the reference row.
  const double* moments = nullptr;
  int64_t positions = 0;
};

// Statistics over the last `inner` elements of each row: dst = scale[i] (src - mean) / sqrt(variance + epsilon) +
// bias[i].
struct LayerNormLayer {
  float epsilon = 1e-5f;
};
struct LayerNormArgs {
  ConstView src;  // rank 2: [outer][inner], inner stride 1
  View dst;
  const float* scale = nullptr;  // [inner] or null
  const float* bias = nullptr;   // [inner] or null
};

// Local response normalisation over channels (ONNX LRN): square sums over the size channels around c.
struct LrnLayer {
  int64_t size = 1;
  float alpha = 1e-4f, beta = 0.75f, bias = 1;
};
struct LrnArgs {
  ConstView src;  // rank 2: [pixels][channels], channel stride 1
  View dst;       // not src
};

using GroupNormKernel = Kernel<GroupNormLayer, GroupNormArgs>;
using LayerNormKernel = Kernel<LayerNormLayer, LayerNormArgs>;
using LrnKernel = Kernel<LrnLayer, LrnArgs>;
std::span<const GroupNormKernel> GroupNormKernels();
std::span<const LayerNormKernel> LayerNormKernels();
std::span<const LrnKernel> LrnKernels();

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_NORMALIZE_NORMALIZE_H_
