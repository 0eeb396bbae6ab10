// Packing: weights of convolutions in the form that their picked kernels read, made once when a session is created.
//
// Only convolutions whose weights and bias are constants are packed ahead (plan.packed_ahead); the others pack into the
// arena during the run.
#ifndef FOVEA_RUNTIME_EXEC_PACKING_H_
#define FOVEA_RUNTIME_EXEC_PACKING_H_

#include <string>
#include <vector>

#include "runtime/exec/runner.h"
#include "runtime/exec/weight_cache.h"
#include "runtime/plan/plan.h"

namespace fovea::exec {

// Of every value: 1 for constants that are weights and bias of convolutions and nothing else. They live on in packed
// form only.
std::vector<uint8_t> OnlyPacked(const plan::ResolvedGraph& resolved);

struct PackedWeights {
  Block block;                   // they are here,
  Mapping mapping;               // or in a file of the cache
  std::vector<const float*> at;  // of every node: its packed weights, null when not packed ahead
  std::string cache;             // as PlanReport::weight_cache
};

// Takes them from options.cache_directory, or packs on all threads of `parallel`, nodes side by side. threads: how many
// there are, for cutting the work. Errors: kOutOfMemory.
Result<PackedWeights> PackWeights(const ModelFile& file, const plan::Plan& plan, const Constants& constants,
                                  const SessionOptions& options, kernels::Isa isa, const ParallelFor& parallel,
                                  int threads);

}  // namespace fovea::exec

#endif  // FOVEA_RUNTIME_EXEC_PACKING_H_
