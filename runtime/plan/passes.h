// Networks with statistics of the whole image: instance and group norms, and means, sums and extremes over all
// positions.
//
// Such a node needs its whole input before it makes anything, so that tiles are not possible as they are. Exact tiles
// take several passes over the image: the first passes make what the statistics are taken of, tile by tile, and keep
// nothing but the statistics (kernels/moments, whose order of summation does not depend on tiles); the last one knows
// all statistics and makes the outputs. A pass is a graph of its own with a plan of its own, under the same budget.
// What depends on statistics and constants alone (the small layers of squeeze and excitation) is made once, in a pass
// without tiles, and known from then on.
#ifndef FOVEA_RUNTIME_PLAN_PASSES_H_
#define FOVEA_RUNTIME_PLAN_PASSES_H_

#include <memory>
#include <vector>

#include "runtime/plan/plan.h"

namespace fovea::plan {

// Whether the node takes statistics over all positions of input 0, one set a sample and channel or group of channels.
bool TakesStatistics(const ResolvedNode& node);
// Of those, reductions whose kernels sum in the order of kernels/moments.
bool SumsPositions(const ResolvedNode& node);

// Approximate tiles: such nodes take statistics of what a tile, with its halo, holds. False when there is none, so that
// nothing changed. The results depend on the tiles; those of an image in one tile do not change.
bool LoosenBarriers(Plan* plan);

// What a node sums over the positions of its input.
struct Statistic {
  int node = -1;  // of the whole graph
  int source = kNoValue;
  // What passes know it as: the reduction's output; of norms a new value, [N, 3, MomentChannels] doubles as floats,
  // that the norm reads as its input 3.
  int value = kNoValue;
  kernels::MomentsLayer layer;
  Dims dims;  // of the source
};

struct Pass {
  // The inputs of the whole graph, then kept values that it reads; all values of the whole graph, with those of norms
  // behind them.
  std::unique_ptr<Graph> graph;
  std::vector<int> nodes;  // of the whole graph, one for each of the pass
  // Statistics that it takes, one for each output or several; empty in passes that make values.
  std::vector<int> statistics;
  std::vector<int> outputs;    // of each statistic: the output that it is taken of
  std::vector<uint8_t> keeps;  // of each output: the value is kept; empty in passes that keep none
  std::vector<int> known;      // of each output: the value that is known after the pass; empty in others
  Plan plan;
  double seconds = 0;
  bool is_last() const { return statistics.empty() && known.empty(); }
};

// A value that is kept from pass `first`, which makes it, to pass `last`, the last one that reads it.
struct KeptValue {
  int value = kNoValue;
  int first = 0, last = 0;
  uint64_t offset = 0;
};

struct PassPlan {
  // The whole graph, for constants and packed weights, with which of them are packed ahead; it has no layout.
  Plan whole;
  std::vector<Statistic> statistics;
  std::vector<Pass> passes;  // in order; the last one makes the outputs
  uint64_t known_bytes = 0;  // values of statistics, and of passes that make values
  std::vector<KeptValue> kept;
  uint64_t kept_bytes = 0;            // for all of them, those that are not there at once sharing memory
  uint64_t state_bytes = 0;           // sums of the pass that has most, see kernels/moments
  uint64_t block_bytes = 0;           // arena and tile buffers of the pass that has most
  double seconds = 0, redundant = 0;  // predicted, nominal; what is made more than once

  uint64_t total_bytes() const;
};

uint64_t StateBytes(const Statistic& statistic);
// Bytes of a known value.
uint64_t KnownBytes(const Dims& dims);

// kUnsupported: the network looks at the whole image otherwise, or the instruction set has no such kernels.
// kOverBudget: with the smallest budget that would do. options as for MakePlan of the same graph.
Result<PassPlan> MakePassPlan(ResolvedGraph graph, const PlanOptions& options);

// What the passes of a network take at least, nominal, all that they could keep kept. Quick, so that passes are planned
// only where they may be faster than `plan`, which has links and operators. 0: one pass does.
double LeastPassSeconds(const Plan& plan, kernels::Isa cap, int threads);

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_PASSES_H_
