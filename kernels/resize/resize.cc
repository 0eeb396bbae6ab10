#include "kernels/loop.h"
#include "kernels/resize/axis.h"

namespace fovea::kernels {

std::span<const ResizeKernel> ResizeKernels() {
  static constexpr ResizeKernel kRows[] = {
      {Isa::kReference, "resize/reference", AcceptsAll, reference::ResizeUnits, NoScratch, reference::Resize},
  };
  return kRows;
}

}  // namespace fovea::kernels
