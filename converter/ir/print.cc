#include <sstream>

#include "converter/ir/graph.h"

namespace fovea::ir {
namespace {

constexpr size_t kShownElements = 8;

void PrintDims(std::ostream& out, const std::vector<DimExpr>& dims) {
  out << '[';
  for (size_t i = 0; i < dims.size(); ++i) out << (i == 0 ? "" : ",") << dims[i].ToString();
  out << ']';
}

void PrintValue(std::ostream& out, const Graph& graph, ValueId v) {
  if (v == kNoValue) {
    out << '-';
    return;
  }
  const Value& value = graph.values[static_cast<size_t>(v)];
  out << '%' << v;
  if (!value.is_const()) return;
  out << ":const";
  PrintDims(out, value.dims);
  if (value.constant->size() > kShownElements) return;
  out << '{';
  for (size_t i = 0; i < value.constant->size(); ++i) out << (i == 0 ? "" : ",") << (*value.constant)[i];
  out << '}';
}

void PrintPort(std::ostream& out, const Graph& graph, const Port& port, const char* what) {
  out << what << " '" << port.name << "' %" << port.value << ' ' << DTypeName(port.dtype);
  PrintDims(out, graph.values[static_cast<size_t>(port.value)].dims);
  out << " axes=";
  for (const int axis : port.source_axes) out << axis;
  if (!port.axes.empty()) out << " '" << port.axes << '\'';
  if (port.is_shape) out << " shape";
  out << '\n';
}

}  // namespace

std::string Graph::ToString() const {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  for (const Port& port : inputs) PrintPort(out, *this, port, "input");
  for (const Node& node : nodes) {
    if (node.removed) continue;
    const Value& result = values[static_cast<size_t>(node.output)];
    out << '%' << node.output << ' ' << DTypeName(result.dtype);
    PrintDims(out, result.dims);
    out << " = " << OpKindName(KindOf(node.params)) << '(';
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (i > 0) out << ", ";
      PrintValue(out, *this, node.inputs[i]);
    }
    out << ')';
    const std::string params = ParamsToString(node.params);
    if (!params.empty()) out << ' ' << params;
    if (!node.name.empty()) out << "  # " << node.name;
    out << '\n';
  }
  for (const Port& port : outputs) PrintPort(out, *this, port, "output");
  return out.str();
}

}  // namespace fovea::ir
