#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/kernels/peak.cc"
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "bench/kernels/peak.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::bench {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using V = hn::Vec<hn::ScalableTag<float>>;

inline constexpr int kChains = 12;  // latency 4, 2 a cycle: at least 8; 16 registers hold 12, a factor and a product
inline constexpr int64_t kSteps = 2000000;

template <int... kIndex>
HWY_INLINE void Steps(V factor, V* HWY_RESTRICT acc, std::integer_sequence<int, kIndex...>) {
  for (int64_t i = 0; i < kSteps; ++i) ((acc[kIndex] = hn::MulAdd(acc[kIndex], factor, factor)), ...);
}

double Measure() {
  const hn::ScalableTag<float> d;
  using Clock = std::chrono::steady_clock;
  double best = 0;
  for (int repeat = 0; repeat < 8; ++repeat) {
    V acc[kChains];
    for (int i = 0; i < kChains; ++i) acc[i] = hn::Set(d, static_cast<float>(i));
    volatile float factor = 0.5f;
    const auto begin = Clock::now();
    Steps(hn::Set(d, factor), acc, std::make_integer_sequence<int, kChains>());
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    V sum = acc[0];
    for (int i = 1; i < kChains; ++i) sum = hn::Add(sum, acc[i]);
    volatile float sink = hn::GetLane(sum);
    static_cast<void>(sink);
    const double flops = 2.0 * static_cast<double>(kSteps) * kChains * static_cast<double>(hn::Lanes(d));
    best = std::max(best, flops / seconds * 1e-9);
  }
  return best;
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::bench {

double PeakGflops(kernels::Isa isa) {
#if HWY_TARGETS & HWY_AVX3
  if (isa == kernels::Isa::kAvx512) return N_AVX3::Measure();
#endif
#if HWY_TARGETS & HWY_AVX2
  if (isa == kernels::Isa::kAvx2) return N_AVX2::Measure();
#endif
#if HWY_TARGETS & HWY_NEON
  if (isa == kernels::Isa::kNeon) return N_NEON::Measure();
#endif
#if HWY_TARGETS & HWY_SSE4
  if (isa == kernels::Isa::kSse4) return N_SSE4::Measure();
#endif
  return 0;
}

}  // namespace fovea::bench
#endif  // HWY_ONCE
