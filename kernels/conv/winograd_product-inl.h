// Winograd's small matrix products: transformed tiles times a panel of transformed filters, blocked for registers.
#if defined(FOVEA_KERNELS_CONV_WINOGRAD_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_CONV_WINOGRAD_PRODUCT_INL_H_
#undef FOVEA_KERNELS_CONV_WINOGRAD_PRODUCT_INL_H_
#else
#define FOVEA_KERNELS_CONV_WINOGRAD_PRODUCT_INL_H_
#endif

#include <hwy/highway.h>

#include <utility>

#include "kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {
namespace winograd {

// Tiles of the product's register block: kRows x 2 accumulators.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr int kRows = 14;
#else
inline constexpr int kRows = 6;
#endif
inline constexpr int kMaxPlanes = 3;  // window's depth

HWY_INLINE int64_t LaneCount() { return static_cast<int64_t>(hn::Lanes(Floats())); }
HWY_INLINE int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }
HWY_INLINE int64_t FloorDivide(int64_t a, int64_t b) { return a >= 0 ? a / b : -DivideUp(-a, b); }

// Panels follow one another and are read once a run of tiles; wide layers' come from the last cache or from memory.
// Measured on 128 to 1024 channels: 5 to 12 % faster for 8 to 32 KiB ahead.
inline constexpr int64_t kAhead = 4096;  // floats

struct Segment {
  const float* v;      // of the position, first tile
  const float* panel;  // of the position and plane
};

// Tiles of V times a panel: M[tile][kVectors]; added to what is there when `more`. One chain of additions for each
// value, however the segments are dealt out to calls.
template <int kVectors, int... kTile>
HWY_INLINE void Multiply(const Segment* HWY_RESTRICT segments, int count, int64_t depth, int64_t tile_floats, bool more,
                         float* HWY_RESTRICT m, std::integer_sequence<int, kTile...>) {
  const Floats d;
  const int64_t lanes = LaneCount();
  Vec acc[2 * sizeof...(kTile)];
  if (more) {
    ((acc[2 * kTile] = hn::Load(d, m + kVectors * kTile * lanes),
      acc[2 * kTile + 1] = kVectors == 2 ? hn::Load(d, m + (2 * kTile + 1) * lanes) : hn::Zero(d)),
     ...);
  } else {
    ((acc[2 * kTile] = hn::Zero(d), acc[2 * kTile + 1] = hn::Zero(d)), ...);
  }
  for (int segment = 0; segment < count; ++segment) {
    const float* quads[4] = {segments[segment].v, segments[segment].v + 4 * tile_floats,
                             segments[segment].v + 8 * tile_floats, segments[segment].v + 12 * tile_floats};
    const float* HWY_RESTRICT panel = segments[segment].panel;
    for (int64_t k = 0; k < depth; ++k) {
      const Vec w0 = hn::Load(d, panel), w1 = kVectors == 2 ? hn::Load(d, panel + lanes) : w0;
      __builtin_prefetch(panel + kAhead, 0, 3);
      if (kVectors * lanes > 16) __builtin_prefetch(panel + kAhead + 16, 0, 3);
      panel += kVectors * lanes;
      (
          [&]() HWY_ATTR {
            const Vec x = hn::Set(d, quads[kTile / 4][(kTile % 4) * tile_floats]);
            acc[2 * kTile] = hn::MulAdd(x, w0, acc[2 * kTile]);
            if constexpr (kVectors == 2) acc[2 * kTile + 1] = hn::MulAdd(x, w1, acc[2 * kTile + 1]);
          }(),
          ...);
      ++quads[0], ++quads[1], ++quads[2], ++quads[3];
    }
  }
  (
      [&]() HWY_ATTR {
        hn::Store(acc[2 * kTile], d, m + kVectors * kTile * lanes);
        if constexpr (kVectors == 2) hn::Store(acc[2 * kTile + 1], d, m + (2 * kTile + 1) * lanes);
      }(),
      ...);
}

using ProductFunction = void (*)(const Segment*, int, int64_t, int64_t, bool, float*);
template <int kVectors, int kTiles>
HWY_NOINLINE void Product(const Segment* HWY_RESTRICT segments, int count, int64_t depth, int64_t tile_floats,
                          bool more, float* HWY_RESTRICT m) {
  Multiply<kVectors>(segments, count, depth, tile_floats, more, m, std::make_integer_sequence<int, kTiles>());
}
// Of 1 .. kRows tiles.
template <int kVectors, int... kTiles>
HWY_INLINE ProductFunction ProductOf(int64_t tiles, std::integer_sequence<int, kTiles...>) {
  static constexpr ProductFunction kProductFunctions[] = {Product<kVectors, kTiles + 1>...};
  return kProductFunctions[tiles - 1];
}

inline void Products(const Segment* segments, int count, int64_t depth, int64_t tile_floats, int64_t tiles,
                     int64_t vectors, int64_t lanes, bool more, float* HWY_RESTRICT m) {
  constexpr std::make_integer_sequence<int, kRows> kAll;
  // Even pieces: 32 tiles are 11 + 11 + 10, not 14 + 14 + 4.
  const int64_t pieces = DivideUp(tiles, kRows);
  for (int64_t piece = 0, at = 0; piece < pieces; ++piece) {
    const int64_t next = tiles * (piece + 1) / pieces;
    Segment moved[kMaxPlanes];
    for (int i = 0; i < count; ++i) moved[i] = {segments[i].v + at * tile_floats, segments[i].panel};
    const ProductFunction product = vectors == 2 ? ProductOf<2>(next - at, kAll) : ProductOf<1>(next - at, kAll);
    product(moved, count, depth, tile_floats, more, m + at * vectors * lanes);
    at = next;
  }
}

}  // namespace winograd
}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
