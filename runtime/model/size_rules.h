// Which sizes a network's inputs may have, found by trial of shape inference.
//
// What rules sizes in a published file is implicit: a U-Net's skip connections fit together only for multiples of its
// deepest stride, an unpadded one needs 188, 204, 220, ... The converter calls this once and stores the answer (Port's
// rules). An axis may then be min, min + step, min + 2 step, ...
#ifndef FOVEA_RUNTIME_MODEL_SIZE_RULES_H_
#define FOVEA_RUNTIME_MODEL_SIZE_RULES_H_

#include <vector>

#include "runtime/model/graph.h"

namespace fovea {

// One list an input port, one rule a stored axis; {n, 0} for an axis that is always n long. Axes that the network
// leaves open are probed up to about 1200, each with the others at a legal size. Where no size is found to be legal
// (the network relates its inputs in ways that this does not try) the rule is {1, 1} and running decides.
std::vector<std::vector<AxisRule>> FindSizeRules(const Graph& graph);

}  // namespace fovea

#endif  // FOVEA_RUNTIME_MODEL_SIZE_RULES_H_
