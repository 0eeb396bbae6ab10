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
  MemoryPlanner(Plan* plan, int threads) : plan_(*plan), threads_(threads) {
    for (exec::Operator& op : plan->operators) op.SetThreads(threads);
  }

  // Lays out memory for the grid and the segments in the plan. Scratch is measured on a sample of the tiles and bands,
  // since kernels' scratch follows no simple rule: the result is from below.
  void LayOut();
  // The same after a change of packed_ahead alone: much faster.
  void Place();
  // Measures windows and scratch of every band, and of every tile that differs, of the grid that was laid out last.
  void MeasureEveryTile();

 private:
  using TileIndex = std::array<int64_t, 3>;

  size_t Rank(int value) const { return plan_.graph.dims[static_cast<size_t>(value)].size(); }
  // Regions are separable, but for what IsSeparable looks for, so walking each axis of the grid on its own meets every
  // extent that any tile has. Returns false, and forbids, where some tile's memory is not what a sharing needs.
  bool MeasureTiles(Forbidden* forbidden);
  bool IsSeparable() const;
  bool MeasureAllTiles(Forbidden* forbidden);
  bool CheckSharing(const TileIndex& tile, Forbidden* forbidden);
  // The value's region is tight: all of its group's memory.
  bool FillsMemory(int value) const;
  // Grows the windows of the groups that roll to what the bands of the tile in state_ need; stops where they have long
  // been large enough. counts: also notes the work of these bands.
  void MeasureWindows(bool counts);
  // window_rows, ring_rows, and work.moved_bytes, from the tight windows.
  void SizeWindows();
  // Notes how many rows the segment's nodes read and write at once in the band in state_.
  void MeasureReach(size_t segment);
  // Rows of the group that come in a band; bytes of one of its rows.
  int64_t Advance(size_t g) const;
  double RowBytes(size_t g) const;
  // True when the band in state_ fits the windows; otherwise they are larger now.
  bool FitsWindows(size_t segment);
  void AddNeeds(size_t n, std::vector<int64_t>* extents) const;
  // Elements of the values of the tile in state_, for plan_.work.
  void CountMade(size_t axis, int64_t tile);
  void MeasureBuffers();
  void SizeTemporaries();
  void SampleScratch();
  void MeasureScratch(const TileIndex& tile);
  void MeasureScratch(size_t n);
  // Whether scratch of a band like this one was looked at before; notes that it is now.
  bool WasSampled(size_t n, const exec::Operand& out);
  void PlaceAll();

  Plan& plan_;
  const int threads_;
  std::vector<uint8_t> aliases_;  // see ShareMemory
  TileState state_;
  bool every_band_ = false, windows_fit_ = true;
  std::vector<std::array<int64_t, kMaxTensorRank>> largest_;  // of every group, over all tiles
  // Of every group that rolls: a tight window; the most rows that slide; rows that come in a band; the most that a node
  // reads or writes at once; bytes that slide.
  std::vector<int64_t> tight_, kept_, advance_, reach_;
  std::vector<double> moved_;
  std::vector<double> first_, along_;  // of every value: elements in the first tile; in those along an axis, by that
  std::vector<exec::Operand> in_;      // of the node that is measured
  // Of every node, a thread's scratch with weights packed when they are used, and ahead.
  std::vector<std::array<uint64_t, 2>> scratch_;
  std::vector<std::vector<uint64_t>> sampled_;   // of every node: see WasSampled; since LayOut
  std::array<std::vector<int64_t>, 3> classes_;  // of each grid axis: tiles whose extents differ
};

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_MEMORY_H_
