// DeepImageJ 1's config.xml. Its writers' and readers' peculiarities that matter here: NumberOfOutputs holds the number
// of inputs, so names are counted instead; numbers may have a decimal comma; an absent FixedPatch or FixedPadding means
// true; the order and the blanks between tags mean nothing.
#include <algorithm>
#include <cstring>
#include <pugixml.hpp>

#include "formats/bundle/readers.h"

namespace fovea::formats {
namespace {

constexpr int kMaxTensors = 64;
constexpr int64_t kMaxPixels = int64_t{1} << 31;

class Reader {
 public:
  Reader(const pugi::xml_node& model, BundleDescription* out) : model_(model), out_(*out) {}

  Status Read() {
    ReadInformation();
    ReadTest();
    FOVEA_RETURN_IF_ERROR(ReadInterface());
    ReadTiling();
    const std::string pre = Text("PreprocessingFile"), post = Text("PostprocessingFile");
    if (!pre.empty()) out_.preprocessing_files.push_back(pre);
    if (!post.empty()) out_.postprocessing_files.push_back(post);
    WeightsDescription weights;
    weights.format = WeightsFormat::kSavedModel;
    weights.format_name = "saved_model.pb";
    out_.weights.push_back(std::move(weights));
    return OkStatus();
  }

 private:
  // The text of a tag wherever it stands, trimmed; "null" and "n/a" stand for nothing.
  std::string Text(const char* tag) const {
    const pugi::xml_node node =
        model_.find_node([tag](const pugi::xml_node& candidate) { return std::strcmp(candidate.name(), tag) == 0; });
    std::string text = node.child_value();
    const size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string::npos) return "";
    text = text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
    return text == "null" || text == "n/a" ? "" : text;
  }

  void Odd(const std::string& tag, const std::string& text) {
    out_.not_understood.emplace_back(tag, text.substr(0, 300));
  }

  std::optional<int64_t> Integer(const char* tag) {
    const std::string text = Text(tag);
    if (text.empty()) return std::nullopt;
    std::string rest;
    const std::optional<double> value = ParseLocaleNumber(text, &rest);
    if (!value || !rest.empty() || *value < 0 || *value > static_cast<double>(kMaxPixels)) {
      Odd(tag, text);
      return std::nullopt;
    }
    return static_cast<int64_t>(*value);
  }

  void ReadInformation() {
    out_.name = Text("Name");
    out_.version = Text("Version");
    out_.date = Text("Date");
    out_.repository = Text("URL");
    if (!Text("Author").empty()) out_.authors.push_back({Text("Author"), Text("Credit"), ""});
    if (!Text("Reference").empty()) out_.citations.push_back({Text("Reference"), "", ""});
  }

  // "1.30µm x 1.30µm", "1.0pixelsx1.0pixels".
  void ReadPixelSize(const std::string& text) {
    std::string rest;
    const std::optional<double> first = ParseLocaleNumber(text, &rest);
    const size_t next = rest.find_first_of("0123456789");
    if (!first || next == std::string::npos || next == 0) return Odd("PixelSize", text);
    std::string unit = rest.substr(0, next);
    const auto cut = [&unit](char c) {
      if (!unit.empty() && unit.back() == c) unit.pop_back();
    };
    while (!unit.empty() && unit.back() == ' ') unit.pop_back();
    cut('x');
    while (!unit.empty() && unit.back() == ' ') unit.pop_back();
    out_.pixel_x = ParsePhysicalSize(text.substr(0, text.size() - rest.size()) + unit);
    out_.pixel_y = ParsePhysicalSize(rest.substr(next));
  }

  void ReadTest() {
    out_.test_input_size = Text("InputSize");
    out_.test_output_size = Text("OutputSize");
    out_.test_memory = Text("MemoryPeak");
    out_.test_runtime = Text("Runtime");
    if (!Text("PixelSize").empty()) ReadPixelSize(Text("PixelSize"));
    out_.tensorflow_tag = TensorflowConstant(Text("ModelTag"));
    out_.tensorflow_signature = TensorflowConstant(Text("SignatureDefinition"));
  }

  // "NHWC" -> axes; D, unseen, would be depth.
  Status ReadAxes(const std::string& tag, TensorDescription* tensor) {
    const std::string letters = Text(tag.c_str());
    for (const char letter : letters) {
      static constexpr std::string_view kTheirs = "NHWCD", kOurs = "byxcz";
      const size_t at = kTheirs.find(letter);
      if (at == std::string_view::npos || tensor->Letters().find(kOurs[at]) != std::string::npos) {
        return CorruptFile(tag + " '" + letters.substr(0, 40) + "' is not an order of axes such as NHWC");
      }
      tensor->axes.push_back({.letter = kOurs[at], .id = std::string(1, kOurs[at])});
    }
    return OkStatus();
  }

  Status ReadInterface() {
    for (const bool outputs : {false, true}) {
      const std::string kind = outputs ? "Output" : "Input";
      std::vector<TensorDescription>& tensors = outputs ? out_.outputs : out_.inputs;
      for (int i = 0; i < kMaxTensors; ++i) {
        TensorDescription tensor;
        tensor.name = Text((kind + "Names" + std::to_string(i)).c_str());
        if (tensor.name.empty()) break;
        tensor.data_type = "float32";
        FOVEA_RETURN_IF_ERROR(ReadAxes(kind + "Organization" + std::to_string(i), &tensor));
        tensors.push_back(std::move(tensor));
      }
      if (tensors.empty()) return CorruptFile("names no " + std::string(outputs ? "outputs" : "inputs"));
    }
    ReadDimensions();
    return OkStatus();
  }

  // ",-1,256,256,1,": of the first input.
  void ReadDimensions() {
    const std::string text = Text("InputTensorDimensions");
    std::vector<int64_t> sizes;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find(',', at), text.size());
      if (end > at) {
        const std::optional<double> value = ParseLocaleNumber(text.substr(at, end - at), nullptr);
        if (!value || *value < -1 || *value > static_cast<double>(kMaxPixels))
          return Odd("InputTensorDimensions", text);
        sizes.push_back(static_cast<int64_t>(*value));
      }
      at = end + 1;
    }
    TensorDescription& input = out_.inputs[0];
    if (sizes.size() != input.axes.size()) {
      if (!text.empty()) Odd("InputTensorDimensions", text);
      return;
    }
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (sizes[i] > 0) input.axes[i].size = {.kind = SizeRuleDescription::Kind::kFixed, .min = sizes[i]};
    }
  }

  void ReadTiling() {
    out_.fixed_patch = Text("FixedPatch") != "false";
    out_.patch_size_px = Integer("PatchSize");
    const int64_t multiple = std::max<int64_t>(Integer("MinimumSize").value_or(1), 1);
    for (AxisDescription& axis : out_.inputs[0].axes) {
      if (std::string_view("zyx").find(axis.letter) == std::string_view::npos) continue;
      if (out_.fixed_patch && out_.patch_size_px.value_or(0) > 0) {
        axis.size = {.kind = SizeRuleDescription::Kind::kFixed, .min = *out_.patch_size_px};
      } else if (axis.size.kind == SizeRuleDescription::Kind::kUnknown) {
        axis.size = {.kind = SizeRuleDescription::Kind::kSteps, .min = multiple, .step = multiple};
      }
    }
    const int64_t padding = Integer("Padding").value_or(0);
    for (TensorDescription& output : out_.outputs) {
      for (AxisDescription& axis : output.axes) {
        if (axis.letter == 'y' || axis.letter == 'x') axis.halo_px = padding;
      }
    }
  }

  pugi::xml_node model_;
  BundleDescription& out_;
};

// pugixml does not bound the depth of what it reads, and find_node descends; 32 tags need two levels.
bool TooDeep(std::string_view text) {
  int depth = 0;
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '<') continue;
    if (text[i + 1] == '/') {
      --depth;
    } else if (text[i + 1] != '!' && text[i + 1] != '?' && ++depth > 1000) {
      return true;
    }
  }
  return false;
}

}  // namespace

Status ReadConfigXml(std::string_view text, BundleDescription* out) {
  if (text.size() > kMaxDocumentBytes) return CorruptFile(std::to_string(text.size()) + " bytes: too large");
  if (TooDeep(text)) return CorruptFile("nested too deep");
  // No document types, so no entities but the five of XML itself.
  pugi::xml_document document;
  const pugi::xml_parse_result parsed =
      document.load_buffer(text.data(), text.size(), pugi::parse_default & ~pugi::parse_doctype, pugi::encoding_utf8);
  if (!parsed) return CorruptFile("at byte " + std::to_string(parsed.offset) + ": " + parsed.description());
  if (text.find("<!DOCTYPE") != std::string_view::npos || text.find("<!ENTITY") != std::string_view::npos) {
    return CorruptFile("has a document type; DeepImageJ writes none");
  }
  const pugi::xml_node model = document.child("Model");
  if (!model) return CorruptFile("has no <Model>, so it is not a DeepImageJ config.xml");
  out->format = "DeepImageJ config.xml";
  return Reader(model, out).Read();
}

}  // namespace fovea::formats
