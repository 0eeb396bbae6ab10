// How far the picked kernels are from sums in float64 (runtime/include/fovea/measure.h).
#ifndef FOVEA_RUNTIME_EXEC_ACCURACY_H_
#define FOVEA_RUNTIME_EXEC_ACCURACY_H_

#include <functional>
#include <span>

#include "kernels/kernels.h"
#include "runtime/exec/thread_pool.h"
#include "runtime/include/fovea/measure.h"
#include "runtime/model/model_file.h"
#include "runtime/plan/resolve.h"

namespace fovea::exec {

struct Comparison {
  const ModelFile& file;
  const plan::ResolvedGraph& graph;
  kernels::Isa cap;  // of the kernels that are compared
  bool exact_order;
  ThreadPool& pool;
  const std::function<bool()>& cancelled;
};

// inputs, outputs: of the model; outputs are what is compared as a whole.
Result<AccuracyReport> CompareWithDouble(const Comparison& comparison, std::span<const float* const> inputs,
                                         std::span<float* const> outputs);

}  // namespace fovea::exec

#endif  // FOVEA_RUNTIME_EXEC_ACCURACY_H_
