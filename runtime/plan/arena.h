// Offsets for blocks that live at known times: the layout of a session's arena.
//
// Greedy by size: the largest block first, each at the lowest offset where it overlaps no block that lives at the same
// time (Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020, section 4.2).
#ifndef FOVEA_RUNTIME_PLAN_ARENA_H_
#define FOVEA_RUNTIME_PLAN_ARENA_H_

#include <cstdint>
#include <span>

namespace fovea::plan {

struct ArenaBlock {
  uint64_t bytes = 0;
  int first = 0, last = 0;  // steps, both included
  uint64_t offset = 0;      // result, a multiple of 64
};

// Fills in the offsets; returns the bytes of the arena. Deterministic.
uint64_t PlaceBlocks(std::span<ArenaBlock> blocks);

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_ARENA_H_
