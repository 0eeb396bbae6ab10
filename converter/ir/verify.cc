#include <algorithm>
#include <numeric>

#include "converter/ir/graph.h"
#include "runtime/model/shapes.h"

namespace fovea::ir {
namespace {

std::string DimsText(const std::vector<DimExpr>& dims) {
  std::string text;
  for (const DimExpr& d : dims) text += (text.empty() ? "" : " x ") + d.ToString();
  return "[" + text + "]";
}

std::string NodeText(const Graph& graph, size_t n) {
  const Node& node = graph.nodes[n];
  return "node " + std::to_string(n) + " '" + node.name + "' (" + OpKindName(KindOf(node.params)) + ")";
}

bool InRange(const Graph& graph, ValueId v) { return v >= 0 && static_cast<size_t>(v) < graph.values.size(); }

Status VerifyPort(const Graph& graph, const Port& port, const char* what) {
  const std::string text = std::string(what) + " '" + port.name + "'";
  if (!InRange(graph, port.value)) return Internal(text + ": no such value: " + std::to_string(port.value));
  const size_t rank = graph.values[static_cast<size_t>(port.value)].dims.size();
  std::vector<int> sorted = port.source_axes, axes(rank);
  std::sort(sorted.begin(), sorted.end());
  std::iota(axes.begin(), axes.end(), 0);
  if (sorted != axes)
    return Internal(text + ": source_axes is no permutation of its " + std::to_string(rank) + " axes");
  if (!port.axes.empty() && port.axes.size() != rank) {
    return Internal(text + ": axes '" + port.axes + "' for " + std::to_string(rank) + " axes");
  }
  return OkStatus();
}

Status VerifyConstant(const Value& value, size_t v) {
  const std::string text = "constant " + std::to_string(v) + " '" + value.name + "'";
  if (value.producer >= 0) return Internal(text + " has a producer");
  int64_t count = 1;
  for (const DimExpr& d : value.dims) {
    if (!d.IsConst()) return Internal(text + " has an open size");
    count *= d.Const();
  }
  if (count != static_cast<int64_t>(value.constant->size())) {
    return Internal(text + " has " + std::to_string(value.constant->size()) + " elements, its dims " +
                    DimsText(value.dims) + " say " + std::to_string(count));
  }
  return OkStatus();
}

Status VerifyNode(const Graph& graph, size_t n, std::vector<bool>* defined) {
  const Node& node = graph.nodes[n];
  std::vector<const std::vector<DimExpr>*> shapes;
  for (const ValueId v : node.inputs) {
    if (v == kNoValue) {
      shapes.push_back(nullptr);
      continue;
    }
    if (!InRange(graph, v))
      return Internal(NodeText(graph, n) + " reads value " + std::to_string(v) + ", which is none");
    const Value& value = graph.values[static_cast<size_t>(v)];
    if (!(*defined)[static_cast<size_t>(v)]) {
      return Internal(NodeText(graph, n) + " reads value '" + value.name + "' before it is produced");
    }
    shapes.push_back(&value.dims);
  }
  if (!InRange(graph, node.output)) return Internal(NodeText(graph, n) + " has no output");
  const size_t out = static_cast<size_t>(node.output);
  const Value& output = graph.values[out];
  if ((*defined)[out])
    return Internal(NodeText(graph, n) + " writes value '" + output.name + "', which exists already");
  if (output.producer != static_cast<int>(n)) {
    return Internal(NodeText(graph, n) + " writes a value that names node " + std::to_string(output.producer) +
                    " as its producer");
  }
  (*defined)[out] = true;
  const Result<std::vector<DimExpr>> dims = InferShape<DimExpr>(node.params, shapes, nullptr);
  if (!dims.ok()) return Internal(NodeText(graph, n) + ": " + dims.status().message());
  if (!std::equal(dims->begin(), dims->end(), output.dims.begin(), output.dims.end())) {
    return Internal(NodeText(graph, n) + ": result is " + DimsText(output.dims) + ", shape inference gives " +
                    DimsText(*dims));
  }
  return OkStatus();
}

}  // namespace

Status Verify(const Graph& graph) {
  std::vector<bool> defined(graph.values.size(), false);
  for (const Port& port : graph.inputs) {
    FOVEA_RETURN_IF_ERROR(VerifyPort(graph, port, "input"));
    const size_t v = static_cast<size_t>(port.value);
    if (defined[v] || graph.values[v].is_const() || graph.values[v].producer >= 0) {
      return Internal("input '" + port.name + "' is not a value of its own");
    }
    defined[v] = true;
  }
  for (size_t v = 0; v < graph.values.size(); ++v) {
    if (!graph.values[v].is_const()) continue;
    FOVEA_RETURN_IF_ERROR(VerifyConstant(graph.values[v], v));
    defined[v] = true;
  }
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (graph.nodes[n].removed) return Internal(NodeText(graph, n) + " is marked removed but still there");
    FOVEA_RETURN_IF_ERROR(VerifyNode(graph, n, &defined));
  }
  for (const Port& port : graph.outputs) {
    FOVEA_RETURN_IF_ERROR(VerifyPort(graph, port, "output"));
    if (!defined[static_cast<size_t>(port.value)]) return Internal("output '" + port.name + "' is never produced");
  }
  return OkStatus();
}

}  // namespace fovea::ir
