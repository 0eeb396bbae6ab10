#include "kernels/normalize/reference.h"

namespace fovea::kernels {

std::span<const GroupNormKernel> GroupNormKernels() {
  static constexpr GroupNormKernel kRows[] = {
      {Isa::kReference, "group_norm/reference", AcceptsAll, reference::GroupNormUnits, NoScratch, reference::GroupNorm},
  };
  return kRows;
}

std::span<const LayerNormKernel> LayerNormKernels() {
  static constexpr LayerNormKernel kRows[] = {
      {Isa::kReference, "layer_norm/reference", AcceptsAll, reference::LayerNormUnits, NoScratch, reference::LayerNorm},
  };
  return kRows;
}

std::span<const LrnKernel> LrnKernels() {
  static constexpr LrnKernel kRows[] = {
      {Isa::kReference, "lrn/reference", AcceptsAll, reference::LrnUnits, NoScratch, reference::Lrn},
  };
  return kRows;
}

}  // namespace fovea::kernels
