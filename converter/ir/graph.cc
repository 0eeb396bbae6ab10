#include "converter/ir/graph.h"

#include <algorithm>

namespace fovea::ir {

std::vector<std::vector<int>> Graph::Consumers() const {
  std::vector<std::vector<int>> consumers(values.size());
  for (size_t n = 0; n < nodes.size(); ++n) {
    if (nodes[n].removed) continue;
    for (const ValueId v : nodes[n].inputs) {
      if (v == kNoValue) continue;
      std::vector<int>& list = consumers[static_cast<size_t>(v)];
      if (list.empty() || list.back() != static_cast<int>(n)) list.push_back(static_cast<int>(n));
    }
  }
  return consumers;
}

bool Graph::IsGraphOutput(ValueId v) const {
  return std::any_of(outputs.begin(), outputs.end(), [v](const Port& port) { return port.value == v; });
}

void Graph::ReplaceUses(ValueId from, ValueId to) {
  for (Node& node : nodes) std::replace(node.inputs.begin(), node.inputs.end(), from, to);
  for (Port& port : outputs) {
    if (port.value == from) port.value = to;
  }
}

void Graph::Imported(const std::string& op, size_t nodes_before, std::span<const ValueId> sources, ValueId result) {
  if (nodes.size() > nodes_before || result < 0) return;
  const Value& value = values[static_cast<size_t>(result)];
  if (value.is_const() || value.elements) return;  // constants that are handed on are no work
  if (std::find(sources.begin(), sources.end(), result) != sources.end()) ++history.dropped[op];
}

namespace {

// Node indices in an order in which producers come first, otherwise as close to the present order as depth first
// allows.
std::vector<int> TopologicalOrder(const Graph& graph) {
  std::vector<int> producer(graph.values.size(), -1);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (!node.removed && node.output != kNoValue) producer[static_cast<size_t>(node.output)] = static_cast<int>(n);
  }
  std::vector<int> order;
  std::vector<bool> seen(graph.nodes.size(), false);
  std::vector<std::pair<int, size_t>> stack;  // node, next input to look at
  for (size_t root = 0; root < graph.nodes.size(); ++root) {
    if (graph.nodes[root].removed || seen[root]) continue;
    seen[root] = true;
    stack.emplace_back(static_cast<int>(root), 0);
    while (!stack.empty()) {
      const int n = stack.back().first;
      const std::vector<ValueId>& inputs = graph.nodes[static_cast<size_t>(n)].inputs;
      if (stack.back().second == inputs.size()) {
        order.push_back(n);
        stack.pop_back();
        continue;
      }
      const ValueId v = inputs[stack.back().second++];
      const int p = v == kNoValue ? -1 : producer[static_cast<size_t>(v)];
      if (p >= 0 && !seen[static_cast<size_t>(p)]) {
        seen[static_cast<size_t>(p)] = true;
        stack.emplace_back(p, 0);
      }
    }
  }
  return order;
}

}  // namespace

void Graph::Compact() {
  std::vector<Node> kept_nodes;
  for (const int n : TopologicalOrder(*this)) kept_nodes.push_back(std::move(nodes[static_cast<size_t>(n)]));
  nodes = std::move(kept_nodes);

  std::vector<bool> used(values.size(), false);
  const auto use = [&used](ValueId v) {
    if (v != kNoValue) used[static_cast<size_t>(v)] = true;
  };
  for (const Port& port : inputs) use(port.value);
  for (const Port& port : outputs) use(port.value);
  for (const Node& node : nodes) {
    for (const ValueId v : node.inputs) use(v);
    use(node.output);
  }
  std::vector<ValueId> number(values.size(), kNoValue);
  std::vector<Value> kept_values;
  for (size_t v = 0; v < values.size(); ++v) {
    if (!used[v]) continue;
    number[v] = static_cast<ValueId>(kept_values.size());
    kept_values.push_back(std::move(values[v]));
    kept_values.back().producer = -1;
  }
  values = std::move(kept_values);
  const auto renumber = [&number](ValueId& v) {
    if (v != kNoValue) v = number[static_cast<size_t>(v)];
  };
  for (Port& port : inputs) renumber(port.value);
  for (Port& port : outputs) renumber(port.value);
  for (size_t n = 0; n < nodes.size(); ++n) {
    for (ValueId& v : nodes[n].inputs) renumber(v);
    renumber(nodes[n].output);
    values[static_cast<size_t>(nodes[n].output)].producer = static_cast<int>(n);
  }
}

}  // namespace fovea::ir
