// Depthwise convolution: every channel has its own window, so vectors run over channels of source and output alike.
// No value is used twice, and loads are the limit: one a multiply-add.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv/depthwise.cc"
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

#include "kernels/conv/gather-inl.h"
#include "kernels/conv/rows.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {
namespace depthwise {

inline constexpr int64_t kPixels = 4;

template <bool kPartial, int NV, int P>
HWY_INLINE void MultiplyPixel(const TileArgs& t, const float* from, Vec w0, Vec w1, Vec* HWY_RESTRICT acc) {
  const Floats d;
  from += P * t.pixel;
  const auto last = [&](const float* at) HWY_ATTR { return kPartial ? LoadFirst(at, t.last_lanes) : hn::LoadU(d, at); };
  if constexpr (NV == 2) {
    acc[P * 2] = hn::MulAdd(hn::LoadU(d, from), w0, acc[P * 2]);
    acc[P * 2 + 1] = hn::MulAdd(last(from + hn::Lanes(d)), w1, acc[P * 2 + 1]);
  } else {
    acc[P] = hn::MulAdd(last(from), w0, acc[P]);
  }
}

template <bool kPartial, int NV, int... kPixel>
HWY_INLINE void ComputeChannels(const TileArgs& t, std::integer_sequence<int, kPixel...> pixels) {
  const Floats d;
  const int64_t lanes = TargetLanes();
  Vec acc[sizeof...(kPixel) * NV];
  (InitPixel<NV, kPixel>(t, acc), ...);
  for (int64_t kd = t.d.begin; kd < t.d.end; ++kd) {
    const float* HWY_RESTRICT w = t.panel + NV * lanes * (1 + (kd * t.taps_h + t.h.begin) * t.runs);
    for (int64_t kh = t.h.begin; kh < t.h.end; ++kh) {
      const float* from = t.src + (t.origin + kd * t.tap_d + kh * t.tap_h);
      for (int64_t kw = 0; kw < t.runs; ++kw, from += t.tap_w, w += NV * lanes) {
        const Vec w0 = hn::LoadU(d, w);
        const Vec w1 = NV == 2 ? hn::LoadU(d, w + lanes) : w0;
        (MultiplyPixel<kPartial, NV, kPixel>(t, from, w0, w1, acc), ...);
      }
    }
  }
  FinishTile<NV>(t, acc, pixels);
}

template <int NV, int P>
HWY_NOINLINE void Tile(const TileArgs& t) {
  if (t.last_lanes == TargetLanes()) {
    ComputeChannels<false, NV>(t, std::make_integer_sequence<int, P>());
  } else {
    ComputeChannels<true, NV>(t, std::make_integer_sequence<int, P>());
  }
}

template <int NV, int... kWidths>
HWY_INLINE TileFunction TileOf(int64_t pixels, std::integer_sequence<int, kWidths...>) {
  static constexpr TileFunction kTiles[] = {Tile<NV, kWidths + 1>...};
  return kTiles[pixels - 1];
}

struct Tiles {
  static HWY_INLINE bool JoinsTaps(const Gather&) { return false; }
  static constexpr bool kChannelwise = true;
  static HWY_INLINE TileShape Shape(const Gather&) { return {TargetLanes(), kPixels}; }
  static HWY_INLINE PanelShape Panels(const Gather& g) {
    return {TargetLanes(), g.axis[0].taps * g.axis[1].taps * g.axis[2].taps, g.group_out};
  }
  static HWY_INLINE void Run(int64_t vectors, int64_t pixels, const TileArgs& t) {
    (vectors == 2 ? TileOf<2>(pixels, std::make_integer_sequence<int, kPixels>())
                  : TileOf<1>(pixels, std::make_integer_sequence<int, 2 * kPixels>()))(t);
  }
};

// All channels as one group: the groups are the vectors' lanes.
Gather ChannelwiseGather(const ConvLayer& layer, const ConvArgs& args) {
  Gather g = GatherOf(layer, args);
  g.groups = 1;
  g.group_in = g.group_out = layer.out_channels;
  return g;
}

PanelShape Panels(const ConvLayer& layer) {
  return {TargetLanes(), layer.kernel[0] * layer.kernel[1] * layer.kernel[2], layer.out_channels};
}

bool Accepts(const ConvLayer& layer) {
  return !layer.upsamples() && layer.groups > 1 && layer.groups == layer.in_channels &&
         layer.groups == layer.out_channels;
}

int64_t Units(const ConvLayer& layer, const ConvArgs& args) {
  const Gather g = ChannelwiseGather(layer, args);
  return BlockingOf(g, Tiles::Shape(g)).units;
}

int64_t ScratchFloats(const ConvLayer& layer, const ConvArgs& args) {
  const Gather g = ChannelwiseGather(layer, args);
  return BlockingOf(g, Tiles::Shape(g)).scratch_floats();
}

int64_t PackedFloats(const ConvLayer& layer) { return Panels(layer).group_floats(); }

void Pack(const ConvLayer& layer, const float* weights, const float* bias, float* packed, int part, int parts) {
  const PanelShape shape = Panels(layer);
  const auto row_of = [](int64_t row) { return row; };
  for (int64_t block = part; block < shape.blocks(); block += parts) {
    PackBlock(shape, 0, block, weights, layer.out_channels, bias, row_of, packed);
  }
}

void Run(const ConvLayer& layer, const ConvArgs& args, int64_t unit_begin, int64_t unit_end, float* scratch) {
  RunGather<Tiles>(ChannelwiseGather(layer, args), unit_begin, unit_end, scratch);
}

}  // namespace depthwise
}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::kernels {
namespace {

#define FOVEA_DEPTHWISE_ROW(target, isa, name)                                                          \
  {{{isa, name, target::depthwise::Accepts, target::depthwise::Units, target::depthwise::ScratchFloats, \
     target::depthwise::Run},                                                                           \
    target::depthwise::PackedFloats,                                                                    \
    target::depthwise::Pack}},

constexpr ConvKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    FOVEA_DEPTHWISE_ROW(N_AVX3, Isa::kAvx512, "conv/depthwise/avx512/4x32")
#endif
#if HWY_TARGETS & HWY_AVX2
        FOVEA_DEPTHWISE_ROW(N_AVX2, Isa::kAvx2, "conv/depthwise/avx2/4x16")
#endif
#if HWY_TARGETS & HWY_NEON
            FOVEA_DEPTHWISE_ROW(N_NEON, Isa::kNeon, "conv/depthwise/neon/4x8")
#endif
#if HWY_TARGETS & HWY_SSE4
                FOVEA_DEPTHWISE_ROW(N_SSE4, Isa::kSse4, "conv/depthwise/sse4/4x8")
#endif
};

}  // namespace

std::span<const ConvKernel> DepthwiseConvKernels() { return kRows; }

}  // namespace fovea::kernels
#endif  // HWY_ONCE
