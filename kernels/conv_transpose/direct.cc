// Transposed convolution as interleaved convolutions: outputs whose position (plus pad) has the same remainder modulo
// the stride, a phase, use the same taps, and neighbours within a phase read neighbouring source pixels. So each phase
// is a Gather with step 1 whose dst strides are `stride` times as long, written straight to its place.
//
// Along an axis with stride s and dilation r, tap k belongs to the phase with k r = phase (mod s): k = k0 + m
// s/gcd(s,r). Output phase + j s - pad gathers tap k from source position j + (phase - k r)/s.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv_transpose/direct.cc"
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/conv/gather-inl.h"
#include "kernels/conv_transpose/phases.h"
#include "kernels/conv_transpose/rows.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {
namespace transposed {

bool Accepts(const ConvTransposeLayer&) { return true; }

int64_t Units(const ConvTransposeLayer& layer, const ConvArgs& args) {
  int64_t units = 0;
  ForEachPhase(layer, [&](const Phase& phase) HWY_ATTR {
    const Gather g = PhaseGather(layer, args, phase);
    units = std::max(units, BlockingOf(g, DirectTiles::Shape(g)).units);
  });
  return units;
}

int64_t ScratchFloats(const ConvTransposeLayer& layer, const ConvArgs& args) {
  int64_t floats = 0;
  ForEachPhase(layer, [&](const Phase& phase) HWY_ATTR {
    const Gather g = PhaseGather(layer, args, phase);
    floats = std::max(floats, BlockingOf(g, DirectTiles::Shape(g)).scratch_floats());
  });
  return floats;
}

int64_t PackedFloats(const ConvTransposeLayer& layer) {
  int64_t floats = 0;
  ForEachPhase(layer, [&](const Phase& phase) HWY_ATTR {
    floats += layer.groups * PhasePanels(layer, phase, TargetLanes()).group_floats();
  });
  return floats;
}

void Pack(const ConvTransposeLayer& layer, const float* weights, const float* bias, float* packed, int part,
          int parts) {
  const int64_t group_in = layer.in_channels / layer.groups;
  int64_t index = 0;
  ForEachPhase(layer, [&](const Phase& phase) HWY_ATTR {
    const PanelShape shape = PhasePanels(layer, phase, TargetLanes());
    const auto row_of = [&](int64_t row) { return phase.TapAt(layer, row / group_in) * group_in + row % group_in; };
    for (int64_t i = 0; i < layer.groups * shape.blocks(); ++i, ++index) {
      if (index % parts != part) continue;
      PackBlock(shape, i / shape.blocks(), i % shape.blocks(), weights, layer.out_channels, bias, row_of, packed);
    }
    packed += layer.groups * shape.group_floats();
  });
}

// Unit i does unit i of every phase, so that the phases find their source rows in the cache. A phase with fewer outputs
// may have fewer units.
void Run(const ConvTransposeLayer& layer, const ConvArgs& args, int64_t unit_begin, int64_t unit_end, float* scratch) {
  for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
    ConvArgs phase_args = args;
    ForEachPhase(layer, [&](const Phase& phase) HWY_ATTR {
      RunGather<DirectTiles>(PhaseGather(layer, phase_args, phase), unit, unit + 1, scratch);
      phase_args.packed += layer.groups * PhasePanels(layer, phase, TargetLanes()).group_floats();
    });
  }
}

}  // namespace transposed
}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::kernels {
namespace {

#define FOVEA_TRANSPOSED_ROW(target, isa, name)                                                           \
  {{isa, name, target::transposed::Accepts, target::transposed::Units, target::transposed::ScratchFloats, \
    target::transposed::Run},                                                                             \
   target::transposed::PackedFloats,                                                                      \
   target::transposed::Pack},

constexpr ConvTransposeKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    FOVEA_TRANSPOSED_ROW(N_AVX3, Isa::kAvx512, "conv_transpose/direct/avx512/12x32")
#endif
#if HWY_TARGETS & HWY_AVX2
        FOVEA_TRANSPOSED_ROW(N_AVX2, Isa::kAvx2, "conv_transpose/direct/avx2/6x16")
#endif
#if HWY_TARGETS & HWY_NEON
            FOVEA_TRANSPOSED_ROW(N_NEON, Isa::kNeon, "conv_transpose/direct/neon/12x8")
#endif
#if HWY_TARGETS & HWY_SSE4
                FOVEA_TRANSPOSED_ROW(N_SSE4, Isa::kSse4, "conv_transpose/direct/sse4/6x8")
#endif
};

}  // namespace

std::span<const ConvTransposeKernel> DirectConvTransposeKernels() { return kRows; }

}  // namespace fovea::kernels
#endif  // HWY_ONCE
