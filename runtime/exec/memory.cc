#include "runtime/exec/memory.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <cstdlib>
#include <string>

#ifdef __GLIBC__  // defined by the headers above
#include <malloc.h>
#endif

namespace fovea::exec {

Result<Block> Block::Allocate(const Allocator& allocator, uint64_t bytes) {
  Block block;
  if (bytes == 0) return block;
  const uint64_t rounded = AlignUp(bytes);
  block.allocator_ = allocator;
  // A size beyond the address space can't be asked for.
  if (rounded < bytes || rounded > SIZE_MAX / 2) return OutOfMemory(std::to_string(bytes) + " bytes are not available");
  block.data_ = allocator.allocate != nullptr ? allocator.allocate(allocator.context, static_cast<size_t>(rounded))
                                              : std::aligned_alloc(kAlignment, static_cast<size_t>(rounded));
  if (block.data_ == nullptr) return OutOfMemory(std::to_string(bytes) + " bytes are not available");
  block.bytes_ = rounded;
  return block;
}

Block Block::Part(void* data, uint64_t bytes) {
  Block block;
  block.owns_ = false;
  block.data_ = data;
  block.bytes_ = bytes;
  return block;
}

Block& Block::operator=(Block&& other) noexcept {
  if (this == &other) return *this;
  Release();
  allocator_ = other.allocator_;
  owns_ = other.owns_;
  data_ = std::exchange(other.data_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

void AskForHugePages([[maybe_unused]] const void* data, [[maybe_unused]] uint64_t bytes) {
#ifdef MADV_HUGEPAGE
  constexpr uintptr_t kPage = 4096;  // the advice is for whole pages; the system finds the huge ones among them
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + kPage - 1) / kPage * kPage;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + static_cast<uintptr_t>(bytes)) / kPage * kPage;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

void Block::Release() {
  if (data_ == nullptr || !owns_) return;
  if (allocator_.allocate != nullptr) {
    if (allocator_.release != nullptr) allocator_.release(allocator_.context, data_, static_cast<size_t>(bytes_));
  } else {
    std::free(data_);
  }
  data_ = nullptr;
}

void ReturnFreedHeap() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace fovea::exec
