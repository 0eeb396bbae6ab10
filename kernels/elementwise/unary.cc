#include "kernels/elementwise/reference.h"

namespace fovea::kernels {

std::span<const UnaryKernel> UnaryKernels() {
  static constexpr UnaryKernel kRows[] = {
      {Isa::kReference, "unary/reference", AcceptsAll, reference::UnaryUnits, NoScratch, reference::Unary},
  };
  return kRows;
}

}  // namespace fovea::kernels
