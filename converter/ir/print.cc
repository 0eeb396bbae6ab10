#include "converter/ir/graph.h"
#include "converter/ir/params.h"

namespace fovea::ir {
namespace {

constexpr size_t kShownElements = 8;

std::string DimsText(const std::vector<DimExpr>& dims) {
  std::string text;
  for (const DimExpr& d : dims) text += (text.empty() ? "" : ",") + d.ToString();
  return "[" + text + "]";
}

std::string ValueText(const Graph& graph, ValueId v) {
  if (v == kNoValue) return "-";
  const Value& value = graph.values[static_cast<size_t>(v)];
  std::string text = "%" + std::to_string(v);
  if (value.is_const()) {
    text += ":const" + DimsText(value.dims);
    if (value.constant->size() <= kShownElements) {
      text += "{";
      for (const float x : *value.constant) text += (text.back() == '{' ? "" : ",") + std::to_string(x);
      text += "}";
    }
  }
  return text;
}

std::string PortText(const Graph& graph, const Port& port, const char* what) {
  std::string text = std::string(what) + " '" + port.name + "' %" + std::to_string(port.value) + " " +
                     DTypeName(port.dtype) + DimsText(graph.values[static_cast<size_t>(port.value)].dims) + " axes=";
  for (const int axis : port.source_axes) text += std::to_string(axis);
  if (!port.axes.empty()) text += " '" + port.axes + "'";
  if (port.is_shape) text += " shape";
  return text + "\n";
}

}  // namespace

std::string Graph::ToString() const {
  std::string text;
  for (const Port& port : inputs) text += PortText(*this, port, "input");
  for (const Node& node : nodes) {
    if (node.removed) continue;
    const Value& out = values[static_cast<size_t>(node.output)];
    text += "%" + std::to_string(node.output) + " " + DTypeName(out.dtype) + DimsText(out.dims) + " = " +
            OpKindName(KindOf(node.params)) + "(";
    for (size_t i = 0; i < node.inputs.size(); ++i) text += (i == 0 ? "" : ", ") + ValueText(*this, node.inputs[i]);
    text += ")";
    const std::string params = ParamsToString(node.params);
    if (!params.empty()) text += " " + params;
    if (!node.name.empty()) text += "  # " + node.name;
    text += "\n";
  }
  for (const Port& port : outputs) text += PortText(*this, port, "output");
  return text;
}

}  // namespace fovea::ir
