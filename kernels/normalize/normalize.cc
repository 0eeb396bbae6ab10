// Vector rows of group and layer normalisation: two passes in double like the reference, lanes are channels.
//
// Group norm: a unit is a block of groups of about kBlockChannels channels. Each channel is one chain over the pixels
// in row-major order; the channels of a group are added in order. The last pass is in float: with the mean split into a
// float and a remainder, (x - mean) keeps its digits.
#include <cmath>

#include "kernels/normalize/reference.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normalize/normalize.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/elementwise/math-inl.h"
#include "kernels/reduce/doubles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

inline constexpr int64_t kBlockChannels = 32;

// dst = (x - mean) scale + shift, the mean's remainder already in the shift.
struct ChannelTables {
  double* sums;  // one each for the block's channels, and for the lanes of a last vector
  double* means;
  float* mean;
  float* scale;
  float* shift;
};
constexpr int64_t PaddedChannels(int64_t channels) { return CeilDiv(channels, 16) * 16 + 16; }
inline int64_t GroupsPerBlock(const GroupNormLayer& layer, const ConstView& src) {
  const int64_t per_group = std::max<int64_t>(1, src.dims[kC] / layer.groups);
  return std::min(layer.groups, std::max<int64_t>(1, kBlockChannels / per_group));
}
int64_t GroupNormBlocks(const GroupNormLayer& layer, const GroupNormArgs& args) {
  if (args.dst.elements() == 0) return 0;
  return args.dst.dims[kN] * CeilDiv(layer.groups, GroupsPerBlock(layer, args.src));
}
int64_t GroupNormScratch(const GroupNormLayer& layer, const GroupNormArgs& args) {
  return 7 * PaddedChannels(GroupsPerBlock(layer, args.src) * (args.src.dims[kC] / layer.groups));
}

// Adds x, or (x - mean)^2, of all pixels of sample n to the channels' sums.
template <bool kSquares>
void AddPixels(const ConstView& src, int64_t n, int64_t channel, int64_t channels, const ChannelTables& tables) {
  const Doubles d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < channels; c += lanes) hn::Store(hn::Zero(d), d, tables.sums + c);
  for (int64_t depth = 0; depth < src.dims[kD]; ++depth) {
    for (int64_t h = 0; h < src.dims[kH]; ++h) {
      const float* row = src.data + n * src.strides[kN] + depth * src.strides[kD] + h * src.strides[kH] + channel;
      for (int64_t c = 0; c < channels; c += lanes) {
        const int64_t count = std::min(lanes, channels - c);
        const float* x = row + c;
        const DoubleVec mean = hn::Load(d, tables.means + c);
        DoubleVec sum = hn::Load(d, tables.sums + c);
        for (int64_t w = 0; w < src.dims[kW]; ++w, x += src.strides[kW]) {
          const DoubleVec value = LoadDoubles(x, 1, count);
          if constexpr (kSquares) {
            const DoubleVec distance = hn::Sub(value, mean);
            sum = hn::MulAdd(distance, distance, sum);
          } else {
            sum = hn::Add(sum, value);
          }
        }
        hn::Store(sum, d, tables.sums + c);
      }
    }
  }
}

void ApplyChannels(const GroupNormLayer& layer, const GroupNormArgs& args, int64_t n, int64_t channel, int64_t channels,
                   const ChannelTables& tables) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const ConstView& src = args.src;
  const View& dst = args.dst;
  for (int64_t depth = 0; depth < src.dims[kD]; ++depth) {
    for (int64_t h = 0; h < src.dims[kH]; ++h) {
      const float* from = src.data + n * src.strides[kN] + depth * src.strides[kD] + h * src.strides[kH] + channel;
      float* to = dst.data + n * dst.strides[kN] + depth * dst.strides[kD] + h * dst.strides[kH] + channel;
      for (int64_t c = 0; c < channels; c += lanes) {
        const int64_t count = std::min(lanes, channels - c);
        const Vec mean = hn::Load(d, tables.mean + c), scale = hn::Load(d, tables.scale + c);
        const Vec shift = hn::Load(d, tables.shift + c);
        const float* x = from + c;
        float* y = to + c;
        for (int64_t w = 0; w < src.dims[kW]; ++w, x += src.strides[kW], y += dst.strides[kW]) {
          const Vec value = count == lanes ? hn::LoadU(d, x) : LoadFirst(x, count);
          const Vec result = VecActivate(d, layer.act, hn::MulAdd(hn::Sub(value, mean), scale, shift));
          if (count == lanes) {
            hn::StoreU(result, d, y);
          } else {
            StoreFirst(result, y, count);
          }
        }
      }
    }
  }
}

void GroupNorm(const GroupNormLayer& layer, const GroupNormArgs& args, int64_t unit_begin, int64_t unit_end,
               float* scratch) {
  const ConstView& src = args.src;
  const int64_t per_group = src.dims[kC] / layer.groups;
  const int64_t per_block = GroupsPerBlock(layer, src);
  const int64_t blocks = CeilDiv(layer.groups, per_block);
  const int64_t padded = PaddedChannels(per_block * per_group);
  double* doubles = reinterpret_cast<double*>(scratch);
  float* floats = scratch + 4 * padded;
  const ChannelTables tables = {doubles, doubles + padded, floats, floats + padded, floats + 2 * padded};
  std::fill_n(scratch, 7 * padded, 0.0f);
  const double count = static_cast<double>(src.dims[kD] * src.dims[kH] * src.dims[kW] * per_group);
  for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
    const int64_t n = unit / blocks, group = unit % blocks * per_block;
    const int64_t groups = std::min(per_block, layer.groups - group);
    const int64_t channel = group * per_group, channels = groups * per_group;
    const auto group_sum = [&](int64_t g) {
      double sum = 0;
      for (int64_t c = 0; c < per_group; ++c) sum += tables.sums[g * per_group + c];
      return sum;
    };
    AddPixels<false>(src, n, channel, channels, tables);
    for (int64_t g = 0; g < groups; ++g) std::fill_n(tables.means + g * per_group, per_group, group_sum(g) / count);
    AddPixels<true>(src, n, channel, channels, tables);
    for (int64_t g = 0; g < groups; ++g) {
      const double inverse = 1 / std::sqrt(group_sum(g) / count + static_cast<double>(layer.epsilon));
      for (int64_t c = g * per_group; c < (g + 1) * per_group; ++c) {
        const double scale = args.scale != nullptr ? inverse * static_cast<double>(args.scale[channel + c]) : inverse;
        const double bias = args.bias != nullptr ? static_cast<double>(args.bias[channel + c]) : 0;
        tables.mean[c] = static_cast<float>(tables.means[c]);
        tables.scale[c] = static_cast<float>(scale);
        tables.shift[c] = static_cast<float>(bias - (tables.means[c] - static_cast<double>(tables.mean[c])) * scale);
      }
    }
    ApplyChannels(layer, args, n, channel, channels, tables);
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
    {Isa::kAvx512, "group_norm/channels/avx512", AcceptsAll, N_AVX3::GroupNormBlocks, N_AVX3::GroupNormScratch,
     N_AVX3::GroupNorm},
#endif
#if HWY_TARGETS & HWY_AVX2
    {Isa::kAvx2, "group_norm/channels/avx2", AcceptsAll, N_AVX2::GroupNormBlocks, N_AVX2::GroupNormScratch,
     N_AVX2::GroupNorm},
#endif
#if HWY_TARGETS & HWY_SSE4
    {Isa::kSse4, "group_norm/channels/sse4", AcceptsAll, N_SSE4::GroupNormBlocks, N_SSE4::GroupNormScratch,
     N_SSE4::GroupNorm},
#endif
#if HWY_TARGETS & HWY_NEON
    {Isa::kNeon, "group_norm/channels/neon", AcceptsAll, N_NEON::GroupNormBlocks, N_NEON::GroupNormScratch,
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
