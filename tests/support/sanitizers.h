// Whether this is a build with the address or the thread sanitizer: ten to fifty times slower, where fewer random cases
// have to do (tools/check-long), and a process's memory is not the program's.
#ifndef FOVEA_TESTS_SUPPORT_SANITIZERS_H_
#define FOVEA_TESTS_SUPPORT_SANITIZERS_H_

#include <span>

#include "kernels/isa.h"

namespace fovea::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// Of as many random cases as are made every day.
constexpr unsigned SomeOf(unsigned cases) { return kSanitized ? (cases + 7) / 8 : cases; }

// Instruction sets for networks of full size: the best one alone where each takes minutes. Small networks and the
// kernels' own tests go through all of them everywhere.
inline std::span<const kernels::Isa> IsasForLargeNetworks() {
  return kSanitized ? kernels::SupportedIsas().last(1) : kernels::SupportedIsas();
}

}  // namespace fovea::test

#endif  // FOVEA_TESTS_SUPPORT_SANITIZERS_H_
