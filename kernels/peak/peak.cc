#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/peak/peak.cc"
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

#include <utility>

#include "kernels/peak/peak.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using V = hn::Vec<hn::ScalableTag<float>>;

inline constexpr int kChains = 12;  // latency 4, 2 a cycle: at least 8; 16 registers hold 12, a factor and a product

template <int... kIndex>
HWY_INLINE void Steps(int64_t steps, V factor, V* HWY_RESTRICT acc, std::integer_sequence<int, kIndex...>) {
  for (int64_t i = 0; i < steps; ++i) ((acc[kIndex] = hn::MulAdd(acc[kIndex], factor, factor)), ...);
}

double Run(int64_t steps) {
  const hn::ScalableTag<float> d;
  V acc[kChains];
  for (int i = 0; i < kChains; ++i) acc[i] = hn::Set(d, static_cast<float>(i));
  volatile float factor = 0.5f;
  Steps(steps, hn::Set(d, factor), acc, std::make_integer_sequence<int, kChains>());
  V sum = acc[0];
  for (int i = 1; i < kChains; ++i) sum = hn::Add(sum, acc[i]);
  volatile float sink = hn::GetLane(sum);
  static_cast<void>(sink);
  return 2.0 * static_cast<double>(steps) * kChains * static_cast<double>(hn::Lanes(d));
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::kernels {

double MultiplyAddsInRegisters([[maybe_unused]] Isa isa, [[maybe_unused]] int64_t steps) {
#if HWY_TARGETS & HWY_AVX3
  if (isa == Isa::kAvx512) return N_AVX3::Run(steps);
#endif
#if HWY_TARGETS & HWY_AVX2
  if (isa == Isa::kAvx2) return N_AVX2::Run(steps);
#endif
#if HWY_TARGETS & HWY_NEON
  if (isa == Isa::kNeon) return N_NEON::Run(steps);
#endif
#if HWY_TARGETS & HWY_SSE4
  if (isa == Isa::kSse4) return N_SSE4::Run(steps);
#endif
  return 0;
}

}  // namespace fovea::kernels
#endif  // HWY_ONCE
