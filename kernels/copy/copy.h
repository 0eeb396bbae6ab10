// Strided copy: transposition, slice, expansion, tiling, concatenation, depth-to-space and back are all this, on
// suitable views.
#ifndef FOVEA_KERNELS_COPY_COPY_H_
#define FOVEA_KERNELS_COPY_COPY_H_

#include "kernels/kernel.h"
#include "kernels/view.h"

namespace fovea::kernels {

struct CopyLayer {};
struct CopyArgs {
  ConstView src;  // dst's dims; any strides, 0 and negative ones included; does not overlap dst
  View dst;
};
using CopyKernel = Kernel<CopyLayer, CopyArgs>;
std::span<const CopyKernel> CopyKernels();

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_COPY_COPY_H_
