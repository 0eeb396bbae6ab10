#include <algorithm>
#include <charconv>
#include <cmath>

#include "formats/bundle/writers.h"

namespace fovea::formats {
namespace {

// Every text is a double-quoted scalar, so that nothing in it is YAML.
std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += c == '\n' ? "\\n" : c == '\t' ? "\\t" : " ";
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string Number(double value) {
  if (std::isinf(value)) return value > 0 ? ".inf" : "-.inf";
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  return {text, end};
}

std::string ValueText(const StepValue& value) {
  if (const auto* number = std::get_if<double>(&value)) return Number(*number);
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) return Quoted(*text);
  std::string list;
  if (const auto* numbers = std::get_if<std::vector<double>>(&value)) {
    for (const double x : *numbers) list += (list.empty() ? "" : ", ") + Number(x);
  } else {
    for (const std::string& text : std::get<std::vector<std::string>>(value)) {
      list += (list.empty() ? "" : ", ") + Quoted(text);
    }
  }
  return "[" + list + "]";
}

class Writer {
 public:
  explicit Writer(const BundleDescription& description) : d_(description) {}

  std::string Write() {
    Metadata();
    for (const bool outputs : {false, true}) {
      out_ += outputs ? "outputs:\n" : "inputs:\n";
      for (const TensorDescription& tensor : outputs ? d_.outputs : d_.inputs) Tensor(tensor, outputs);
    }
    out_ += "weights:\n";
    for (const WeightsDescription& weights : d_.weights) {
      out_ += "  " + weights.format_name + ":\n    source: " + Quoted(weights.file.source) +
              "\n    sha256: " + Quoted(weights.file.sha256) + "\n";
      if (!weights.opset_version.empty()) out_ += "    opset_version: " + weights.opset_version + "\n";
      if (!weights.tensorflow_version.empty()) {
        out_ += "    tensorflow_version: " + Quoted(weights.tensorflow_version) + "\n";
      }
    }
    Config();
    return out_;
  }

 private:
  void Field(const char* key, const std::string& value) {
    if (!value.empty()) out_ += std::string(key) + ": " + Quoted(value) + "\n";
  }

  void Metadata() {
    out_ += "type: model\nformat_version: 0.5.4\n";
    Field("name", d_.name);
    Field("description", d_.description);
    out_ += "authors:\n";
    for (const Author& author : d_.authors) {
      out_ += "  - name: " + Quoted(author.name) + "\n";
      if (!author.affiliation.empty()) out_ += "    affiliation: " + Quoted(author.affiliation) + "\n";
      if (!author.orcid.empty()) out_ += "    orcid: " + Quoted(author.orcid) + "\n";
    }
    out_ += "cite:\n";
    for (const Citation& cite : d_.citations) {
      out_ += "  - text: " + Quoted(cite.text) + "\n";
      out_ += cite.doi.empty() ? "    url: " + Quoted(cite.url) + "\n" : "    doi: " + Quoted(cite.doi) + "\n";
    }
    Field("license", d_.licence);
    Field("version", d_.version);
    Field("timestamp", d_.date);
    Field("documentation", d_.documentation);
    Field("git_repo", d_.repository);
    out_ += "tags: [";
    for (size_t i = 0; i < d_.tags.size(); ++i) out_ += (i > 0 ? ", " : "") + Quoted(d_.tags[i]);
    out_ += "]\n";
  }

  void Size(const AxisDescription& axis) {
    switch (axis.size.kind) {
      case SizeRuleDescription::Kind::kFixed: out_ += ", size: " + std::to_string(axis.size.min); break;
      case SizeRuleDescription::Kind::kSteps:
        out_ += ", size: {min: " + std::to_string(axis.size.min) + ", step: " + std::to_string(axis.size.step) + "}";
        break;
      case SizeRuleDescription::Kind::kReference:
        out_ += ", size: {tensor_id: " + Quoted(axis.size.tensor) + ", axis_id: " + Quoted(axis.size.axis) +
                ", offset: " + Number(axis.size.offset) + "}";
        break;
      case SizeRuleDescription::Kind::kDataDependent:
        out_ += ", size: {min: " + std::to_string(axis.size.min) + "}";
        break;
      case SizeRuleDescription::Kind::kUnknown: break;
    }
  }

  void Axis(const AxisDescription& axis, bool of_output) {
    switch (axis.letter) {
      case 'b': out_ += "      - {type: batch"; break;
      case 'c': {
        out_ += "      - {type: channel, channel_names: [";
        for (size_t i = 0; i < axis.channel_names.size(); ++i)
          out_ += (i > 0 ? ", " : "") + Quoted(axis.channel_names[i]);
        out_ += "]";
        break;
      }
      default: {
        const char* type = axis.letter == 't' ? "time" : axis.letter == 'i' ? "index" : "space";
        out_ += std::string("      - {type: ") + type + ", id: " + Quoted(axis.id);
        Size(axis);
        if (axis.pixel_scale > 0 && axis.pixel_scale != 1) out_ += ", scale: " + Number(axis.pixel_scale);
        if (!axis.unit.empty()) out_ += ", unit: " + Quoted(axis.unit);
        if (of_output && axis.halo_px > 0) out_ += ", halo: " + std::to_string(axis.halo_px);
      }
    }
    out_ += "}\n";
  }

  void File(const char* key, const FileReference& file) {
    if (file.empty()) return;
    out_ +=
        std::string("    ") + key + ": {source: " + Quoted(file.source) + ", sha256: " + Quoted(file.sha256) + "}\n";
  }

  void Steps(const char* key, const std::vector<Step>& steps, const std::string& tensor) {
    std::string text;
    for (const Step& step : steps) {
      if (!step.tensor.empty() && step.tensor != tensor) continue;
      text += "      - id: " + step.name + "\n";
      if (step.arguments.empty()) continue;
      text += "        kwargs: {";
      for (size_t i = 0; i < step.arguments.size(); ++i) {
        text += (i > 0 ? ", " : "") + step.arguments[i].key + ": " + ValueText(step.arguments[i].value);
      }
      text += "}\n";
    }
    if (!text.empty()) out_ += std::string("    ") + key + ":\n" + text;
  }

  void Tensor(const TensorDescription& tensor, bool is_output) {
    out_ += "  - id: " + Quoted(tensor.name) + "\n";
    if (!tensor.description.empty()) out_ += "    description: " + Quoted(tensor.description) + "\n";
    out_ += "    axes:\n";
    for (const AxisDescription& axis : tensor.axes) Axis(axis, is_output);
    out_ += "    data: {type: " + tensor.data_type;
    if (tensor.data_min && tensor.data_max) {
      out_ += ", range: [" + Number(*tensor.data_min) + ", " + Number(*tensor.data_max) + "]";
    }
    out_ += "}\n";
    File("test_tensor", tensor.test);
    File("sample_tensor", tensor.sample);
    if (is_output) {
      Steps("postprocessing", d_.postprocessing, tensor.name);
    } else {
      Steps("preprocessing", d_.preprocessing, tensor.name);
    }
  }

  void Config() {
    out_ += "config:\n  bioimageio:\n    reproducibility_tolerance:\n      - {relative_tolerance: " +
            Number(d_.test_rtol.value_or(1e-3)) + ", absolute_tolerance: " + Number(d_.test_atol.value_or(1e-3)) +
            "}\n";
    if (d_.test_memory.empty() && d_.test_runtime.empty()) return;
    out_ += "  deepimagej:\n    test_information:\n      memory_peak: " + Quoted(d_.test_memory) +
            "\n      runtime: " + Quoted(d_.test_runtime) + "\n";
  }

  const BundleDescription& d_;
  std::string out_;
};

bool OnlyOf(const std::string& text, const std::string& more) {
  return std::all_of(text.begin(), text.end(), [&more](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || more.find(c) != std::string::npos;
  });
}

// LowerCaseIdentifier of the specification.
bool IsIdentifier(const std::string& text, size_t longest) {
  const bool starts = !text.empty() && (std::islower(static_cast<unsigned char>(text[0])) != 0 || text[0] == '_');
  return starts && text.size() <= longest && std::all_of(text.begin(), text.end(), [](char c) {
           return std::islower(static_cast<unsigned char>(c)) != 0 ||
                  std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '_';
         });
}

bool IsKnownStep(const std::string& name, bool before) {
  static constexpr std::string_view kBoth[] = {
      "binarize",    "clip",    "ensure_dtype", "fixed_zero_mean_unit_variance", "scale_linear",
      "scale_range", "sigmoid", "softmax",      "zero_mean_unit_variance"};
  return std::find(std::begin(kBoth), std::end(kBoth), name) != std::end(kBoth) ||
         (!before && name == "scale_mean_variance");
}

void TensorComplaints(const TensorDescription& tensor, bool is_output, std::vector<std::string>* out) {
  const std::string where = std::string(is_output ? "output '" : "input '") + tensor.name + "'";
  const auto complain = [&](const std::string& what) { out->push_back(where + ": " + what); };
  if (!IsIdentifier(tensor.name, 32)) complain("its name must be of lower-case letters, digits and _, at most 32");
  if (tensor.axes.empty()) complain("has no axes; name them with --axes");
  if (tensor.test.sha256.size() != 64) complain("has no test tensor");
  std::string seen;
  for (const AxisDescription& axis : tensor.axes) {
    const std::string at = std::string("axis ") + axis.letter;
    if (seen.find(axis.letter) != std::string::npos) complain(at + " comes twice");
    seen += axis.letter;
    if (axis.letter == 'c' && axis.channel_names.empty()) complain("its channels have no names");
    const bool sized = axis.letter == 'b' || axis.letter == 'c';
    if (!sized && axis.size.kind == SizeRuleDescription::Kind::kUnknown) complain(at + " has no size");
    if (axis.halo_px > 0 && axis.size.kind != SizeRuleDescription::Kind::kReference) {
      complain(at + " has a halo, so its size must follow from an input's");
    }
  }
}

}  // namespace

std::vector<std::string> RdfComplaints(const BundleDescription& d) {
  std::vector<std::string> out;
  if (d.name.size() < 5 || d.name.size() > 128 || !OnlyOf(d.name, "_+- ()")) {
    out.push_back("name '" + d.name + "': 5 to 128 letters, digits, blanks and _+-() are allowed");
  }
  if (d.description.empty() || d.description.size() > 1024)
    out.push_back("description: 1 to 1024 characters are needed");
  if (d.authors.empty()) out.push_back("authors: at least one is needed");
  for (const Author& author : d.authors) {
    if (author.name.empty() || author.name.find_first_of("/\\") != std::string::npos) {
      out.push_back("author '" + author.name + "': a name without / and \\ is needed");
    }
  }
  if (d.citations.empty()) out.push_back("cite: at least one text with a doi or url is needed");
  for (const Citation& cite : d.citations) {
    if (cite.text.empty()) out.push_back("cite: a text is needed beside the doi or url");
    if (cite.doi.empty() && cite.url.empty()) out.push_back("cite '" + cite.text + "': a doi or url is needed");
    if (!cite.doi.empty() && cite.doi.rfind("10.", 0) != 0)
      out.push_back("cite: doi '" + cite.doi + "' must begin with 10.");
  }
  if (d.licence.empty() || !OnlyOf(d.licence, "-.+")) {
    out.push_back("license '" + d.licence + "': an SPDX identifier such as MIT or CC-BY-4.0 is needed");
  }
  if (d.inputs.empty() || d.outputs.empty()) out.push_back("at least one input and one output are needed");
  for (const TensorDescription& tensor : d.inputs) TensorComplaints(tensor, false, &out);
  for (const TensorDescription& tensor : d.outputs) TensorComplaints(tensor, true, &out);
  for (const bool before : {true, false}) {
    for (const Step& step : before ? d.preprocessing : d.postprocessing) {
      if (IsKnownStep(step.name, before)) continue;
      out.push_back("step " + step.name + " is not one of bioimage.io's " + (before ? "pre" : "post") +
                    "processing; leave it out, or write a .fov file, which has it");
    }
  }
  if (d.weights.empty()) out.push_back("weights are needed");
  return out;
}

std::string WriteRdf(const BundleDescription& description) { return Writer(description).Write(); }

}  // namespace fovea::formats
