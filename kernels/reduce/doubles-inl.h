// Sums in double of floats, for one instruction set at a time.
#if defined(FOVEA_KERNELS_REDUCE_DOUBLES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_REDUCE_DOUBLES_INL_H_
#undef FOVEA_KERNELS_REDUCE_DOUBLES_INL_H_
#else
#define FOVEA_KERNELS_REDUCE_DOUBLES_INL_H_
#endif

#include "kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

using Doubles = hn::ScalableTag<double>;
using DoubleVec = hn::Vec<Doubles>;
using HalfFloats = hn::Rebind<float, Doubles>;  // as many floats as a vector holds doubles

// `count` floats, `step` apart, in the first lanes; 0 in the others.
HWY_INLINE DoubleVec LoadDoubles(const float* src, int64_t step, int64_t count) {
  const HalfFloats half;
  if (step == 1 && count == static_cast<int64_t>(hn::Lanes(half))) {
    return hn::PromoteTo(Doubles(), hn::LoadU(half, src));
  }
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
  if (step == 1)
    return hn::PromoteTo(Doubles(), hn::MaskedLoad(hn::FirstN(half, static_cast<size_t>(count)), half, src));
#endif
  HWY_ALIGN float part[hn::MaxLanes(half)] = {};
  for (int64_t k = 0; k < count; ++k) part[k] = src[k * step];
  return hn::PromoteTo(Doubles(), hn::Load(half, part));
}

// The lanes added in order.
HWY_INLINE double SumLanes(DoubleVec v) {
  const Doubles d;
  HWY_ALIGN double lanes[hn::MaxLanes(d)];
  hn::Store(v, d, lanes);
  double sum = 0;
  for (size_t k = 0; k < hn::Lanes(d); ++k) sum += lanes[k];
  return sum;
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
