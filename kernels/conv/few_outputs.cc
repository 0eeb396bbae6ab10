// Convolution to 1 to 4 channels, the last layer of a network: vectors run over input channels, because a vector of
// output channels would be nearly empty.
//
// An output is `lanes` chains, lane l over the channels l, l + lanes, ... of every tap; the lanes are then added in a
// fixed tree, then the bias. Neither depends on where a pixel lies or on whether the view is dense.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv/few_outputs.cc"
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

#include "kernels/conv/gather-inl.h"
#include "kernels/conv/rows.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {
namespace few_outputs {

inline constexpr int kMaxOutputs = 4;
inline constexpr int kMaxPixels = 8;
inline constexpr int kBiasFloats = 16;  // a cache line, so that vectors of weights don't straddle two

// Pixels x outputs accumulators, a vector of weights an output and one of the source.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr int PixelsFor(int outputs) { return outputs == 4 ? 4 : 8; }
#else
inline constexpr int PixelsFor(int outputs) { return outputs >= 3 ? 2 : 4; }
#endif

// Sums of the lanes of four vectors, as a vector of four: each is added in the same order.
HWY_INLINE hn::Vec<hn::FixedTag<float, 4>> Halve(hn::Vec<hn::FixedTag<float, 4>> v) { return v; }
#if HWY_MAX_BYTES >= 32
HWY_INLINE hn::Vec<hn::FixedTag<float, 4>> Halve(hn::Vec<hn::FixedTag<float, 8>> v) {
  const hn::FixedTag<float, 4> d;
  return hn::Add(hn::LowerHalf(d, v), hn::UpperHalf(d, v));
}
#endif
#if HWY_MAX_BYTES >= 64
HWY_INLINE hn::Vec<hn::FixedTag<float, 4>> Halve(hn::Vec<hn::FixedTag<float, 16>> v) {
  const hn::FixedTag<float, 8> d;
  return Halve(hn::Add(hn::LowerHalf(d, v), hn::UpperHalf(d, v)));
}
#endif

HWY_INLINE void SumLanes(Vec v0, Vec v1, Vec v2, Vec v3, float* HWY_RESTRICT sums) {
  const hn::FixedTag<float, 4> d;
  const auto a = Halve(v0);
  const auto b = Halve(v1);
  const auto c = Halve(v2);
  const auto e = Halve(v3);
  const auto ab = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));  // a02 b02 a13 b13
  const auto ce = hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e));
  hn::StoreU(hn::Add(hn::ConcatLowerLower(d, ce, ab), hn::ConcatUpperUpper(d, ce, ab)), d, sums);
}

template <int C, int P, int... kOutput>
HWY_INLINE void MultiplyPixel(Vec x, const Vec* HWY_RESTRICT w, Vec* HWY_RESTRICT acc,
                              std::integer_sequence<int, kOutput...>) {
  ((acc[P * C + kOutput] = hn::MulAdd(x, w[kOutput], acc[P * C + kOutput])), ...);
}

// One vector of channels of one tap, all pixels; `count` channels of it exist.
template <bool kPartial, int C, int... kPixel>
HWY_INLINE void Step(const float* from, int64_t pixel, int64_t count, const float* HWY_RESTRICT weights,
                     Vec* HWY_RESTRICT acc, std::integer_sequence<int, kPixel...>) {
  const Floats d;
  constexpr std::make_integer_sequence<int, C> kOutputs;
  Vec w[C];
  for (int c = 0; c < C; ++c) w[c] = hn::LoadU(d, weights + c * TargetLanes());
  (MultiplyPixel<C, kPixel>(kPartial ? LoadFirst(from + kPixel * pixel, count) : hn::LoadU(d, from + kPixel * pixel), w,
                            acc, kOutputs),
   ...);
}

// Adds the lanes of output C of four pixels from pixel P on (fewer at the end of the tile).
template <int kOutputs, int kPixels, int P, int C>
HWY_INLINE void SumFour(const Vec* HWY_RESTRICT acc, float* HWY_RESTRICT sums) {
  const Vec zero = hn::Zero(Floats());
  constexpr int kCount = kPixels - P < 4 ? kPixels - P : 4;
  constexpr int kFirst = P * kOutputs + C;
  SumLanes(acc[kFirst], kCount > 1 ? acc[kFirst + (kCount > 1 ? kOutputs : 0)] : zero,
           kCount > 2 ? acc[kFirst + (kCount > 2 ? 2 * kOutputs : 0)] : zero,
           kCount > 3 ? acc[kFirst + (kCount > 3 ? 3 * kOutputs : 0)] : zero, sums + C * kMaxPixels + P);
}

template <int kOutputs, int kPixels, int P, int... C>
HWY_INLINE void SumOutputs(const Vec* HWY_RESTRICT acc, float* HWY_RESTRICT sums, std::integer_sequence<int, C...>) {
  (SumFour<kOutputs, kPixels, P, C>(acc, sums), ...);
}

// Bias, residual and activation: plain code, the outputs lie `dst_pixel` apart. sums: [output][kMaxPixels].
HWY_NOINLINE void FinishSums(const TileArgs& t, const float* HWY_RESTRICT sums, int64_t pixels) {
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t c = 0; c < t.last_lanes; ++c) {
      float x = sums[c * kMaxPixels + p] + t.panel[c];
      if (t.residual != nullptr) x += t.residual[p * t.residual_pixel + c];
      if (t.fused == Fused::kLeaky) {
        x = x < 0 ? t.slope * x : x;
      } else {
        x = x < t.low ? t.low : x;
        x = x > t.high ? t.high : x;
      }
      t.dst[p * t.dst_pixel + c] = x;
    }
  }
}

template <int... kIndex>
HWY_INLINE void Clear(Vec* HWY_RESTRICT acc, std::integer_sequence<int, kIndex...>) {
  ((acc[kIndex] = hn::Zero(Floats())), ...);
}

// Layers of one tap are bound by what they read, and a tile's walk, a vector of every pixel in turn, is not one that
// the processor foresees.
HWY_INLINE void PrefetchAhead(const TileArgs& t, int64_t pixels) {
  constexpr int64_t kAhead = 4096, kLine = 16;  // floats
  if (t.taps_h > 1 || t.runs > 1 || t.d.end - t.d.begin > 1) return;
  for (int64_t p = 0; p < pixels; ++p) {
    const float* from = t.src + t.origin + p * t.pixel + kAhead;
    for (int64_t i = 0; i < t.run; i += kLine) __builtin_prefetch(from + i);
  }
}

template <int C, int... kPixel>
HWY_INLINE void ComputeOutputs(const TileArgs& t, std::integer_sequence<int, kPixel...> pixels) {
  constexpr int kCount = sizeof...(kPixel);
  const int64_t lanes = TargetLanes();
  const int64_t whole = t.run / lanes * lanes;
  const int64_t step = C * lanes;
  const int64_t tap_floats = (t.run + lanes - 1) / lanes * step;
  PrefetchAhead(t, kCount);
  Vec acc[kCount * C];
  Clear(acc, std::make_integer_sequence<int, kCount * C>());
  for (int64_t kd = t.d.begin; kd < t.d.end; ++kd) {
    const float* HWY_RESTRICT w = t.panel + kBiasFloats + (kd * t.taps_h + t.h.begin) * t.runs * tap_floats;
    for (int64_t kh = t.h.begin; kh < t.h.end; ++kh) {
      const float* from = t.src + (t.origin + kd * t.tap_d + kh * t.tap_h);
      for (int64_t kw = 0; kw < t.runs; ++kw, from += t.tap_w) {
        for (int64_t i = 0; i < whole; i += lanes, w += step) Step<false, C>(from + i, t.pixel, lanes, w, acc, pixels);
        if (whole < t.run) {
          Step<true, C>(from + whole, t.pixel, t.run - whole, w, acc, pixels);
          w += step;
        }
      }
    }
  }
  constexpr std::make_integer_sequence<int, C> kOutputs;
  float sums[C * kMaxPixels];
  SumOutputs<C, kCount, 0>(acc, sums, kOutputs);
  if constexpr (kCount > 4) SumOutputs<C, kCount, 4>(acc, sums, kOutputs);
  FinishSums(t, sums, kCount);
}

template <int C, int P>
HWY_NOINLINE void Tile(const TileArgs& t) {
  ComputeOutputs<C>(t, std::make_integer_sequence<int, P>());
}

template <int C, int... kWidths>
HWY_INLINE TileFunction TileOf(int64_t pixels, std::integer_sequence<int, kWidths...>) {
  static constexpr TileFunction kTiles[] = {Tile<C, kWidths + 1>...};
  return kTiles[pixels - 1];
}

template <int C>
HWY_INLINE TileFunction TileOfOutputs(int64_t pixels) {
  return TileOf<C>(pixels, std::make_integer_sequence<int, PixelsFor(C)>());
}

struct Tiles {
  // Where vectors don't end in the middle of a tap, joined taps give every lane the same channels.
  static HWY_INLINE bool JoinsTaps(const Gather& g) { return g.group_in % TargetLanes() == 0; }
  static constexpr bool kChannelwise = false;
  // BlockingOf() doubles the pixels where the outputs fit into one vector, as they do here.
  static HWY_INLINE TileShape Shape(const Gather& g) {
    return {TargetLanes(), PixelsFor(static_cast<int>(g.group_out)) / 2};
  }
  static HWY_INLINE PanelShape Panels(const Gather& g) { return {TargetLanes(), 0, g.group_out}; }
  static HWY_INLINE void Run(int64_t, int64_t pixels, const TileArgs& t) {
    switch (t.last_lanes) {
      case 1: return TileOfOutputs<1>(pixels)(t);
      case 2: return TileOfOutputs<2>(pixels)(t);
      case 3: return TileOfOutputs<3>(pixels)(t);
      default: return TileOfOutputs<4>(pixels)(t);
    }
  }
};

bool Accepts(const ConvLayer& layer) {
  return !layer.upsamples() && layer.groups == 1 && layer.out_channels <= kMaxOutputs &&
         layer.in_channels >= TargetLanes();
}

int64_t Units(const ConvLayer& layer, const ConvArgs& args) {
  const Gather g = GatherOf(layer, args);
  return BlockingOf(g, Tiles::Shape(g)).units;
}

int64_t ScratchFloats(const ConvLayer& layer, const ConvArgs& args) {
  const Gather g = GatherOf(layer, args);
  return BlockingOf(g, Tiles::Shape(g)).scratch_floats();
}

// kBiasFloats of bias, then [tap][vector of channels][output][lane], zeros behind the last channel.
int64_t PackedFloats(const ConvLayer& layer) {
  const int64_t lanes = TargetLanes();
  const int64_t taps = layer.kernel[0] * layer.kernel[1] * layer.kernel[2];
  return kBiasFloats + taps * ((layer.in_channels + lanes - 1) / lanes * lanes) * layer.out_channels;
}

void Pack(const ConvLayer& layer, const float* weights, const float* bias, float* packed, int part, int) {
  if (part != 0) return;
  const int64_t lanes = TargetLanes();
  const int64_t outputs = layer.out_channels;
  for (int64_t c = 0; c < kBiasFloats; ++c) packed[c] = bias != nullptr && c < outputs ? bias[c] : 0.0f;
  float* out = packed + kBiasFloats;
  const int64_t taps = layer.kernel[0] * layer.kernel[1] * layer.kernel[2];
  for (int64_t tap = 0; tap < taps; ++tap) {
    for (int64_t first = 0; first < layer.in_channels; first += lanes) {
      for (int64_t c = 0; c < outputs; ++c) {
        for (int64_t ci = first; ci < first + lanes; ++ci) {
          *out++ = ci < layer.in_channels ? weights[(tap * layer.in_channels + ci) * outputs + c] : 0.0f;
        }
      }
    }
  }
}

void Run(const ConvLayer& layer, const ConvArgs& args, int64_t unit_begin, int64_t unit_end, float* scratch) {
  RunGather<Tiles>(GatherOf(layer, args), unit_begin, unit_end, scratch);
}

}  // namespace few_outputs
}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::kernels {
namespace {

#define FOVEA_FEW_OUTPUTS_ROW(target, isa, name)                                                              \
  {{{isa, name, target::few_outputs::Accepts, target::few_outputs::Units, target::few_outputs::ScratchFloats, \
     target::few_outputs::Run},                                                                               \
    target::few_outputs::PackedFloats,                                                                        \
    target::few_outputs::Pack}},

constexpr ConvKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    FOVEA_FEW_OUTPUTS_ROW(N_AVX3, Isa::kAvx512, "conv/few_outputs/avx512/8x4")
#endif
#if HWY_TARGETS & HWY_AVX2
        FOVEA_FEW_OUTPUTS_ROW(N_AVX2, Isa::kAvx2, "conv/few_outputs/avx2/4x4")
#endif
#if HWY_TARGETS & HWY_NEON
            FOVEA_FEW_OUTPUTS_ROW(N_NEON, Isa::kNeon, "conv/few_outputs/neon/8x4")
#endif
#if HWY_TARGETS & HWY_SSE4
                FOVEA_FEW_OUTPUTS_ROW(N_SSE4, Isa::kSse4, "conv/few_outputs/sse4/4x4")
#endif
};

}  // namespace

std::span<const ConvKernel> FewOutputsConvKernels() { return kRows; }

}  // namespace fovea::kernels
#endif  // HWY_ONCE
