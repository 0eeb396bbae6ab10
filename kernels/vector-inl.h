// Loads and stores of the first n lanes of a vector of floats, touching no memory beyond them. (Highway's masked loads
// and blended stores read and write the whole vector on targets without masked memory operations.)
#if defined(FOVEA_KERNELS_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_VECTOR_INL_H_
#undef FOVEA_KERNELS_VECTOR_INL_H_
#else
#define FOVEA_KERNELS_VECTOR_INL_H_
#endif

#include <hwy/highway.h>

#include "kernels/isa.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using Vec = hn::Vec<Floats>;

#if HWY_TARGET == HWY_AVX3
inline constexpr Isa kTargetIsa = Isa::kAvx512;
#elif HWY_TARGET == HWY_AVX2
inline constexpr Isa kTargetIsa = Isa::kAvx2;
#elif HWY_TARGET == HWY_SSE4
inline constexpr Isa kTargetIsa = Isa::kSse4;
#elif HWY_TARGET == HWY_NEON
inline constexpr Isa kTargetIsa = Isa::kNeon;
#else
#error "a target without an Isa: see HWY_DISABLED_TARGETS in kernels/CMakeLists.txt"
#endif

// n in [1, lanes]; lanes from n on are 0.
HWY_INLINE Vec LoadFirst(const float* HWY_RESTRICT from, int64_t n) {
  const Floats d;
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
  return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(n)), d, from);
#else
  HWY_ALIGN float lanes[hn::MaxLanes(d)] = {};
  for (int64_t i = 0; i < n; ++i) lanes[i] = from[i];
  return hn::Load(d, lanes);
#endif
}

HWY_INLINE void StoreFirst(Vec v, float* HWY_RESTRICT to, int64_t n) {
  const Floats d;
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
  hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(n)), d, to);
#else
  HWY_ALIGN float lanes[hn::MaxLanes(d)];
  hn::Store(v, d, lanes);
  for (int64_t i = 0; i < n; ++i) to[i] = lanes[i];
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
