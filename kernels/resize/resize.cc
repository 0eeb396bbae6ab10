// Vector rows of resize for channels-last views: the last axis is not resized and dense, vectors run along it. Other
// views go to the reference's loop.
//
// An output pixel is a sum over its taps in row-major order; a tap's weight is the float product of its row's and its
// column's weight, a single tap is a copy. All of that depends on the position in the whole image alone.
#include <cstring>

#include "kernels/loop.h"
#include "kernels/resize/plan.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/resize/resize.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

HWY_INLINE Vec LoadUpTo(const float* from, int64_t n) {
  const Floats d;
  return n >= static_cast<int64_t>(hn::Lanes(d)) ? hn::LoadU(d, from) : LoadFirst(from, n);
}
HWY_INLINE void StoreUpTo(Vec v, float* to, int64_t n) {
  const Floats d;
  if (n >= static_cast<int64_t>(hn::Lanes(d))) {
    hn::StoreU(v, d, to);
  } else {
    StoreFirst(v, to, n);
  }
}

HWY_INLINE void CopyPixel(const float* src, float* dst, int64_t channels) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  for (int64_t c = 0; c < channels; c += lanes) StoreUpTo(LoadUpTo(src + c, channels - c), dst + c, channels - c);
}

HWY_INLINE void BlendAny(const float* src, const ResizeTap* rows, int64_t row_count, const ResizeTap* columns,
                         int64_t column_count, float* dst, int64_t channels) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < channels; c += lanes) {
    Vec sum = hn::Zero(d);
    for (int64_t r = 0; r < row_count; ++r) {
      for (int64_t k = 0; k < column_count; ++k) {
        const Vec x = LoadUpTo(src + rows[r].offset + columns[k].offset + c, channels - c);
        sum = hn::MulAdd(hn::Set(d, rows[r].weight * columns[k].weight), x, sum);
      }
    }
    StoreUpTo(sum, dst + c, channels - c);
  }
}

// The same sum for two rows and two columns, with addresses and weights in registers.
HWY_INLINE void BlendTwoByTwo(const float* src, const ResizeTap* rows, const ResizeTap* columns, float* dst,
                              int64_t channels) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const float* a = src + rows[0].offset + columns[0].offset;
  const float* b = src + rows[0].offset + columns[1].offset;
  const float* e = src + rows[1].offset + columns[0].offset;
  const float* f = src + rows[1].offset + columns[1].offset;
  const Vec weight_a = hn::Set(d, rows[0].weight * columns[0].weight);
  const Vec weight_b = hn::Set(d, rows[0].weight * columns[1].weight);
  const Vec weight_e = hn::Set(d, rows[1].weight * columns[0].weight);
  const Vec weight_f = hn::Set(d, rows[1].weight * columns[1].weight);
  for (int64_t c = 0; c < channels; c += lanes) {
    const int64_t n = channels - c;
    Vec sum = hn::MulAdd(weight_a, LoadUpTo(a + c, n), hn::Zero(d));
    sum = hn::MulAdd(weight_b, LoadUpTo(b + c, n), sum);
    sum = hn::MulAdd(weight_e, LoadUpTo(e + c, n), sum);
    sum = hn::MulAdd(weight_f, LoadUpTo(f + c, n), sum);
    StoreUpTo(sum, dst + c, n);
  }
}

void BlendRow(const ResizeLayer& layer, const ResizePlan& plan, const float* src, int64_t src_step,
              const ResizeTap* rows, int64_t row_count, const ResizePixel* pixels, const ResizeTap* column_taps,
              float* dst, int64_t dst_step) {
  const int64_t channels = plan.channels;
  // A row that is copied whole: no columns are resized, and neither side has gaps between pixels.
  if (row_count == 1 && plan.axes[plan.rank - 2].identity && src_step == channels && dst_step == channels) {
    std::memcpy(dst, src + rows[0].offset + column_taps[pixels[0].first].offset,
                static_cast<size_t>(plan.width * channels) * sizeof(float));
    return;
  }
  for (int64_t w = 0; w < plan.width; ++w, dst += dst_step) {
    const ResizeTap* columns = column_taps + pixels[w].first;
    const int64_t column_count = pixels[w].count;
    if (row_count == 2 && column_count == 2) {
      BlendTwoByTwo(src, rows, columns, dst, channels);
    } else if (row_count == 1 && column_count == 1) {
      CopyPixel(src + rows[0].offset + columns[0].offset, dst, channels);
    } else if (row_count == 0 || column_count == 0) {
      for (int64_t c = 0; c < channels; ++c) dst[c] = layer.extrapolation_value;
    } else {
      BlendAny(src, rows, row_count, columns, column_count, dst, channels);
    }
  }
}

void Resize(const ResizeLayer& layer, const ResizeArgs& args, int64_t unit_begin, int64_t unit_end, float* scratch) {
  RunResizeRows(layer, args, unit_begin, unit_end, scratch, BlendRow);
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::kernels {

std::span<const ResizeKernel> ResizeKernels() {
  static constexpr ResizeKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    {Isa::kAvx512, "resize/channels/avx512", AcceptsAll, ResizeRowUnits, ResizeRowScratch, N_AVX3::Resize},
#endif
#if HWY_TARGETS & HWY_AVX2
    {Isa::kAvx2, "resize/channels/avx2", AcceptsAll, ResizeRowUnits, ResizeRowScratch, N_AVX2::Resize},
#endif
#if HWY_TARGETS & HWY_SSE4
    {Isa::kSse4, "resize/channels/sse4", AcceptsAll, ResizeRowUnits, ResizeRowScratch, N_SSE4::Resize},
#endif
#if HWY_TARGETS & HWY_NEON
    {Isa::kNeon, "resize/channels/neon", AcceptsAll, ResizeRowUnits, ResizeRowScratch, N_NEON::Resize},
#endif
    {Isa::kReference, "resize/reference", AcceptsAll, reference::ResizeUnits, NoScratch, reference::Resize},
  };
  return kRows;
}

}  // namespace fovea::kernels
#endif
