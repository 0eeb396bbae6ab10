// The reference row of the matrix product.
#ifndef FOVEA_KERNELS_MATMUL_REFERENCE_H_
#define FOVEA_KERNELS_MATMUL_REFERENCE_H_

#include "kernels/loop.h"
#include "kernels/matmul/matmul.h"

namespace fovea::kernels::reference {

// Batch axes: a, b, dst.
inline Loop<3> MatMulBatches(const MatMulArgs& args) {
  return MakeLoop<3>(args.dst.rank - 2, args.dst.dims, {args.a.strides, args.b.strides, args.dst.strides});
}
inline void MatMulBatchOffsets(const Loop<3>& batches, int64_t batch, int64_t (&at)[3]) {
  RowOffsets(batches, batch / batches.inner(), at);
  for (int v = 0; v < 3; ++v) at[v] += batch % batches.inner() * batches.strides[v][batches.rank - 1];
}

int64_t MatMulUnits(const MatMulLayer&, const MatMulArgs& args);  // one unit: one row of one product
void MatMul(const MatMulLayer&, const MatMulArgs& args, int64_t unit_begin, int64_t unit_end, float*);

}  // namespace fovea::kernels::reference

#endif  // FOVEA_KERNELS_MATMUL_REFERENCE_H_
