#include "kernels/isa.h"

#include <cstdlib>
#include <cstring>
#include <initializer_list>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

namespace fovea::kernels {
namespace {

constexpr Isa kAll[] = {Isa::kReference, Isa::kSse4, Isa::kNeon, Isa::kAvx2, Isa::kAvx512};
constexpr const char* kNames[] = {"reference", "sse4", "neon", "avx2", "avx512"};

struct Supported {
  Isa list[sizeof(kAll) / sizeof(kAll[0])] = {};
  size_t count = 0;
  void Add(Isa isa) { list[count++] = isa; }
};

#if defined(__x86_64__) || defined(__i386__)

// Bits of CPUID leaves 1, 7 and 0x80000001 and of XCR0: Intel 64 and IA-32 Architectures Software Developer's Manual,
// volume 2, CPUID, and volume 1, chapter 13. CPUID is read here because compilers differ in which names
// __builtin_cpu_supports() knows.
constexpr bool Has(uint32_t word, std::initializer_list<int> bits) {
  for (int bit : bits) {
    if (((word >> bit) & 1) == 0) return false;
  }
  return true;
}

// Which register files the operating system saves on a context switch.
uint32_t ReadXcr0() {
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

Supported Detect() {
  Supported found;
  found.Add(Isa::kReference);
  uint32_t a = 0;
  uint32_t b = 0;
  uint32_t c = 0;
  uint32_t d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return found;
  // SSE3, PCLMUL, SSSE3, SSE4.1, SSE4.2, AES
  if (!Has(c, {0, 1, 9, 19, 20, 25})) return found;
  found.Add(Isa::kSse4);

  // FMA, OSXSAVE, AVX, F16C, and the operating system saves XMM and YMM
  if (!Has(c, {12, 27, 28, 29})) return found;
  const uint32_t xcr0 = ReadXcr0();
  if (!Has(xcr0, {1, 2})) return found;
  uint32_t ext_c = 0;
  if (!__get_cpuid(0x80000001u, &a, &b, &ext_c, &d)) return found;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return found;
  // BMI1, AVX2, BMI2; LZCNT
  if (!Has(b, {3, 5, 8}) || !Has(ext_c, {5})) return found;
  found.Add(Isa::kAvx2);

  // AVX-512 F, DQ, CD, BW, VL, and the operating system saves the mask registers and both halves of ZMM
  if (!Has(b, {16, 17, 28, 30, 31}) || !Has(xcr0, {5, 6, 7})) return found;
  found.Add(Isa::kAvx512);
  return found;
}

#else

Supported Detect() {
  Supported found;
  found.Add(Isa::kReference);
#if defined(__aarch64__)
  found.Add(Isa::kNeon);  // Advanced SIMD is part of the AArch64 base
#endif
  return found;
}

#endif

}  // namespace

const char* IsaName(Isa isa) { return kNames[static_cast<size_t>(isa)]; }

bool ParseIsa(const char* name, Isa* isa) {
  for (Isa candidate : kAll) {
    if (std::strcmp(name, IsaName(candidate)) == 0) {
      *isa = candidate;
      return true;
    }
  }
  return false;
}

std::span<const Isa> SupportedIsas() {
  static const Supported supported = Detect();
  return {supported.list, supported.count};
}

Isa BestIsa() {
  static const Isa best = [] {
    const std::span<const Isa> supported = SupportedIsas();
    Isa cap = supported.back();
    const char* name = std::getenv("FOVEA_ISA");
    if (name != nullptr) ParseIsa(name, &cap);
    Isa chosen = Isa::kReference;
    for (Isa isa : supported) {
      if (isa <= cap) chosen = isa;
    }
    return chosen;
  }();
  return best;
}

}  // namespace fovea::kernels
