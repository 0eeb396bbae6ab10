// One float accumulation chain over K in order, started at 0.
#include "kernels/matmul/reference.h"

namespace fovea::kernels::reference {

int64_t MatMulUnits(const MatMulLayer&, const MatMulArgs& args) {
  const Loop<3> batches = MatMulBatches(args);
  return args.dst.elements() == 0 ? 0 : batches.rows() * batches.inner() * args.dst.dims[args.dst.rank - 2];
}

void MatMul(const MatMulLayer&, const MatMulArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const Loop<3> batches = MatMulBatches(args);
  const int row_axis = args.dst.rank - 2, col_axis = args.dst.rank - 1;
  const int64_t rows = args.dst.dims[row_axis], cols = args.dst.dims[col_axis], depth = args.a.dims[col_axis];
  for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
    int64_t at[3];
    MatMulBatchOffsets(batches, unit / rows, at);
    const int64_t row = unit % rows;
    for (int64_t col = 0; col < cols; ++col) {
      const float* a = args.a.data + at[0] + row * args.a.strides[row_axis];
      const float* b = args.b.data + at[1] + col * args.b.strides[col_axis];
      float sum = 0;
      for (int64_t k = 0; k < depth; ++k) sum += a[k * args.a.strides[col_axis]] * b[k * args.b.strides[row_axis]];
      args.dst.data[at[2] + row * args.dst.strides[row_axis] + col * args.dst.strides[col_axis]] = sum;
    }
  }
}

}  // namespace fovea::kernels::reference
