// Which instruction sets this CPU has, and the cap FOVEA_ISA puts on them.
#ifndef FOVEA_KERNELS_ISA_H_
#define FOVEA_KERNELS_ISA_H_

#include <cstdint>
#include <span>

namespace fovea::kernels {

// In order of preference within one architecture: a kernel may run when its Isa is supported and not above the cap.
enum class Isa : uint8_t {
  kReference = 0,  // plain C++, any CPU, compiled without contraction: the definition of the right answer
  kSse4 = 1,       // x86 with SSE4.2, AES and PCLMUL (what Highway's SSE4 target is compiled for)
  kNeon = 2,       // 64-bit Arm
  kAvx2 = 3,       // x86 with AVX2, FMA, BMI2, F16C
  kAvx512 = 4,     // x86 with AVX-512 F, BW, CD, DQ, VL (Highway's AVX3)
};

// "reference", "sse4", "neon", "avx2", "avx512".
const char* IsaName(Isa isa);

// False when `name` is none of the names above.
bool ParseIsa(const char* name, Isa* isa);

// Every Isa that this CPU and operating system can run, ascending, kReference first.
std::span<const Isa> SupportedIsas();

// The best supported Isa that is not above the environment's FOVEA_ISA (read once, here and nowhere else). An unknown
// name in FOVEA_ISA is ignored here; the programs refuse it.
Isa BestIsa();

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_ISA_H_
