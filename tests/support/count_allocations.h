// Counts C++ heap allocations of the whole process while asked to. Linking the .cc replaces operator new.
#ifndef FOVEA_TESTS_SUPPORT_COUNT_ALLOCATIONS_H_
#define FOVEA_TESTS_SUPPORT_COUNT_ALLOCATIONS_H_

namespace fovea::test {

void StartCountingAllocations();
int StopCountingAllocations();  // how many there were

}  // namespace fovea::test

#endif  // FOVEA_TESTS_SUPPORT_COUNT_ALLOCATIONS_H_
