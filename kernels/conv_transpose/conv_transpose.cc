#include "kernels/conv_transpose/conv_transpose.h"

#include "kernels/conv_transpose/rows.h"
#include "kernels/table.h"

namespace fovea::kernels {

std::span<const ConvTransposeKernel> ConvTransposeKernels() {
  static const RowTable<ConvTransposeKernel, 16> table({DirectConvTransposeKernels(), ReferenceConvTransposeKernels()});
  return table.rows();
}

}  // namespace fovea::kernels
