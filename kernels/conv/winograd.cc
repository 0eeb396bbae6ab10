// Winograd convolution: windows of 3x3 and 5x5 (and 3x3x3, transformed plane by plane), stride 1, no groups.
//
// A unit is a run of tiles of m x m outputs. Their inputs are transformed into scratch (V), alpha^2 small matrix
// products with the transformed weights give M for one block of output channels at a time, and the output transform
// adds bias and residual, activates and stores. V and the M of a block stay in L2. In 3-D the planes' products are
// summed before the output transform, and a ring of transformed planes serves the next output plane.
//
// Tiles lie on the lattice of multiples of m in the whole output image, so every output's value is a function of its
// place in the image: the planner asks for regions that begin and end on the lattice (or at the image's end).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv/winograd.cc"
#include <hwy/foreach_target.h>
// Highway's own headers come first.
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/conv/line_walk.h"
#include "kernels/conv/rows.h"
#include "kernels/conv/winograd-inl.h"
#include "kernels/conv/winograd_pack-inl.h"
#include "kernels/elementwise/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {
namespace winograd {

// Tiles of the product's register block: kRows x 2 accumulators.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr int kRows = 14;
#else
inline constexpr int kRows = 6;
#endif
inline constexpr int kMaxPlanes = 3;  // window's depth

HWY_INLINE int64_t LaneCount() { return static_cast<int64_t>(hn::Lanes(Floats())); }
HWY_INLINE int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }
HWY_INLINE int64_t FloorDivide(int64_t a, int64_t b) { return a >= 0 ? a / b : -DivideUp(-a, b); }

template <int kAlpha, int kTaps>
struct Filter {
  static constexpr int kM = kAlpha - kTaps + 1;
  static constexpr int kProducts = kAlpha * kAlpha;

  // What follows from the layer alone.
  struct Sizes {
    int64_t lanes, in_padded, blocks;  // a block: 2 vectors of output channels, the last one may have 1
    int64_t panel_floats;              // a panel: one position of a block of 2 vectors, all inputs
    int64_t vectors(int64_t block) const { return block + 1 < blocks ? 2 : last_vectors; }
    int64_t last_vectors;
    explicit Sizes(const ConvLayer& layer)
        : lanes(LaneCount()),
          in_padded(DivideUp(layer.in_channels, lanes) * lanes),
          blocks(DivideUp(layer.out_channels, 2 * lanes)),
          panel_floats(layer.kernel[0] * in_padded * 2 * lanes),
          last_vectors(DivideUp(layer.out_channels, lanes) - 2 * (blocks - 1)) {}
  };

  // How the work is cut.
  struct Grid {
    int64_t row_begin, col_begin, rows, cols;  // tiles of a plane, lattice indices
    int64_t tiles, run, runs;                  // tiles of a plane in runs of at most `run`
    int64_t planes, plane_runs;                // output planes of a unit
    int64_t position_floats, slot_floats;      // of V: one position; one transformed plane

    Grid(const ConvLayer& layer, const ConvArgs& args, const Sizes& s) {
      const int64_t height = args.dst.dims[kH], width = args.dst.dims[kW];
      row_begin = FloorDivide(args.dst_origin[1], kM);
      col_begin = FloorDivide(args.dst_origin[2], kM);
      rows = DivideUp(args.dst_origin[1] + height, kM) - row_begin;
      cols = DivideUp(args.dst_origin[2] + width, kM) - col_begin;
      tiles = rows * cols;
      // V of a run and M of a block in about 3/4 MiB of L2; wide layers take more tiles, so that the weights' traffic
      // is shared.
      const int64_t tile_bytes = kProducts * 4 * (layer.kernel[0] * s.in_padded + 2 * s.lanes);
      int64_t most = (256 << 10) / tile_bytes / kRows * kRows;
      most = std::clamp<int64_t>(most,
                                 layer.in_channels >= 512   ? 4 * kRows
                                 : layer.in_channels >= 192 ? 2 * kRows
                                                            : kRows,
                                 8 * kRows);
      runs = std::max<int64_t>(1, DivideUp(tiles, most));
      if (runs > 1 || tiles > 2 * kRows) runs = DivideUp(runs, 2) * 2;
      run = DivideUp(tiles, runs);
      runs = DivideUp(tiles, run);
      planes = layer.kernel[0] == 1 ? 1 : 8;
      plane_runs = DivideUp(args.dst.dims[kD], planes);
      // Positions are not a multiple of 4 KiB apart: the transforms walk them all at once.
      position_floats = run * s.in_padded + 16;
      slot_floats = kProducts * position_floats;
    }
  };

  static int64_t Units(const ConvLayer& layer, const ConvArgs& args) {
    const Grid grid(layer, args, Sizes(layer));
    return args.dst.dims[kN] * grid.plane_runs * grid.runs;
  }

  static int64_t ScratchFloats(const ConvLayer& layer, const ConvArgs& args) {
    const Sizes s(layer);
    const Grid grid(layer, args, s);
    return layer.kernel[0] * grid.slot_floats + kProducts * (grid.run * 2 * s.lanes + 16);
  }

  // [block][position][kd][input channel][vectors of output channels], then the bias, padded.
  static int64_t PackedFloats(const ConvLayer& layer) {
    const Sizes s(layer);
    return BiasOffset(s) + s.blocks * 2 * s.lanes;
  }

  static int64_t BiasOffset(const Sizes& s) {
    return (2 * (s.blocks - 1) + s.last_vectors) * kProducts * (s.panel_floats / 2);
  }

  static void Pack(const ConvLayer& layer, const float* weights, const float* bias, float* packed, int part,
                   int parts) {
    const Sizes s(layer);
    float* biases = packed + BiasOffset(s);
    for (int64_t block = part; block < s.blocks; block += parts) {
      const int64_t width = s.vectors(block) * s.lanes, first = block * 2 * s.lanes;
      float* panels = packed + block * kProducts * s.panel_floats;
      for (int64_t kd = 0; kd < layer.kernel[0]; ++kd) {
        const float* plane = weights + kd * kTaps * kTaps * layer.in_channels * layer.out_channels;
        FilterPacker<kAlpha, kTaps>(plane, layer.in_channels, layer.out_channels, width)
            .Block(first, s.in_padded, panels + kd * s.in_padded * width, layer.kernel[0] * s.in_padded * width);
      }
      for (int64_t co = first; co < first + 2 * s.lanes; ++co) {
        biases[co] = bias != nullptr && co < layer.out_channels ? bias[co] : 0.0f;
      }
    }
  }

  // Source positions of axis 1 (rows) or 2 (columns) that windows of dst reach, [0, reach). The last tile looks
  // further, but must not see what a smaller view would not hold.
  static HWY_INLINE int64_t Reach(const ConvArgs& args, int axis) {
    return std::min(args.src.dims[kD + axis], args.dst.dims[kD + axis] + kTaps - 1 - args.pad[axis]);
  }

  // alpha x alpha pixels of one tile, one vector of channels: loaded (zero outside the source), transformed, stored to
  // V.
  template <bool kInside>
  static HWY_INLINE void InputVector(const ConvArgs& args, const float* plane, int64_t row, int64_t col,
                                     int64_t lanes_here, int64_t lanes, int64_t position_floats,
                                     float* HWY_RESTRICT v) {
    const Floats d;
    const int64_t height = Reach(args, 1), width = Reach(args, 2);
    const int64_t row_stride = args.src.strides[kH], col_stride = args.src.strides[kW];
    HWY_ALIGN float stage[kProducts * hn::MaxLanes(d)];
    const float* origin = plane + row * row_stride + col * col_stride;
    for (int j = 0; j < kAlpha; ++j) {
      Vec x[kAlpha], y[kAlpha];
      for (int i = 0; i < kAlpha; ++i) {
        if constexpr (kInside) {
          x[i] = hn::LoadU(d, origin + i * row_stride + j * col_stride);
        } else {
          const bool inside = row + i >= 0 && row + i < height && col + j >= 0 && col + j < width;
          const float* from = origin + i * row_stride + j * col_stride;
          x[i] = !inside ? hn::Zero(d) : lanes_here == lanes ? hn::LoadU(d, from) : LoadFirst(from, lanes_here);
        }
      }
      TransformInput<kAlpha>(x, y);
      for (int i = 0; i < kAlpha; ++i) hn::Store(y[i], d, stage + static_cast<int64_t>(i * kAlpha + j) * lanes);
    }
    for (int i = 0; i < kAlpha; ++i) {
      Vec x[kAlpha], y[kAlpha];
      for (int j = 0; j < kAlpha; ++j) x[j] = hn::Load(d, stage + static_cast<int64_t>(i * kAlpha + j) * lanes);
      TransformInput<kAlpha>(x, y);
      for (int j = 0; j < kAlpha; ++j) hn::Store(y[j], d, v + (i * kAlpha + j) * position_floats);
    }
  }

  // V of one source plane for tiles [first, first + count).
  static void TransformPlane(const ConvLayer& layer, const ConvArgs& args, const Sizes& s, const Grid& grid,
                             const float* plane, int64_t first, int64_t count, float* HWY_RESTRICT v) {
    const int64_t height = Reach(args, 1), width = Reach(args, 2);
    for (int64_t t = 0; t < count; ++t) {
      const int64_t tile = first + t;
      const int64_t row = (grid.row_begin + tile / grid.cols) * kM - args.dst_origin[1] - args.pad[1];
      const int64_t col = (grid.col_begin + tile % grid.cols) * kM - args.dst_origin[2] - args.pad[2];
      const bool inside = row >= 0 && row + kAlpha <= height && col >= 0 && col + kAlpha <= width;
      for (int64_t c = 0; c < s.in_padded; c += s.lanes) {
        const int64_t lanes_here = std::min(s.lanes, layer.in_channels - c);
        float* to = v + t * s.in_padded + c;
        if (inside && lanes_here == s.lanes) {
          InputVector<true>(args, plane + c, row, col, lanes_here, s.lanes, grid.position_floats, to);
        } else {
          InputVector<false>(args, plane + c, row, col, lanes_here, s.lanes, grid.position_floats, to);
        }
      }
    }
  }

  struct Segment {
    const float* v;      // of the position, first tile
    const float* panel;  // of the position and plane
  };

  // Tiles of V times a panel: M[tile][kVectors].
  template <int kVectors, int... kTile>
  static HWY_INLINE void Multiply(const Segment* HWY_RESTRICT segments, int count, int64_t depth, int64_t tile_floats,
                                  float* HWY_RESTRICT m, std::integer_sequence<int, kTile...>) {
    const Floats d;
    const int64_t lanes = LaneCount();
    Vec acc[2 * sizeof...(kTile)];
    ((acc[2 * kTile] = hn::Zero(d), acc[2 * kTile + 1] = hn::Zero(d)), ...);
    for (int segment = 0; segment < count; ++segment) {
      const float* quads[4] = {segments[segment].v, segments[segment].v + 4 * tile_floats,
                               segments[segment].v + 8 * tile_floats, segments[segment].v + 12 * tile_floats};
      const float* HWY_RESTRICT panel = segments[segment].panel;
      for (int64_t k = 0; k < depth; ++k) {
        const Vec w0 = hn::Load(d, panel), w1 = kVectors == 2 ? hn::Load(d, panel + lanes) : w0;
        panel += kVectors * lanes;
        (
            [&]() HWY_ATTR {
              const Vec x = hn::Set(d, quads[kTile / 4][(kTile % 4) * tile_floats]);
              acc[2 * kTile] = hn::MulAdd(x, w0, acc[2 * kTile]);
              if constexpr (kVectors == 2) acc[2 * kTile + 1] = hn::MulAdd(x, w1, acc[2 * kTile + 1]);
            }(),
            ...);
        ++quads[0], ++quads[1], ++quads[2], ++quads[3];
      }
    }
    (
        [&]() HWY_ATTR {
          hn::Store(acc[2 * kTile], d, m + kVectors * kTile * lanes);
          if constexpr (kVectors == 2) hn::Store(acc[2 * kTile + 1], d, m + (2 * kTile + 1) * lanes);
        }(),
        ...);
  }

  using ProductFunction = void (*)(const Segment*, int, int64_t, int64_t, float*);
  template <int kVectors, int kTiles>
  static HWY_NOINLINE void Product(const Segment* HWY_RESTRICT segments, int count, int64_t depth, int64_t tile_floats,
                                   float* HWY_RESTRICT m) {
    Multiply<kVectors>(segments, count, depth, tile_floats, m, std::make_integer_sequence<int, kTiles>());
  }
  // Of 1 .. kRows tiles.
  template <int kVectors, int... kTiles>
  static HWY_INLINE ProductFunction ProductOf(int64_t tiles, std::integer_sequence<int, kTiles...>) {
    static constexpr ProductFunction kProductFunctions[] = {Product<kVectors, kTiles + 1>...};
    return kProductFunctions[tiles - 1];
  }

  static void Products(const Segment* segments, int count, int64_t depth, int64_t tile_floats, int64_t tiles,
                       int64_t vectors, int64_t lanes, float* HWY_RESTRICT m) {
    constexpr std::make_integer_sequence<int, kRows> kAll;
    // Even pieces: 32 tiles are 11 + 11 + 10, not 14 + 14 + 4.
    const int64_t pieces = DivideUp(tiles, kRows);
    for (int64_t piece = 0, at = 0; piece < pieces; ++piece) {
      const int64_t next = tiles * (piece + 1) / pieces;
      Segment moved[kMaxPlanes];
      for (int i = 0; i < count; ++i) moved[i] = {segments[i].v + at * tile_floats, segments[i].panel};
      const ProductFunction product = vectors == 2 ? ProductOf<2>(next - at, kAll) : ProductOf<1>(next - at, kAll);
      product(moved, count, depth, tile_floats, m + at * vectors * lanes);
      at = next;
    }
  }

  // One vector of output channels of one tile.
  static HWY_INLINE void OutputVector(const ConvLayer& layer, const ConvArgs& args, const float* HWY_RESTRICT m,
                                      int64_t position_floats, Vec bias, float* dst, const float* residual,
                                      int64_t row_first, int64_t row_last, int64_t col_first, int64_t col_last,
                                      int64_t lanes_here, int64_t lanes) {
    const Floats d;
    HWY_ALIGN float stage[kM * kAlpha * hn::MaxLanes(d)];
    for (int j = 0; j < kAlpha; ++j) {
      Vec x[kAlpha], y[kM];
      for (int i = 0; i < kAlpha; ++i) x[i] = hn::Load(d, m + (i * kAlpha + j) * position_floats);
      TransformOutput<kAlpha, kM>(x, y);
      for (int i = 0; i < kM; ++i) hn::Store(y[i], d, stage + static_cast<int64_t>(i * kAlpha + j) * lanes);
    }
    const int64_t row_stride = args.dst.strides[kH], col_stride = args.dst.strides[kW];
    for (int64_t i = row_first; i < row_last; ++i) {
      Vec x[kAlpha], y[kM];
      for (int j = 0; j < kAlpha; ++j) x[j] = hn::Load(d, stage + (i * kAlpha + j) * lanes);
      TransformOutput<kAlpha, kM>(x, y);
      for (int64_t j = col_first; j < col_last; ++j) {
        Vec value = hn::Add(y[j], bias);
        if (residual != nullptr) {
          const float* from = residual + i * args.residual.strides[kH] + j * args.residual.strides[kW];
          value = hn::Add(value, lanes_here == lanes ? hn::LoadU(d, from) : LoadFirst(from, lanes_here));
        }
        value = VecActivate(d, layer.act, value);
        float* to = dst + i * row_stride + j * col_stride;
        if (lanes_here == lanes) {
          hn::StoreU(value, d, to);
        } else {
          StoreFirst(value, to, lanes_here);
        }
      }
    }
  }

  static void TransformBlock(const ConvLayer& layer, const ConvArgs& args, const Sizes& s, const Grid& grid,
                             int64_t batch, int64_t plane, int64_t first, int64_t count, int64_t block,
                             const float* HWY_RESTRICT m) {
    const Floats d;
    const int64_t position_floats = grid.run * 2 * s.lanes + 16;
    const int64_t vectors = s.vectors(block);
    const float* biases = args.packed + BiasOffset(s) + block * 2 * s.lanes;
    for (int64_t t = 0; t < count; ++t) {
      const int64_t tile = first + t;
      const int64_t row = (grid.row_begin + tile / grid.cols) * kM - args.dst_origin[1];
      const int64_t col = (grid.col_begin + tile % grid.cols) * kM - args.dst_origin[2];
      for (int64_t vector = 0; vector < vectors; ++vector) {
        const int64_t channel = (2 * block + vector) * s.lanes;
        const int64_t lanes_here = std::min(s.lanes, layer.out_channels - channel);
        float* dst = args.dst.data + batch * args.dst.strides[kN] + plane * args.dst.strides[kD] +
                     row * args.dst.strides[kH] + col * args.dst.strides[kW] + channel;
        const float* residual = nullptr;
        if (layer.has_residual) {
          residual = args.residual.data + batch * args.residual.strides[kN] + plane * args.residual.strides[kD] +
                     row * args.residual.strides[kH] + col * args.residual.strides[kW] + channel;
        }
        OutputVector(layer, args, m + (t * vectors + vector) * s.lanes, position_floats,
                     hn::LoadU(d, biases + vector * s.lanes), dst, residual, std::max<int64_t>(0, -row),
                     std::min<int64_t>(kM, args.dst.dims[kH] - row), std::max<int64_t>(0, -col),
                     std::min<int64_t>(kM, args.dst.dims[kW] - col), lanes_here, s.lanes);
      }
    }
  }

  // Small images stay in the cache from one layer to the next.
  static bool GoesToMemory(const View& view) {
    return view.dims[kD] * view.dims[kH] * view.dims[kW] * view.dims[kC] > (1 << 16);
  }

  // What the run of tiles from `first` on reads that the run above it did not.
  static LineWalk NextSource(const ConvLayer& layer, const ConvArgs& args, const Grid& grid, int64_t batch,
                             int64_t plane, int64_t first) {
    const int64_t last_plane = std::clamp<int64_t>(plane - args.pad[0] + layer.kernel[0] - 1, 0, args.src.dims[kD] - 1);
    const int64_t count = GoesToMemory(args.dst) ? std::clamp<int64_t>(grid.tiles - first, 0, grid.run) : 0;
    const int64_t row_shift = grid.row_begin * kM - args.dst_origin[1] - args.pad[1] + kTaps - 1;
    const int64_t col_shift = grid.col_begin * kM - args.dst_origin[2] - args.pad[2] + kTaps - 1;
    return LineWalk(
        args.src, args.src.data + batch * args.src.strides[kN] + last_plane * args.src.strides[kD],
        {first, first + count, grid.cols, kM, row_shift, col_shift, Reach(args, 1), Reach(args, 2), layer.in_channels});
  }

  // What the output transform of a block writes.
  static LineWalk BlockResult(const ConvLayer& layer, const ConvArgs& args, const Sizes& s, const Grid& grid,
                              int64_t batch, int64_t plane, int64_t first, int64_t count, int64_t block) {
    const int64_t channel = block * 2 * s.lanes;
    return LineWalk(args.dst, args.dst.data + batch * args.dst.strides[kN] + plane * args.dst.strides[kD] + channel,
                    {first, first + (GoesToMemory(args.dst) ? count : 0), grid.cols, kM,
                     grid.row_begin * kM - args.dst_origin[1], grid.col_begin * kM - args.dst_origin[2],
                     args.dst.dims[kH], args.dst.dims[kW], std::min(2 * s.lanes, layer.out_channels - channel)});
  }

  static void Run(const ConvLayer& layer, const ConvArgs& args, int64_t unit_begin, int64_t unit_end, float* scratch) {
    const Sizes s(layer);
    const Grid grid(layer, args, s);
    const int64_t depth_taps = layer.kernel[0];
    float* m = scratch + depth_taps * grid.slot_floats;
    const int64_t m_position = grid.run * 2 * s.lanes + 16;
    for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
      const int64_t first = unit % grid.runs * grid.run;
      const int64_t count = std::min(grid.run, grid.tiles - first);
      const int64_t plane_run = unit / grid.runs % grid.plane_runs;
      const int64_t batch = unit / grid.runs / grid.plane_runs;
      int64_t held[kMaxPlanes] = {-1, -1, -1};  // source plane in each slot
      const int64_t plane_end = std::min((plane_run + 1) * grid.planes, args.dst.dims[kD]);
      for (int64_t plane = plane_run * grid.planes; plane < plane_end; ++plane) {
        const float* slots[kMaxPlanes];
        int64_t taps[kMaxPlanes];
        int count_planes = 0;
        for (int64_t kd = 0; kd < depth_taps; ++kd) {
          const int64_t source = plane - args.pad[0] + kd;
          if (source < 0 || source >= args.src.dims[kD]) continue;
          const int64_t slot = source % depth_taps;
          float* v = scratch + slot * grid.slot_floats;
          if (held[slot] != source) {
            TransformPlane(layer, args, s, grid,
                           args.src.data + batch * args.src.strides[kN] + source * args.src.strides[kD], first, count,
                           v);
            held[slot] = source;
          }
          slots[count_planes] = v;
          taps[count_planes++] = kd;
        }
        LineWalk source = NextSource(layer, args, grid, batch, plane, first + grid.run);
        const int64_t source_lines = DivideUp(source.Lines(), s.blocks * kProducts);
        for (int64_t block = 0; block < s.blocks; ++block) {
          LineWalk result = BlockResult(layer, args, s, grid, batch, plane, first, count, block);
          const int64_t result_lines = DivideUp(result.Lines(), kProducts);
          const float* panels = args.packed + block * kProducts * s.panel_floats;
          const int64_t plane_floats = s.in_padded * s.vectors(block) * s.lanes;
          for (int p = 0; p < kProducts; ++p) {
            Segment segments[kMaxPlanes];
            for (int i = 0; i < count_planes; ++i) {
              segments[i] = {slots[i] + p * grid.position_floats, panels + (p * depth_taps + taps[i]) * plane_floats};
            }
            source.Step<false>(source_lines);
            result.Step<true>(result_lines);
            Products(segments, count_planes, s.in_padded, s.in_padded, count, s.vectors(block), s.lanes,
                     m + p * m_position);
          }
          TransformBlock(layer, args, s, grid, batch, plane, first, count, block, m);
        }
      }
    }
  }

  static bool Accepts(const ConvLayer& layer) {
    for (int a = 0; a < 3; ++a) {
      if (layer.stride[a] != 1 || layer.dilation[a] != 1) return false;
    }
    return !layer.exact_order && layer.groups == 1 && layer.kernel[1] == kTaps && layer.kernel[2] == kTaps &&
           (layer.kernel[0] == 1 || (layer.kernel[0] == 3 && kTaps == 3)) && layer.in_channels >= LaneCount() &&
           layer.out_channels >= LaneCount();
  }
};

using Filter3x3 = Filter<6, 3>;
using Filter5x5 = Filter<8, 5>;

}  // namespace winograd
}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::kernels {
namespace {

// F(4x4) for both: for 3x3 with a quarter of the multiplications, for 5x5 with 4/25 of them.
#define FOVEA_WINOGRAD_ROW(target, isa, filter, name)                               \
  {{{isa, name, target::winograd::filter::Accepts, target::winograd::filter::Units, \
     target::winograd::filter::ScratchFloats, target::winograd::filter::Run},       \
    target::winograd::filter::PackedFloats,                                         \
    target::winograd::filter::Pack},                                                \
   {1, 4, 4},                                                                       \
   false},
#define FOVEA_WINOGRAD_ROWS(target, isa, label)                                  \
  FOVEA_WINOGRAD_ROW(target, isa, Filter3x3, "conv/winograd/" label "/f4x4-3x3") \
  FOVEA_WINOGRAD_ROW(target, isa, Filter5x5, "conv/winograd/" label "/f4x4-5x5")

constexpr ConvKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    FOVEA_WINOGRAD_ROWS(N_AVX3, Isa::kAvx512, "avx512")
#endif
#if HWY_TARGETS & HWY_AVX2
        FOVEA_WINOGRAD_ROWS(N_AVX2, Isa::kAvx2, "avx2")
#endif
#if HWY_TARGETS & HWY_NEON
            FOVEA_WINOGRAD_ROWS(N_NEON, Isa::kNeon, "neon")
#endif
#if HWY_TARGETS & HWY_SSE4
                FOVEA_WINOGRAD_ROWS(N_SSE4, Isa::kSse4, "sse4")
#endif
};

}  // namespace

std::span<const ConvKernel> WinogradConvKernels() { return kRows; }

}  // namespace fovea::kernels
#endif  // HWY_ONCE
