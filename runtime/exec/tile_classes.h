// Which tiles do the same work at different places: they read regions of equal sizes, touch no border of the image that
// the other does not touch, and lie the same way to every stride and to every lattice of a kernel. Equal inputs then
// give equal bits.
//
// Networks that tell places apart (dropout with a seed, constants with spatial extent, resizing by a ratio that is not
// exact) have no such tiles.
#ifndef FOVEA_RUNTIME_EXEC_TILE_CLASSES_H_
#define FOVEA_RUNTIME_EXEC_TILE_CLASSES_H_

#include <array>
#include <vector>

#include "runtime/plan/plan.h"

namespace fovea::exec {

class TileClasses {
 public:
  // Takes all memory that ClassOf needs.
  void Prepare(const plan::Plan& plan);
  // state: as LayOutTile leaves it. Tiles of equal class are alike; -1: like no other.
  int64_t ClassOf(const plan::Plan& plan, const plan::TileState& state, const std::array<int64_t, 3>& tile);

 private:
  static constexpr size_t kMostPatterns = 4;  // ways of lying that are told apart along one axis

  // The place of a tile that begins along axis s of the grid as the first of its kind: the interval of every value.
  struct Pattern {
    std::vector<plan::Interval> values;
  };

  int64_t ClassAlong(size_t s, const plan::Plan& plan, const plan::TileState& state, int64_t index);
  bool IsShifted(size_t s, const plan::Plan& plan, const plan::TileState& state, const Pattern& from) const;
  bool TouchesBorder(size_t s, const plan::Plan& plan, const plan::TileState& state) const;

  bool possible_ = false;
  std::array<std::array<Pattern, kMostPatterns>, 3> patterns_;
  std::array<size_t, 3> known_{0, 0, 0};
};

}  // namespace fovea::exec

#endif  // FOVEA_RUNTIME_EXEC_TILE_CLASSES_H_
