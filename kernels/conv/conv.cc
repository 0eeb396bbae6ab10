#include "kernels/conv/conv.h"

#include "kernels/conv/rows.h"
#include "kernels/table.h"

namespace fovea::kernels {

std::span<const ConvKernel> ConvKernels() {
  static const RowTable<ConvKernel, 32> table({FewOutputsConvKernels(), DepthwiseConvKernels(), WinogradConvKernels(),
                                               DirectConvKernels(), ReferenceConvKernels()});
  return table.rows();
}

}  // namespace fovea::kernels
