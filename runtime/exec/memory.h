// Large blocks of memory through the caller's allocator.
#ifndef FOVEA_RUNTIME_EXEC_MEMORY_H_
#define FOVEA_RUNTIME_EXEC_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "runtime/include/fovea/session.h"

namespace fovea::exec {

inline constexpr size_t kAlignment = 64;
constexpr uint64_t AlignUp(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// One block, 64-byte aligned; released when destroyed. Movable.
class Block {
 public:
  Block() = default;
  // kOutOfMemory when the allocator returns null. bytes 0 allocates nothing.
  static Result<Block> Allocate(const Allocator& allocator, uint64_t bytes);
  // Memory of another block, which must outlive this one.
  static Block Part(void* data, uint64_t bytes);
  Block(Block&& other) noexcept { *this = std::move(other); }
  Block& operator=(Block&& other) noexcept;
  ~Block() { Release(); }

  float* floats() const { return static_cast<float*>(data_); }
  uint64_t bytes() const { return bytes_; }

 private:
  void Release();
  Allocator allocator_;
  bool owns_ = true;
  void* data_ = nullptr;
  uint64_t bytes_ = 0;
};

// A fault and a TLB entry for 2 MiB instead of 4 KiB, for memory of a Block that is not touched yet and will be walked
// again and again. No more becomes resident than the block has bytes, and nothing happens where the system has no such
// pages.
void AskForHugePages(const void* data, uint64_t bytes);

// Gives freed heap back to the system: planning in passes leaves megabytes of it, and what a run takes next comes on
// top.
void ReturnFreedHeap();

}  // namespace fovea::exec

#endif  // FOVEA_RUNTIME_EXEC_MEMORY_H_
