// Vector rows of group and layer normalisation; lanes are channels.
//
// Group norm: a unit is a block of groups of about kBlockChannels channels, and takes two passes over its pixels: sums,
// then the result. The sums are of x - k and (x - k)^2 in double, k the channel's first pixel, which lies among the
// channel's values: squares that cancel cost at most (distance of k from the mean / standard deviation)^2 roundings of
// a double. Their order is that of kernels/moments; the channels of a group are added in order.
// The last pass is in float: with the mean split into a float and a remainder, (x - mean) keeps its digits.
#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/normalize/reference.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normalize/normalize.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/elementwise/math-inl.h"
#include "kernels/moments/moments-inl.h"
#include "kernels/reduce/doubles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

inline constexpr int64_t kBlockChannels = 32;

// One each for the block's channels, and for the lanes of a last vector.
struct ChannelTables {
  double* sums;     // of x - first
  double* squares;  // of (x - first)^2
  double* first;
  // dst = (x - mean) scale + shift, the mean's remainder already in the shift.
  float* mean;
  float* scale;
  float* shift;
};
constexpr int64_t PaddedChannels(int64_t channels) { return CeilDiv(channels, 16) * 16 + 16; }
inline int64_t GroupsPerBlock(const GroupNormLayer& layer, const ConstView& src) {
  const int64_t per_group = std::max<int64_t>(1, src.dims[kC] / layer.groups);
  return std::min(layer.groups, std::max<int64_t>(1, kBlockChannels / per_group));
}
// With known statistics pixels are independent: a unit is some rows of a block.
inline constexpr int64_t kRowsPerUnit = 8;
int64_t RowPieces(const GroupNormArgs& args) {
  return args.moments == nullptr ? 1 : CeilDiv(args.src.dims[kD] * args.src.dims[kH], kRowsPerUnit);
}
int64_t GroupNormUnits(const GroupNormLayer& layer, const GroupNormArgs& args) {
  if (args.dst.elements() == 0) return 0;
  return args.dst.dims[kN] * CeilDiv(layer.groups, GroupsPerBlock(layer, args.src)) * RowPieces(args);
}
int64_t BlockChannels(const GroupNormLayer& layer, const ConstView& src) {
  return PaddedChannels(GroupsPerBlock(layer, src) * (src.dims[kC] / layer.groups));
}
int64_t NormCells(const GroupNormLayer& layer, const ConstView& src) {
  return MomentRowCells(layer.spatial, src.dims[kH]) * MomentColumnCells(layer.spatial, src.dims[kW]);
}
int64_t GroupNormScratch(const GroupNormLayer& layer, const GroupNormArgs& args) {
  const int64_t cells = args.moments == nullptr ? NormCells(layer, args.src) : 0;
  return (9 + 4 * cells) * BlockChannels(layer, args.src);
}

// The moments of a block's channels, over the whole image.
void AddChannels(const GroupNormLayer& layer, const ConstView& src, const float* sample, int64_t channels,
                 double* cells, const ChannelTables& tables) {
  const int64_t padded = BlockChannels(layer, src), count = NormCells(layer, src);
  std::fill_n(cells, 2 * padded * count, 0.0);
  std::fill_n(tables.first, padded, 0.0);
  for (int64_t c = 0; c < channels; ++c) tables.first[c] = static_cast<double>(sample[c]);
  MomentsArgs args;
  args.src = src;
  for (int s = 0; s < 3; ++s) args.image[s] = src.dims[kD + s];
  AddMoments<MomentFn::kSquares>({MomentFn::kSquares, layer.spatial}, args, sample, channels, 0, src.dims[kH], 0,
                                 src.dims[kW], {cells, 2 * padded, padded, tables.first});
  FoldMoments(MomentFn::kSquares, cells, count, 2 * padded, channels, tables.sums);
  FoldMoments(MomentFn::kSquares, cells + padded, count, 2 * padded, channels, tables.squares);
}

template <int... v>
void ApplyPixels(std::integer_sequence<int, v...>, const GroupNormLayer& layer, const GroupNormArgs& args,
                 const float* from, float* to, int64_t row_begin, int64_t row_end, int64_t c, int64_t count,
                 const ChannelTables& tables) {
  constexpr int kVecs = sizeof...(v);
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const bool whole = kVecs > 1 || count == lanes;
  Vec mean[kVecs], scale[kVecs], shift[kVecs];
  ((mean[v] = hn::LoadU(d, tables.mean + c + v * lanes), scale[v] = hn::LoadU(d, tables.scale + c + v * lanes),
    shift[v] = hn::LoadU(d, tables.shift + c + v * lanes)),
   ...);
  for (int64_t row = row_begin; row < row_end; ++row) {
    const int64_t depth = row / args.src.dims[kH], h = row % args.src.dims[kH];
    const float* x = from + depth * args.src.strides[kD] + h * args.src.strides[kH] + c;
    float* y = to + depth * args.dst.strides[kD] + h * args.dst.strides[kH] + c;
    for (int64_t w = 0; w < args.src.dims[kW]; ++w, x += args.src.strides[kW], y += args.dst.strides[kW]) {
      PrefetchPixel<kVecs * hn::MaxLanes(d)>(x + kAhead * args.src.strides[kW]);
      Vec value[kVecs];
      ((value[v] = whole ? hn::LoadU(d, x + v * lanes) : LoadFirst(x, count)), ...);
      ((value[v] = VecActivate(d, layer.act, hn::MulAdd(hn::Sub(value[v], mean[v]), scale[v], shift[v]))), ...);
      ((whole ? hn::StoreU(value[v], d, y + v * lanes) : StoreFirst(value[v], y, count)), ...);
    }
  }
}

void ApplyChannels(const GroupNormLayer& layer, const GroupNormArgs& args, const float* from, float* to,
                   int64_t row_begin, int64_t row_end, int64_t channels, const ChannelTables& tables) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  int64_t c = 0;
  for (; c + 2 * lanes <= channels; c += 2 * lanes) {
    ApplyPixels(kTwo, layer, args, from, to, row_begin, row_end, c, lanes, tables);
  }
  for (; c < channels; c += lanes) {
    ApplyPixels(kOne, layer, args, from, to, row_begin, row_end, c, std::min(lanes, channels - c), tables);
  }
}

// Mean and variance of the channels [begin, end) of the block, each with `pixels` values: those of the channels, and
// how far the channels' means lie apart.
struct Statistics {
  double mean = 0, variance = 0;
};
Statistics GroupStatistics(const ChannelTables& tables, int64_t begin, int64_t end, double pixels) {
  Statistics s;
  const auto mean = [&](int64_t c) { return tables.first[c] + tables.sums[c] / pixels; };
  for (int64_t c = begin; c < end; ++c) s.mean += mean(c);
  s.mean /= static_cast<double>(end - begin);
  for (int64_t c = begin; c < end; ++c) {
    const double apart = mean(c) - s.mean;
    const double within = tables.squares[c] - tables.sums[c] * (tables.sums[c] / pixels);
    s.variance += std::max(0.0, within) / pixels + apart * apart;
  }
  s.variance /= static_cast<double>(end - begin);
  return s;
}

void GroupNorm(const GroupNormLayer& layer, const GroupNormArgs& args, int64_t unit_begin, int64_t unit_end,
               float* scratch) {
  const ConstView& src = args.src;
  const int64_t per_group = src.dims[kC] / layer.groups;
  const int64_t per_block = GroupsPerBlock(layer, src);
  const int64_t blocks = CeilDiv(layer.groups, per_block);
  const int64_t padded = PaddedChannels(per_block * per_group);
  double* doubles = reinterpret_cast<double*>(scratch);
  float* floats = scratch + 6 * padded;
  const ChannelTables tables = {doubles, doubles + padded, doubles + 2 * padded,
                                floats,  floats + padded,  floats + 2 * padded};
  std::fill_n(scratch, 9 * padded, 0.0f);
  double* cells = reinterpret_cast<double*>(scratch + 9 * padded);
  const int64_t rows = src.dims[kD] * src.dims[kH], pieces = RowPieces(args);
  const int64_t positions = args.moments != nullptr ? args.positions : rows * src.dims[kW];
  const double pixels = static_cast<double>(positions);
  for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
    const int64_t n = unit / pieces / blocks, group = unit / pieces % blocks * per_block, piece = unit % pieces;
    const int64_t groups = std::min(per_block, layer.groups - group);
    const int64_t channel = group * per_group, channels = groups * per_group;
    const float* from = src.data + n * src.strides[kN] + channel;
    if (args.moments == nullptr) {
      AddChannels(layer, src, from, channels, cells, tables);
    } else {
      const int64_t known = MomentChannels(src.dims[kC]);
      const double* moments = args.moments + 3 * n * known + channel;
      std::copy_n(moments, channels, tables.sums);
      std::copy_n(moments + known, channels, tables.squares);
      std::copy_n(moments + 2 * known, channels, tables.first);
    }
    for (int64_t g = 0; g < groups; ++g) {
      const Statistics s = GroupStatistics(tables, g * per_group, (g + 1) * per_group, pixels);
      const double inverse = 1 / std::sqrt(s.variance + static_cast<double>(layer.epsilon));
      for (int64_t c = g * per_group; c < (g + 1) * per_group; ++c) {
        const double scale = args.scale != nullptr ? inverse * static_cast<double>(args.scale[channel + c]) : inverse;
        const double bias = args.bias != nullptr ? static_cast<double>(args.bias[channel + c]) : 0;
        tables.mean[c] = static_cast<float>(s.mean);
        tables.scale[c] = static_cast<float>(scale);
        tables.shift[c] = static_cast<float>(bias - (s.mean - static_cast<double>(tables.mean[c])) * scale);
      }
    }
    const bool whole = pieces == 1;
    ApplyChannels(layer, args, from, args.dst.data + n * args.dst.strides[kN] + channel,
                  whole ? 0 : piece * kRowsPerUnit, whole ? rows : std::min(rows, (piece + 1) * kRowsPerUnit), channels,
                  tables);
  }
}

// Lane l sums the elements l, l + lanes, ... of the row.
template <bool kSquares>
HWY_INLINE double SumRow(const float* src, int64_t n, double mean) {
  const Doubles d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const DoubleVec means = hn::Set(d, mean);
  DoubleVec sum = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const DoubleVec x = LoadDoubles(src + i, 1, lanes);
    sum = kSquares ? hn::MulAdd(hn::Sub(x, means), hn::Sub(x, means), sum) : hn::Add(sum, x);
  }
  double total = SumLanes(sum);
  for (; i < n; ++i) {
    const double x = static_cast<double>(src[i]);
    total += kSquares ? (x - mean) * (x - mean) : x;
  }
  return total;
}

void LayerNorm(const LayerNormLayer& layer, const LayerNormArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t inner = args.src.dims[1];
  const int64_t end = std::min(args.dst.dims[0], unit_end * reference::kNormalizeRowsPerUnit);
  for (int64_t row = unit_begin * reference::kNormalizeRowsPerUnit; row < end; ++row) {
    const float* src = args.src.data + row * args.src.strides[0];
    float* dst = args.dst.data + row * args.dst.strides[0];
    const double count = static_cast<double>(inner);
    const double mean = SumRow<false>(src, inner, 0) / count;
    const double variance = SumRow<true>(src, inner, mean) / count;
    const Vec mean_high = hn::Set(d, static_cast<float>(mean));
    const Vec mean_low = hn::Set(d, static_cast<float>(mean - static_cast<double>(static_cast<float>(mean))));
    const Vec inverse = hn::Set(d, static_cast<float>(1 / std::sqrt(variance + static_cast<double>(layer.epsilon))));
    for (int64_t i = 0; i < inner; i += lanes) {
      const int64_t n = std::min(lanes, inner - i);
      const auto load = [&](const float* p) HWY_ATTR { return n == lanes ? hn::LoadU(d, p + i) : LoadFirst(p + i, n); };
      Vec y = hn::Mul(hn::Sub(hn::Sub(load(src), mean_high), mean_low), inverse);
      if (args.scale != nullptr) y = hn::Mul(y, load(args.scale));
      if (args.bias != nullptr) y = hn::Add(y, load(args.bias));
      if (n == lanes) {
        hn::StoreU(y, d, dst + i);
      } else {
        StoreFirst(y, dst + i, n);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::kernels {

std::span<const GroupNormKernel> GroupNormKernels() {
  static constexpr GroupNormKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    {Isa::kAvx512, "group_norm/channels/avx512", AcceptsAll, N_AVX3::GroupNormUnits, N_AVX3::GroupNormScratch,
     N_AVX3::GroupNorm},
#endif
#if HWY_TARGETS & HWY_AVX2
    {Isa::kAvx2, "group_norm/channels/avx2", AcceptsAll, N_AVX2::GroupNormUnits, N_AVX2::GroupNormScratch,
     N_AVX2::GroupNorm},
#endif
#if HWY_TARGETS & HWY_SSE4
    {Isa::kSse4, "group_norm/channels/sse4", AcceptsAll, N_SSE4::GroupNormUnits, N_SSE4::GroupNormScratch,
     N_SSE4::GroupNorm},
#endif
#if HWY_TARGETS & HWY_NEON
    {Isa::kNeon, "group_norm/channels/neon", AcceptsAll, N_NEON::GroupNormUnits, N_NEON::GroupNormScratch,
     N_NEON::GroupNorm},
#endif
    {Isa::kReference, "group_norm/reference", AcceptsAll, reference::GroupNormUnits, NoScratch, reference::GroupNorm},
  };
  return kRows;
}

std::span<const LayerNormKernel> LayerNormKernels() {
  static constexpr LayerNormKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    {Isa::kAvx512, "layer_norm/rows/avx512", AcceptsAll, reference::LayerNormUnits, NoScratch, N_AVX3::LayerNorm},
#endif
#if HWY_TARGETS & HWY_AVX2
    {Isa::kAvx2, "layer_norm/rows/avx2", AcceptsAll, reference::LayerNormUnits, NoScratch, N_AVX2::LayerNorm},
#endif
#if HWY_TARGETS & HWY_SSE4
    {Isa::kSse4, "layer_norm/rows/sse4", AcceptsAll, reference::LayerNormUnits, NoScratch, N_SSE4::LayerNorm},
#endif
#if HWY_TARGETS & HWY_NEON
    {Isa::kNeon, "layer_norm/rows/neon", AcceptsAll, reference::LayerNormUnits, NoScratch, N_NEON::LayerNorm},
#endif
    {Isa::kReference, "layer_norm/reference", AcceptsAll, reference::LayerNormUnits, NoScratch, reference::LayerNorm},
  };
  return kRows;
}

std::span<const LrnKernel> LrnKernels() {
  static constexpr LrnKernel kRows[] = {
      {Isa::kReference, "lrn/reference", AcceptsAll, reference::LrnUnits, NoScratch, reference::Lrn},
  };
  return kRows;
}

}  // namespace fovea::kernels
#endif
