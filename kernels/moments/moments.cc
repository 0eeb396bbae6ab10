#include "kernels/moments/moments.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/loop.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/moments/moments.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/moments/moments-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

// Cells of one axis that a part has a share in.
struct MomentSpan {
  int64_t first, count;
};
MomentSpan SpanOf(bool cut, int64_t origin, int64_t size) {
  if (!cut) return {0, 1};
  const int64_t first = origin / kMomentCell;
  return {first, CeilDiv(origin + size, kMomentCell) - first};
}

int64_t MomentUnits(const MomentsLayer& layer, const MomentsArgs& args) {
  if (args.src.elements() == 0) return 0;
  return args.src.dims[kN] * SpanOf(layer.spatial > 2, args.origin[1], args.src.dims[kH]).count *
         SpanOf(layer.spatial > 1, args.origin[2], args.src.dims[kW]).count;
}

template <MomentFn kFn>
void MomentsOf(const MomentsLayer& layer, const MomentsArgs& args, int64_t unit_begin, int64_t unit_end) {
  const ConstView& src = args.src;
  const MomentSpan rows = SpanOf(layer.spatial > 2, args.origin[1], src.dims[kH]);
  const MomentSpan columns = SpanOf(layer.spatial > 1, args.origin[2], src.dims[kW]);
  const int64_t padded = MomentChannels(src.dims[kC]);
  MomentState state;
  state.field_stride = padded;
  state.cell_stride = MomentFields(kFn) * padded;
  const int64_t sample_doubles = MomentRowCells(layer.spatial, args.image[1]) *
                                 MomentColumnCells(layer.spatial, args.image[2]) * state.cell_stride;
  for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
    const int64_t n = unit / (rows.count * columns.count);
    const int64_t row = rows.first + unit / columns.count % rows.count, column = columns.first + unit % columns.count;
    // In the part's coordinates.
    const auto bounds = [](bool cut, int64_t cell, int64_t origin, int64_t size, int64_t* begin, int64_t* end) {
      *begin = cut ? std::max<int64_t>(0, cell * kMomentCell - origin) : 0;
      *end = cut ? std::min(size, (cell + 1) * kMomentCell - origin) : size;
    };
    int64_t row_begin, row_end, column_begin, column_end;
    bounds(layer.spatial > 2, row, args.origin[1], src.dims[kH], &row_begin, &row_end);
    bounds(layer.spatial > 1, column, args.origin[2], src.dims[kW], &column_begin, &column_end);
    state.cells = args.state + n * sample_doubles;
    state.first =
        kFn == MomentFn::kSquares ? args.first + n * args.first_stride : args.state;  // not looked at by the others
    AddMoments<kFn>(layer, args, src.data + n * src.strides[kN], src.dims[kC], row_begin, row_end, column_begin,
                    column_end, state);
  }
}

void Moments(const MomentsLayer& layer, const MomentsArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  switch (layer.fn) {
    case MomentFn::kSquares: return MomentsOf<MomentFn::kSquares>(layer, args, unit_begin, unit_end);
    case MomentFn::kSum: return MomentsOf<MomentFn::kSum>(layer, args, unit_begin, unit_end);
    case MomentFn::kMax: return MomentsOf<MomentFn::kMax>(layer, args, unit_begin, unit_end);
    case MomentFn::kMin: return MomentsOf<MomentFn::kMin>(layer, args, unit_begin, unit_end);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::kernels {

std::span<const MomentsKernel> MomentsKernels() {
  static constexpr MomentsKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    {Isa::kAvx512, "moments/cells/avx512", AcceptsAll, N_AVX3::MomentUnits, NoScratch, N_AVX3::Moments},
#endif
#if HWY_TARGETS & HWY_AVX2
    {Isa::kAvx2, "moments/cells/avx2", AcceptsAll, N_AVX2::MomentUnits, NoScratch, N_AVX2::Moments},
#endif
#if HWY_TARGETS & HWY_SSE4
    {Isa::kSse4, "moments/cells/sse4", AcceptsAll, N_SSE4::MomentUnits, NoScratch, N_SSE4::Moments},
#endif
#if HWY_TARGETS & HWY_NEON
    {Isa::kNeon, "moments/cells/neon", AcceptsAll, N_NEON::MomentUnits, NoScratch, N_NEON::Moments},
#endif
  };
  return kRows;
}

double MomentStart(MomentFn fn) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  return fn == MomentFn::kMax ? -kInf : fn == MomentFn::kMin ? kInf : 0;
}

void FoldMoments(MomentFn fn, const double* cells, int64_t count, int64_t cell_stride, int64_t channels, double* to) {
  if (to != cells) std::copy_n(cells, channels, to);
  for (int64_t i = 1; i < count; ++i) {
    const double* cell = cells + i * cell_stride;
    for (int64_t c = 0; c < channels; ++c) {
      const double x = cell[c];
      if (fn == MomentFn::kMax) {
        to[c] = x > to[c] || std::isnan(x) ? x : to[c];
      } else if (fn == MomentFn::kMin) {
        to[c] = x < to[c] || std::isnan(x) ? x : to[c];
      } else {
        to[c] += x;
      }
    }
  }
}

}  // namespace fovea::kernels
#endif
