// Sizes of a model's inputs against the rules stored with it.
#ifndef FOVEA_RUNTIME_API_PORTS_H_
#define FOVEA_RUNTIME_API_PORTS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/include/fovea/status.h"
#include "runtime/model/graph.h"

namespace fovea::api {

// Smallest size >= wanted of axis `axis` of the port that its rule allows.
int64_t LegalAxisSize(const Graph& graph, const Port& port, size_t axis, int64_t wanted);

// kInvalidArgument names the input, the axis and the nearest sizes that would do.
Status CheckSizes(const Graph& graph, std::span<const std::vector<int64_t>> input_dims);

// A small legal size for each input.
std::vector<std::vector<int64_t>> DefaultInputDims(const Graph& graph);

// Whether every value is in [0, 1] because the last operator that computes is a sigmoid or a softmax.
bool IsProbability(const Graph& graph, int value);

}  // namespace fovea::api

#endif  // FOVEA_RUNTIME_API_PORTS_H_
