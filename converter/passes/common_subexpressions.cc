// Nodes with equal parameters and equal inputs become one. Constants are compared by content first, so that two copies
// of one table do not keep nodes apart.
#include <algorithm>
#include <cmath>
#include <map>

#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"

namespace fovea::converter {
namespace {

// Larger constants are weights; nobody has two copies of them by accident.
constexpr size_t kMaxCompared = 4096;

void MergeConstants(ir::Graph* graph) {
  std::map<std::vector<float>, std::vector<ir::ValueId>> groups;
  for (size_t v = 0; v < graph->values.size(); ++v) {
    const ir::Value& value = graph->values[v];
    if (!value.is_const() || value.constant->size() > kMaxCompared) continue;
    std::vector<float> key;
    for (const float x : *value.constant) {
      if (x != x) break;  // NaN has no place in an ordered map
      key.push_back(x);
    }
    if (key.size() != value.constant->size()) continue;
    std::vector<ir::ValueId>& group = groups[key];
    bool merged = false;
    for (const ir::ValueId other : group) {
      const ir::Value& first = ValueOf(*graph, other);
      // -0 and 0 compare equal but divide differently.
      const bool same_bits = std::equal(key.begin(), key.end(), first.constant->begin(),
                                        [](float a, float b) { return std::signbit(a) == std::signbit(b); });
      if (merged || !same_bits || first.dtype != value.dtype || !SameDims(*graph, other, static_cast<int>(v))) continue;
      graph->ReplaceUses(static_cast<ir::ValueId>(v), other);
      merged = true;
    }
    if (!merged) group.push_back(static_cast<ir::ValueId>(v));
  }
}

std::string Key(const ir::Graph& graph, const ir::Node& node) {
  std::string key = std::to_string(static_cast<int>(KindOf(node.params))) + " " +
                    DTypeName(ValueOf(graph, node.output).dtype) + " " + ParamsToString(node.params);
  for (const ir::ValueId v : node.inputs) key.append(" ").append(std::to_string(v));
  return key;
}

}  // namespace

Status CommonSubexpressions(ir::Graph* graph) {
  MergeConstants(graph);
  std::map<std::string, std::vector<size_t>> groups;
  for (size_t n = 0; n < graph->nodes.size(); ++n) {
    ir::Node& node = graph->nodes[n];
    if (node.removed) continue;
    std::vector<size_t>& group = groups[Key(*graph, node)];
    bool merged = false;
    for (const size_t other : group) {
      if (merged || !SameParams(graph->nodes[other].params, node.params)) continue;
      Replace(graph, &node, graph->nodes[other].output);
      merged = true;
    }
    if (!merged) group.push_back(n);
  }
  graph->Compact();
  return OkStatus();
}

}  // namespace fovea::converter
