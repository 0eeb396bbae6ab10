// Vector rows of the matrix product: tiles of kRows x 2 vectors in registers, one accumulation chain over K each.
//
// A unit is a panel of columns (two vectors wide) for a block of rows of one product; the panel of b is brought into
// scratch first, [K][columns] with zeros beyond the last one, whatever b's strides are.
#include "kernels/matmul/reference.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul/matmul.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

inline constexpr int64_t kTileRows = 6;
inline constexpr int64_t kBlockRows = 96;

inline int64_t PanelColumns() { return 2 * static_cast<int64_t>(hn::Lanes(Floats())); }

int64_t MatMulUnits(const MatMulLayer&, const MatMulArgs& args) {
  if (args.dst.elements() == 0) return 0;
  const Loop<3> batches = reference::MatMulBatches(args);
  const int rank = args.dst.rank;
  return batches.rows() * batches.inner() * CeilDiv(args.dst.dims[rank - 1], PanelColumns()) *
         CeilDiv(args.dst.dims[rank - 2], kBlockRows);
}

int64_t MatMulScratch(const MatMulLayer&, const MatMulArgs& args) {
  return args.a.dims[args.a.rank - 1] * PanelColumns();
}

struct Matrix {
  int64_t row_step, column_step;
};

template <int kRows>
HWY_INLINE void MatMulTile(const float* a, Matrix a_steps, const float* HWY_RESTRICT panel, int64_t depth, float* dst,
                           Matrix dst_steps, int64_t columns) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  Vec sums[kRows][2];
  for (auto& row : sums) row[0] = row[1] = hn::Zero(d);
  for (int64_t k = 0; k < depth; ++k, panel += 2 * lanes) {
    const Vec b0 = hn::Load(d, panel), b1 = hn::Load(d, panel + lanes);
    const float* from = a + k * a_steps.column_step;
    HWY_UNROLL(6)
    for (int i = 0; i < kRows; ++i) {
      const Vec x = hn::Set(d, from[i * a_steps.row_step]);
      sums[i][0] = hn::MulAdd(x, b0, sums[i][0]);
      sums[i][1] = hn::MulAdd(x, b1, sums[i][1]);
    }
  }
  for (int i = 0; i < kRows; ++i) {
    float* to = dst + i * dst_steps.row_step;
    if (columns == 2 * lanes && dst_steps.column_step == 1) {
      hn::StoreU(sums[i][0], d, to);
      hn::StoreU(sums[i][1], d, to + lanes);
      continue;
    }
    HWY_ALIGN float row[2 * hn::MaxLanes(d)];
    hn::Store(sums[i][0], d, row);
    hn::Store(sums[i][1], d, row + lanes);
    for (int64_t n = 0; n < columns; ++n) to[n * dst_steps.column_step] = row[n];
  }
}

void MatMul(const MatMulLayer&, const MatMulArgs& args, int64_t unit_begin, int64_t unit_end, float* panel) {
  const Loop<3> batches = reference::MatMulBatches(args);
  const int row_axis = args.dst.rank - 2, col_axis = args.dst.rank - 1;
  const int64_t rows = args.dst.dims[row_axis], cols = args.dst.dims[col_axis], depth = args.a.dims[col_axis];
  const Matrix a_steps = {args.a.strides[row_axis], args.a.strides[col_axis]};
  const Matrix dst_steps = {args.dst.strides[row_axis], args.dst.strides[col_axis]};
  const int64_t width = PanelColumns();
  const int64_t blocks = CeilDiv(rows, kBlockRows), panels = CeilDiv(cols, width);
  int64_t packed = -1;  // the panel that scratch holds
  for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
    const int64_t column = unit / blocks % panels * width;
    const int64_t columns = std::min(width, cols - column);
    int64_t at[3];
    reference::MatMulBatchOffsets(batches, unit / blocks / panels, at);
    if (packed != unit / blocks) {
      const float* b = args.b.data + at[1] + column * args.b.strides[col_axis];
      for (int64_t k = 0; k < depth; ++k) {
        float* to = panel + k * width;
        const float* from = b + k * args.b.strides[row_axis];
        for (int64_t n = 0; n < columns; ++n) to[n] = from[n * args.b.strides[col_axis]];
        for (int64_t n = columns; n < width; ++n) to[n] = 0;
      }
      packed = unit / blocks;
    }
    const int64_t end = std::min(rows, (unit % blocks + 1) * kBlockRows);
    int64_t row = unit % blocks * kBlockRows;
    const float* a = args.a.data + at[0];
    float* dst = args.dst.data + at[2] + column * dst_steps.column_step;
    for (; row + kTileRows <= end; row += kTileRows) {
      MatMulTile<kTileRows>(a + row * a_steps.row_step, a_steps, panel, depth, dst + row * dst_steps.row_step,
                            dst_steps, columns);
    }
    for (; row < end; ++row) {
      MatMulTile<1>(a + row * a_steps.row_step, a_steps, panel, depth, dst + row * dst_steps.row_step, dst_steps,
                    columns);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::kernels {

std::span<const MatMulKernel> MatMulKernels() {
  static constexpr MatMulKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    {Isa::kAvx512, "matmul/panel/avx512/6x32", AcceptsAll, N_AVX3::MatMulUnits, N_AVX3::MatMulScratch, N_AVX3::MatMul},
#endif
#if HWY_TARGETS & HWY_AVX2
    {Isa::kAvx2, "matmul/panel/avx2/6x16", AcceptsAll, N_AVX2::MatMulUnits, N_AVX2::MatMulScratch, N_AVX2::MatMul},
#endif
#if HWY_TARGETS & HWY_SSE4
    {Isa::kSse4, "matmul/panel/sse4/6x8", AcceptsAll, N_SSE4::MatMulUnits, N_SSE4::MatMulScratch, N_SSE4::MatMul},
#endif
#if HWY_TARGETS & HWY_NEON
    {Isa::kNeon, "matmul/panel/neon/6x8", AcceptsAll, N_NEON::MatMulUnits, N_NEON::MatMulScratch, N_NEON::MatMul},
#endif
    {Isa::kReference, "matmul/reference", AcceptsAll, reference::MatMulUnits, NoScratch, reference::MatMul},
  };
  return kRows;
}

}  // namespace fovea::kernels
#endif
