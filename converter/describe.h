// What a description beside a network says of its interface, put into the graph: axes, sizes, steps.
//
// Descriptions come from people and the network is what runs: tensors are matched by name or else by position, ranks
// and fixed sizes are compared, and a description that contradicts the network is refused or, where the network can go
// on without it, told as a warning.
#ifndef FOVEA_CONVERTER_DESCRIBE_H_
#define FOVEA_CONVERTER_DESCRIBE_H_

#include <optional>
#include <string>
#include <vector>

#include "converter/ir/graph.h"

namespace fovea::converter {

struct DescribedTensor {
  std::string name;
  std::string axes;                            // letters in source order; empty: not said
  std::vector<std::optional<AxisRule>> sizes;  // as many as letters, or none
};

struct Description {
  std::vector<DescribedTensor> inputs, outputs;
  std::vector<Step> preprocessing, postprocessing;  // tensors are names of the description
};

// Index into `described` of each port of the graph, -1 where the description has none.
std::vector<int> MatchPorts(const std::vector<ir::Port>& ports, const std::vector<DescribedTensor>& described);

// Errors: kInvalidArgument for axes or sizes that are not the network's; the message names the tensor.
Status ApplyDescription(const Description& description, ir::Graph* graph);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_DESCRIBE_H_
