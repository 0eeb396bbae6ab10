// The files that make up convolution's table; conv.cc joins them. A file that is added gets a line here and one there.
#ifndef FOVEA_KERNELS_CONV_ROWS_H_
#define FOVEA_KERNELS_CONV_ROWS_H_

#include "kernels/conv/conv.h"

namespace fovea::kernels {

std::span<const ConvKernel> DirectConvKernels();
std::span<const ConvKernel> DepthwiseConvKernels();
std::span<const ConvKernel> FewOutputsConvKernels();
std::span<const ConvKernel> WinogradConvKernels();
std::span<const ConvKernel> ReferenceConvKernels();

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_CONV_ROWS_H_
