// The files that make up transposed convolution's table; conv_transpose.cc joins them.
#ifndef FOVEA_KERNELS_CONV_TRANSPOSE_ROWS_H_
#define FOVEA_KERNELS_CONV_TRANSPOSE_ROWS_H_

#include "kernels/conv_transpose/conv_transpose.h"

namespace fovea::kernels {

std::span<const ConvTransposeKernel> DirectConvTransposeKernels();
std::span<const ConvTransposeKernel> ReferenceConvTransposeKernels();

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_CONV_TRANSPOSE_ROWS_H_
