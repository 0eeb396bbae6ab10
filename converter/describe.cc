#include "converter/describe.h"

#include <algorithm>

namespace fovea::converter {
namespace {

// "1 x 256 x ? x 1" of a value in source order.
std::string SizesText(const ir::Graph& graph, const ir::Port& port) {
  std::string text;
  for (const int axis : port.source_axes) {
    const DimExpr& dim = graph.values[static_cast<size_t>(port.value)].dims[static_cast<size_t>(axis)];
    text += (text.empty() ? "" : " x ") + (dim.IsConst() ? std::to_string(dim.Const()) : std::string("?"));
  }
  return text;
}

// A description that leaves out the batch axis, or names one that the network does not have.
void FitBatch(size_t rank, DescribedTensor* tensor) {
  if (tensor->axes.size() + 1 == rank && tensor->axes.find('b') == std::string::npos) {
    tensor->axes.insert(tensor->axes.begin(), 'b');
    if (!tensor->sizes.empty()) tensor->sizes.insert(tensor->sizes.begin(), std::nullopt);
  } else if (tensor->axes.size() == rank + 1 && tensor->axes[0] == 'b') {
    tensor->axes.erase(tensor->axes.begin());
    if (!tensor->sizes.empty()) tensor->sizes.erase(tensor->sizes.begin());
  }
}

Status ApplyTensor(DescribedTensor tensor, bool is_input, ir::Graph* graph, ir::Port* port) {
  if (tensor.axes.empty()) return OkStatus();
  FitBatch(port->source_axes.size(), &tensor);
  const std::string where = std::string(is_input ? "input '" : "output '") + tensor.name + "'";
  if (tensor.axes.size() != port->source_axes.size()) {
    const std::string what = where + ": its description has the axes " + tensor.axes + ", the network's tensor is " +
                             SizesText(*graph, *port);
    if (is_input) return InvalidArgument(what);
    graph->warnings.push_back(what + "; the description's axes are left out");
    return OkStatus();
  }
  port->axes = tensor.axes;
  const std::vector<DimExpr>& dims = graph->values[static_cast<size_t>(port->value)].dims;
  for (size_t a = 0; a < tensor.sizes.size(); ++a) {
    const DimExpr& dim = dims[static_cast<size_t>(port->source_axes[a])];
    const std::optional<AxisRule>& rule = tensor.sizes[a];
    if (!rule || !dim.IsConst()) continue;
    const bool allowed = rule->step == 0 ? dim.Const() == rule->min
                                         : dim.Const() >= rule->min && (dim.Const() - rule->min) % rule->step == 0;
    if (allowed) continue;
    const std::string what = where + ": its description allows " + std::to_string(rule->min) +
                             (rule->step > 0 ? " + n " + std::to_string(rule->step) : "") + " along " + tensor.axes[a] +
                             ", the network's tensor is " + SizesText(*graph, *port);
    // Channels that differ mean another network; other sizes are what the authors tested with.
    if (tensor.axes[a] == 'c') return InvalidArgument(what);
    graph->warnings.push_back(what);
  }
  if (is_input) port->described = std::move(tensor.sizes);
  return OkStatus();
}

Status ApplySide(const std::vector<DescribedTensor>& described, bool is_input, ir::Graph* graph,
                 std::vector<ir::Port>* ports) {
  const std::vector<int> match = MatchPorts(*ports, described);
  for (size_t i = 0; i < ports->size(); ++i) {
    if (match[i] < 0) {
      graph->warnings.push_back(std::string(is_input ? "input '" : "output '") + (*ports)[i].name +
                                "' is not in the description");
      continue;
    }
    FOVEA_RETURN_IF_ERROR(ApplyTensor(described[static_cast<size_t>(match[i])], is_input, graph, &(*ports)[i]));
  }
  return OkStatus();
}

// Steps with the network's names; those of a tensor that the network does not have are left out and told.
std::vector<Step> Renamed(const std::vector<Step>& steps, const std::vector<DescribedTensor>& described,
                          const std::vector<ir::Port>& ports, std::vector<std::string>* warnings) {
  const std::vector<int> match = MatchPorts(ports, described);
  std::vector<Step> out;
  for (Step step : steps) {
    bool found = false;
    for (size_t i = 0; i < ports.size() && !found; ++i) {
      if (match[i] < 0 || described[static_cast<size_t>(match[i])].name != step.tensor) continue;
      step.tensor = ports[i].name;
      found = true;
    }
    if (found) {
      out.push_back(std::move(step));
    } else {
      warnings->push_back("step " + step.name + " of '" + step.tensor +
                          "' is left out: the network has no such tensor");
    }
  }
  return out;
}

}  // namespace

std::vector<int> MatchPorts(const std::vector<ir::Port>& ports, const std::vector<DescribedTensor>& described) {
  std::vector<int> match(ports.size(), -1);
  std::vector<bool> taken(described.size(), false);
  for (size_t i = 0; i < ports.size(); ++i) {
    for (size_t k = 0; k < described.size(); ++k) {
      if (taken[k] || described[k].name != ports[i].name) continue;
      match[i] = static_cast<int>(k);
      taken[k] = true;
      break;
    }
  }
  // The rest in order: exporters rename tensors but keep their order.
  size_t next = 0;
  for (int& index : match) {
    while (next < taken.size() && taken[next]) ++next;
    if (index >= 0 || next == taken.size()) continue;
    index = static_cast<int>(next);
    taken[next] = true;
  }
  return match;
}

Status ApplyDescription(const Description& description, ir::Graph* graph) {
  FOVEA_RETURN_IF_ERROR(ApplySide(description.inputs, true, graph, &graph->inputs));
  FOVEA_RETURN_IF_ERROR(ApplySide(description.outputs, false, graph, &graph->outputs));
  graph->preprocessing = Renamed(description.preprocessing, description.inputs, graph->inputs, &graph->warnings);
  graph->postprocessing = Renamed(description.postprocessing, description.outputs, graph->outputs, &graph->warnings);
  return OkStatus();
}

}  // namespace fovea::converter
