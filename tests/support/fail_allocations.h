// A C++ heap that is exhausted when a test wants it: link fail_allocations.cc, which replaces operator new.
#ifndef FOVEA_TESTS_SUPPORT_FAIL_ALLOCATIONS_H_
#define FOVEA_TESTS_SUPPORT_FAIL_ALLOCATIONS_H_

#include <cstdint>

namespace fovea::test {

// Allocation n from now on, of any thread, fails; n = 0 is the next one.
void FailAllocation(int64_t n);
// No more do. Returns whether one did.
bool StopFailing();

}  // namespace fovea::test

#endif  // FOVEA_TESTS_SUPPORT_FAIL_ALLOCATIONS_H_
