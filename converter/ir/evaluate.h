// Running an IR graph as it stands: emitted, loaded again and executed by the reference executor. Constant folding and
// the tests of the passes use it, so that there is one definition of what operators compute.
#ifndef FOVEA_CONVERTER_IR_EVALUATE_H_
#define FOVEA_CONVERTER_IR_EVALUATE_H_

#include <vector>

#include "converter/ir/graph.h"

namespace fovea::ir {

// Row-major, axes in the order of the source file (Port::source_axes).
struct Tensor {
  std::vector<int64_t> dims;
  std::vector<float> data;
};

// One tensor an input port in, one an output port out.
Result<std::vector<Tensor>> Evaluate(const Graph& graph, const std::vector<Tensor>& inputs);

}  // namespace fovea::ir

#endif  // FOVEA_CONVERTER_IR_EVALUATE_H_
