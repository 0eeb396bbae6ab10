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

// Whether the description's axes are as many as the tensor's.
bool SaysAxesOf(DescribedTensor tensor, const ir::Port& port) {
  FitBatch(port.source_axes.size(), &tensor);
  return tensor.axes.size() == port.source_axes.size();
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

// Arguments that name an input, by the network's name for it.
void RenameReferences(const std::vector<DescribedTensor>& inputs, const std::vector<ir::Port>& ports,
                      std::vector<Step>* steps) {
  const std::vector<int> match = MatchPorts(ports, inputs);
  for (Step& step : *steps) {
    for (StepArgument& argument : step.arguments) {
      auto* const name = std::get_if<std::string>(&argument.value);
      if (argument.key != "reference_tensor" || name == nullptr) continue;
      for (size_t i = 0; i < ports.size(); ++i) {
        if (match[i] < 0 || inputs[static_cast<size_t>(match[i])].name != *name) continue;
        *name = ports[i].name;
        break;
      }
    }
  }
}

// An output whose axes nobody says follows the described input of its rank: a network that keeps the rank keeps the
// order, and a guess could exchange x and y.
void FollowInput(const std::vector<DescribedTensor>& inputs, ir::Graph* graph, ir::Port* output) {
  const std::vector<int> match = MatchPorts(graph->inputs, inputs);
  for (size_t i = 0; i < graph->inputs.size(); ++i) {
    const ir::Port& input = graph->inputs[i];
    if (match[i] < 0 || inputs[static_cast<size_t>(match[i])].axes.empty() ||
        input.source_axes.size() != output->source_axes.size()) {
      continue;
    }
    if (output->axes == input.axes) return;
    output->axes = input.axes;
    if (input.axes.find('y') < input.axes.find('x')) return;  // what everybody would take them for
    graph->warnings.push_back("output '" + output->name + "': its axes are not described; taken as those of input '" +
                              input.name + "' (" + input.axes + "); --axes '" + output->name + "=...' says others");
    return;
  }
}

// Descriptions whose x and y change places between input and output are rarely meant so.
void TellExchange(const std::vector<ir::Port>& inputs, const ir::Port& output, std::vector<std::string>* warnings) {
  const auto x_first = [](const std::string& axes) { return axes.find('x') < axes.find('y'); };
  const auto has_both = [](const std::string& axes) {
    return axes.find('x') != std::string::npos && axes.find('y') != std::string::npos;
  };
  for (const ir::Port& input : inputs) {
    if (!has_both(input.axes) || !has_both(output.axes) || x_first(input.axes) == x_first(output.axes)) continue;
    warnings->push_back("the description exchanges x and y between input '" + input.name + "' (" + input.axes +
                        ") and output '" + output.name + "' (" + output.axes +
                        "), so that results are mirrored about the diagonal; if that is a slip, say --axes '" +
                        output.name + "=" + input.axes + "'");
    return;
  }
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
  const std::vector<int> match = MatchPorts(graph->outputs, description.outputs);
  for (size_t i = 0; i < graph->outputs.size(); ++i) {
    ir::Port& output = graph->outputs[i];
    if (match[i] < 0 || !SaysAxesOf(description.outputs[static_cast<size_t>(match[i])], output)) {
      FollowInput(description.inputs, graph, &output);
    }
    TellExchange(graph->inputs, output, &graph->warnings);
  }
  graph->preprocessing = Renamed(description.preprocessing, description.inputs, graph->inputs, &graph->warnings);
  graph->postprocessing = Renamed(description.postprocessing, description.outputs, graph->outputs, &graph->warnings);
  RenameReferences(description.inputs, graph->inputs, &graph->preprocessing);
  RenameReferences(description.inputs, graph->inputs, &graph->postprocessing);
  return OkStatus();
}

}  // namespace fovea::converter
