// Arithmetic with constants that does nothing (x * 1, x + 0) goes; x - c becomes x + (-c); neighbours of one kind
// become one ((x * a) * b = x * (a b), (x + a) + b = x + (a + b)).
#include <algorithm>

#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"

namespace fovea::converter {
namespace {

using kernels::BinaryFn;

// The constant operand when the other one is not constant: its position, else -1.
int ConstOperand(const ir::Graph& graph, const ir::Node& node) {
  const bool a = IsConst(graph, node.inputs[0]), b = IsConst(graph, node.inputs[1]);
  return a == b ? -1 : (a ? 0 : 1);
}

bool AllElements(const ir::Value& constant, float x) {
  return std::all_of(constant.constant->begin(), constant.constant->end(), [x](float e) { return e == x; });
}

bool ChangesNothing(const ir::Graph& graph, const ir::Node& node, int operand) {
  const BinaryParams& p = std::get<BinaryParams>(node.params);
  const ir::Value& constant = ValueOf(graph, node.inputs[static_cast<size_t>(operand)]);
  if (!IsIdentity(p.act) || !SameDims(graph, node.inputs[static_cast<size_t>(1 - operand)], node.output)) return false;
  switch (p.fn) {
    case BinaryFn::kAdd: return AllElements(constant, 0);
    case BinaryFn::kSub: return operand == 1 && AllElements(constant, 0);
    case BinaryFn::kMul: return AllElements(constant, 1);
    case BinaryFn::kDiv:
    case BinaryFn::kPow: return operand == 1 && AllElements(constant, 1);
    default: return false;
  }
}

ir::ValueId Negated(ir::Graph* graph, ir::ValueId v) {
  ir::Value copy = ValueOf(*graph, v);
  std::vector<float> data = *copy.constant;
  for (float& x : data) x = -x;
  copy.constant = std::make_shared<const std::vector<float>>(std::move(data));
  copy.elements.reset();
  copy.ratios.reset();
  graph->values.push_back(std::move(copy));
  return static_cast<ir::ValueId>(graph->values.size() - 1);
}

}  // namespace

Status SimplifyAffine(ir::Graph* graph) {
  const std::vector<int> uses = CountUses(*graph);
  for (size_t n = 0; n < graph->nodes.size(); ++n) {
    if (!std::holds_alternative<BinaryParams>(graph->nodes[n].params)) continue;
    const int operand = ConstOperand(*graph, graph->nodes[n]);
    if (operand < 0 || !IsFloat(ValueOf(*graph, graph->nodes[n].output).dtype)) continue;
    if (ChangesNothing(*graph, graph->nodes[n], operand)) {
      ir::Node& node = graph->nodes[n];
      Replace(graph, &node, node.inputs[static_cast<size_t>(1 - operand)]);
      continue;
    }
    const size_t c = static_cast<size_t>(operand);
    BinaryFn& fn = std::get<BinaryParams>(graph->nodes[n].params).fn;
    if (fn == BinaryFn::kSub && operand == 1) {
      graph->nodes[n].inputs[1] = Negated(graph, graph->nodes[n].inputs[1]);
      fn = BinaryFn::kAdd;
    }
    if (fn != BinaryFn::kAdd && fn != BinaryFn::kMul) continue;

    const ir::Node* before = Producer<BinaryParams>(graph, graph->nodes[n].inputs[1 - c]);
    if (before == nullptr || uses[static_cast<size_t>(before->output)] != 1) continue;
    const BinaryParams& q = std::get<BinaryParams>(before->params);
    const int before_operand = ConstOperand(*graph, *before);
    if (q.fn != fn || !IsIdentity(q.act) || before_operand < 0) continue;
    const ir::ValueId image = before->inputs[static_cast<size_t>(1 - before_operand)];
    const ir::ValueId a = before->inputs[static_cast<size_t>(before_operand)], b = graph->nodes[n].inputs[c];
    ir::Builder builder(graph);
    Result<ir::ValueId> both = builder.Binary(fn, a, b);
    if (!both.ok()) return both.status();
    // Not when [C,1] and [1,W] would become [C,W].
    if (!IsConst(*graph, *both) ||
        ValueOf(*graph, *both).constant->size() >
            std::max(ValueOf(*graph, a).constant->size(), ValueOf(*graph, b).constant->size())) {
      continue;
    }
    graph->nodes[n].inputs[c] = *both;
    graph->nodes[n].inputs[1 - c] = image;
  }
  return DeadCode(graph);
}

}  // namespace fovea::converter
