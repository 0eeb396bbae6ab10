// How far results look, on which lattice tiles should lie, and which nodes look at the whole image.
//
// All three follow from the axis links of regions.h: a single output position is traced back through the network as if
// the image had no border.
#ifndef FOVEA_RUNTIME_PLAN_RECEPTIVE_FIELD_H_
#define FOVEA_RUNTIME_PLAN_RECEPTIVE_FIELD_H_

#include <array>
#include <string>
#include <vector>

#include "runtime/include/fovea/model.h"
#include "runtime/plan/regions.h"

namespace fovea::plan {

// One axis of a value, seen from one output tensor.
struct AxisTrace {
  bool seen = false;
  bool unbounded = false;                  // the whole axis is read, wherever the output position lies
  Interval interval;                       // what the traced positions read; unclipped
  int origin = -1;                         // axis of the output that this axis follows; -1: none
  int64_t numerator = 1, denominator = 1;  // positions of this axis per position of the origin
};
using ValueTrace = std::array<AxisTrace, kMaxTensorRank>;

// start: positions of value `output` to trace back. One entry a value.
std::vector<ValueTrace> TraceBack(const ResolvedGraph& graph, std::span<const NodeLinks> links, int output,
                                  const Region& start);

// Multiple that tile origins of value `output` should have along each axis, so that every tile has the same geometry:
// the least common multiple of the strides below it. 1 where that would exceed 4096.
std::vector<int64_t> StrideLattice(const ResolvedGraph& graph, std::span<const NodeLinks> links, int output);

// The first node that couples a whole spatial axis of its input (axis z, y or x of a model input, however it has been
// carried there), as a sentence; empty when there is none, so that tiles are possible.
std::string FindTileBarrier(const ResolvedGraph& graph, std::span<const NodeLinks> links);

// One entry for each pair of output and input that depend on each other. Exact per side: the maximum over all phases of
// the stride lattice, measured in the middle of images of `input_dims`, which should be large. The pixel that output
// position o belongs to is floor(o scale_denominator / scale_numerator).
Result<std::vector<ReceptiveField>> MeasureReceptiveFields(const Graph& graph, std::span<const Dims> input_dims);

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_RECEPTIVE_FIELD_H_
