// Winograd's filters: U = G g G^T, computed in double and rounded once, laid out as the products read them.
//
// Portable weights are [tap][input channel][output channel], so that a vector of output channels is transformed at
// once. A panel is one position of one block of output channels: [kd][input channel][channel of the block]. A few input
// channels are collected for all positions before they go to the panels, in runs of whole cache lines: the panels lie a
// multiple of 4 KiB apart, and walking them all at once would keep them out of the cache. Weights that are packed when
// they are used go through panels of one row of positions at a time, few enough to stay in the cache.
#if defined(FOVEA_KERNELS_CONV_WINOGRAD_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_CONV_WINOGRAD_PACK_INL_H_
#undef FOVEA_KERNELS_CONV_WINOGRAD_PACK_INL_H_
#else
#define FOVEA_KERNELS_CONV_WINOGRAD_PACK_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>

#include "kernels/conv/winograd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {
namespace winograd {

using Doubles = hn::ScalableTag<double>;
using HalfFloats = hn::Rebind<float, Doubles>;

template <class Scheme>
class FilterPacker {
 public:
  static constexpr int kTaps = Scheme::kTaps, kFactors = Scheme::kFactors, kProducts = kFactors * kFactors;

  // weights: [tap][in_channels][out_channels] of one plane of the window; more: of another plane, whose taps are added,
  // or null. A block has `width` output channels, a multiple of a vector of doubles, at most 2 vectors of floats.
  FilterPacker(const float* weights, const float* more, int64_t in_channels, int64_t out_channels, int64_t width)
      : weights_(weights), more_(more), in_channels_(in_channels), out_channels_(out_channels), width_(width) {
    Scheme::Filters(g_);
  }

  // As Block, of the positions of row `row` alone.
  void Row(int row, int64_t first, int64_t in_padded, float* panels, int64_t panel_floats) const {
    const HalfFloats narrow;
    const Doubles d;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    hn::Vec<Doubles> g[kTaps];
    for (int k = 0; k < kTaps; ++k) g[k] = hn::Set(d, g_[row][k]);
    for (int64_t ci = 0; ci < in_padded; ++ci) {
      for (int64_t j = 0; j < width_; j += lanes) {
        float* HWY_RESTRICT to = panels + ci * width_ + j;
        const int64_t here = Present(ci, first + j);
        if (here == 0) {
          for (int p = 0; p < kFactors; ++p) hn::StoreU(hn::Zero(narrow), narrow, to + p * panel_floats);
          continue;
        }
        hn::Vec<Doubles> half[kTaps];
        for (int t = 0; t < kTaps; ++t) half[t] = hn::Mul(g[0], Tap(t, ci, first + j, here));
        for (int k = 1; k < kTaps; ++k) {
          for (int t = 0; t < kTaps; ++t) half[t] = hn::MulAdd(g[k], Tap(k * kTaps + t, ci, first + j, here), half[t]);
        }
        for (int p = 0; p < kFactors; ++p) {
          hn::StoreU(hn::DemoteTo(narrow, Factor(p, half)), narrow, to + p * panel_floats);
        }
      }
    }
  }

  // Input channels [0, in_padded) of the block that begins at output channel `first`, to panels `panel_floats` apart.
  // What is beyond the layer's channels is 0.
  void Block(int64_t first, int64_t in_padded, float* panels, int64_t panel_floats) const {
    HWY_ALIGN float stage[kProducts * kInputs * 2 * hn::MaxLanes(Floats())];
    for (int64_t ci = 0; ci < in_padded; ci += kInputs) {
      const int64_t inputs = std::min<int64_t>(kInputs, in_padded - ci);
      for (int64_t i = 0; i < inputs; ++i) {
        for (int64_t j = 0; j < width_; j += static_cast<int64_t>(hn::Lanes(Doubles()))) {
          Vector(ci + i, first + j, stage + i * width_ + j);
        }
      }
      const int64_t floats = inputs * width_;
      for (int p = 0; p < kProducts; ++p) {
        std::copy_n(stage + p * kInputs * width_, floats, panels + p * panel_floats + ci * width_);
      }
    }
  }

 private:
  static constexpr int64_t kInputs = 4;  // collected at once

  // Output channels from co on that are there, at most a vector of doubles.
  HWY_INLINE int64_t Present(int64_t ci, int64_t co) const {
    const auto lanes = static_cast<int64_t>(hn::Lanes(Doubles()));
    return ci < in_channels_ ? std::clamp<int64_t>(out_channels_ - co, 0, lanes) : 0;
  }

  HWY_INLINE hn::Vec<Doubles> Load(const float* weights, int t, int64_t ci, int64_t co, int64_t here) const {
    const HalfFloats narrow;
    const float* from = weights + (t * in_channels_ + ci) * out_channels_ + co;
    HWY_ALIGN float edge[hn::MaxLanes(narrow)] = {};
    if (here < static_cast<int64_t>(hn::Lanes(narrow))) from = std::copy_n(from, here, edge) - here;
    return hn::PromoteTo(Doubles(), hn::LoadU(narrow, from));
  }

  HWY_INLINE hn::Vec<Doubles> Tap(int t, int64_t ci, int64_t co, int64_t here) const {
    const hn::Vec<Doubles> tap = Load(weights_, t, ci, co, here);
    return more_ == nullptr ? tap : hn::Add(tap, Load(more_, t, ci, co, here));
  }

  // Column j of G^T applied to a row.
  HWY_INLINE hn::Vec<Doubles> Factor(int j, const hn::Vec<Doubles>* row) const {
    const Doubles d;
    hn::Vec<Doubles> u = hn::Mul(row[0], hn::Set(d, g_[j][0]));
    for (int k = 1; k < kTaps; ++k) u = hn::MulAdd(row[k], hn::Set(d, g_[j][k]), u);
    return u;
  }

  // As many output channels as a vector of doubles has lanes; position p goes to stage + p * kInputs * width.
  HWY_INLINE void Vector(int64_t ci, int64_t co, float* HWY_RESTRICT stage) const {
    const Doubles d;
    const HalfFloats narrow;
    const int64_t here = Present(ci, co);
    if (here == 0) {
      for (int p = 0; p < kProducts; ++p) hn::StoreU(hn::Zero(narrow), narrow, stage + p * kInputs * width_);
      return;
    }
    hn::Vec<Doubles> g[kTaps * kTaps], half[kFactors * kTaps];
    for (int t = 0; t < kTaps * kTaps; ++t) g[t] = Tap(t, ci, co, here);
    for (int i = 0; i < kFactors; ++i) {
      for (int j = 0; j < kTaps; ++j) {
        half[i * kTaps + j] = hn::Mul(hn::Set(d, g_[i][0]), g[j]);
        for (int k = 1; k < kTaps; ++k) {
          half[i * kTaps + j] = hn::MulAdd(hn::Set(d, g_[i][k]), g[k * kTaps + j], half[i * kTaps + j]);
        }
      }
    }
    for (int i = 0; i < kFactors; ++i) {
      for (int j = 0; j < kFactors; ++j) {
        hn::StoreU(hn::DemoteTo(narrow, Factor(j, half + i * kTaps)), narrow,
                   stage + (i * kFactors + j) * kInputs * width_);
      }
    }
  }

  double g_[kFactors][kTaps];
  const float *weights_, *more_;
  int64_t in_channels_, out_channels_, width_;
};

}  // namespace winograd
}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
