// Softmax and log-softmax along one axis, with the maximum subtracted first.
#ifndef FOVEA_KERNELS_SOFTMAX_SOFTMAX_H_
#define FOVEA_KERNELS_SOFTMAX_SOFTMAX_H_

#include "kernels/kernel.h"
#include "kernels/view.h"

namespace fovea::kernels {

struct SoftmaxLayer {
  int axis = 0;  // 0 .. rank - 1 of the views
  bool log = false;
};
struct SoftmaxArgs {
  ConstView src;  // same dims as dst; may be dst itself
  View dst;
};
using SoftmaxKernel = Kernel<SoftmaxLayer, SoftmaxArgs>;
std::span<const SoftmaxKernel> SoftmaxKernels();

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_SOFTMAX_SOFTMAX_H_
