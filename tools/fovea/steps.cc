#include "tools/fovea/steps.h"

#include <algorithm>

namespace fovea::cli {
namespace {

// --normalize's words as steps.
Result<std::vector<Step>> ParseNormalize(const std::string& text) {
  const std::string name = text.substr(0, text.find(':'));
  if (text == "none") return std::vector<Step>();
  if (text == "zero-mean") return ParseSteps("zero_mean_unit_variance(mode=per_sample)");
  if (text == "range") return ParseSteps("scale_range(mode=per_sample)");
  if (name == "percentile") {
    const std::string limits = text == name ? "1,99.8" : text.substr(name.size() + 1);
    const size_t comma = limits.find(',');
    if (comma != std::string::npos) {
      auto steps = ParseSteps("scale_range(min_percentile=" + limits.substr(0, comma) +
                              ", max_percentile=" + limits.substr(comma + 1) + ", mode=per_sample)");
      const auto is_percent = [](const StepArgument& a) {
        const double* value = std::get_if<double>(&a.value);
        return value != nullptr && *value >= 0 && *value <= 100;
      };
      if (steps.ok() && steps->size() == 1 && (*steps)[0].arguments.size() == 3 &&
          is_percent((*steps)[0].arguments[0]) && is_percent((*steps)[0].arguments[1]) &&
          std::get<double>((*steps)[0].arguments[0].value) < std::get<double>((*steps)[0].arguments[1].value)) {
        return steps;
      }
    }
  }
  return InvalidArgument("--normalize: '" + text +
                         "' is not a normalisation; choose none, zero-mean, range, percentile or percentile:LOW,HIGH "
                         "(percentile:1,99.8); --pre takes all steps");
}

// The model's steps, replaced or followed by those of an option.
Result<std::vector<Step>> Override(std::span<const Step> of_model, const std::string& words, const char* option) {
  std::vector<Step> steps(of_model.begin(), of_model.end());
  const size_t begin = words.find_first_not_of(' ');
  if (begin == std::string::npos) return steps;
  const bool adds = words[begin] == '+';
  const auto given = ParseSteps(adds ? words.substr(begin + 1) : words);
  if (!given.ok()) return given.status().Prefixed(option);
  FOVEA_RETURN_IF_ERROR(CheckStepNames(*given).Prefixed(option));
  if (!adds) steps.clear();
  steps.insert(steps.end(), given->begin(), given->end());
  return steps;
}

Status CheckTensors(const std::vector<Step>& steps, std::span<const TensorSpec> tensors, const std::string& kind) {
  for (const Step& step : steps) {
    const auto is_named = [&step](const TensorSpec& spec) { return spec.name == step.tensor; };
    if (step.tensor.empty() || std::any_of(tensors.begin(), tensors.end(), is_named)) continue;
    std::string names;
    for (const TensorSpec& spec : tensors) names += (names.empty() ? "'" : ", '") + spec.name + "'";
    return InvalidArgument("step " + step.name + ": the network has no " + kind + " '" + step.tensor + "'; it has " +
                           names);
  }
  return OkStatus();
}

// Breaks a paragraph into lines that are indented by `indent`.
std::string Wrapped(const std::string& text, size_t indent) {
  constexpr size_t kWidth = 100;
  std::string page, line(indent, ' ');
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (line.size() > indent && line.size() + 1 + word.size() > kWidth) {
      page += line + "\n";
      line.assign(indent, ' ');
    }
    line += (line.size() > indent ? " " : "") + word;
    at = end + 1;
  }
  return page + line + "\n";
}

}  // namespace

void StepWords::Declare(Args* args) {
  args->Text(
      "--pre", &pre, "STEPS",
      "steps before the network instead of the model's own: 'clip(min=0) | scale_range(min_percentile=1)', none; "
      "'+ STEPS' adds to the model's (fovea run --steps lists all)");
  args->Text("--post", &post, "STEPS", "steps after the network, likewise");
  args->Text("--compat", &compatibility, "PROGRAM",
             "whose numbers steps give where programs differ: exact (default), core, jdll, csbdeep-fiji or dij1");
  args->Text("--normalize, -n", &normalize, "STEP",
             "short for --pre: none, zero-mean, range, percentile or percentile:LOW,HIGH, of each sample");
  args->Number("--threshold", &threshold, "T",
               "write a mask of what is above T (255, else 0): --post '+ threshold(value=T)'");
  args->Flag(
      "--labels", &labels,
      "write connected objects above the threshold (default 0.5), numbered from 1: --post '+ threshold(value=T) | "
      "connected_components'");
}

Result<Processing> ChooseSteps(const Model& model, const StepWords& words) {
  Processing processing;
  FOVEA_ASSIGN_OR_RETURN(processing.compatibility, ParseCompatibility(words.compatibility));
  if (!words.normalize.empty() && !words.pre.empty()) {
    return InvalidArgument("--normalize and --pre both say what comes before the network; choose one");
  }
  FOVEA_ASSIGN_OR_RETURN(processing.pre, Override(model.preprocessing(), words.pre, "--pre"));
  if (!words.normalize.empty()) {
    FOVEA_ASSIGN_OR_RETURN(processing.pre, ParseNormalize(words.normalize));
  }
  FOVEA_ASSIGN_OR_RETURN(processing.post, Override(model.postprocessing(), words.post, "--post"));
  const bool has_threshold = words.threshold > StepWords::kNoThreshold;
  if (has_threshold || words.labels) {
    processing.post.push_back({"threshold", {{"value", has_threshold ? words.threshold : 0.5}}, ""});
  }
  if (words.labels) processing.post.push_back({"connected_components", {{"connectivity", 4.0}}, ""});
  FOVEA_RETURN_IF_ERROR(CheckTensors(processing.pre, model.inputs(), "input"));
  FOVEA_RETURN_IF_ERROR(CheckTensors(processing.post, model.outputs(), "output"));
  return processing;
}

std::string StepPage() {
  std::string page =
      "Steps for --pre and --post: name(argument=value, ...) | name(...); without a tensor's name (name(...)@TENSOR) a "
      "step is for all outputs.\n"
      "x is a pixel; a sample is what the network sees at once. Arguments that are left out have the value shown, or "
      "none.\n\n";
  for (const StepDocumentation& step : StepCatalogue()) {
    page += Wrapped(step.signature, 0) + Wrapped(step.definition, 6) + "\n";
  }
  return page;
}

}  // namespace fovea::cli
