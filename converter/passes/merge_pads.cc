// Pad after Pad: the amounts add up where both fill with the same constant. (Mirrored or cropped in between, they do
// not.)
#include <algorithm>

#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"

namespace fovea::converter {
namespace {

bool IsPlainConstant(const ir::Node& node) {
  const PadParams& p = std::get<PadParams>(node.params);
  const auto no_crop = [](const std::vector<DimExpr>& amounts) {
    return std::all_of(amounts.begin(), amounts.end(), [](const DimExpr& e) { return e.IsConst() && e.Const() >= 0; });
  };
  const bool own_value = node.inputs.size() < 2 || node.inputs[1] == kNoValue;
  return p.mode == kernels::PadMode::kConstant && own_value && no_crop(p.begin) && no_crop(p.end);
}

}  // namespace

Status MergePads(ir::Graph* graph) {
  const std::vector<int> uses = CountUses(*graph);
  for (ir::Node& node : graph->nodes) {
    if (!std::holds_alternative<PadParams>(node.params) || !IsPlainConstant(node)) continue;
    const ir::Node* before = Producer<PadParams>(graph, node.inputs[0]);
    if (before == nullptr || uses[static_cast<size_t>(before->output)] != 1 || !IsPlainConstant(*before)) continue;
    PadParams& p = std::get<PadParams>(node.params);
    const PadParams& q = std::get<PadParams>(before->params);
    if (p.value != q.value) continue;
    for (size_t axis = 0; axis < p.begin.size(); ++axis) {
      p.begin[axis] = p.begin[axis] + q.begin[axis];
      p.end[axis] = p.end[axis] + q.end[axis];
    }
    node.inputs[0] = before->inputs[0];
  }
  return DeadCode(graph);
}

}  // namespace fovea::converter
