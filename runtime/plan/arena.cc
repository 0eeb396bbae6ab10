#include "runtime/plan/arena.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace fovea::plan {
namespace {

constexpr uint64_t kAlignment = 64;
constexpr uint64_t Align(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

uint64_t PlaceBlocks(std::span<ArenaBlock> blocks) {
  std::vector<size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return blocks[a].bytes > blocks[b].bytes; });
  std::vector<const ArenaBlock*> placed;  // by offset
  uint64_t total = 0;
  for (size_t i : order) {
    ArenaBlock& block = blocks[i];
    const uint64_t bytes = Align(block.bytes);
    if (bytes == 0) continue;
    uint64_t offset = 0;
    for (const ArenaBlock* other : placed) {
      if (other->last < block.first || other->first > block.last) continue;
      if (other->offset >= offset + bytes) break;
      offset = std::max(offset, other->offset + Align(other->bytes));
    }
    block.offset = offset;
    total = std::max(total, offset + bytes);
    const auto after = [](const ArenaBlock* a, const ArenaBlock* b) { return a->offset < b->offset; };
    placed.insert(std::upper_bound(placed.begin(), placed.end(), &block, after), &block);
  }
  return total;
}

}  // namespace fovea::plan
