// Runs units of a Gather with register tiles: channel blocks outside, rows and tiles inside, so that a block's panel of
// weights stays in the cache while the unit's pixels pass.
//
// Tiles that touch the left or right border read a patch in scratch: the source columns that the tile spans, those
// outside the source as zeros, gathered once a unit for all channel blocks. Rows outside the source are left out of the
// tap ranges. Both depend on a pixel's place in the image alone.
//
// A Tiles type says what a register tile is:
//   JoinsTaps(g)  whether a row of taps may be done as one run where it is contiguous
//   kChannelwise  whether a block of outputs reads the same channels of the source (depthwise)
//   Shape(g)      the tile for BlockingOf()
//   Panels(g)     how the weights are packed
//   Run(vectors, pixels, t)
#if defined(FOVEA_KERNELS_CONV_GATHER_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_CONV_GATHER_INL_H_
#undef FOVEA_KERNELS_CONV_GATHER_INL_H_
#else
#define FOVEA_KERNELS_CONV_GATHER_INL_H_
#endif

#include <algorithm>
#include <cstring>

#include "kernels/conv/gather.h"
#include "kernels/conv/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

// One unit: rows of one plane, a segment of the row, a range of channel blocks.
struct Unit {
  int64_t batch, plane;
  PixelRange rows, cols;
  int64_t block_begin, block_end;
};

HWY_INLINE Unit UnitAt(const Gather& g, const Blocking& b, int64_t index) {
  Unit u;
  const int64_t split = index % b.splits;
  index /= b.splits;
  const int64_t segment = index % b.segments;
  index /= b.segments;
  const int64_t group = index % b.row_groups;
  index /= b.row_groups;
  u.plane = index % g.axis[0].outputs;
  u.batch = index / g.axis[0].outputs;
  u.rows = {group * b.rows, std::min((group + 1) * b.rows, g.axis[1].outputs)};
  u.cols = {segment * b.segment_px, std::min((segment + 1) * b.segment_px, g.axis[2].outputs)};
  u.block_begin = b.blocks * split / b.splits;
  u.block_end = b.blocks * (split + 1) / b.splits;
  return u;
}

// The source columns of tile `cols`, all rows of the unit, zero-padded: [kd][row][column][channel].
HWY_INLINE void FillPatch(const Gather& g, const Unit& u, int64_t group, PixelRange cols, int64_t row_lowest,
                          int64_t row_count, float* HWY_RESTRICT patch) {
  const GatherAxis& w = g.axis[2];
  const int64_t first = w.First(cols.begin) + w.Lowest();
  const int64_t span = w.Span(cols.end - cols.begin);
  const size_t pixel_bytes = static_cast<size_t>(g.group_in) * sizeof(float);
  const TapRange planes = ValidTaps(g.axis[0], u.plane);
  for (int64_t kd = planes.begin; kd < planes.end; ++kd) {
    const int64_t plane = g.axis[0].First(u.plane) + kd * g.axis[0].tap_step;
    for (int64_t r = 0; r < row_count; ++r) {
      const int64_t row = row_lowest + r;
      if (row < 0 || row >= g.axis[1].size) continue;
      const float* from = g.src + u.batch * g.src_strides[kN] + plane * g.src_strides[kD] + row * g.src_strides[kH] +
                          group * g.group_in;
      float* to = patch + (kd * row_count + r) * span * g.group_in;
      for (int64_t c = 0; c < span; ++c, to += g.group_in) {
        const int64_t col = first + c;
        if (col >= 0 && col < w.size) {
          std::memcpy(to, from + col * g.src_strides[kW], pixel_bytes);
        } else {
          std::memset(to, 0, pixel_bytes);
        }
      }
    }
  }
}

// All rows and tiles of a unit for one group; `blocks` channel blocks.
template <class Tiles>
HWY_INLINE void RunGroup(const Gather& g, const Blocking& b, const Unit& u, int64_t group, const PanelShape& shape,
                         TileArgs t, float* HWY_RESTRICT scratch) {
  const GatherAxis& d = g.axis[0];
  const GatherAxis& h = g.axis[1];
  const GatherAxis& w = g.axis[2];
  const TileCuts tiles(u.cols, b.tile_pixels);
  const int64_t row_lowest = h.First(u.rows.begin) + h.Lowest();
  const int64_t row_count = h.Span(u.rows.end - u.rows.begin);
  const int64_t patch_floats = d.taps * row_count * w.Span(b.tile_pixels) * g.group_in;
  float* patch = scratch;
  for (int64_t i = 0; i < tiles.count; ++i) {
    const PixelRange cols = tiles.At(i);
    if (!TouchesBorder(w, cols)) continue;
    FillPatch(g, u, group, cols, row_lowest, row_count, patch);
    patch += patch_floats;
  }

  const int64_t source_base = u.batch * g.src_strides[kN] + d.First(u.plane) * g.src_strides[kD] + group * g.group_in;
  const int64_t dst_base = u.batch * g.dst_strides[kN] + u.plane * g.dst_strides[kD] + group * g.group_out;
  const int64_t residual_base =
      u.batch * g.residual_strides[kN] + u.plane * g.residual_strides[kD] + group * g.group_out;
  const bool dense = w.tap_step == 1 && g.src_strides[kW] == g.group_in;
  const bool joins = Tiles::JoinsTaps(g);
  t.d = ValidTaps(d, u.plane);
  for (int64_t block = u.block_begin; block < u.block_end; ++block) {
    const int64_t width = shape.block_width(block);
    const int64_t vectors = width / shape.lanes;
    const int64_t channel = block * 2 * shape.lanes;
    t.panel = g.panels + group * shape.group_floats() + shape.block_offset(block);
    t.last_lanes = std::min(shape.lanes, g.group_out - channel - (vectors - 1) * shape.lanes);
    for (int64_t row = u.rows.begin; row < u.rows.end; ++row) {
      t.h = ValidTaps(h, row);
      patch = scratch;
      for (int64_t i = 0; i < tiles.count; ++i) {
        const PixelRange cols = tiles.At(i);
        const int64_t pixels = cols.end - cols.begin;
        const bool patched = TouchesBorder(w, cols);
        const bool flat = joins && (w.taps == 1 || (patched ? w.tap_step == 1 : dense));
        t.runs = flat ? 1 : w.taps;
        t.run = Tiles::kChannelwise ? 1 : flat ? w.taps * g.group_in : g.group_in;
        if (patched) {
          const int64_t row_floats = w.Span(pixels) * g.group_in;
          t.src = patch;
          t.origin = (h.First(row) - row_lowest) * row_floats - w.Lowest() * g.group_in;
          t.tap_d = row_count * row_floats;
          t.tap_h = h.tap_step * row_floats;
          t.tap_w = w.tap_step * g.group_in;
          t.pixel = w.step * g.group_in;
          patch += patch_floats;
        } else {
          t.src = g.src;
          t.origin = source_base + h.First(row) * g.src_strides[kH] + w.First(cols.begin) * g.src_strides[kW];
          t.tap_d = d.tap_step * g.src_strides[kD];
          t.tap_h = h.tap_step * g.src_strides[kH];
          t.tap_w = w.tap_step * g.src_strides[kW];
          t.pixel = w.step * g.src_strides[kW];
        }
        if (Tiles::kChannelwise) t.origin += channel;
        t.dst = g.dst + (dst_base + row * g.dst_strides[kH] + cols.begin * g.dst_strides[kW] + channel);
        if (g.residual != nullptr) {
          t.residual = g.residual +
                       (residual_base + row * g.residual_strides[kH] + cols.begin * g.residual_strides[kW] + channel);
        }
        Tiles::Run(vectors, pixels, t);
      }
    }
  }
}

// The activation that tiles don't fuse, as the elementwise row of the same target computes it.
HWY_INLINE void ActivateUnit(const Gather& g, const Blocking& b, const Unit& u, const PanelShape& shape,
                             const UnaryKernel& row, float* scratch) {
  const int64_t first = u.block_begin * 2 * shape.lanes;
  const int64_t last = u.block_end == b.blocks ? g.group_out * g.groups : u.block_end * 2 * shape.lanes;
  View view;
  view.rank = 3;
  view.data = g.dst + (u.batch * g.dst_strides[kN] + u.plane * g.dst_strides[kD] + u.rows.begin * g.dst_strides[kH] +
                       u.cols.begin * g.dst_strides[kW] + first);
  view.dims[0] = u.rows.end - u.rows.begin;
  view.dims[1] = u.cols.end - u.cols.begin;
  view.dims[2] = last - first;
  view.strides[0] = g.dst_strides[kH];
  view.strides[1] = g.dst_strides[kW];
  view.strides[2] = 1;
  UnaryArgs args;
  args.src = view;
  args.dst = view;
  row.run(g.act, args, 0, row.units(g.act, args), scratch);
}

template <class Tiles>
HWY_INLINE void RunGather(const Gather& g, int64_t unit_begin, int64_t unit_end, float* scratch) {
  const Blocking b = BlockingOf(g, Tiles::Shape(g));
  const PanelShape shape = Tiles::Panels(g);
  TileArgs t = {};
  bool activate_after = false;
  SetActivation(g.act, &t, &activate_after);
  t.dst_pixel = g.dst_strides[kW];
  t.residual_pixel = g.residual_strides[kW];
  t.taps_h = g.axis[1].taps;
  const UnaryKernel* activation = activate_after ? Pick(UnaryKernels(), g.act, kTargetIsa) : nullptr;
  for (int64_t index = unit_begin; index < std::min(unit_end, b.units); ++index) {
    const Unit u = UnitAt(g, b, index);
    for (int64_t group = 0; group < g.groups; ++group) RunGroup<Tiles>(g, b, u, group, shape, t, scratch);
    if (activation != nullptr) ActivateUnit(g, b, u, shape, *activation, scratch);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
