// A function of one value behind a convolution, an arithmetic operator or a normalisation is computed while the result
// is still in registers.
#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"

namespace fovea::converter {

Status FuseActivation(ir::Graph* graph) {
  const std::vector<int> uses = CountUses(*graph);
  for (ir::Node& node : graph->nodes) {
    if (node.removed || !std::holds_alternative<UnaryParams>(node.params)) continue;
    ir::Node* before = ProducerNode(graph, node.inputs[0]);
    if (before == nullptr || uses[static_cast<size_t>(before->output)] != 1) continue;
    kernels::Activation* act = ActivationOf(before);
    if (act == nullptr || !IsIdentity(*act)) continue;
    *act = std::get<UnaryParams>(node.params).fn;
    // The result keeps the type of what is replaced (Not gives bool).
    graph->values[static_cast<size_t>(before->output)].dtype = ValueOf(*graph, node.output).dtype;
    Replace(graph, &node, before->output);
    graph->Recognised("activation folded into the operator before");
  }
  return DeadCode(graph);
}

}  // namespace fovea::converter
