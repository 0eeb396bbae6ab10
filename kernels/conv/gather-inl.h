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

// What stays the same over the tiles of a unit and a group.
struct Sweep {
  TileCuts tiles;
  int64_t row_lowest = 0, row_count = 0;      // source rows of the unit
  int64_t patch_floats = 0;                   // of one tile's patch
  int64_t source = 0, dst = 0, residual = 0;  // offsets of the unit's plane
  bool joins = false, dense = false;
  const float* patches = nullptr;
};

// Where the pixels of a tile lie, in a patch or in the source, as offsets from t->src.
HWY_INLINE void PlaceSource(const Gather& g, const Sweep& s, int64_t row, PixelRange cols, const float* patch,
                            TileArgs* t) {
  const GatherAxis& h = g.axis[1];
  const GatherAxis& w = g.axis[2];
  const bool patched = patch != nullptr;
  const bool flat = s.joins && (w.taps == 1 || (patched ? w.tap_step == 1 : s.dense));
  t->runs = flat ? 1 : w.taps;
  t->run = flat ? w.taps * g.group_in : g.group_in;
  if (patched) {
    const int64_t row_floats = w.Span(cols.end - cols.begin) * g.group_in;
    t->src = patch;
    t->origin = (h.First(row) - s.row_lowest) * row_floats - w.Lowest() * g.group_in;
    t->tap_d = s.row_count * row_floats;
    t->tap_h = h.tap_step * row_floats;
    t->tap_w = w.tap_step * g.group_in;
    t->pixel = w.step * g.group_in;
  } else {
    t->src = g.src;
    t->origin = s.source + h.First(row) * g.src_strides[kH] + w.First(cols.begin) * g.src_strides[kW];
    t->tap_d = g.axis[0].tap_step * g.src_strides[kD];
    t->tap_h = h.tap_step * g.src_strides[kH];
    t->tap_w = w.tap_step * g.src_strides[kW];
    t->pixel = w.step * g.src_strides[kW];
  }
}

// One pass over the unit's pixels: one block of channels, the taps in t.d x `tap_rows`.
template <class Tiles>
HWY_INLINE void RunPass(const Gather& g, const Sweep& s, PixelRange rows, TapRange tap_rows, int64_t vectors,
                        int64_t channel, TileArgs t) {
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const TapRange valid = ValidTaps(g.axis[1], row);
    t.h = {std::max(valid.begin, tap_rows.begin), std::min(valid.end, tap_rows.end)};
    const float* patch = s.patches;
    for (int64_t i = 0; i < s.tiles.count; ++i) {
      const PixelRange cols = s.tiles.At(i);
      const int64_t pixels = cols.end - cols.begin;
      const bool patched = TouchesBorder(g.axis[2], cols);
      PlaceSource(g, s, row, cols, patched ? patch : nullptr, &t);
      if (patched) patch += s.patch_floats;
      if (Tiles::kChannelwise) {
        t.run = 1;
        t.origin += channel;
      }
      t.dst = g.dst + (s.dst + row * g.dst_strides[kH] + cols.begin * g.dst_strides[kW] + channel);
      if (g.residual != nullptr) {
        t.residual =
            g.residual + (s.residual + row * g.residual_strides[kH] + cols.begin * g.residual_strides[kW] + channel);
      }
      Tiles::Run(vectors, pixels, t);
      if (t.chain != nullptr) t.chain += pixels * vectors * TargetLanes();
    }
  }
}

// All rows and tiles of a unit for one group.
template <class Tiles>
HWY_INLINE void RunGroup(const Gather& g, const Blocking& b, const Unit& u, int64_t group, const PanelShape& shape,
                         TileArgs t, float* HWY_RESTRICT scratch) {
  const GatherAxis& d = g.axis[0];
  const GatherAxis& h = g.axis[1];
  const GatherAxis& w = g.axis[2];
  Sweep s{.tiles = TileCuts(u.cols, b.tile_pixels)};
  s.row_lowest = h.First(u.rows.begin) + h.Lowest();
  s.row_count = h.Span(u.rows.end - u.rows.begin);
  s.patch_floats = d.taps * s.row_count * w.Span(b.tile_pixels) * g.group_in;
  s.source = u.batch * g.src_strides[kN] + d.First(u.plane) * g.src_strides[kD] + group * g.group_in;
  s.dst = u.batch * g.dst_strides[kN] + u.plane * g.dst_strides[kD] + group * g.group_out;
  s.residual = u.batch * g.residual_strides[kN] + u.plane * g.residual_strides[kD] + group * g.group_out;
  s.joins = Tiles::JoinsTaps(g);
  s.dense = w.tap_step == 1 && g.src_strides[kW] == g.group_in;
  s.patches = scratch;
  float* patch = scratch;
  for (int64_t i = 0; i < s.tiles.count; ++i) {
    const PixelRange cols = s.tiles.At(i);
    if (!TouchesBorder(w, cols)) continue;
    FillPatch(g, u, group, cols, s.row_lowest, s.row_count, patch);
    patch += s.patch_floats;
  }

  const TapRange planes = ValidTaps(d, u.plane);
  const int64_t plane_taps = std::max<int64_t>(d.taps, 1);
  const int64_t row_taps = std::max<int64_t>(h.taps, 1);
  t.chain = b.partial_floats > 0 ? scratch + b.patch_floats : nullptr;
  for (int64_t block = u.block_begin; block < u.block_end; ++block) {
    const int64_t vectors = shape.block_width(block) / shape.lanes;
    const int64_t channel = block * 2 * shape.lanes;
    t.panel = g.panels + group * shape.group_floats() + shape.block_offset(block);
    t.last_lanes = std::min(shape.lanes, g.group_out - channel - (vectors - 1) * shape.lanes);
    for (int64_t kd = 0; kd < plane_taps; kd += b.chunk_planes) {
      t.d = {std::max(planes.begin, kd), std::min(planes.end, kd + b.chunk_planes)};
      for (int64_t kh = 0; kh < row_taps; kh += b.chunk_rows) {
        t.begins = kd == 0 && kh == 0;
        t.ends = kd + b.chunk_planes >= plane_taps && kh + b.chunk_rows >= row_taps;
        RunPass<Tiles>(g, s, u.rows, {kh, kh + b.chunk_rows}, vectors, channel, t);
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
