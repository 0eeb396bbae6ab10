#include "converter/emit/prepare.h"

#include <set>

#include "converter/ir/builder.h"
#include "converter/ir/params.h"
#include "converter/ir/symbolic.h"

namespace fovea::converter {
namespace {

// Model inputs whose elements some size refers to.
std::vector<bool> InputsInSizes(const ir::Graph& graph) {
  std::vector<int> ranks;
  for (const ir::Port& port : graph.inputs) {
    ranks.push_back(static_cast<int>(graph.values[static_cast<size_t>(port.value)].dims.size()));
  }
  std::vector<bool> used(graph.inputs.size(), false);
  const auto look = [&](const DimExpr& size) {
    for (size_t i = 0; i < used.size(); ++i) {
      std::vector<int64_t> elements(used.size(), ir::kMaxSizeElements);
      elements[i] = 0;
      if (!used[i] && !size.IsConst()) used[i] = !size.RefersOnlyTo(ranks, elements);
    }
  };
  for (const ir::Node& node : graph.nodes) {
    ir::ForEachSize(node.params, look);
    for (const DimExpr& d : graph.values[static_cast<size_t>(node.output)].dims) look(d);
    if (const ResizeParams* resize = std::get_if<ResizeParams>(&node.params)) {
      if (resize->scales_input >= 0) used[static_cast<size_t>(resize->scales_input)] = true;
    }
  }
  return used;
}

Status MarkShapeInputs(ir::Graph* graph) {
  const std::vector<bool> used = InputsInSizes(*graph);
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) continue;
    graph->inputs[i].is_shape = true;
    const ir::ValueId input = graph->inputs[i].value;
    const ir::Value value = graph->values[static_cast<size_t>(input)];
    const bool is_output = graph->IsGraphOutput(input);
    std::vector<size_t> readers;
    for (size_t n = 0; n < graph->nodes.size(); ++n) {
      const ir::Node& node = graph->nodes[n];
      if (std::holds_alternative<ResizeParams>(node.params)) continue;  // reads its scales when planned
      for (const ir::ValueId v : node.inputs) {
        if (v == input && (readers.empty() || readers.back() != n)) readers.push_back(n);
      }
    }
    if (readers.empty() && !is_output) continue;
    if (!value.elements) {
      return Unsupported("input '" + value.name + "' decides sizes and is used as data too; give it a fixed value");
    }
    ir::Builder builder(graph);
    const ir::ValueId copy =
        builder.Sizes(value.name, *value.elements, static_cast<int>(value.dims.size()), value.dtype);
    for (const size_t n : readers) {
      for (ir::ValueId& v : graph->nodes[n].inputs) {
        if (v == input) v = copy;
      }
    }
    for (ir::Port& port : graph->outputs) {
      if (port.value == input) port.value = copy;
    }
  }
  return OkStatus();
}

}  // namespace

Status PrepareForEmission(ir::Graph* graph) {
  graph->Compact();
  FOVEA_RETURN_IF_ERROR(MarkShapeInputs(graph));
  std::set<ir::ValueId> taken;
  for (size_t o = 0; o < graph->outputs.size(); ++o) {
    const ir::ValueId v = graph->outputs[o].value;
    if (graph->values[static_cast<size_t>(v)].producer >= 0 && taken.insert(v).second) continue;
    ir::Value copy = graph->values[static_cast<size_t>(v)];
    copy.constant = nullptr;
    copy.producer = static_cast<int>(graph->nodes.size());
    const ir::ValueId out = static_cast<ir::ValueId>(graph->values.size());
    graph->nodes.push_back({graph->outputs[o].name, "", UnaryParams{}, {v}, out, false});
    graph->values.push_back(std::move(copy));
    graph->outputs[o].value = out;
  }
  graph->Compact();
  return OkStatus();
}

}  // namespace fovea::converter
