// Networks with statistics of the whole image: instance and group norms, and means, sums and extremes over all
// positions.
//
// Such a node needs its whole input before it makes anything, so that tiles are not possible as they are.
#ifndef FOVEA_RUNTIME_PLAN_PASSES_H_
#define FOVEA_RUNTIME_PLAN_PASSES_H_

#include "runtime/plan/plan.h"

namespace fovea::plan {

// Whether the node takes statistics over all positions of input 0, one set a sample and channel or group of channels.
bool TakesStatistics(const ResolvedNode& node);

// Approximate tiles: such nodes take statistics of what a tile, with its halo, holds. False when there is none, so that
// nothing changed. The results depend on the tiles; those of an image in one tile do not change.
bool LoosenBarriers(Plan* plan);

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_PASSES_H_
