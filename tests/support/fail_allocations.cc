#include "tests/support/fail_allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<bool> armed{false}, failed{false};
std::atomic<int64_t> left{0};

bool Fails() {
  if (!armed || left.fetch_sub(1) != 0) return false;
  failed = true;
  return true;
}

}  // namespace

void* operator new(size_t bytes) {
  void* const block = Fails() ? nullptr : std::malloc(bytes == 0 ? 1 : bytes);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return Fails() ? nullptr : std::malloc(bytes == 0 ? 1 : bytes);
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }

namespace fovea::test {

void FailAllocation(int64_t n) {
  failed = false;
  left = n;
  armed = true;
}

bool StopFailing() {
  armed = false;
  return failed;
}

}  // namespace fovea::test
