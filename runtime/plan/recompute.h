// Skip connections whose values are computed a second time when they are read.
//
// Where a U-Net joins its first, large values with what came back from the small ones, their rows wait in rolling
// windows until the detour is done: hundreds of rows of the largest values, most of the memory of a run in bands. What
// makes them follows from the network's input, which has few channels, and often costs a few percent of the time. Done
// twice, no row waits, and bands can be wider. The second nodes are copies of the first with the same kernels and
// phases: the same bits.
#ifndef FOVEA_RUNTIME_PLAN_RECOMPUTE_H_
#define FOVEA_RUNTIME_PLAN_RECOMPUTE_H_

#include "runtime/plan/plan.h"

namespace fovea::plan {

// Sizes of image at which values wait for others that were smaller on their way. 0: there are none.
int SkipLevels(const Plan& plan);

// plan with the values that wait at the `levels` largest of these sizes computed again: prepared (see PreparePlan), not
// laid out. ResolvedNode::again says which nodes were added. The model's graph must outlive the result.
Plan Recompute(const Plan& plan, int levels, const PlanOptions& options);

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_RECOMPUTE_H_
