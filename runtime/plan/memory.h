// Memory of a plan whose grid is given: sharing, the extents of every buffer over all tiles, scratch, offsets.
#ifndef FOVEA_RUNTIME_PLAN_MEMORY_H_
#define FOVEA_RUNTIME_PLAN_MEMORY_H_

#include <array>
#include <vector>

#include "runtime/plan/plan.h"
#include "runtime/plan/sharing.h"

namespace fovea::plan {

class MemoryPlanner {
 public:
  MemoryPlanner(Plan* plan, int threads) : plan_(*plan), threads_(threads) {}

  // Lays out memory for the grid in the plan. Scratch is measured on a sample of the tiles, since kernels' scratch
  // follows no simple rule: the result is from below.
  void LayOut();
  // Measures the scratch of every tile of the grid that was laid out last. About as long as a run takes to prepare its
  // calls.
  void MeasureEveryTile();

 private:
  using TileIndex = std::array<int64_t, 3>;

  size_t Rank(int value) const { return plan_.graph.dims[static_cast<size_t>(value)].size(); }
  // Regions are separable, so walking each axis of the grid on its own meets every extent that any tile has. Returns
  // false, and forbids, where some tile's memory is not what a sharing needs.
  bool MeasureTiles(Forbidden* forbidden);
  bool CheckSharing(const TileIndex& tile, Forbidden* forbidden);
  // The value's region is tight: all of its group's memory.
  bool FillsMemory(int value) const;
  // Grows the windows of the groups that roll to what the bands of the tile in state_ need.
  void MeasureWindows();
  void MeasureBuffers();
  void MeasureTemporaries();
  void MeasureScratch(const TileIndex& tile);
  void MeasureScratch(size_t n);
  void PlaceAll();

  Plan& plan_;
  const int threads_;
  std::vector<uint8_t> aliases_;  // see ShareMemory
  TileState state_;
  std::vector<std::array<int64_t, kMaxTensorRank>> largest_;  // of every group, over all tiles
  std::vector<exec::Operand> in_;                             // of the node that is measured
  std::array<std::vector<int64_t>, 3> classes_;               // of each grid axis: tiles whose extents differ
};

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_MEMORY_H_
