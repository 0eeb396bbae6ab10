#include "kernels/elementwise/reference.h"

namespace fovea::kernels {

std::span<const BinaryKernel> BinaryKernels() {
  static constexpr BinaryKernel kRows[] = {
      {Isa::kReference, "binary/reference", AcceptsAll, reference::BinaryUnits, NoScratch, reference::Binary},
  };
  return kRows;
}

std::span<const SelectKernel> SelectKernels() {
  static constexpr SelectKernel kRows[] = {
      {Isa::kReference, "select/reference", AcceptsAll, reference::SelectUnits, NoScratch, reference::Select},
  };
  return kRows;
}

}  // namespace fovea::kernels
