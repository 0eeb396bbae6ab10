// Direct convolution with register tiles: any window, stride, dilation, groups and channel count.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv/direct.cc"
#include <hwy/foreach_target.h>
// Highway's own headers come first.
#include <hwy/highway.h>

#include "kernels/conv/gather-inl.h"
#include "kernels/conv/rows.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {
namespace direct {

PanelShape Panels(const ConvLayer& layer) {
  return {TargetLanes(), layer.kernel[0] * layer.kernel[1] * layer.kernel[2] * (layer.in_channels / layer.groups),
          layer.out_channels / layer.groups};
}

bool Accepts(const ConvLayer& layer) { return !layer.upsamples(); }

int64_t Units(const ConvLayer& layer, const ConvArgs& args) {
  const Gather g = GatherOf(layer, args);
  return BlockingOf(g, DirectTiles::Shape(g)).units;
}

int64_t ScratchFloats(const ConvLayer& layer, const ConvArgs& args) {
  const Gather g = GatherOf(layer, args);
  return BlockingOf(g, DirectTiles::Shape(g)).scratch_floats();
}

int64_t PackedFloats(const ConvLayer& layer) { return layer.groups * Panels(layer).group_floats(); }

void Pack(const ConvLayer& layer, const float* weights, const float* bias, float* packed, int part, int parts) {
  const PanelShape shape = Panels(layer);
  const auto row_of = [](int64_t row) { return row; };
  for (int64_t i = part; i < layer.groups * shape.blocks(); i += parts) {
    PackBlock(shape, i / shape.blocks(), i % shape.blocks(), weights, layer.out_channels, bias, row_of, packed);
  }
}

void Run(const ConvLayer& layer, const ConvArgs& args, int64_t unit_begin, int64_t unit_end, float* scratch) {
  RunGather<DirectTiles>(GatherOf(layer, args), unit_begin, unit_end, scratch);
}

}  // namespace direct
}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::kernels {
namespace {

#define FOVEA_DIRECT_ROW(target, isa, name)                                                                          \
  {{{isa, name, target::direct::Accepts, target::direct::Units, target::direct::ScratchFloats, target::direct::Run}, \
    target::direct::PackedFloats,                                                                                    \
    target::direct::Pack}},

constexpr ConvKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    FOVEA_DIRECT_ROW(N_AVX3, Isa::kAvx512, "conv/direct/avx512/12x32")
#endif
#if HWY_TARGETS & HWY_AVX2
        FOVEA_DIRECT_ROW(N_AVX2, Isa::kAvx2, "conv/direct/avx2/6x16")
#endif
#if HWY_TARGETS & HWY_NEON
            FOVEA_DIRECT_ROW(N_NEON, Isa::kNeon, "conv/direct/neon/12x8")
#endif
#if HWY_TARGETS & HWY_SSE4
                FOVEA_DIRECT_ROW(N_SSE4, Isa::kSse4, "conv/direct/sse4/6x8")
#endif
};

}  // namespace

std::span<const ConvKernel> DirectConvKernels() { return kRows; }

}  // namespace fovea::kernels
#endif  // HWY_ONCE
