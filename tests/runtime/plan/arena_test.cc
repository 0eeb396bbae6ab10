#include "runtime/plan/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace fovea::plan {
namespace {

TEST(Arena, BlocksOfOneTimeNeverOverlapAndTheTotalIsTight) {
  std::mt19937 random(1);
  const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  for (int round = 0; round < 200; ++round) {
    std::vector<ArenaBlock> blocks(static_cast<size_t>(pick(0, 40)));
    uint64_t live = 0;  // the least that any layout needs: the largest sum at one step
    for (ArenaBlock& b : blocks) {
      b.bytes = static_cast<uint64_t>(pick(0, 5) == 0 ? 0 : pick(1, 5000));
      b.first = pick(0, 30);
      b.last = b.first + pick(0, 8);
    }
    for (int step = 0; step < 40; ++step) {
      uint64_t sum = 0;
      for (const ArenaBlock& b : blocks) sum += b.first <= step && step <= b.last ? (b.bytes + 63) / 64 * 64 : 0;
      live = std::max(live, sum);
    }
    const uint64_t total = PlaceBlocks(blocks);
    EXPECT_GE(total, live);
    EXPECT_LE(total, 2 * live);  // far from it in practice; a layout that never reuses memory would fail
    for (size_t i = 0; i < blocks.size(); ++i) {
      EXPECT_EQ(blocks[i].offset % 64, 0u);
      EXPECT_LE(blocks[i].offset + blocks[i].bytes, total);
      for (size_t j = 0; j < i; ++j) {
        if (blocks[i].last < blocks[j].first || blocks[j].last < blocks[i].first) continue;
        EXPECT_TRUE(blocks[i].offset + blocks[i].bytes <= blocks[j].offset ||
                    blocks[j].offset + blocks[j].bytes <= blocks[i].offset);
      }
    }
  }
}

}  // namespace
}  // namespace fovea::plan
