// Multiply-adds in registers: what one core does when nothing has to be loaded, the ceiling of every convolution.
#ifndef FOVEA_KERNELS_PEAK_PEAK_H_
#define FOVEA_KERNELS_PEAK_PEAK_H_

#include <cstdint>

#include "kernels/isa.h"

namespace fovea::kernels {

// Runs `steps` rounds of independent multiply-add chains and returns the floating-point operations done (a multiply-add
// counts as 2); the caller has the clock. The reference has no vector code: 0.
double MultiplyAddsInRegisters(Isa isa, int64_t steps);

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_PEAK_PEAK_H_
