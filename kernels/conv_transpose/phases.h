// The phases of a transposed convolution: see direct.cc. Plain C++.
#ifndef FOVEA_KERNELS_CONV_TRANSPOSE_PHASES_H_
#define FOVEA_KERNELS_CONV_TRANSPOSE_PHASES_H_

#include "kernels/conv/gather.h"
#include "kernels/conv_transpose/conv_transpose.h"

namespace fovea::kernels {

// One remainder along each axis and the taps that go with it: first + i every for i in [0, count).
struct Phase {
  int64_t remainder[3] = {0, 0, 0};
  int64_t first[3] = {0, 0, 0};
  int64_t every[3] = {1, 1, 1};
  int64_t count[3] = {0, 0, 0};

  // Tap `i` of the phase, in the order kd, kh, kw, as an index into the layer's taps.
  int64_t TapAt(const ConvTransposeLayer& layer, int64_t i) const {
    const int64_t w = first[2] + i % count[2] * every[2];
    const int64_t h = first[1] + i / count[2] % count[1] * every[1];
    const int64_t d = first[0] + i / count[2] / count[1] * every[0];
    return (d * layer.kernel[1] + h) * layer.kernel[2] + w;
  }
};

Phase PhaseAt(const ConvTransposeLayer& layer, const int64_t (&remainder)[3]);

// All phases, those without taps (which hold the bias alone) too.
template <class Visit>
void ForEachPhase(const ConvTransposeLayer& layer, const Visit& visit) {
  for (int64_t d = 0; d < layer.stride[0]; ++d) {
    for (int64_t h = 0; h < layer.stride[1]; ++h) {
      for (int64_t w = 0; w < layer.stride[2]; ++w) visit(PhaseAt(layer, {d, h, w}));
    }
  }
}

// The outputs of `phase` that lie in args.dst; none of them: a Gather of no outputs.
Gather PhaseGather(const ConvTransposeLayer& layer, const ConvArgs& args, const Phase& phase);

PanelShape PhasePanels(const ConvTransposeLayer& layer, const Phase& phase, int64_t lanes);

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_CONV_TRANSPOSE_PHASES_H_
