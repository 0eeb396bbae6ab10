#include "kernels/conv/gather.h"

#include <algorithm>

namespace fovea::kernels {
namespace {

// Per core of the CPUs this was measured on: L1 32-48 KiB, L2 0.5-2 MiB, shared with the panel of weights.
constexpr int64_t kInputBytes = 384 << 10;
constexpr int64_t kRowBytes = 32 << 10;
constexpr int64_t kPanelBytes = 640 << 10;
// Pixels that share a pass over a panel, at least, so that it is computed with far longer than it is loaded.
constexpr int64_t kPanelPixels = 96;
// Enough for 16 threads to share evenly, as long as a unit still is worth waking a thread for.
constexpr int64_t kWantedUnits = 32;
constexpr int64_t kMinUnitFlops = 1 << 20;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Joins axis `outer` into `inner` (next to each other in N, D, H, W) where all views walk both with one stride.
bool Joins(const Gather& g, const int64_t (&dims)[4], int outer, int inner) {
  if (dims[outer] == 1) return true;
  return g.src_strides[outer] == dims[inner] * g.src_strides[inner] &&
         g.dst_strides[outer] == dims[inner] * g.dst_strides[inner] &&
         (g.residual == nullptr || g.residual_strides[outer] == dims[inner] * g.residual_strides[inner]);
}

void JoinRows(Gather& g) {
  for (const GatherAxis& axis : g.axis) {
    if (axis.taps != 1 || axis.step != 1 || axis.start != 0 || axis.size != axis.outputs) return;
  }
  int64_t dims[4] = {g.batches, g.axis[0].outputs, g.axis[1].outputs, g.axis[2].outputs};
  for (int outer = kH; outer >= kN; --outer) {
    if (!Joins(g, dims, outer, kW)) break;
    dims[kW] *= dims[outer];
    dims[outer] = 1;
  }
  g.batches = dims[kN];
  for (int a = 0; a < 3; ++a) g.axis[a].outputs = g.axis[a].size = dims[a + 1];
}

// How many of the pieces At(0) .. At(count - 1) of a row touch a border: those up to some piece on the left, and those
// from some piece on on the right; the ones in between, of which there may be many, are not looked at.
template <class At>
void BorderPieces(const GatherAxis& axis, int64_t count, const At& at, int64_t* left, int64_t* right) {
  *left = 0;
  while (*left < count && TouchesBorder(axis, at(*left))) ++*left;
  *right = count;
  while (*right > *left && TouchesBorder(axis, at(*right - 1))) --*right;
}

// The most border tiles that a segment has.
int64_t BorderTiles(const GatherAxis& axis, const Blocking& b) {
  const auto segment_at = [&](int64_t s) {
    return PixelRange{s * b.segment_px, std::min((s + 1) * b.segment_px, axis.outputs)};
  };
  int64_t left_segments = 0;
  int64_t right_segments = 0;
  BorderPieces(axis, b.segments, segment_at, &left_segments, &right_segments);
  int64_t most = 0;
  for (int64_t s = 0; s < b.segments; ++s) {
    if (s == left_segments) s = right_segments;
    if (s == b.segments) break;
    const TileCuts tiles(segment_at(s), b.tile_pixels);
    int64_t left = 0;
    int64_t right = 0;
    BorderPieces(
        axis, tiles.count, [&](int64_t i) { return tiles.At(i); }, &left, &right);
    most = std::max(most, left + tiles.count - right);
  }
  return most;
}

// Whole planes of taps where one fits into the cache, else rows of one plane.
void Chunk(const Gather& gather, const TileShape& tile, Blocking* b) {
  const int64_t width = gather.group_out > tile.lanes ? 2 * tile.lanes : tile.lanes;
  const int64_t row_floats = std::max<int64_t>(gather.axis[2].taps, 1) * gather.group_in * width;
  const int64_t fitting_rows = kPanelBytes / (row_floats * static_cast<int64_t>(sizeof(float)));
  const int64_t planes = b->chunk_planes;
  const int64_t rows = b->chunk_rows;
  b->chunk_planes = std::clamp<int64_t>(fitting_rows / rows, 1, planes);
  b->chunk_rows = std::clamp<int64_t>(fitting_rows, 1, rows);
  if (b->chunk_planes < planes || b->chunk_rows < rows) b->partial_floats = b->rows * b->segment_px * width;
}

}  // namespace

TapRange ValidTaps(const GatherAxis& axis, int64_t output) {
  const int64_t first = axis.First(output);
  TapRange range;
  while (range.begin < axis.taps) {
    const int64_t at = first + range.begin * axis.tap_step;
    if (at >= 0 && at < axis.size) break;
    ++range.begin;
  }
  range.end = range.begin;
  while (range.end < axis.taps) {
    const int64_t at = first + range.end * axis.tap_step;
    if (at < 0 || at >= axis.size) break;
    ++range.end;
  }
  return range;
}

bool TouchesBorder(const GatherAxis& axis, PixelRange range) {
  return axis.First(range.begin) + axis.Lowest() < 0 || axis.First(range.end - 1) + axis.Highest() >= axis.size;
}

Gather GatherOf(const ConvLayer& layer, const ConvArgs& args) {
  Gather g;
  for (int a = 0; a < 3; ++a) {
    g.axis[a] = {args.dst.dims[a + 1], layer.stride[a],   -args.pad[a],
                 layer.kernel[a],      layer.dilation[a], args.src.dims[a + 1]};
  }
  g.batches = args.dst.dims[kN];
  g.groups = layer.groups;
  g.group_in = layer.in_channels / layer.groups;
  g.group_out = layer.out_channels / layer.groups;
  g.src = args.src.data;
  g.dst = args.dst.data;
  g.residual = layer.has_residual ? args.residual.data : nullptr;
  for (int a = 0; a < 4; ++a) {
    g.src_strides[a] = args.src.strides[a];
    g.dst_strides[a] = args.dst.strides[a];
    g.residual_strides[a] = args.residual.strides[a];
  }
  g.panels = args.packed;
  g.act = layer.act;
  JoinRows(g);
  return g;
}

Blocking BlockingOf(const Gather& gather, const TileShape& tile) {
  const GatherAxis& h = gather.axis[1];
  const GatherAxis& w = gather.axis[2];
  Blocking b;
  b.blocks = CeilDiv(gather.group_out, 2 * tile.lanes);
  b.tile_pixels = gather.group_out <= tile.lanes ? 2 * tile.pixels : tile.pixels;
  const int64_t planes = gather.batches * gather.axis[0].outputs;
  if (planes <= 0 || h.outputs <= 0 || w.outputs <= 0) return b;

  const int64_t pixel_bytes = gather.group_in * static_cast<int64_t>(sizeof(float));
  // A unit of one long row (a joined 1x1) grows until it is worth waking a thread for.
  const int64_t pixel_flops = 2 * gather.TapProduct() * gather.group_out * gather.groups;
  int64_t wanted_px = std::max(kPanelPixels, kRowBytes / pixel_bytes / w.step);
  if (h.outputs == 1) {
    wanted_px =
        std::max(wanted_px, std::min(kInputBytes / pixel_bytes, kMinUnitFlops / std::max<int64_t>(pixel_flops, 1)));
  }
  b.segments = CeilDiv(w.outputs, wanted_px);
  b.segment_px = CeilDiv(CeilDiv(w.outputs, b.segments), b.tile_pixels) * b.tile_pixels;
  b.segments = CeilDiv(w.outputs, b.segment_px);

  const int64_t row_bytes =
      std::max<int64_t>(gather.axis[0].taps, 1) * w.Span(std::min(b.segment_px, w.outputs)) * pixel_bytes;
  const int64_t fitting = (kInputBytes / row_bytes - (h.Span(1) - 1)) / h.step;
  const int64_t sharing = CeilDiv(kPanelPixels, std::min(b.segment_px, w.outputs));
  b.rows = std::min(std::max(fitting, sharing), h.outputs);
  const int64_t row_flops = std::min(b.segment_px, w.outputs) * pixel_flops;
  const int64_t pieces = planes * h.outputs * b.segments;
  const int64_t total_flops = std::max<int64_t>(row_flops, 1) * pieces;
  const int64_t wanted = std::clamp<int64_t>(total_flops / kMinUnitFlops, 1, kWantedUnits);

  // Few rows: first the channels are shared out, whose weights are read once a part anyway, then fewer rows a unit.
  const auto units = [&] { return planes * CeilDiv(h.outputs, b.rows) * b.segments * b.splits; };
  if (gather.groups == 1 && units() < wanted) b.splits = std::min(b.blocks, CeilDiv(wanted, units()));
  while (b.rows > 1 && units() < wanted) b.rows = std::min(b.rows - 1, std::max<int64_t>(1, b.rows * units() / wanted));
  b.row_groups = CeilDiv(h.outputs, b.rows);
  b.units = units();

  b.chunk_planes = std::max<int64_t>(gather.axis[0].taps, 1);
  b.chunk_rows = std::max<int64_t>(h.taps, 1);
  if (tile.rests) Chunk(gather, tile, &b);

  const int64_t patch_floats =
      BorderTiles(w, b) * gather.axis[0].taps * h.Span(b.rows) * w.Span(b.tile_pixels) * gather.group_in;
  b.patch_floats = CeilDiv(patch_floats, 16) * 16;
  return b;
}

}  // namespace fovea::kernels
