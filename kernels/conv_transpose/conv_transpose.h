// Transposed convolution, 1-D to 3-D, channels last: the gradient of a convolution with respect to its input.
//
//   dst[n,od,..,co] = act(bias[co] + sum over all (i, k) with i s - p + k d = o of w[kd,kh,kw,ci,co] src[n,i..,ci])
//
// Each output gathers its contributions in the order kd, kh, kw, ci (k ascending), one accumulation chain. Source
// positions outside the view count as 0.
#ifndef FOVEA_KERNELS_CONV_TRANSPOSE_CONV_TRANSPOSE_H_
#define FOVEA_KERNELS_CONV_TRANSPOSE_CONV_TRANSPOSE_H_

#include "kernels/conv/conv.h"

namespace fovea::kernels {

// Fields as in ConvLayer; has_residual is not used. pad is what is cut from the start of the full result, in output
// pixels; args.pad here: output position o of dst corresponds to position o + pad of the scattered result whose origin
// is the view's first source element. May be negative. weights: [kd][kh][kw][in_channels / groups][out_channels].
struct ConvTransposeLayer : ConvLayer {};
using ConvTransposeKernel = PackedKernel<ConvTransposeLayer, ConvArgs>;
std::span<const ConvTransposeKernel> ConvTransposeKernels();
const ConvTransposeKernel& ConvTransposeKernelOfDoubles();  // as ConvKernelOfDoubles

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_CONV_TRANSPOSE_CONV_TRANSPOSE_H_
