// A TensorFlow graph with its edges resolved: names to nodes, producers before consumers.
//
// Nodes that stand in a cycle (loops), or behind one, have no place in the order.
#ifndef FOVEA_CONVERTER_TENSORFLOW_GRAPH_INDEX_H_
#define FOVEA_CONVERTER_TENSORFLOW_GRAPH_INDEX_H_

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "converter/tensorflow/tf_graph.h"

namespace fovea::converter::tf {

struct TensorRef {
  std::string_view node;
  int output = 0;
  bool control = false;  // "^node": an order of execution, no data
};
// "node", "node:1", "^node".
TensorRef ParseRef(std::string_view text);

struct Edge {
  int node = -1;  // of the producer; -1: the graph has no such node
  int output = 0;
  bool operator==(const Edge&) const = default;
};

class GraphIndex {
 public:
  // The graph must outlive the index. kCorruptFile: two nodes of one name.
  static Result<GraphIndex> Make(const TfGraph& tf);

  int size() const { return static_cast<int>(tf_->nodes.size()); }
  const TfNode& node(int i) const { return tf_->nodes[static_cast<size_t>(i)]; }
  int Find(std::string_view name) const;  // -1: none
  Edge Resolve(std::string_view tensor) const;
  // Data inputs in order; producers of control inputs.
  const std::vector<Edge>& inputs(int i) const { return inputs_[static_cast<size_t>(i)]; }
  const std::vector<int>& controls(int i) const { return controls_[static_cast<size_t>(i)]; }
  const std::vector<int>& order() const { return order_; }

 private:
  const TfGraph* tf_ = nullptr;
  std::unordered_map<std::string_view, int> by_name_;
  std::vector<std::vector<Edge>> inputs_;
  std::vector<std::vector<int>> controls_;
  std::vector<int> order_;
};

// An attribute of a node; the fallback when it is absent or of another type.
template <class T>
const T* FindAttr(const TfNode& node, const char* name) {
  const auto found = node.attrs.find(name);
  return found == node.attrs.end() ? nullptr : std::get_if<T>(&found->second);
}

}  // namespace fovea::converter::tf

#endif  // FOVEA_CONVERTER_TENSORFLOW_GRAPH_INDEX_H_
