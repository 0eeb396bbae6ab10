// Winograd's filters: U = G g G^T in float32, laid out as the products read them.
//
// Portable weights are [tap][input channel][output channel], so that a vector of output channels is transformed at
// once. A panel is one position of one block of output channels: [input channel][channel of the block].
#if defined(FOVEA_KERNELS_CONV_WINOGRAD_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_CONV_WINOGRAD_PACK_INL_H_
#undef FOVEA_KERNELS_CONV_WINOGRAD_PACK_INL_H_
#else
#define FOVEA_KERNELS_CONV_WINOGRAD_PACK_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <utility>

#include "kernels/conv/winograd-inl.h"
#include "kernels/conv/winograd_product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {
namespace winograd {

// Row `row` of G times a column of kTaps vectors; factors of 0 are left out, so that those of 1 copy.
template <class Scheme, int row>
HWY_INLINE Vec ApplyFilterRow(const Vec* HWY_RESTRICT column, int64_t distance) {
  constexpr auto kG = Scheme::Filters();
  const Floats d;
  Vec sum = hn::Zero(d);
  bool any = false;
  const auto add = [&]<int k>() HWY_ATTR {
    constexpr double factor = kG[row][k];
    if constexpr (factor != 0) {
      const Vec x = column[k * distance];
      if (any) {
        sum = hn::MulAdd(hn::Set(d, static_cast<float>(factor)), x, sum);
      } else {
        sum = factor == 1 ? x : hn::Mul(hn::Set(d, static_cast<float>(factor)), x);
      }
      any = true;
    }
  };
  [&]<int... k>(std::integer_sequence<int, k...>) HWY_ATTR { (add.template operator()<k>(), ...); }
  (std::make_integer_sequence<int, Scheme::kTaps>());
  return sum;
}

template <class Scheme>
class FilterPacker {
 public:
  static constexpr int kTaps = Scheme::kTaps, kFactors = Scheme::kFactors, kProducts = kFactors * kFactors;

  // weights: [tap][in_channels][out_channels] of one plane of the window; more: of another plane, whose taps are added,
  // or null. A block has `width` output channels, 1 or 2 vectors, of which `first` is the first.
  FilterPacker(const float* weights, const float* more, int64_t in_channels, int64_t out_channels, int64_t first,
               int64_t width)
      : weights_(weights),
        more_(more),
        in_channels_(in_channels),
        out_channels_(out_channels),
        first_(first),
        width_(width) {}

  // Input channels [begin, end) of the block to panels that begin `panel_floats` apart; panels: where input channel
  // `begin` goes. What is beyond the layer's channels is 0. For panels that stay in the cache.
  void Pack(int64_t begin, int64_t end, float* HWY_RESTRICT panels, int64_t panel_floats) const {
    constexpr int64_t kLead = 8;  // input channels: the taps of one lie far from those of the next
    for (int64_t ci = begin; ci < end; ++ci) {
      const int64_t soon = std::min(ci + kLead, in_channels_ - 1);
      for (int64_t j = 0; j < std::min(width_, out_channels_ - first_); j += 16) {
        for (int t = 0; t < kTaps * kTaps; ++t) __builtin_prefetch(Tap(weights_, t, soon, first_ + j), 0, 3);
      }
      for (int64_t j = 0; j < width_; j += LaneCount()) {
        Transform(ci, j, panels + (ci - begin) * width_ + j, panel_floats);
      }
    }
  }

  // The same for panels in memory. They may lie a multiple of 4 KiB apart, and walking them all at once would keep them
  // out of the cache: a few input channels are collected for all positions and go out in runs of whole cache lines.
  void PackFar(int64_t begin, int64_t end, float* HWY_RESTRICT panels, int64_t panel_floats) const {
    constexpr int64_t kInputs = 4;
    HWY_ALIGN float stage[kProducts * kInputs * 2 * hn::MaxLanes(Floats())];
    for (int64_t ci = begin; ci < end; ci += kInputs) {
      const int64_t inputs = std::min(kInputs, end - ci);
      Pack(ci, ci + inputs, stage, kInputs * width_);
      for (int p = 0; p < kProducts; ++p) {
        std::copy_n(stage + p * kInputs * width_, inputs * width_, panels + p * panel_floats + (ci - begin) * width_);
      }
    }
  }

 private:
  const float* Tap(const float* weights, int t, int64_t ci, int64_t co) const {
    return weights + (t * in_channels_ + ci) * out_channels_ + co;
  }

  // A vector of output channels, from channel j of the block on; position p goes to to + p * distance.
  HWY_INLINE void Transform(int64_t ci, int64_t j, float* HWY_RESTRICT to, int64_t distance) const {
    const Floats d;
    const int64_t lanes = LaneCount(), co = first_ + j, here = std::min(lanes, out_channels_ - co);
    if (ci >= in_channels_ || here <= 0) {
      for (int p = 0; p < kProducts; ++p) hn::Store(hn::Zero(d), d, to + p * distance);
      return;
    }
    const auto load = [&](const float* from)
                          HWY_ATTR { return here == lanes ? hn::LoadU(d, from) : LoadFirst(from, here); };
    Vec g[kTaps * kTaps];
    for (int t = 0; t < kTaps * kTaps; ++t) g[t] = load(Tap(weights_, t, ci, co));
    if (more_ != nullptr) {
      for (int t = 0; t < kTaps * kTaps; ++t) g[t] = hn::Add(g[t], load(Tap(more_, t, ci, co)));
    }
    const auto row = [&]<int i>() HWY_ATTR {
      Vec half[kTaps];
      for (int t = 0; t < kTaps; ++t) half[t] = ApplyFilterRow<Scheme, i>(g + t, kTaps);
      [&]<int... k>(std::integer_sequence<int, k...>) HWY_ATTR {
        (hn::Store(ApplyFilterRow<Scheme, k>(half, 1), d, to + (i * kFactors + k) * distance), ...);
      }
      (std::make_integer_sequence<int, kFactors>());
    };
    [&]<int... i>(std::integer_sequence<int, i...>) HWY_ATTR { (row.template operator()<i>(), ...); }
    (std::make_integer_sequence<int, kFactors>());
  }

  const float *weights_, *more_;
  int64_t in_channels_, out_channels_, first_, width_;
};

}  // namespace winograd
}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
