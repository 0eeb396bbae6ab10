// Winograd convolution: windows of 3x3 and 5x5 (and 3x3x3, transformed plane by plane), stride 1, no groups.
//
// A window on an image whose pixels were doubled (nearest neighbour) reads the image before it was: see Upsampled and
// UpsampledFive in winograd-inl.h.
//
// A unit is a run of tiles of m x m outputs. Their inputs are transformed into scratch (V), alpha^2 small matrix
// products with the transformed weights give M for one block of output channels at a time, and the output transform
// adds bias and residual, activates and stores. V and the M of a block stay in L2. In 3-D the planes' products are
// summed before the output transform, and a ring of transformed planes serves the next output plane.
//
// Without packed weights, each block transforms a few input channels' weights at a time into panels behind M, few
// enough to stay in the cache, and adds their products to M. Runs are longer then, so that a transform serves many
// tiles; where there are fewer runs than threads, a unit makes some of the blocks only.
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
#include "kernels/conv/winograd_product-inl.h"
#include "kernels/elementwise/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {
namespace winograd {

template <class Scheme>
struct Filter {
  static constexpr int kTaps = Scheme::kTaps, kM = Scheme::kM, kUpsample = Scheme::kUpsample;
  static constexpr int kInputs = Scheme::kInputs, kValues = Scheme::kValues, kFactors = Scheme::kFactors;
  static constexpr int kProducts = kFactors * kFactors;
  static constexpr int kKept = kValues * kValues;      // transformed values of a tile
  static constexpr int64_t kMostUnpacked = 8 * kRows;  // tiles of a run without packed weights

  // Source planes that an output plane is made of, and planes of filters: of an image that is doubled in depth, odd and
  // even output planes see two source planes each by filters of their own.
  static bool Deep(const ConvLayer& layer) { return layer.upsample[0] == 2; }
  static int64_t DepthTaps(const ConvLayer& layer) { return Deep(layer) ? 2 : layer.kernel[0]; }
  static int64_t FilterPlanes(const ConvLayer& layer) { return Deep(layer) ? 4 : layer.kernel[0]; }

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
          panel_floats(FilterPlanes(layer) * in_padded * 2 * lanes),
          last_vectors(DivideUp(layer.out_channels, lanes) - 2 * (blocks - 1)) {}
  };

  // How the work is cut.
  struct Grid {
    int64_t row_begin, col_begin, rows, cols;  // tiles of a plane, lattice indices
    int64_t tiles, run, runs;                  // tiles of a plane in runs of at most `run`
    int64_t blocks, groups;                    // a unit makes so many blocks; groups of them make all
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
      const int64_t tile_bytes = 4 * (kKept * DepthTaps(layer) * s.in_padded + kProducts * 2 * s.lanes);
      int64_t most = (256 << 10) / tile_bytes / kRows * kRows;
      most = std::clamp<int64_t>(most,
                                 layer.in_channels >= 512   ? 4 * kRows
                                 : layer.in_channels >= 192 ? 2 * kRows
                                                            : kRows,
                                 8 * kRows);
      // Weights are transformed again for every run.
      if (args.packed == nullptr) most = kMostUnpacked;
      runs = std::max<int64_t>(1, DivideUp(tiles, most));
      if (args.packed != nullptr ? runs > 1 || tiles > 2 * kRows : runs > 1) runs = DivideUp(runs, 2) * 2;
      run = DivideUp(tiles, runs);
      runs = DivideUp(tiles, run);
      planes = DepthTaps(layer) == 1 ? 1 : 8;
      plane_runs = DivideUp(args.dst.dims[kD], planes);
      groups = args.packed != nullptr ? 1 : std::clamp<int64_t>(DivideUp(args.threads, runs * plane_runs), 1, s.blocks);
      blocks = DivideUp(s.blocks, groups);
      groups = DivideUp(s.blocks, blocks);
      position_floats = OddLines(run * s.in_padded);
      slot_floats = kKept * position_floats;
    }
  };

  // Room for so many floats in an odd number of cache lines. The transforms walk all positions at once: an odd distance
  // spreads them over all sets of the first cache (24 > 24 channels on AVX2 took twice as long at 4 KiB).
  static HWY_INLINE int64_t OddLines(int64_t floats) { return (DivideUp(floats, 16) | 1) * 16; }

  static int64_t Units(const ConvLayer& layer, const ConvArgs& args) {
    const Grid grid(layer, args, Sizes(layer));
    return args.dst.dims[kN] * grid.plane_runs * grid.runs * grid.groups;
  }

  static int64_t ScratchFloats(const ConvLayer& layer, const ConvArgs& args) {
    const Sizes s(layer);
    const Grid grid(layer, args, s);
    int64_t floats = DepthTaps(layer) * grid.slot_floats + kProducts * OddLines(grid.run * 2 * s.lanes);
    if (args.packed == nullptr) floats += kProducts * OwnDistance(s);
    return floats;
  }

  // Without packed weights: input channels whose panels are made at once, for panels of 300 KiB in all.
  static int64_t OwnInputs(const Sizes& s) {
    const int64_t fitting = (int64_t{300} << 10) / (kProducts * 2 * s.lanes * static_cast<int64_t>(sizeof(float)));
    return std::clamp<int64_t>(fitting, 1, s.in_padded);
  }
  static int64_t OwnDistance(const Sizes& s) { return OddLines(OwnInputs(s) * 2 * s.lanes); }

  // [block][position][kd][input channel][vectors of output channels], then the bias, padded.
  static int64_t PackedFloats(const ConvLayer& layer) {
    const Sizes s(layer);
    return BiasOffset(s) + s.blocks * 2 * s.lanes;
  }

  static int64_t BiasOffset(const Sizes& s) {
    return (2 * (s.blocks - 1) + s.last_vectors) * kProducts * (s.panel_floats / 2);
  }

  static FilterPacker<Scheme> PackerOf(const ConvLayer& layer, const Sizes& s, const float* weights,
                                       int64_t filter_plane, int64_t block) {
    const auto plane = [&](int64_t kd) {
      return weights + kd * kTaps * kTaps * layer.in_channels * layer.out_channels;
    };
    // Doubled in depth: w0, w1 + w2 and w0 + w1, w2.
    constexpr int kFirst[4] = {0, 1, 0, 2}, kSecond[4] = {-1, 2, 1, -1};
    const float* more = Deep(layer) && kSecond[filter_plane] >= 0 ? plane(kSecond[filter_plane]) : nullptr;
    return FilterPacker<Scheme>(plane(Deep(layer) ? kFirst[filter_plane] : filter_plane), more, layer.in_channels,
                                layer.out_channels, block * 2 * s.lanes, s.vectors(block) * s.lanes);
  }

  static void Pack(const ConvLayer& layer, const float* weights, const float* bias, float* packed, int part,
                   int parts) {
    const Sizes s(layer);
    float* biases = packed + BiasOffset(s);
    for (int64_t block = part; block < s.blocks; block += parts) {
      const int64_t width = s.vectors(block) * s.lanes, first = block * 2 * s.lanes;
      float* panels = packed + block * kProducts * s.panel_floats;
      const int64_t filter_planes = FilterPlanes(layer);
      for (int64_t f = 0; f < filter_planes; ++f) {
        PackerOf(layer, s, weights, f, block)
            .PackFar(0, s.in_padded, panels + f * s.in_padded * width, filter_planes * s.in_padded * width);
      }
      for (int64_t co = first; co < first + 2 * s.lanes; ++co) {
        biases[co] = bias != nullptr && co < layer.out_channels ? bias[co] : 0.0f;
      }
    }
  }

  // Source positions of axis 1 (rows) or 2 (columns) that windows of dst reach, [0, reach). The last tile looks
  // further, but must not see what a smaller view would not hold.
  static HWY_INLINE int64_t Reach(const ConvArgs& args, int axis) {
    return std::min(args.src.dims[kD + axis],
                    DivideUp(args.dst.dims[kD + axis] + kTaps - 1 - args.pad[axis], kUpsample));
  }

  // First source position of tile `tile` of the grid along axis 1 or 2. On a doubled image, windows of three, whose
  // padding is odd, begin a tile with the second half of it; windows of five, whose padding is even, with both.
  static HWY_INLINE int64_t SourceOf(const ConvArgs& args, int64_t tile, int axis) {
    return FloorDivide(tile * kM - args.dst_origin[axis] - args.pad[axis], kUpsample);
  }

  // The source pixels of one tile, one vector of channels: loaded (zero outside the source), transformed, stored to
  // V.
  template <bool kInside>
  static HWY_INLINE void InputVector(const ConvArgs& args, const float* plane, int64_t row, int64_t col,
                                     int64_t lanes_here, int64_t lanes, int64_t position_floats,
                                     float* HWY_RESTRICT v) {
    const Floats d;
    const int64_t height = Reach(args, 1), width = Reach(args, 2);
    const int64_t row_stride = args.src.strides[kH], col_stride = args.src.strides[kW];
    HWY_ALIGN float stage[kValues * kInputs * hn::MaxLanes(d)];
    const float* origin = plane + row * row_stride + col * col_stride;
    for (int j = 0; j < kInputs; ++j) {
      Vec x[kInputs], y[kValues];
      for (int i = 0; i < kInputs; ++i) {
        if constexpr (kInside) {
          x[i] = hn::LoadU(d, origin + i * row_stride + j * col_stride);
        } else {
          const bool inside = row + i >= 0 && row + i < height && col + j >= 0 && col + j < width;
          const float* from = origin + i * row_stride + j * col_stride;
          x[i] = !inside ? hn::Zero(d) : lanes_here == lanes ? hn::LoadU(d, from) : LoadFirst(from, lanes_here);
        }
      }
      Scheme::Input(x, y);
      for (int i = 0; i < kValues; ++i) hn::Store(y[i], d, stage + static_cast<int64_t>(i * kInputs + j) * lanes);
    }
    for (int i = 0; i < kValues; ++i) {
      Vec x[kInputs], y[kValues];
      for (int j = 0; j < kInputs; ++j) x[j] = hn::Load(d, stage + static_cast<int64_t>(i * kInputs + j) * lanes);
      Scheme::Input(x, y);
      for (int j = 0; j < kValues; ++j) hn::Store(y[j], d, v + (i * kValues + j) * position_floats);
    }
  }

  // V of one source plane for tiles [first, first + count).
  static void TransformPlane(const ConvLayer& layer, const ConvArgs& args, const Sizes& s, const Grid& grid,
                             const float* plane, int64_t first, int64_t count, float* HWY_RESTRICT v) {
    const int64_t height = Reach(args, 1), width = Reach(args, 2);
    for (int64_t t = 0; t < count; ++t) {
      const int64_t tile = first + t;
      const int64_t row = SourceOf(args, grid.row_begin + tile / grid.cols, 1);
      const int64_t col = SourceOf(args, grid.col_begin + tile % grid.cols, 2);
      const bool inside = row >= 0 && row + kInputs <= height && col >= 0 && col + kInputs <= width;
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

  // One vector of output channels of one tile.
  static HWY_INLINE void OutputVector(const ConvLayer& layer, const ConvArgs& args, const float* HWY_RESTRICT m,
                                      int64_t position_floats, Vec bias, float* dst, const float* residual,
                                      int64_t row_first, int64_t row_last, int64_t col_first, int64_t col_last,
                                      int64_t lanes_here, int64_t lanes) {
    const Floats d;
    HWY_ALIGN float stage[kM * kFactors * hn::MaxLanes(d)];
    for (int j = 0; j < kFactors; ++j) {
      Vec x[kFactors], y[kM];
      for (int i = 0; i < kFactors; ++i) x[i] = hn::Load(d, m + (i * kFactors + j) * position_floats);
      Scheme::Output(x, y);
      for (int i = 0; i < kM; ++i) hn::Store(y[i], d, stage + static_cast<int64_t>(i * kFactors + j) * lanes);
    }
    const int64_t row_stride = args.dst.strides[kH], col_stride = args.dst.strides[kW];
    for (int64_t i = row_first; i < row_last; ++i) {
      Vec x[kFactors], y[kM];
      for (int j = 0; j < kFactors; ++j) x[j] = hn::Load(d, stage + (i * kFactors + j) * lanes);
      Scheme::Output(x, y);
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
    const int64_t position_floats = OddLines(grid.run * 2 * s.lanes);
    const int64_t vectors = s.vectors(block);
    HWY_ALIGN float biases[2 * hn::MaxLanes(d)] = {};
    if (args.packed != nullptr) {
      std::copy_n(args.packed + BiasOffset(s) + block * 2 * s.lanes, 2 * s.lanes, biases);
    } else if (args.bias != nullptr) {
      const int64_t channel = block * 2 * s.lanes;
      std::copy_n(args.bias + channel, std::min(2 * s.lanes, layer.out_channels - channel), biases);
    }
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
                     hn::Load(d, biases + vector * s.lanes), dst, residual, std::max<int64_t>(0, -row),
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
    const int64_t last_plane = std::clamp<int64_t>(
        FloorDivide(plane - args.pad[0] + layer.kernel[0] - 1, layer.upsample[0]), 0, args.src.dims[kD] - 1);
    const int64_t count = GoesToMemory(args.dst) ? std::clamp<int64_t>(grid.tiles - first, 0, grid.run) : 0;
    const int64_t row_shift = SourceOf(args, grid.row_begin, 1) + kInputs - Scheme::kStep;
    const int64_t col_shift = SourceOf(args, grid.col_begin, 2) + kInputs - Scheme::kStep;
    return LineWalk(args.src, args.src.data + batch * args.src.strides[kN] + last_plane * args.src.strides[kD],
                    {first, first + count, grid.cols, Scheme::kStep, row_shift, col_shift, Reach(args, 1),
                     Reach(args, 2), layer.in_channels});
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

  // M of a block of output channels from the planes of V that it sees, by packed weights. Between the products, what
  // the next run reads and what this block writes is called for.
  static void MultiplyPacked(const ConvLayer& layer, const ConvArgs& args, const Sizes& s, const Grid& grid,
                             const float* const* slots, const int64_t* taps, int planes, int64_t count, int64_t block,
                             LineWalk* source, int64_t source_lines, LineWalk* result, float* m) {
    const int64_t plane_floats = s.in_padded * s.vectors(block) * s.lanes;
    const int64_t m_position = OddLines(grid.run * 2 * s.lanes), result_lines = DivideUp(result->Lines(), kProducts);
    for (int p = 0; p < kProducts; ++p) {
      const float* panels = args.packed + block * kProducts * s.panel_floats + p * FilterPlanes(layer) * plane_floats;
      Segment segments[kMaxPlanes];
      for (int i = 0; i < planes; ++i) {
        segments[i] = {slots[i] + ValueOf(p) * grid.position_floats, panels + taps[i] * plane_floats};
      }
      source->Step<false>(source_lines);
      result->Step<true>(result_lines);
      Products(segments, planes, s.in_padded, s.in_padded, count, s.vectors(block), s.lanes, false, m + p * m_position);
    }
  }

  // The same by weights that are packed now, to `panels`.
  static void MultiplyUnpacked(const ConvLayer& layer, const ConvArgs& args, const Sizes& s, const Grid& grid,
                               const float* const* slots, const int64_t* taps, int planes, int64_t count, int64_t block,
                               LineWalk* source, int64_t source_lines, LineWalk* result, float* panels, float* m) {
    const int64_t m_position = OddLines(grid.run * 2 * s.lanes), distance = OwnDistance(s), inputs = OwnInputs(s);
    const int64_t last = (s.in_padded - 1) / inputs * inputs, result_lines = DivideUp(result->Lines(), kProducts);
    // Windows in the padding alone see no plane.
    if (planes == 0) std::fill_n(m, kProducts * m_position, 0.0f);
    for (int i = 0; i < planes; ++i) {
      const FilterPacker<Scheme> packer = PackerOf(layer, s, args.weights, taps[i], block);
      for (int64_t ci = 0; ci < s.in_padded; ci += inputs) {
        const int64_t end = std::min(ci + inputs, s.in_padded);
        packer.Pack(ci, end, panels, distance);
        for (int p = 0; p < kProducts; ++p) {
          const Segment segment = {slots[i] + ValueOf(p) * grid.position_floats + ci, panels + p * distance};
          if (i + 1 == planes && ci == last) {  // not so early that the panels push it out again
            source->Step<false>(source_lines);
            result->Step<true>(result_lines);
          }
          Products(&segment, 1, end - ci, s.in_padded, count, s.vectors(block), s.lanes, i > 0 || ci > 0,
                   m + p * m_position);
        }
      }
    }
  }

  // The value of V that product p takes.
  static HWY_INLINE int64_t ValueOf(int p) {
    return Scheme::ValueOf(p / kFactors) * kValues + Scheme::ValueOf(p % kFactors);
  }

  static void Run(const ConvLayer& layer, const ConvArgs& args, int64_t unit_begin, int64_t unit_end, float* scratch) {
    const Sizes s(layer);
    const Grid grid(layer, args, s);
    const int64_t depth_taps = DepthTaps(layer);
    float* const m = scratch + depth_taps * grid.slot_floats;
    float* const own_panels = m + kProducts * OddLines(grid.run * 2 * s.lanes);
    for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
      const int64_t first = unit % grid.runs * grid.run;
      const int64_t count = std::min(grid.run, grid.tiles - first);
      const int64_t plane_run = unit / grid.runs % grid.plane_runs;
      const int64_t batch = unit / grid.runs / grid.plane_runs % args.dst.dims[kN];
      const int64_t group = unit / grid.runs / grid.plane_runs / args.dst.dims[kN];
      const int64_t first_block = group * grid.blocks, last_block = std::min(first_block + grid.blocks, s.blocks);
      int64_t held[kMaxPlanes] = {-1, -1, -1};  // source plane in each slot
      const int64_t plane_end = std::min((plane_run + 1) * grid.planes, args.dst.dims[kD]);
      for (int64_t plane = plane_run * grid.planes; plane < plane_end; ++plane) {
        const float* slots[kMaxPlanes];
        int64_t taps[kMaxPlanes];
        int count_planes = 0;
        const int64_t deepest = plane - args.pad[0], first_source = FloorDivide(deepest, layer.upsample[0]);
        const int64_t first_filter = Deep(layer) && deepest == 2 * first_source ? 2 : 0;
        for (int64_t kd = 0; kd < depth_taps; ++kd) {
          const int64_t source = first_source + kd;
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
          taps[count_planes++] = first_filter + kd;
        }
        LineWalk source = NextSource(layer, args, grid, batch, plane, first + grid.run);
        const int64_t source_lines = DivideUp(source.Lines(), grid.blocks * kProducts);
        for (int64_t block = first_block; block < last_block; ++block) {
          LineWalk result = BlockResult(layer, args, s, grid, batch, plane, first, count, block);
          if (args.packed != nullptr) {
            MultiplyPacked(layer, args, s, grid, slots, taps, count_planes, count, block, &source, source_lines,
                           &result, m);
          } else {
            MultiplyUnpacked(layer, args, s, grid, slots, taps, count_planes, count, block, &source, source_lines,
                             &result, own_panels, m);
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
    if (layer.upsample[1] != kUpsample || layer.upsample[2] != kUpsample) return false;
    if (layer.upsample[0] != (layer.kernel[0] == 1 ? 1 : kUpsample)) return false;
    return !layer.exact_order && layer.groups == 1 && layer.kernel[1] == kTaps && layer.kernel[2] == kTaps &&
           (layer.kernel[0] == 1 || (layer.kernel[0] == 3 && kTaps == 3)) && layer.in_channels >= LaneCount() &&
           layer.out_channels >= LaneCount();
  }
};

using Filter3x3 = Filter<Plain<6, 3>>;
using Filter5x5 = Filter<Plain<8, 5>>;
using Filter3x3Upsampled = Filter<Upsampled>;
using Filter5x5Upsampled = Filter<UpsampledFive>;

}  // namespace winograd
}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::kernels {
namespace {

// F(4x4): for 3x3 with a quarter of the multiplications, for 5x5 with 4/25 of them, for 3x3 on an image that was
// doubled with 25/144 of them. F(8x8) for 5x5 on such an image, with 121/1600 of them.
#define FOVEA_WINOGRAD_ROW(target, isa, filter, name)                               \
  {{{isa, name, target::winograd::filter::Accepts, target::winograd::filter::Units, \
     target::winograd::filter::ScratchFloats, target::winograd::filter::Run},       \
    target::winograd::filter::PackedFloats,                                         \
    target::winograd::filter::Pack},                                                \
   {1, target::winograd::filter::kM, target::winograd::filter::kM},                 \
   true,                                                                            \
   false},
#define FOVEA_WINOGRAD_ROWS(target, isa, label)                                                   \
  FOVEA_WINOGRAD_ROW(target, isa, Filter3x3, "conv/winograd/" label "/f4x4-3x3")                  \
  FOVEA_WINOGRAD_ROW(target, isa, Filter5x5, "conv/winograd/" label "/f4x4-5x5")                  \
  FOVEA_WINOGRAD_ROW(target, isa, Filter3x3Upsampled, "conv/winograd/" label "/f4x4-3x3-doubled") \
  FOVEA_WINOGRAD_ROW(target, isa, Filter5x5Upsampled, "conv/winograd/" label "/f8x8-5x5-doubled")

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
