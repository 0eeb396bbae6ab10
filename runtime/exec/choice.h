// One plan, or several passes over the image (plan/passes.h): which of the two a network, an image and a budget get.
#ifndef FOVEA_RUNTIME_EXEC_CHOICE_H_
#define FOVEA_RUNTIME_EXEC_CHOICE_H_

#include <optional>

#include "runtime/exec/fast.h"
#include "runtime/plan/passes.h"

namespace fovea::exec {

struct Choice {
  // What was looked at and can be run; the one that is taken is there.
  std::optional<plan::Plan> one;
  std::optional<plan::PassPlan> passes;
  bool takes_passes = false, looked_at_passes = false;
};

// Passes are taken where they are all that keeps to the budget and the tiles, or are predicted to be much faster.
// smallest: what needs least memory instead. Errors: as MakePlan's.
Result<Choice> Choose(const ModelFile& file, const plan::ResolvedGraph& graph, const SessionOptions& options,
                      kernels::Isa cap, int threads, bool smallest);

// What a session would use, with what was looked at besides.
Result<PlanReport> PlanReportOf(const ModelFile& file, const plan::ResolvedGraph& graph, const SessionOptions& options,
                                kernels::Isa cap, int threads, const MachineSpeed& speed, bool smallest);

}  // namespace fovea::exec

#endif  // FOVEA_RUNTIME_EXEC_CHOICE_H_
