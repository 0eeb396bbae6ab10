// Convolution, then addition of an image of the same size [then an activation]: the image becomes the convolution's
// residual. Of two convolutions that are added the later one takes the other's result.
#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"

namespace fovea::converter {

Status FuseResidual(ir::Graph* graph) {
  const std::vector<int> uses = CountUses(*graph);
  for (ir::Node& node : graph->nodes) {
    const BinaryParams* add = std::get_if<BinaryParams>(&node.params);
    if (add == nullptr || add->fn != kernels::BinaryFn::kAdd || node.inputs[0] == node.inputs[1]) continue;
    ir::Node* conv = nullptr;
    ir::ValueId residual = kNoValue;
    for (const size_t i : {size_t{0}, size_t{1}}) {
      ir::Node* before = Producer<ConvParams>(graph, node.inputs[i]);
      const ir::ValueId other = node.inputs[1 - i];
      if (before == nullptr || uses[static_cast<size_t>(before->output)] != 1) continue;
      if (!IsIdentity(std::get<ConvParams>(before->params).act)) continue;
      if (before->inputs.size() > 3 && before->inputs[3] != kNoValue) continue;
      if (IsConst(*graph, other) || !SameDims(*graph, other, before->output)) continue;
      if (conv != nullptr && before < conv) continue;  // nodes are in order of execution
      conv = before;
      residual = other;
    }
    if (conv == nullptr) continue;
    conv->inputs.resize(4, kNoValue);
    conv->inputs[3] = residual;
    std::get<ConvParams>(conv->params).act = add->act;
    Replace(graph, &node, conv->output);
    graph->Recognised("sum folded into a convolution");
  }
  return DeadCode(graph);
}

}  // namespace fovea::converter
