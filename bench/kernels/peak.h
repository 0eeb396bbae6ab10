// How fast one core multiplies and adds when nothing has to be loaded: the ceiling of every convolution.
#ifndef FOVEA_BENCH_KERNELS_PEAK_H_
#define FOVEA_BENCH_KERNELS_PEAK_H_

#include "kernels/isa.h"

namespace fovea::bench {

// GFLOP/s of independent multiply-add chains in registers on the calling thread, best of several tries; a multiply-add
// counts as 2. The reference has no vector code: 0.
double PeakGflops(kernels::Isa isa);

}  // namespace fovea::bench

#endif  // FOVEA_BENCH_KERNELS_PEAK_H_
