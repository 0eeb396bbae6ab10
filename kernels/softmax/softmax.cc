#include "kernels/softmax/reference.h"

namespace fovea::kernels {

std::span<const SoftmaxKernel> SoftmaxKernels() {
  static constexpr SoftmaxKernel kRows[] = {
      {Isa::kReference, "softmax/reference", AcceptsAll, reference::SoftmaxUnits, NoScratch, reference::Softmax},
  };
  return kRows;
}

}  // namespace fovea::kernels
