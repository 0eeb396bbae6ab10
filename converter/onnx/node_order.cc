#include "converter/onnx/node_order.h"

#include <map>
#include <queue>

namespace fovea::converter {

namespace {

constexpr int kMaxNesting = 16;  // of subgraphs in subgraphs

void CollectReads(const onnx::NodeProto& node, int depth, std::set<std::string>* names) {
  for (const std::string& input : node.input()) {
    if (!input.empty()) names->insert(input);
  }
  if (depth >= kMaxNesting) return;
  for (const auto& attribute : node.attribute()) {
    if (!attribute.has_g()) continue;
    std::set<std::string> inner, own;
    for (const auto& input : attribute.g().input()) own.insert(input.name());
    for (const auto& initializer : attribute.g().initializer()) own.insert(initializer.name());
    for (const auto& child : attribute.g().node()) {
      CollectReads(child, depth + 1, &inner);
      own.insert(child.output().begin(), child.output().end());
    }
    for (const auto& output : attribute.g().output()) inner.insert(output.name());
    for (const std::string& name : inner) {
      if (own.count(name) == 0) names->insert(name);
    }
  }
}

}  // namespace

std::string Quoted(const std::string& name) {
  std::string out = "'";
  for (const char c : name.substr(0, 120)) out += static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c;
  return out + (name.size() > 120 ? "...'" : "'");
}

std::string NodeLabel(const onnx::NodeProto& node) {
  if (!node.name().empty()) return node.name();
  for (const std::string& output : node.output()) {
    if (!output.empty()) return output;
  }
  return "unnamed";
}

std::set<std::string> NamesRead(const onnx::NodeProto& node) {
  std::set<std::string> names;
  CollectReads(node, 0, &names);
  return names;
}

Result<std::vector<int>> NodeOrder(const NodeList& nodes, const std::set<std::string>& wanted,
                                   const std::function<bool(const std::string&)>& is_known) {
  const auto label = [&](int i) { return "node " + Quoted(NodeLabel(nodes[i])) + " (" + nodes[i].op_type() + ")"; };
  std::map<std::string, int> producer;
  for (int i = 0; i < nodes.size(); ++i) {
    for (const std::string& output : nodes[i].output()) {
      if (output.empty()) continue;
      if (is_known(output) || !producer.emplace(output, i).second) {
        return CorruptFile(label(i) + ": its output " + Quoted(output) + " exists already");
      }
    }
  }

  // Edges, and what is needed: from the wanted names backwards.
  std::vector<std::set<int>> needs(static_cast<size_t>(nodes.size()));
  std::vector<std::vector<int>> feeds(static_cast<size_t>(nodes.size()));
  for (int i = 0; i < nodes.size(); ++i) {
    for (const std::string& name : NamesRead(nodes[i])) {
      const auto found = producer.find(name);
      if (found != producer.end()) {
        if (needs[static_cast<size_t>(i)].insert(found->second).second) {
          feeds[static_cast<size_t>(found->second)].push_back(i);
        }
      } else if (!is_known(name)) {
        return CorruptFile(label(i) + ": nothing produces its input " + Quoted(name));
      }
    }
  }
  std::vector<bool> needed(static_cast<size_t>(nodes.size()), false);
  std::vector<int> stack;
  const auto need = [&](int i) {
    if (!needed[static_cast<size_t>(i)]) {
      needed[static_cast<size_t>(i)] = true;
      stack.push_back(i);
    }
  };
  for (const std::string& name : wanted) {
    const auto found = producer.find(name);
    if (found != producer.end()) need(found->second);
  }
  while (!stack.empty()) {
    const int i = stack.back();
    stack.pop_back();
    for (const int j : needs[static_cast<size_t>(i)]) need(j);
  }

  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  std::vector<size_t> waits(static_cast<size_t>(nodes.size()));
  for (int i = 0; i < nodes.size(); ++i) {
    waits[static_cast<size_t>(i)] = needs[static_cast<size_t>(i)].size();
    if (waits[static_cast<size_t>(i)] == 0) ready.push(i);
  }
  std::vector<int> order;
  int sorted = 0;
  while (!ready.empty()) {
    const int i = ready.top();
    ready.pop();
    ++sorted;
    if (needed[static_cast<size_t>(i)]) order.push_back(i);
    for (const int j : feeds[static_cast<size_t>(i)]) {
      if (--waits[static_cast<size_t>(j)] == 0) ready.push(j);
    }
  }
  if (sorted != nodes.size()) {
    for (int i = 0; i < nodes.size(); ++i) {
      if (waits[static_cast<size_t>(i)] != 0) return CorruptFile(label(i) + ": it is part of a cycle, or reads one");
    }
  }
  return order;
}

}  // namespace fovea::converter
