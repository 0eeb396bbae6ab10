// Processing steps of bioimage.io descriptions as steps with the names and arguments of 0.5.
//
// Up to 0.4 a step has a mode and axes as letters; they become the list of axes over which 0.5 takes statistics:
// per_sample without axes all but the batch, per_dataset the batch too, fixed its own step
// (fixed_zero_mean_unit_variance).
#include <algorithm>

#include "formats/bundle/readers.h"

namespace fovea::formats {
namespace {

std::string AxisName(char letter) {
  switch (letter) {
    case 'b': return "batch";
    case 'c': return "channel";
    case 't': return "time";
    case 'i': return "index";
    default: return std::string(1, letter);
  }
}

// "xy", ["x", "y"], ["channel", "y"] -> names as 0.5 has them; nothing for something else.
std::optional<std::vector<std::string>> AxisNames(const Node& axes, RdfVersion version) {
  std::vector<std::string> names;
  if (axes.is_scalar() && version != RdfVersion::k05) {
    for (const char letter : axes.Text()) {
      if (std::string("btczyxi").find(letter) == std::string::npos) return std::nullopt;
      names.push_back(AxisName(letter));
    }
    return names;
  }
  for (const Node* axis : axes.Elements()) {
    if (!axis->is_scalar() || axis->Text().empty()) return std::nullopt;
    names.push_back(axis->Text());
  }
  return names;
}

bool TakesStatistics(const std::string& name) {
  return name == "zero_mean_unit_variance" || name == "scale_range" || name == "scale_mean_variance";
}

std::optional<StepValue> ToValue(const Node& node) {
  if (node.is_scalar()) {
    if (!node.quoted) {
      if (const auto truth = node.Truth()) return StepValue(*truth);
    }
    if (const auto number = node.Number()) return StepValue(*number);
    return StepValue(node.Text());
  }
  if (!node.is_list()) return std::nullopt;
  if (const auto numbers = Numbers(node)) return StepValue(*numbers);
  std::vector<std::string> texts;
  for (const Node& element : node.list) {
    if (!element.is_scalar()) return std::nullopt;
    texts.push_back(element.Text());
  }
  return StepValue(texts);
}

// Axes of statistics where the mode of 0.4 says more than `axes`.
void ApplyMode(const std::string& mode, const TensorDescription& tensor, bool has_axes,
               std::vector<std::string>* axes) {
  if (!has_axes) {
    for (const AxisDescription& axis : tensor.axes) {
      if (axis.letter != 'b') axes->push_back(AxisName(axis.letter));
    }
  }
  const bool has_batch = std::find(axes->begin(), axes->end(), "batch") != axes->end();
  if (mode == "per_dataset" && !has_batch) axes->insert(axes->begin(), "batch");
  if (mode != "per_dataset" && has_batch) std::erase(*axes, "batch");  // "batch is not a valid axis key here"
}

// Up to 0.4 numbers in a list are for the axis that `axes` leaves over; 0.5 names it. A list of one is a number.
void SetAxisOfLists(const std::vector<std::string>& joint, const TensorDescription& tensor, Step* step) {
  bool has_list = false;
  for (StepArgument& argument : step->arguments) {
    auto* numbers = std::get_if<std::vector<double>>(&argument.value);
    if (numbers == nullptr) continue;
    if (numbers->size() == 1) {
      const double only = (*numbers)[0];  // assigning frees the list
      argument.value = only;
    } else {
      has_list = true;
    }
  }
  if (!has_list) return;
  for (const AxisDescription& axis : tensor.axes) {
    const std::string name = AxisName(axis.letter);
    if (axis.letter == 'b' || std::find(joint.begin(), joint.end(), name) != joint.end()) continue;
    if (joint.empty() && axis.letter != 'c') continue;
    step->arguments.push_back({"axis", name});
    return;
  }
}

void ReadStep(const Node& node, const std::string& where, const TensorDescription& tensor, RdfVersion version,
              std::vector<Step>* steps, BundleDescription* out) {
  Step step;
  step.name = node.At(version == RdfVersion::k05 ? "id" : "name").Text();
  step.tensor = tensor.name;
  if (step.name.empty()) return NotUnderstood(where, node, out);
  const Node& kwargs = node.At("kwargs");
  const std::string mode = version == RdfVersion::k05 ? "" : kwargs.At("mode").Text();
  if (step.name == "zero_mean_unit_variance" && mode == "fixed") step.name = "fixed_zero_mean_unit_variance";
  const bool statistics = TakesStatistics(step.name);
  std::vector<std::string> axes;
  const bool has_axes = !kwargs.At("axes").is_null();
  if (has_axes) {
    const auto names = AxisNames(kwargs.At("axes"), version);
    if (!names) return NotUnderstood(where + ".kwargs.axes", kwargs.At("axes"), out);
    axes = *names;
  }
  if (statistics && version != RdfVersion::k05) ApplyMode(mode, tensor, has_axes, &axes);
  if (statistics && !axes.empty()) step.arguments.push_back({"axes", axes});
  if (!statistics && has_axes && version == RdfVersion::k05) step.arguments.push_back({"axes", axes});
  for (const auto& [key, value] : kwargs.map) {
    if (key == "axes" || (key == "mode" && version != RdfVersion::k05) || value.is_null()) continue;
    const std::optional<StepValue> argument = ToValue(value);
    if (!argument) {
      NotUnderstood(where + ".kwargs." + key, value, out);
      continue;
    }
    step.arguments.push_back({key, *argument});
  }
  if (!statistics && version != RdfVersion::k05) SetAxisOfLists(axes, tensor, &step);
  if (!CheckStepForm(step).ok()) return NotUnderstood(where, node, out);
  steps->push_back(std::move(step));
}

}  // namespace

void ReadSteps(const Node& list, const std::string& where, const TensorDescription& tensor, RdfVersion version,
               std::vector<Step>* steps, BundleDescription* out) {
  if (version == RdfVersion::k02Csbdeep) return;  // has them elsewhere
  const std::vector<const Node*> nodes = list.Elements();
  for (size_t i = 0; i < nodes.size(); ++i) {
    ReadStep(*nodes[i], where + "[" + std::to_string(i) + "]", tensor, version, steps, out);
  }
}

}  // namespace fovea::formats
