#include "kernels/copy/reference.h"

namespace fovea::kernels {

std::span<const CopyKernel> CopyKernels() {
  static constexpr CopyKernel kRows[] = {
      {Isa::kReference, "copy/reference", AcceptsAll, reference::CopyUnits, NoScratch, reference::Copy},
  };
  return kRows;
}

}  // namespace fovea::kernels
