#include "kernels/matmul/reference.h"

namespace fovea::kernels {

std::span<const MatMulKernel> MatMulKernels() {
  static constexpr MatMulKernel kRows[] = {
      {Isa::kReference, "matmul/reference", AcceptsAll, reference::MatMulUnits, NoScratch, reference::MatMul},
  };
  return kRows;
}

}  // namespace fovea::kernels
