#include <algorithm>
#include <cmath>

#include "converter/convert.h"
#include "converter/emit/axes.h"
#include "converter/emit/marks.h"
#include "converter/emit/prepare.h"
#include "converter/emit/weights.h"
#include "runtime/model/model_writer.h"
#include "runtime/model/size_rules.h"

namespace fovea::converter {
namespace {

constexpr float kMaxFloat16 = 65504;

// The weights of convolutions and matrix products are what a file's size is made of; biases and the like stay exact.
std::vector<bool> NarrowableConstants(const ir::Graph& graph) {
  std::vector<bool> narrow(graph.values.size(), false), wide(graph.values.size(), false);
  for (const ir::Node& node : graph.nodes) {
    const OpKind kind = KindOf(node.params);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue) continue;
      const bool weights = (kind == OpKind::kConv || kind == OpKind::kConvTranspose) ? i == 1 : kind == OpKind::kMatMul;
      (weights ? narrow : wide)[static_cast<size_t>(node.inputs[i])] = true;
    }
  }
  for (size_t v = 0; v < narrow.size(); ++v) narrow[v] = narrow[v] && !wide[v];
  return narrow;
}

WeightType TypeFor(const std::vector<float>& data, WeightType wanted) {
  if (wanted != WeightType::kFloat16) return wanted;
  const bool fits = std::all_of(data.begin(), data.end(), [](float x) { return std::fabs(x) <= kMaxFloat16; });
  return fits ? wanted : WeightType::kFloat32;
}

Result<fovea::Port> EmitPort(const ir::Graph& graph, const ir::Port& port, const Options& options) {
  fovea::Port out;
  out.name = port.name;
  out.value = port.value;
  out.dtype = port.dtype;
  out.source_axes = port.source_axes;
  out.is_shape = port.is_shape;
  FOVEA_ASSIGN_OR_RETURN(out.axes, StoredAxes(graph, port, options));
  return out;
}

Result<std::vector<SelfTest::Tensor>> EmitTensors(const std::vector<NamedTensor>& given,
                                                  const std::vector<ir::Port>& ports, const char* what,
                                                  WeightSection* weights) {
  std::vector<SelfTest::Tensor> tensors;
  for (const NamedTensor& tensor : given) {
    const auto named = [&tensor](const ir::Port& port) { return port.name == tensor.name; };
    if (!tensor.name.empty() && std::none_of(ports.begin(), ports.end(), named)) {
      return InvalidArgument(std::string("test ") + what + " '" + tensor.name + "': the model has no " + what +
                             " of this name");
    }
  }
  for (const ir::Port& port : ports) {
    const auto found = std::find_if(given.begin(), given.end(), [&](const NamedTensor& tensor) {
      return tensor.name == port.name || (tensor.name.empty() && ports.size() == 1);
    });
    if (found == given.end()) return InvalidArgument(std::string("no test ") + what + " for '" + port.name + "'");
    int64_t count = 1;
    for (const int64_t d : found->dims) count *= d;
    if (found->dims.size() != port.source_axes.size() || count != static_cast<int64_t>(found->data.size())) {
      return InvalidArgument(std::string("test ") + what + " '" + port.name + "' has " +
                             std::to_string(found->dims.size()) + " axes, the model's has " +
                             std::to_string(port.source_axes.size()));
    }
    tensors.push_back({found->dims, weights->Append(found->data), found->data.size() * sizeof(float)});
  }
  return tensors;
}

// Every name in Options.axes belongs to an input or output.
Status CheckNames(const ir::Graph& graph, const Options& options) {
  for (const auto& [name, letters] : options.axes) {
    const auto named = [&name = name](const ir::Port& port) { return port.name == name; };
    if (std::none_of(graph.inputs.begin(), graph.inputs.end(), named) &&
        std::none_of(graph.outputs.begin(), graph.outputs.end(), named)) {
      return InvalidArgument("axes '" + letters + "': the model has no input or output '" + name + "'");
    }
  }
  return OkStatus();
}

bool Allows(const AxisRule& rule, int64_t size) {
  return rule.step == 0 ? size == rule.min : size >= rule.min && (size - rule.min) % rule.step == 0;
}

// What the network needs and what its description asks for, together. A description's sizes count where the network
// takes them. A single size counts where the result depends on it (the network looks at the whole image) or the axis is
// not one of the image's; elsewhere it is only what the authors happened to test, and larger images would be refused
// for nothing.
AxisRule Combined(const AxisRule& found, const std::optional<AxisRule>& described, char letter, bool whole_image) {
  constexpr int kTried = 64;
  if (!described || found.step == 0) return found;
  if (described->step == 0) {
    const bool of_image = letter == 'z' || letter == 'y' || letter == 'x';
    const bool counts = letter != 'b' && (!of_image || whole_image);
    return counts && Allows(found, described->min) ? AxisRule{described->min, 0} : found;
  }
  for (int k = 0; k < kTried; ++k) {
    if (!Allows(found, described->min + k * described->step)) return found;
  }
  return *described;
}

// The graph as the file has it; its constants' numbers in `weights`.
Result<fovea::Graph> EmitGraph(const ir::Graph& source, const Options& options, WeightSection* section) {
  WeightSection& weights = *section;
  ir::Graph graph = source;
  FOVEA_RETURN_IF_ERROR(PrepareForEmission(&graph));
  FOVEA_RETURN_IF_ERROR(CheckNames(graph, options));
  fovea::Graph out;
  const std::vector<bool> narrow = NarrowableConstants(graph);
  for (size_t v = 0; v < graph.values.size(); ++v) {
    const ir::Value& value = graph.values[v];
    fovea::Value emitted;
    emitted.name = value.name;
    emitted.dims = value.dims;
    if (value.is_const()) {
      const WeightType type = narrow[v] ? TypeFor(*value.constant, options.weights) : WeightType::kFloat32;
      weights.Place(value.constant, type, &emitted);
    }
    out.values.push_back(std::move(emitted));
  }
  for (const ir::Node& node : graph.nodes) out.nodes.push_back({node.name, node.params, node.inputs, node.output});
  for (const ir::Port& port : graph.inputs) {
    FOVEA_ASSIGN_OR_RETURN(fovea::Port emitted, EmitPort(graph, port, options));
    out.inputs.push_back(std::move(emitted));
  }
  for (const ir::Port& port : graph.outputs) {
    FOVEA_ASSIGN_OR_RETURN(fovea::Port emitted, EmitPort(graph, port, options));
    out.outputs.push_back(std::move(emitted));
  }
  const std::vector<std::vector<AxisRule>> rules = FindSizeRules(out);
  const bool whole_image = !MarksText(out, Mark::Kind::kWholeImage).empty();
  for (size_t i = 0; i < rules.size(); ++i) {
    fovea::Port& port = out.inputs[i];
    port.rules = rules[i];
    const auto& described = graph.inputs[i].described;
    for (size_t a = 0; a < described.size(); ++a) {
      const auto stored = static_cast<size_t>(port.source_axes[a]);
      port.rules[stored] = Combined(rules[i][stored], described[a], port.axes[stored], whole_image);
    }
  }
  out.metadata = graph.metadata;
  out.preprocessing = graph.preprocessing;
  out.postprocessing = graph.postprocessing;
  for (const auto& [kind, property] : {std::pair(Mark::Kind::kWholeImage, kWholeImageProperty),
                                       std::pair(Mark::Kind::kFixedSize, kFixedSizeProperty)}) {
    const std::string marks = MarksText(out, kind);
    if (!marks.empty()) out.metadata.properties.emplace_back(property, marks);
  }
  if (!options.test_inputs.empty() || !options.test_outputs.empty()) {
    SelfTest test;
    FOVEA_ASSIGN_OR_RETURN(test.inputs, EmitTensors(options.test_inputs, graph.inputs, "input", &weights));
    FOVEA_ASSIGN_OR_RETURN(test.expected, EmitTensors(options.test_outputs, graph.outputs, "output", &weights));
    test.rtol = options.test_rtol;
    test.atol = options.test_atol;
    test.mismatches_per_million = options.test_mismatches_per_million;
    test.with_steps = options.test_with_steps;
    out.self_tests.push_back(std::move(test));
  }
  return out;
}

}  // namespace

Result<std::vector<std::byte>> Emit(const ir::Graph& graph, const Options& options) {
  WeightSection weights;
  FOVEA_ASSIGN_OR_RETURN(const fovea::Graph out, EmitGraph(graph, options, &weights));
  return SerializeModel(out, weights.Joined());
}

std::string EmissionName(const std::string& path) { return TemporaryName(path); }

Status EmitFile(const ir::Graph& graph, const Options& options, const std::string& path) {
  WeightSection weights;
  FOVEA_ASSIGN_OR_RETURN(const fovea::Graph out, EmitGraph(graph, options, &weights));
  return WriteModel(path, out, weights.pieces());
}

}  // namespace fovea::converter
