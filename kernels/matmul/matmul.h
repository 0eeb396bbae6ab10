// Batched matrix product of two runtime tensors: dst[b] = a[b] x b[b]. (1x1 convolutions are convolutions, see conv/.)
#ifndef FOVEA_KERNELS_MATMUL_MATMUL_H_
#define FOVEA_KERNELS_MATMUL_MATMUL_H_

#include "kernels/kernel.h"
#include "kernels/view.h"

namespace fovea::kernels {

struct MatMulLayer {};
struct MatMulArgs {
  ConstView a;  // [batch..., M, K], any strides; broadcast batch axes have stride 0
  ConstView b;  // [batch..., K, N]
  View dst;     // [batch..., M, N]; all three have the same rank; one accumulation chain over K in order
};
using MatMulKernel = Kernel<MatMulLayer, MatMulArgs>;
std::span<const MatMulKernel> MatMulKernels();

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_MATMUL_MATMUL_H_
