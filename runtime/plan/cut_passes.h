// A network cut into passes (passes.h): which statistics each takes, what it keeps, and its graph.
#ifndef FOVEA_RUNTIME_PLAN_CUT_PASSES_H_
#define FOVEA_RUNTIME_PLAN_CUT_PASSES_H_

#include "runtime/plan/passes.h"

namespace fovea::plan {

// Fills in statistics, passes without operators, kept values without places, and known_bytes of a plan that has its
// whole graph. Values of more than most_kept bytes are not kept. kUnsupported: a pass still looks at the whole image.
Status CutIntoPasses(uint64_t most_kept, PassPlan* plan);

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_CUT_PASSES_H_
