// Gather along one axis by an index tensor (embedding look-up).
#ifndef FOVEA_KERNELS_GATHER_GATHER_H_
#define FOVEA_KERNELS_GATHER_GATHER_H_

#include "kernels/kernel.h"
#include "kernels/view.h"

namespace fovea::kernels {

struct GatherLayer {};
struct GatherArgs {
  ConstView src;      // rank 3: [outer][axis][inner]
  ConstView indices;  // rank 1; negative counts from the end; out of range is clamped (the runtime can't fail in run)
  View dst;           // rank 3: [outer][indices][inner]
};
using GatherKernel = Kernel<GatherLayer, GatherArgs>;
std::span<const GatherKernel> GatherKernels();

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_GATHER_GATHER_H_
