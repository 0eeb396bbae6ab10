// Drops nodes that no output depends on.
#include "converter/passes/passes.h"

namespace fovea::converter {

Status DeadCode(ir::Graph* graph) {
  graph->Compact();  // the sweep below needs producers before consumers
  std::vector<bool> live(graph->values.size(), false);
  for (const ir::Port& port : graph->outputs) live[static_cast<size_t>(port.value)] = true;
  for (size_t n = graph->nodes.size(); n-- > 0;) {
    ir::Node& node = graph->nodes[n];
    node.removed = node.removed || !live[static_cast<size_t>(node.output)];
    if (node.removed) continue;
    for (const ir::ValueId v : node.inputs) {
      if (v != kNoValue) live[static_cast<size_t>(v)] = true;
    }
  }
  graph->Compact();
  return OkStatus();
}

}  // namespace fovea::converter
