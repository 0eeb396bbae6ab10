#include "kernels/pad/reference.h"

namespace fovea::kernels {

std::span<const PadKernel> PadKernels() {
  static constexpr PadKernel kRows[] = {
      {Isa::kReference, "pad/reference", AcceptsAll, reference::PadUnits, NoScratch, reference::Pad},
  };
  return kRows;
}

}  // namespace fovea::kernels
