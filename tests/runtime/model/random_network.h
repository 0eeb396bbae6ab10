// Random networks over all operators, with sizes that are symbolic in the height and width of input 0: material for
// shape inference and for the model file.
#ifndef FOVEA_TESTS_RUNTIME_MODEL_RANDOM_NETWORK_H_
#define FOVEA_TESTS_RUNTIME_MODEL_RANDOM_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/model/graph.h"

namespace fovea::testing {

struct RandomNetwork {
  Graph graph;
  std::vector<std::byte> weights;
};

// Input 0 is [1, h, w, channels]; input 1 is a vector of two numbers. Every node's symbolic shape infers.
RandomNetwork MakeRandomNetwork(uint32_t seed, int nodes);

}  // namespace fovea::testing

#endif  // FOVEA_TESTS_RUNTIME_MODEL_RANDOM_NETWORK_H_
