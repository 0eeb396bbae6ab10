#include "kernels/conv_transpose/phases.h"

#include <algorithm>
#include <numeric>

namespace fovea::kernels {

Phase PhaseAt(const ConvTransposeLayer& layer, const int64_t (&remainder)[3]) {
  Phase phase;
  for (int a = 0; a < 3; ++a) {
    phase.remainder[a] = remainder[a];
    phase.every[a] = layer.stride[a] / std::gcd(layer.stride[a], layer.dilation[a]);
    while (phase.first[a] < std::min(layer.kernel[a], phase.every[a]) &&
           phase.first[a] * layer.dilation[a] % layer.stride[a] != remainder[a]) {
      ++phase.first[a];
    }
    const bool found = phase.first[a] < std::min(layer.kernel[a], phase.every[a]);
    phase.count[a] = found ? (layer.kernel[a] - phase.first[a] + phase.every[a] - 1) / phase.every[a] : 0;
  }
  return phase;
}

Gather PhaseGather(const ConvTransposeLayer& layer, const ConvArgs& args, const Phase& phase) {
  Gather g;
  g.dst = args.dst.data;
  for (int a = 0; a < 3; ++a) {
    const int64_t stride = layer.stride[a];
    const int64_t outputs = args.dst.dims[a + 1];
    // The phase's first output at or after 0, and j of it, where output = remainder + j stride - pad.
    const int64_t offset = phase.remainder[a] - args.pad[a];
    const int64_t first = (offset % stride + stride) % stride;
    const int64_t j = (first - offset) / stride;
    g.axis[a].outputs = std::max<int64_t>(0, (outputs - first + stride - 1) / stride);
    g.axis[a].step = 1;
    g.axis[a].start = j + (phase.remainder[a] - phase.first[a] * layer.dilation[a]) / stride;
    g.axis[a].taps = phase.count[a];
    g.axis[a].tap_step = -(phase.every[a] * layer.dilation[a] / stride);
    g.axis[a].size = args.src.dims[a + 1];
    g.dst += first * args.dst.strides[a + 1];
    g.dst_strides[a + 1] = args.dst.strides[a + 1] * stride;
    g.src_strides[a + 1] = args.src.strides[a + 1];
  }
  g.dst_strides[kN] = args.dst.strides[kN];
  g.src_strides[kN] = args.src.strides[kN];
  g.batches = args.dst.dims[kN];
  g.groups = layer.groups;
  g.group_in = layer.in_channels / layer.groups;
  g.group_out = layer.out_channels / layer.groups;
  g.src = args.src.data;
  g.panels = args.packed;
  g.act = layer.act;
  return g;
}

PanelShape PhasePanels(const ConvTransposeLayer& layer, const Phase& phase, int64_t lanes) {
  return {lanes, phase.count[0] * phase.count[1] * phase.count[2] * (layer.in_channels / layer.groups),
          layer.out_channels / layer.groups};
}

}  // namespace fovea::kernels
