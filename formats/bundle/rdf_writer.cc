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
    out_ += "type: model\nformat_version: 0.5.7\n";
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

}  // namespace

std::string WriteRdf(const BundleDescription& description) { return Writer(description).Write(); }

}  // namespace fovea::formats
