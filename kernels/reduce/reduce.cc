#include "kernels/reduce/reference.h"

namespace fovea::kernels {

std::span<const ReduceKernel> ReduceKernels() {
  static constexpr ReduceKernel kRows[] = {
      {Isa::kReference, "reduce/reference", AcceptsAll, reference::ReduceUnits, NoScratch, reference::Reduce},
  };
  return kRows;
}

std::span<const ArgReduceKernel> ArgReduceKernels() {
  static constexpr ArgReduceKernel kRows[] = {
      {Isa::kReference, "arg_reduce/reference", AcceptsAll, reference::ArgReduceUnits, NoScratch, reference::ArgReduce},
  };
  return kRows;
}

}  // namespace fovea::kernels
