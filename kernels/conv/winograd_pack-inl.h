// Winograd's filters: U = G g G^T, computed in double and rounded once, laid out as the products read them.
//
// Portable weights are [tap][input channel][output channel], so that a vector of output channels is transformed at
// once. A panel is one position of one block of output channels: [kd][input channel][channel of the block]. A few input
// channels are collected for all positions before they go to the panels, in runs of whole cache lines: the panels lie a
// multiple of 4 KiB apart, and walking them all at once would keep them out of the cache.
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

  // As many output channels as a vector of doubles has lanes; position p goes to stage + p * kInputs * width.
  HWY_INLINE void Vector(int64_t ci, int64_t co, float* HWY_RESTRICT stage) const {
    const Doubles d;
    const HalfFloats narrow;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
    const int64_t here = ci < in_channels_ ? std::clamp<int64_t>(out_channels_ - co, 0, lanes) : 0;
    if (here == 0) {
      for (int p = 0; p < kProducts; ++p) hn::StoreU(hn::Zero(narrow), narrow, stage + p * kInputs * width_);
      return;
    }
    hn::Vec<Doubles> g[kTaps * kTaps], half[kFactors * kTaps];
    const auto load = [&](const float* weights, int t) HWY_ATTR {
      const float* from = weights + (t * in_channels_ + ci) * out_channels_ + co;
      HWY_ALIGN float edge[hn::MaxLanes(narrow)] = {};
      if (here < lanes) from = std::copy_n(from, here, edge) - here;
      return hn::PromoteTo(d, hn::LoadU(narrow, from));
    };
    for (int t = 0; t < kTaps * kTaps; ++t) {
      g[t] = load(weights_, t);
      if (more_ != nullptr) g[t] = hn::Add(g[t], load(more_, t));
    }
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
        hn::Vec<Doubles> u = hn::Mul(half[i * kTaps], hn::Set(d, g_[j][0]));
        for (int k = 1; k < kTaps; ++k) u = hn::MulAdd(half[i * kTaps + k], hn::Set(d, g_[j][k]), u);
        hn::StoreU(hn::DemoteTo(narrow, u), narrow, stage + (i * kFactors + j) * kInputs * width_);
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
