// Padding along any axes as an operator of its own (constant padding in front of a convolution is folded by the
// converter).
#ifndef FOVEA_KERNELS_PAD_PAD_H_
#define FOVEA_KERNELS_PAD_PAD_H_

#include "kernels/kernel.h"
#include "kernels/view.h"

namespace fovea::kernels {

// Stored in .fov files: append only. kReflect does not repeat the border (numpy "reflect"), kSymmetric does.
enum class PadMode : uint8_t { kConstant = 0, kReflect = 1, kEdge = 2, kWrap = 3, kSymmetric = 4 };

struct PadLayer {
  PadMode mode = PadMode::kConstant;
};
struct PadArgs {
  ConstView src;
  View dst;  // same rank
  // Per axis, in the whole image: output position o (= dst_origin + index) takes input position o - begin, mirrored,
  // clamped or wrapped into [0, in_size); the view of src starts at src_origin. begin may be negative (a crop).
  int64_t begin[kMaxRank] = {}, in_size[kMaxRank] = {};
  int64_t src_origin[kMaxRank] = {}, dst_origin[kMaxRank] = {};
  float value = 0;
};
using PadKernel = Kernel<PadLayer, PadArgs>;
std::span<const PadKernel> PadKernels();

// Input position that output position `o` (minus the padding before) takes, or -1 for the constant. in_size >= 1.
int64_t PadSource(PadMode mode, int64_t o, int64_t in_size);

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_PAD_PAD_H_
