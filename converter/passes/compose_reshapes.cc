// Reshape of a Reshape is one Reshape, Transpose of a Transpose one Transpose.
#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"

namespace fovea::converter {

Status ComposeReshapes(ir::Graph* graph) {
  for (ir::Node& node : graph->nodes) {
    if (std::holds_alternative<ReshapeParams>(node.params)) {
      const ir::Node* before = Producer<ReshapeParams>(graph, node.inputs[0]);
      if (before != nullptr) node.inputs[0] = before->inputs[0];
    } else if (TransposeParams* outer = std::get_if<TransposeParams>(&node.params)) {
      const ir::Node* before = Producer<TransposeParams>(graph, node.inputs[0]);
      if (before == nullptr) continue;
      for (int64_t& axis : outer->perm) {
        axis = std::get<TransposeParams>(before->params).perm[static_cast<size_t>(axis)];
      }
      node.inputs[0] = before->inputs[0];
    }
  }
  return DeadCode(graph);
}

}  // namespace fovea::converter
