// The FMA peak of one core.
#ifndef FOVEA_BENCH_KERNELS_PEAK_H_
#define FOVEA_BENCH_KERNELS_PEAK_H_

#include <algorithm>
#include <chrono>

#include "kernels/peak/peak.h"

namespace fovea::bench {

// GFLOP/s of multiply-adds in registers on the calling thread, best of several tries; 0 for the reference.
inline double PeakGflops(kernels::Isa isa) {
  using Clock = std::chrono::steady_clock;
  double best = 0;
  for (int repeat = 0; repeat < 8; ++repeat) {
    const auto begin = Clock::now();
    const double flops = kernels::MultiplyAddsInRegisters(isa, 2'000'000);
    best = std::max(best, 1e-9 * flops / std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return best;
}

}  // namespace fovea::bench

#endif  // FOVEA_BENCH_KERNELS_PEAK_H_
