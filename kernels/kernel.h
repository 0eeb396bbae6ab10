// The kernel table's row and how one is picked.
//
// Every operator has a Layer (what is known when a model is loaded: sizes of windows, channels, functions) and Args
// (what is known per run: views and positions). A row is chosen by Layer and Isa alone, never by tile shape or thread
// count: that is half of the promise that tiled equals untiled bit for bit. The other half is each row's: an output
// element's value may not depend on where its unit or tile begins.
//
// Work is cut into units [0, units(layer, args)); any partition of that range over threads gives the same bits.
#ifndef FOVEA_KERNELS_KERNEL_H_
#define FOVEA_KERNELS_KERNEL_H_

#include <cstdint>
#include <span>

#include "kernels/isa.h"

namespace fovea::kernels {

// Raised whenever a row of an unchanged name packs its weights otherwise than before: packed weights that were kept in
// files are then packed again.
inline constexpr int kPackingVersion = 3;

template <class Layer, class Args>
struct Kernel {
  Isa isa;
  const char* name;  // operator/algorithm/isa/geometry, e.g. "pool/direct/avx512/1x16"
  bool (*accepts)(const Layer&);
  int64_t (*units)(const Layer&, const Args&);
  // Floats of scratch that each thread needs, 64-byte aligned; 0 for most. An upper bound over all units.
  int64_t (*scratch_floats)(const Layer&, const Args&);
  void (*run)(const Layer&, const Args&, int64_t unit_begin, int64_t unit_end, float* scratch);
};

// A row with weights: `pack` lives in the same row as `run`, so weights packed for one kernel can't be run by another.
template <class Layer, class Args>
struct PackedKernel : Kernel<Layer, Args> {
  int64_t (*packed_floats)(const Layer&);
  // weights: the operator's portable layout (see the operator's header); bias: out_channels floats or null (zeros).
  // packed: packed_floats() floats, 64-byte aligned. [part, parts) lets several threads pack disjoint parts: each call
  // does part `part` of `parts`; all parts must have been done before run.
  void (*pack)(const Layer&, const float* weights, const float* bias, float* packed, int part, int parts);
};

// The first row that may run under `cap` and accepts the layer. Tables are ordered best first and end with the
// reference, which accepts everything.
template <class Row, class Layer>
const Row* Pick(std::span<const Row> rows, const Layer& layer, Isa cap) {
  for (const Row& row : rows) {
    if (row.isa <= cap && row.accepts(layer)) {
      for (Isa isa : SupportedIsas()) {
        if (isa == row.isa) return &row;
      }
    }
  }
  return nullptr;
}

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_KERNEL_H_
