// The loop nest that convolution and transposed convolution share: every output gathers its taps.
//
// Along each axis the outputs form a lattice: output o reads the source at o step + start + t tap_step for t in
// [0, taps). A convolution is one such lattice (step = stride, start = -pad, tap_step = dilation); a transposed one is
// a lattice for every phase of its stride (step 1, tap_step negative, dst strides times the stride).
//
// This header is plain C++: shapes, cache blocking and units. The vector part is tile-inl.h and gather-inl.h.
#ifndef FOVEA_KERNELS_CONV_GATHER_H_
#define FOVEA_KERNELS_CONV_GATHER_H_

#include "kernels/conv/conv.h"

namespace fovea::kernels {

struct GatherAxis {
  int64_t outputs = 1;
  int64_t step = 1;
  int64_t start = 0;
  int64_t taps = 1;
  int64_t tap_step = 1;
  int64_t size = 1;  // of the source

  int64_t First(int64_t o) const { return o * step + start; }  // where tap 0 of output o reads
  // Of the taps, relative to tap 0. An axis may have no taps: a phase that only gets the bias.
  int64_t Lowest() const { return tap_step < 0 && taps > 0 ? (taps - 1) * tap_step : 0; }
  int64_t Highest() const { return tap_step > 0 && taps > 0 ? (taps - 1) * tap_step : 0; }
  // Source positions that `count` consecutive outputs span.
  int64_t Span(int64_t count) const { return (count - 1) * step + Highest() - Lowest() + 1; }
};

// Taps [begin, end) of one output that lie inside the source; empty where there is none.
struct TapRange {
  int64_t begin = 0;
  int64_t end = 0;
};
TapRange ValidTaps(const GatherAxis& axis, int64_t output);

struct Gather {
  GatherAxis axis[3];  // D, H, W
  int64_t batches = 1;
  int64_t groups = 1;
  int64_t group_in = 1;
  int64_t group_out = 1;
  const float* src = nullptr;
  float* dst = nullptr;
  const float* residual = nullptr;                                             // null: none
  int64_t src_strides[4] = {}, dst_strides[4] = {}, residual_strides[4] = {};  // N, D, H, W
  const float* panels = nullptr;
  Activation act;

  int64_t TapProduct() const { return axis[0].taps * axis[1].taps * axis[2].taps * group_in; }
};

// The convolution as a lattice; rows of a dense 1x1 are joined to one long row.
Gather GatherOf(const ConvLayer& layer, const ConvArgs& args);

// The register tile of a target: `pixels` x 2 vectors of `lanes` output channels; twice as many pixels where a layer
// has no more channels than one vector.
struct TileShape {
  int64_t lanes = 0;
  int64_t pixels = 0;
  bool rests = false;  // whether tiles can stop between passes over the taps
};

// How a lattice is cut into units: `rows` output rows x one of `segments` pieces of the row x one of `splits` parts of
// the output channels. Depends on the lattice only; units never change bits.
struct Blocking {
  int64_t tile_pixels = 1;
  int64_t rows = 1;
  int64_t row_groups = 1;
  int64_t segment_px = 1;
  int64_t segments = 1;
  int64_t blocks = 1;  // of 2 vectors of channels, in one group; the last may be 1 vector
  int64_t splits = 1;
  int64_t units = 0;
  // The taps that are done in one pass over a unit's pixels, so that their weights stay in L2: planes of taps, and rows
  // of taps in a plane. Between passes the chains rest in scratch.
  int64_t chunk_planes = 1;
  int64_t chunk_rows = 1;
  int64_t patch_floats = 0;    // scratch for the tiles that touch a border, see gather-inl.h
  int64_t partial_floats = 0;  // scratch for resting chains, behind the patches; 0: one pass
  int64_t scratch_floats() const { return patch_floats + partial_floats; }
};
Blocking BlockingOf(const Gather& gather, const TileShape& tile);

struct PixelRange {
  int64_t begin = 0;
  int64_t end = 0;
};

// Tiles that cut a range as evenly as can be: narrow leftovers would leave the FMA units idle. The first `wider` tiles
// have one pixel more.
struct TileCuts {
  int64_t begin = 0;
  int64_t count = 0;
  int64_t width = 0;
  int64_t wider = 0;

  TileCuts(PixelRange range, int64_t tile_pixels) : begin(range.begin) {
    const int64_t n = range.end - range.begin;
    count = (n + tile_pixels - 1) / tile_pixels;
    width = n / count;
    wider = n % count;
  }
  PixelRange At(int64_t i) const {
    const int64_t first = begin + i * width + (i < wider ? i : wider);
    return {first, first + width + (i < wider ? 1 : 0)};
  }
};

// Whether some tap of these outputs lies left or right of the source.
bool TouchesBorder(const GatherAxis& axis, PixelRange range);

// Packed weights: per group, per block of 2 vectors (the last block 1 vector if that suffices): the bias, then
// TapProduct() rows of the block's channels, padded with zeros.
struct PanelShape {
  int64_t lanes = 0;
  int64_t taps_in = 0;  // taps x channels of a group
  int64_t group_out = 0;

  int64_t padded_out() const { return (group_out + lanes - 1) / lanes * lanes; }
  int64_t blocks() const { return (group_out + 2 * lanes - 1) / (2 * lanes); }
  int64_t group_floats() const { return padded_out() * (taps_in + 1); }
  int64_t block_offset(int64_t block) const { return block * 2 * lanes * (taps_in + 1); }
  int64_t block_width(int64_t block) const {
    const int64_t rest = padded_out() - block * 2 * lanes;
    return rest < 2 * lanes ? rest : 2 * lanes;
  }
};

// Packs group `group`, block `block`. rows(i) gives the row of the portable weights (out_channels wide) that row i of
// the panel holds.
template <class RowOf>
void PackBlock(const PanelShape& shape, int64_t group, int64_t block, const float* weights, int64_t weights_stride,
               const float* bias, const RowOf& row_of, float* packed) {
  const int64_t width = shape.block_width(block);
  const int64_t first = block * 2 * shape.lanes;
  const int64_t used = shape.group_out - first < width ? shape.group_out - first : width;
  const int64_t channel = group * shape.group_out + first;
  float* out = packed + group * shape.group_floats() + shape.block_offset(block);
  for (int64_t row = -1; row < shape.taps_in; ++row, out += width) {
    const float* in = row < 0 ? bias : weights + row_of(row) * weights_stride;
    for (int64_t i = 0; i < width; ++i) out[i] = i < used && in != nullptr ? in[channel + i] : 0.0f;
  }
}

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_CONV_GATHER_H_
