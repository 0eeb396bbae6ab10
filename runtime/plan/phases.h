// Phases: where the lattices of kernels with large tiles (Winograd) are counted from.
//
// A chain of such convolutions whose lattices all begin at 0 loses a tile at each: a tile that ends at row 4j needs row
// 4j, which is in the next tile of the layer before. Counted from where the next layer's tiles reach, a layer's tiles
// end exactly there. Bands then wait for the receptive field and no more, and the halo of tiles is half as large. The
// price is a partial tile at the image's begin, so small images keep phase 0.
#ifndef FOVEA_RUNTIME_PLAN_PHASES_H_
#define FOVEA_RUNTIME_PLAN_PHASES_H_

#include "runtime/plan/plan.h"

namespace fovea::plan {

// Sets links' phases and the operators'. Depends on the network and the size of the image alone, as results' bits do.
// Needs graph, links and operators.
void ChoosePhases(Plan* plan);

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_PHASES_H_
