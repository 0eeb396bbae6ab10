#include "kernels/pool/reference.h"

namespace fovea::kernels {

std::span<const PoolKernel> PoolKernels() {
  static constexpr PoolKernel kRows[] = {
      {Isa::kReference, "pool/reference", AcceptsAll, reference::PoolUnits, NoScratch, reference::Pool},
  };
  return kRows;
}

}  // namespace fovea::kernels
