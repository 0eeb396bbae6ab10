// Vector rows of the strided copy: runs that are dense on both sides are moved as memory; where the source is dense
// along another axis than the destination (NCHW to NHWC and back), tiles of that plane are transposed in registers.
#include <cstring>

#include "kernels/copy/reference.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/copy/copy.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/copy/plane.h"
#include "kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

// A 4 x 4 block: four source rows of stride src_step become four destination rows.
HWY_INLINE void Transpose4x4(const float* src, int64_t src_step, float* dst, int64_t dst_step) {
  const hn::FixedTag<float, 4> d;
  const hn::Repartition<double, decltype(d)> wide;
  const auto r0 = hn::LoadU(d, src), r1 = hn::LoadU(d, src + src_step);
  const auto r2 = hn::LoadU(d, src + 2 * src_step), r3 = hn::LoadU(d, src + 3 * src_step);
  const auto a = hn::BitCast(wide, hn::InterleaveLower(d, r0, r1)),
             b = hn::BitCast(wide, hn::InterleaveUpper(d, r0, r1));
  const auto e = hn::BitCast(wide, hn::InterleaveLower(d, r2, r3)),
             f = hn::BitCast(wide, hn::InterleaveUpper(d, r2, r3));
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(wide, a, e)), d, dst);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(wide, a, e)), d, dst + dst_step);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(wide, b, f)), d, dst + 2 * dst_step);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(wide, b, f)), d, dst + 3 * dst_step);
}

// dst[q dst_step + p] = src[p src_step + q]
HWY_INLINE void TransposeTile(const float* src, int64_t src_step, float* dst, int64_t dst_step, int64_t p_count,
                              int64_t q_count) {
  const int64_t p_whole = p_count / 4 * 4, q_whole = q_count / 4 * 4;
  // 16 of q at a time: one cache line of each source row. Where the destination's rows lie far apart, as the planes of
  // an image do (often by a power of two, in one set of the cache), fewer of them are written at a time.
  const int64_t q_block = dst_step > src_step ? 8 : 16;
  for (int64_t q_begin = 0; q_begin < q_whole; q_begin += q_block) {
    const int64_t q_end = std::min(q_whole, q_begin + q_block);
    for (int64_t p = 0; p < p_whole; p += 4) {
      for (int64_t q = q_begin; q < q_end; q += 4) {
        Transpose4x4(src + p * src_step + q, src_step, dst + q * dst_step + p, dst_step);
      }
    }
  }
  for (int64_t q = 0; q < q_count; ++q) {
    for (int64_t p = q < q_whole ? p_whole : 0; p < p_count; ++p) dst[q * dst_step + p] = src[p * src_step + q];
  }
}

// Planes of 2 to 4 rows or columns without gaps: Highway's interleaving, full vectors. Returns how many of the long
// axis were done.
HWY_INLINE int64_t Interleave(const float* src, int64_t src_step, float* dst, int64_t channels, int64_t pixels) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= pixels; i += lanes) {
    const Vec a = hn::LoadU(d, src + i), b = hn::LoadU(d, src + src_step + i);
    float* to = dst + i * channels;
    if (channels == 2) {
      hn::StoreInterleaved2(a, b, d, to);
    } else if (channels == 3) {
      hn::StoreInterleaved3(a, b, hn::LoadU(d, src + 2 * src_step + i), d, to);
    } else {
      hn::StoreInterleaved4(a, b, hn::LoadU(d, src + 2 * src_step + i), hn::LoadU(d, src + 3 * src_step + i), d, to);
    }
  }
  return i;
}
HWY_INLINE int64_t Deinterleave(const float* src, float* dst, int64_t dst_step, int64_t channels, int64_t pixels) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= pixels; i += lanes) {
    const float* from = src + i * channels;
    Vec a, b, c, e;
    if (channels == 2) {
      hn::LoadInterleaved2(d, from, a, b);
    } else if (channels == 3) {
      hn::LoadInterleaved3(d, from, a, b, c);
      hn::StoreU(c, d, dst + 2 * dst_step + i);
    } else {
      hn::LoadInterleaved4(d, from, a, b, c, e);
      hn::StoreU(c, d, dst + 2 * dst_step + i);
      hn::StoreU(e, d, dst + 3 * dst_step + i);
    }
    hn::StoreU(a, d, dst + i);
    hn::StoreU(b, d, dst + dst_step + i);
  }
  return i;
}

void CopyTransposed(const CopyPlane& plane, const CopyArgs& args, int64_t unit_begin, int64_t unit_end) {
  for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
    const CopyTile tile = plane.Tile(unit);
    const float* src = args.src.data + tile.src;
    float* dst = args.dst.data + tile.dst;
    int64_t done = 0;
    if (plane.p_size >= 2 && plane.p_size <= 4 && tile.p_count == plane.p_size && plane.dst_step == plane.p_size) {
      done = Interleave(src, plane.src_step, dst, plane.p_size, tile.q_count);
      TransposeTile(src + done, plane.src_step, dst + done * plane.dst_step, plane.dst_step, tile.p_count,
                    tile.q_count - done);
    } else if (plane.q_size >= 2 && plane.q_size <= 4 && tile.q_count == plane.q_size &&
               plane.src_step == plane.q_size) {
      done = Deinterleave(src, dst, plane.dst_step, plane.q_size, tile.p_count);
      TransposeTile(src + done * plane.src_step, plane.src_step, dst + done, plane.dst_step, tile.p_count - done,
                    tile.q_count);
    } else {
      TransposeTile(src, plane.src_step, dst, plane.dst_step, tile.p_count, tile.q_count);
    }
  }
}

void CopyRuns(const Loop<2>& loop, const CopyArgs& args, int64_t unit_begin, int64_t unit_end) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  ForEachRow(loop, unit_begin, unit_end, [&](const int64_t* at, int64_t n, int64_t) HWY_ATTR {
    const float* src = args.src.data + at[0];
    float* dst = args.dst.data + at[1];
    if (n >= 256) {
      std::memcpy(dst, src, static_cast<size_t>(n) * sizeof(float));
      return;
    }
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) hn::StoreU(hn::LoadU(d, src + i), d, dst + i);
    if (i < n) StoreFirst(LoadFirst(src + i, n - i), dst + i, n - i);
  });
}

void Copy(const CopyLayer& layer, const CopyArgs& args, int64_t unit_begin, int64_t unit_end, float* scratch) {
  CopyPlane plane;
  if (MakeCopyPlane(args, &plane)) return CopyTransposed(plane, args, unit_begin, unit_end);
  const Loop<2> loop = reference::CopyLoop(args);
  if (loop.strides[0][loop.rank - 1] == 1 && loop.strides[1][loop.rank - 1] == 1) {
    return CopyRuns(loop, args, unit_begin, unit_end);
  }
  reference::Copy(layer, args, unit_begin, unit_end, scratch);
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::kernels {

std::span<const CopyKernel> CopyKernels() {
  static constexpr CopyKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    {Isa::kAvx512, "copy/blocks/avx512", AcceptsAll, CopyPlaneUnits, NoScratch, N_AVX3::Copy},
#endif
#if HWY_TARGETS & HWY_AVX2
    {Isa::kAvx2, "copy/blocks/avx2", AcceptsAll, CopyPlaneUnits, NoScratch, N_AVX2::Copy},
#endif
#if HWY_TARGETS & HWY_SSE4
    {Isa::kSse4, "copy/blocks/sse4", AcceptsAll, CopyPlaneUnits, NoScratch, N_SSE4::Copy},
#endif
#if HWY_TARGETS & HWY_NEON
    {Isa::kNeon, "copy/blocks/neon", AcceptsAll, CopyPlaneUnits, NoScratch, N_NEON::Copy},
#endif
    {Isa::kReference, "copy/reference", AcceptsAll, reference::CopyUnits, NoScratch, reference::Copy},
  };
  return kRows;
}

}  // namespace fovea::kernels
#endif
