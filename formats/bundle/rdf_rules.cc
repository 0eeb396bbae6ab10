// What bioimageio.spec accepts of a model description 0.5.7, field by field.
#include <algorithm>
#include <cctype>
#include <cmath>

#include "formats/bundle/licences.h"
#include "formats/bundle/writers.h"

namespace fovea::formats {
namespace {

using Complaints = std::vector<std::string>;

bool OnlyOf(const std::string& text, const std::string& more) {
  return std::all_of(text.begin(), text.end(), [&more](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || more.find(c) != std::string::npos;
  });
}

bool IsUrl(const std::string& text) {
  const bool is_http = text.rfind("http://", 0) == 0 || text.rfind("https://", 0) == 0;
  return is_http && text.size() <= 2083 && text.find_first_of(" \"<>") == std::string::npos &&
         text.find('.') != std::string::npos;
}

// "10." and four digits, then anything.
bool IsDoi(const std::string& text) {
  if (text.rfind("10.", 0) != 0 || text.size() < 8) return false;
  return std::all_of(text.begin() + 3, text.begin() + 7, [](unsigned char c) { return std::isdigit(c) != 0; });
}

// Four groups of four digits; the last is a check digit (ISO 7064, mod 11-2).
bool IsOrcid(const std::string& text) {
  if (text.size() != 19) return false;
  int total = 0, last = -1;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (i % 5 == 4) {
      if (c != '-') return false;
    } else if (i == 18) {
      last = c == 'X' ? 10 : std::isdigit(static_cast<unsigned char>(c)) != 0 ? c - '0' : -1;
    } else {
      if (std::isdigit(static_cast<unsigned char>(c)) == 0) return false;
      total = (total + (c - '0')) * 2;
    }
  }
  return last >= 0 && (12 - total % 11) % 11 == last;
}

// LowerCaseIdentifier of the specification.
bool IsIdentifier(const std::string& text, size_t longest) {
  const bool starts = !text.empty() && (std::islower(static_cast<unsigned char>(text[0])) != 0 || text[0] == '_');
  return starts && text.size() <= longest && std::all_of(text.begin(), text.end(), [](char c) {
           return std::islower(static_cast<unsigned char>(c)) != 0 ||
                  std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '_';
         });
}

// Channel names: identifiers of Python, capitals allowed.
bool IsName(const std::string& text) {
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) == 0 && OnlyOf(text, "_");
}

struct StepRule {
  std::string_view name;
  std::vector<std::string_view> arguments, required;
  bool before = true;  // allowed before the network, too
};

const std::vector<StepRule>& StepRules() {
  static const std::vector<StepRule> rules = {
      {"binarize", {"threshold", "axis"}, {"threshold"}},
      {"clip", {"min", "max", "min_percentile", "max_percentile", "axes"}, {}},
      {"ensure_dtype", {"dtype"}, {"dtype"}},
      {"fixed_zero_mean_unit_variance", {"mean", "std", "axis"}, {"mean", "std"}},
      {"scale_linear", {"gain", "offset", "axis"}, {}},
      {"scale_mean_variance", {"reference_tensor", "axes", "eps"}, {"reference_tensor"}, false},
      {"scale_range", {"axes", "min_percentile", "max_percentile", "eps", "reference_tensor"}, {}},
      {"sigmoid", {}, {}},
      {"softmax", {"axis"}, {}},
      {"zero_mean_unit_variance", {"axes", "eps"}, {}}};
  return rules;
}

std::optional<double> NumberOf(const Step& step, const char* key) {
  const StepValue* value = step.Find(key);
  const auto* number = value == nullptr ? nullptr : std::get_if<double>(value);
  return number == nullptr ? std::nullopt : std::optional<double>(*number);
}

bool IsList(const Step& step, const char* key) {
  const StepValue* value = step.Find(key);
  return value != nullptr && std::holds_alternative<std::vector<double>>(*value);
}

// Numbers, and which arguments go together.
void ValueComplaints(const Step& step, Complaints* out) {
  const auto complain = [&](const std::string& what) { out->push_back("step " + step.name + ": " + what); };
  const auto within = [&](const char* key, double low, bool low_too, double high, bool high_too, const char* range) {
    const std::optional<double> x = NumberOf(step, key);
    if (!x || ((*x > low || (low_too && *x == low)) && (*x < high || (high_too && *x == high)))) return;
    complain(std::string(key) + " must be in " + range);
  };
  within("eps", 0, false, 0.1, true, "(0, 0.1]");
  within("min_percentile", 0, true, 100, false, "[0, 100)");
  within("max_percentile", 1, false, 100, true, "(1, 100]");
  within("std", 1e-6, true, INFINITY, false, "[1e-6, inf)");
  if (step.name == "scale_range" &&
      NumberOf(step, "min_percentile").value_or(0) >= NumberOf(step, "max_percentile").value_or(100)) {
    complain("min_percentile must be less than max_percentile");
  }
  if (step.name == "clip") {
    const bool percentiles = step.Find("min_percentile") != nullptr || step.Find("max_percentile") != nullptr;
    if (!percentiles && step.Find("min") == nullptr && step.Find("max") == nullptr) complain("needs a min or a max");
    if (!percentiles && step.Find("axes") != nullptr) complain("axes are for percentiles only");
    for (const char* side : {"min", "max"}) {
      const std::string other = std::string(side) + "_percentile";
      if (step.Find(side) != nullptr && step.Find(other) != nullptr) complain("has both " + other + " and " + side);
    }
  }
  if (step.name == "scale_linear" && !IsList(step, "gain") && !IsList(step, "offset") &&
      NumberOf(step, "gain").value_or(1) == 1 && NumberOf(step, "offset").value_or(0) == 0) {
    complain("does nothing, which is not allowed");
  }
  bool lists = false;
  for (const char* key : {"threshold", "mean", "std", "gain", "offset"}) lists = lists || IsList(step, key);
  if (step.name != "softmax" && lists != (step.Find("axis") != nullptr)) {
    complain(lists ? "lists of numbers need an axis" : "axis is for lists of numbers only");
  }
}

void StepComplaints(const BundleDescription& d, const Step& step, bool before, Complaints* out) {
  const auto& rules = StepRules();
  const auto rule = std::find_if(rules.begin(), rules.end(), [&](const StepRule& r) { return r.name == step.name; });
  if (rule == rules.end() || (before && !rule->before)) {
    out->push_back("step " + step.name + " is not one of bioimage.io's " + (before ? "pre" : "post") +
                   "processing; leave it out, or write a .fov file, which has it");
    return;
  }
  for (const StepArgument& argument : step.arguments) {
    if (std::find(rule->arguments.begin(), rule->arguments.end(), argument.key) != rule->arguments.end()) continue;
    out->push_back("step " + step.name + ": bioimage.io does not know its argument " + argument.key);
  }
  for (const std::string_view key : rule->required) {
    if (step.Find(std::string(key)) == nullptr) out->push_back("step " + step.name + " needs " + std::string(key));
  }
  ValueComplaints(step, out);
  const std::vector<TensorDescription>& side = before ? d.inputs : d.outputs;
  const auto tensor = std::find_if(side.begin(), side.end(), [&](const TensorDescription& t) {
    return t.name == step.tensor || step.tensor.empty();
  });
  if (tensor == side.end()) return;
  std::vector<std::string> axes;
  if (const auto* value = step.Find("axes")) {
    if (const auto* list = std::get_if<std::vector<std::string>>(value)) axes = *list;
  }
  if (const auto* value = step.Find("axis")) {
    if (const auto* text = std::get_if<std::string>(value)) axes.push_back(*text);
  }
  for (const std::string& axis : axes) {
    const bool known =
        std::any_of(tensor->axes.begin(), tensor->axes.end(), [&](const AxisDescription& a) { return a.id == axis; });
    if (!known) out->push_back("step " + step.name + ": '" + tensor->name + "' has no axis " + axis);
  }
}

const AxisDescription* FindAxis(const BundleDescription& d, const SizeRuleDescription& size) {
  for (const auto* side : {&d.inputs, &d.outputs}) {
    for (const TensorDescription& tensor : *side) {
      for (const AxisDescription& axis : tensor.axes) {
        if (tensor.name == size.tensor && axis.id == size.axis) return &axis;
      }
    }
  }
  return nullptr;
}

void ReferenceComplaints(const BundleDescription& d, const std::string& at, const AxisDescription& axis,
                         Complaints* out) {
  const AxisDescription* reference = FindAxis(d, axis.size);
  if (reference == nullptr) return out->push_back(at + " follows '" + axis.size.tensor + "', which has no such axis");
  const auto scale = [](const AxisDescription& a) { return a.pixel_scale > 0 ? a.pixel_scale : 1; };
  if (reference->unit != axis.unit) out->push_back(at + " has another unit than the axis it follows");
  if (axis.size.offset != std::floor(axis.size.offset)) out->push_back(at + ": its offset must be a whole number");
  if (axis.halo_px <= 0) return;
  const double least =
      std::floor(static_cast<double>(reference->size.min) * scale(*reference) / scale(axis) + axis.size.offset);
  if (least - static_cast<double>(2 * axis.halo_px) < 1) out->push_back(at + " is too small for its halo");
  const double halo = static_cast<double>(axis.halo_px) * scale(axis) / scale(*reference);
  if (halo != std::floor(halo)) out->push_back(at + ": its halo is no whole number of pixels of the input");
}

void AxisComplaints(const BundleDescription& d, const std::string& where, const AxisDescription& axis,
                    Complaints* out) {
  const std::string at = where + ": axis " + axis.letter;
  if (!IsIdentifier(axis.id, 16)) out->push_back(at + ": '" + axis.id + "' is no name for it");
  if (axis.letter == 'c') {
    if (axis.channel_names.empty()) out->push_back(where + ": its channels have no names");
    for (const std::string& name : axis.channel_names) {
      if (!IsName(name)) out->push_back(where + ": channel name '" + name + "': letters, digits and _ are allowed");
    }
  }
  using Kind = SizeRuleDescription::Kind;
  const bool sized = axis.letter == 'b' || axis.letter == 'c';
  const bool fixed = axis.size.kind == Kind::kFixed || axis.size.kind == Kind::kSteps;
  if (!sized && axis.size.kind == Kind::kUnknown) out->push_back(at + " has no size");
  if (!sized && fixed && axis.size.min < 1) out->push_back(at + " has a size below 1");
  if (axis.halo_px > 0 && axis.size.kind != Kind::kReference) {
    out->push_back(at + " has a halo, so its size must follow from an input's");
  }
  if (axis.size.kind == Kind::kReference) ReferenceComplaints(d, at, axis, out);
}

void TensorComplaints(const BundleDescription& d, const TensorDescription& tensor, bool is_output, Complaints* out) {
  const std::string where = std::string(is_output ? "output '" : "input '") + tensor.name + "'";
  const auto complain = [&](const std::string& what) { out->push_back(where + ": " + what); };
  if (!IsIdentifier(tensor.name, 32)) complain("its name must be of lower-case letters, digits and _, at most 32");
  if (tensor.description.size() > 128) complain("its description has more than 128 characters");
  if (tensor.axes.empty()) complain("has no axes; name them with --axes");
  if (tensor.test.sha256.size() != 64) complain("has no test tensor");
  std::vector<std::string> seen;
  for (const AxisDescription& axis : tensor.axes) {
    if (std::find(seen.begin(), seen.end(), axis.id) != seen.end())
      complain(std::string("axis ") + axis.letter + " comes twice");
    seen.push_back(axis.id);
    AxisComplaints(d, where, axis, out);
  }
}

void WeightsComplaints(const WeightsDescription& weights, Complaints* out) {
  if (weights.format == WeightsFormat::kOnnx) {
    if (weights.opset_version.empty() || std::atoi(weights.opset_version.c_str()) < 7) {
      out->push_back("weights: ONNX opset " + weights.opset_version +
                     " is too old, bioimage.io takes 7 and later; onnx.version_converter brings it up");
    }
  } else if (weights.tensorflow_version.empty()) {
    out->push_back(
        "weights: the file does not say its TensorFlow version; say it (--metadata, tensorflow_version: 2.9.1)");
  }
  if (weights.file.sha256.size() != 64) out->push_back("weights: the sha256 is missing");
}

void MetadataComplaints(const BundleDescription& d, Complaints* out) {
  if (d.name.size() < 5 || d.name.size() > 128 || !OnlyOf(d.name, "_+- ()")) {
    out->push_back("name '" + d.name + "': 5 to 128 letters, digits, blanks and _+-() are allowed");
  }
  if (d.description.empty() || d.description.size() > 1024) {
    out->push_back("description: 1 to 1024 characters are needed");
  }
  if (d.authors.empty()) out->push_back("authors: at least one is needed");
  for (const Author& author : d.authors) {
    if (author.name.empty() || author.name.find_first_of("/\\") != std::string::npos) {
      out->push_back("author '" + author.name + "': a name without / and \\ is needed");
    }
    if (!author.orcid.empty() && !IsOrcid(author.orcid)) {
      out->push_back("author '" + author.name + "': " + author.orcid + " is no ORCID iD");
    }
  }
  if (d.citations.empty()) out->push_back("cite: at least one text with a doi or url is needed");
  for (const Citation& cite : d.citations) {
    if (cite.text.empty()) out->push_back("cite: a text is needed beside the doi or url");
    if (cite.doi.empty() && cite.url.empty()) out->push_back("cite '" + cite.text + "': a doi or url is needed");
    if (!cite.doi.empty() && !IsDoi(cite.doi)) {
      out->push_back("cite: doi '" + cite.doi + "' must begin with 10. and four digits");
    }
    if (cite.doi.empty() && !cite.url.empty() && !IsUrl(cite.url)) {
      out->push_back("cite: '" + cite.url + "' is neither a doi nor a web address");
    }
  }
  const LicenceCheck licence = CheckLicence(d.licence);
  if (licence.kind == LicenceCheck::Kind::kMisspelt) {
    out->push_back("license '" + d.licence + "' is not an SPDX identifier; say " + licence.better +
                   " if that is what is meant");
  } else if (d.licence.empty() || !OnlyOf(d.licence, "-.+")) {
    out->push_back("license '" + d.licence + "': an SPDX identifier such as MIT or CC-BY-4.0 is needed");
  }
  if (!d.repository.empty() && !IsUrl(d.repository)) {
    out->push_back("git_repo '" + d.repository + "': a web address (https://...) is needed");
  }
}

}  // namespace

std::vector<std::string> RdfDoubts(const BundleDescription& d) {
  const LicenceCheck licence = CheckLicence(d.licence);
  if (licence.kind == LicenceCheck::Kind::kDeprecated) {
    return {"license '" + d.licence + "' is a deprecated SPDX identifier; " + licence.better + " is the present one"};
  }
  if (licence.kind == LicenceCheck::Kind::kUnknown) {
    return {"license '" + d.licence +
            "' is none of the SPDX identifiers that fovea knows; bioimage.io takes those of spdx.org/licenses only"};
  }
  return {};
}

std::vector<std::string> RdfComplaints(const BundleDescription& d) {
  Complaints out;
  MetadataComplaints(d, &out);
  if (d.inputs.empty() || d.outputs.empty()) out.push_back("at least one input and one output are needed");
  std::vector<std::string> names;
  for (const bool is_output : {false, true}) {
    for (const TensorDescription& tensor : is_output ? d.outputs : d.inputs) {
      if (std::find(names.begin(), names.end(), tensor.name) != names.end()) {
        out.push_back("two tensors are named '" + tensor.name + "'");
      }
      names.push_back(tensor.name);
      TensorComplaints(d, tensor, is_output, &out);
    }
  }
  for (const bool before : {true, false}) {
    for (const Step& step : before ? d.preprocessing : d.postprocessing) StepComplaints(d, step, before, &out);
  }
  if (d.weights.empty()) out.push_back("weights are needed");
  for (const WeightsDescription& weights : d.weights) WeightsComplaints(weights, &out);
  return out;
}

}  // namespace fovea::formats
