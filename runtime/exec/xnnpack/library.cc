#include "runtime/exec/xnnpack/library.h"

#include <malloc.h>

#include <cstdlib>

namespace fovea::exec {
namespace {

thread_local int64_t held_bytes = 0;

int64_t UsableBytes(void* block) { return static_cast<int64_t>(malloc_usable_size(block)); }

void* Counted(void* block) {
  if (block != nullptr) held_bytes += UsableBytes(block);
  return block;
}

void* Allocate(void*, size_t bytes) { return Counted(std::malloc(bytes)); }

void* Reallocate(void*, void* block, size_t bytes) {
  const int64_t before = UsableBytes(block);
  void* moved = std::realloc(block, bytes);
  if (moved == nullptr) return nullptr;
  held_bytes -= before;
  return Counted(moved);
}

void Release(void*, void* block) {
  held_bytes -= UsableBytes(block);
  std::free(block);
}

void* AllocateAligned(void*, size_t alignment, size_t bytes) {
  void* block = nullptr;
  return posix_memalign(&block, alignment, bytes) == 0 ? Counted(block) : nullptr;
}

// Never stopped again: sessions may outlive whatever would stop it.
bool Start() {
  static const xnn_allocator counting = {nullptr, Allocate, Reallocate, Release, AllocateAligned, Release};
  if (xnn_initialize(&counting) != xnn_status_success) return false;
  // The allocator of the first call in a process stays; a small operator shows whose it is.
  const int64_t before = held_bytes;
  xnn_operator_t op = nullptr;
  if (xnn_create_clamp_nc_f32(1, 1, 1, 0.0f, 1.0f, 0, &op) != xnn_status_success) return false;
  const bool counted = held_bytes > before;
  xnn_delete_operator(op);
  return counted;
}

}  // namespace

Status StartXnnpack() {
  static const bool started = Start();
  if (started) return OkStatus();
  return Unsupported("XNNPACK does not start: it does not know this processor, or the program has started it before");
}

int64_t XnnpackBytes() { return held_bytes; }

}  // namespace fovea::exec
