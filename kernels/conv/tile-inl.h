// The register tile: P output pixels of one row x NV vectors of output channels, all taps, in the order kd, kh, kw, ci.
//
// A step of the innermost loop loads NV vectors of weights and P scalars of the source and does P NV multiply-adds, so
// that loads stay well below one a multiply-add. Every accumulator is one output's chain: the tile's width changes
// nothing of an output's value.
#if defined(FOVEA_KERNELS_CONV_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_CONV_TILE_INL_H_
#undef FOVEA_KERNELS_CONV_TILE_INL_H_
#else
#define FOVEA_KERNELS_CONV_TILE_INL_H_
#endif

#include <hwy/highway.h>

#include <limits>
#include <utility>

#include "kernels/conv/gather.h"
#include "kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

// Pixels of the tile: 2 P accumulators, 2 vectors of weights and 1 broadcast scalar (and on SSE4, which has no fused
// multiply-add, a product) fill the registers: 32 on AVX-512 and NEON, 16 on AVX2 and SSE4.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr int64_t kTilePixels = 12;
#else
inline constexpr int64_t kTilePixels = 6;
#endif

HWY_INLINE int64_t TargetLanes() { return static_cast<int64_t>(hn::Lanes(Floats())); }

// Activations that are fused in registers; others are a pass of the elementwise row over what was written.
enum class Fused { kClip, kLeaky };

struct TileArgs {
  const float* src;  // base of the offsets that follow, in floats
  int64_t origin;    // of pixel 0 at tap (0, 0, 0); may lie outside the source if taps there are left out
  int64_t tap_d, tap_h, tap_w, pixel;
  TapRange d, h;       // the taps to do
  int64_t taps_h;      // of the panel
  int64_t runs, run;   // a row of taps is `runs` pieces of `run` consecutive floats, `tap_w` apart
  float* chain;        // where the chains rest between passes; null: one pass
  bool begins, ends;   // with a chain: whether this is the first pass, and the last
  const float* panel;  // bias, then weights
  float* dst;          // first pixel, first channel of the block
  int64_t dst_pixel;
  const float* residual;  // null: none
  int64_t residual_pixel;
  int64_t last_lanes;  // of the last vector that are channels
  Fused fused;
  float low, high, slope;  // kClip: min(max(x, low), high); kLeaky: x < 0 ? slope x : x
};

// Chains rest in the order of the accumulators.
template <int... kIndex>
HWY_INLINE void LoadChains(const float* HWY_RESTRICT chain, Vec* HWY_RESTRICT acc,
                           std::integer_sequence<int, kIndex...>) {
  const Floats d;
  ((acc[kIndex] = hn::LoadU(d, chain + kIndex * TargetLanes())), ...);
}
template <int... kIndex>
HWY_INLINE void StoreChains(float* HWY_RESTRICT chain, const Vec* HWY_RESTRICT acc,
                            std::integer_sequence<int, kIndex...>) {
  const Floats d;
  (hn::StoreU(acc[kIndex], d, chain + kIndex * TargetLanes()), ...);
}

template <int NV, int P>
HWY_INLINE void InitPixel(const TileArgs& t, Vec* HWY_RESTRICT acc) {
  const Floats d;
  acc[P * NV] = hn::LoadU(d, t.panel);
  if constexpr (NV == 2) acc[P * NV + 1] = hn::LoadU(d, t.panel + hn::Lanes(d));
}

template <int NV, int P>
HWY_INLINE void MultiplyPixel(const float* const* HWY_RESTRICT quads, int64_t pixel, Vec w0, Vec w1,
                              Vec* HWY_RESTRICT acc) {
  const Vec x = hn::Set(Floats(), quads[P / 4][(P % 4) * pixel]);
  acc[P * NV] = hn::MulAdd(x, w0, acc[P * NV]);
  if constexpr (NV == 2) acc[P * NV + 1] = hn::MulAdd(x, w1, acc[P * NV + 1]);
}

// Residual, activation and store in general, from chains at rest.
inline HWY_NOINLINE void FinishChains(const TileArgs& t, const float* HWY_RESTRICT chains, int64_t pixels,
                                      int64_t vectors) {
  const Floats d;
  const int64_t lanes = TargetLanes();
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t v = 0; v < vectors; ++v, chains += lanes) {
      const int64_t used = v + 1 < vectors ? lanes : t.last_lanes;
      Vec x = hn::Load(d, chains);
      if (t.residual != nullptr) {
        x = hn::Add(x, LoadFirst(t.residual + p * t.residual_pixel + v * lanes, used));
      }
      if (t.fused == Fused::kLeaky) {
        x = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Mul(hn::Set(d, t.slope), x), x);
      } else {
        x = hn::Min(hn::Set(d, t.high), hn::Max(hn::Set(d, t.low), x));
      }
      StoreFirst(x, t.dst + p * t.dst_pixel + v * lanes, used);
    }
  }
}

template <int NV, int P>
HWY_INLINE void ClipPixel(const TileArgs& t, Vec low, Vec high, const Vec* HWY_RESTRICT acc) {
  const Floats d;
  float* to = t.dst + P * t.dst_pixel;
  hn::StoreU(hn::Min(high, hn::Max(low, acc[P * NV])), d, to);
  if constexpr (NV == 2) hn::StoreU(hn::Min(high, hn::Max(low, acc[P * NV + 1])), d, to + TargetLanes());
}

// From registers in the usual case, by way of memory in the others, which keeps the code small.
template <int NV, int... kPixels>
HWY_INLINE void FinishTile(const TileArgs& t, const Vec* HWY_RESTRICT acc, std::integer_sequence<int, kPixels...>) {
  const Floats d;
  constexpr int kCount = sizeof...(kPixels);
  if (t.fused == Fused::kClip && t.residual == nullptr && t.last_lanes == TargetLanes()) {
    const Vec low = hn::Set(d, t.low);
    const Vec high = hn::Set(d, t.high);
    (ClipPixel<NV, kPixels>(t, low, high, acc), ...);
  } else {
    HWY_ALIGN float chains[kCount * NV * hn::MaxLanes(d)];
    StoreChains(chains, acc, std::make_integer_sequence<int, kCount * NV>());
    FinishChains(t, chains, kCount, NV);
  }
}

// The pack of pixel numbers unrolls every loop over pixels in the source, so that the array of accumulators is
// registers for every compiler.
template <int NV, int... kPixels>
HWY_INLINE void ComputeTile(const TileArgs& t, std::integer_sequence<int, kPixels...> pixels) {
  constexpr int kCount = sizeof...(kPixels);
  constexpr int kQuads = (kCount + 3) / 4;
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t pixel = t.pixel;
  Vec acc[kCount * NV];
  constexpr std::make_integer_sequence<int, kCount * NV> kChains;
  if (t.chain == nullptr || t.begins) {
    (InitPixel<NV, kPixels>(t, acc), ...);
  } else {
    LoadChains(t.chain, acc, kChains);
  }
  for (int64_t kd = t.d.begin; kd < t.d.end; ++kd) {
    const float* HWY_RESTRICT w = t.panel + NV * lanes * (1 + (kd * t.taps_h + t.h.begin) * t.runs * t.run);
    for (int64_t kh = t.h.begin; kh < t.h.end; ++kh) {
      const float* row = t.src + (t.origin + kd * t.tap_d + kh * t.tap_h);
      for (int64_t kw = 0; kw < t.runs; ++kw, row += t.tap_w) {
        const float* quads[kQuads];
        for (int q = 0; q < kQuads; ++q) quads[q] = row + 4 * q * pixel;
        for (int64_t i = 0; i < t.run; ++i) {
          const Vec w0 = hn::LoadU(d, w);
          const Vec w1 = NV == 2 ? hn::LoadU(d, w + lanes) : w0;
          (MultiplyPixel<NV, kPixels>(quads, pixel, w0, w1, acc), ...);
          w += NV * lanes;
          for (int q = 0; q < kQuads; ++q) ++quads[q];
        }
      }
    }
  }
  if (t.chain != nullptr && !t.ends) return StoreChains(t.chain, acc, kChains);
  FinishTile<NV>(t, acc, pixels);
}

template <int NV, int P>
HWY_NOINLINE void Tile(const TileArgs& t) {
  ComputeTile<NV>(t, std::make_integer_sequence<int, P>());
}

using TileFunction = void (*)(const TileArgs&);

template <int NV, int... kWidths>
HWY_INLINE TileFunction TileOf(int64_t pixels, std::integer_sequence<int, kWidths...>) {
  static constexpr TileFunction kTiles[] = {Tile<NV, kWidths + 1>...};
  return kTiles[pixels - 1];
}

// pixels in [1, kTilePixels], or [1, 2 kTilePixels] for one vector.
HWY_INLINE TileFunction TileFor(int64_t vectors, int64_t pixels) {
  return vectors == 2 ? TileOf<2>(pixels, std::make_integer_sequence<int, kTilePixels>())
                      : TileOf<1>(pixels, std::make_integer_sequence<int, 2 * kTilePixels>());
}

struct DirectTiles {
  static HWY_INLINE bool JoinsTaps(const Gather&) { return true; }
  static constexpr bool kChannelwise = false;
  static HWY_INLINE TileShape Shape(const Gather&) { return {TargetLanes(), kTilePixels, true}; }
  static HWY_INLINE PanelShape Panels(const Gather& g) { return {TargetLanes(), g.TapProduct(), g.group_out}; }
  static HWY_INLINE void Run(int64_t vectors, int64_t pixels, const TileArgs& t) { TileFor(vectors, pixels)(t); }
};

// What of `act` a tile does in registers, a clip without bounds if nothing; *after is what is left for a pass of its
// own.
HWY_INLINE void SetActivation(const Activation& act, TileArgs* t, bool* after) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  t->fused = act.fn == UnaryFn::kLeakyRelu ? Fused::kLeaky : Fused::kClip;
  t->slope = act.alpha;
  t->low = -kInfinity;
  t->high = kInfinity;
  if (act.fn == UnaryFn::kRelu) t->low = 0;
  if (act.fn == UnaryFn::kClip) {
    t->low = act.alpha;
    t->high = act.beta;
  }
  *after = act.fn != UnaryFn::kIdentity && act.fn != UnaryFn::kRelu && act.fn != UnaryFn::kClip &&
           act.fn != UnaryFn::kLeakyRelu;
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
