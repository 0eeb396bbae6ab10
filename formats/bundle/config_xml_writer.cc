#include <algorithm>
#include <pugixml.hpp>
#include <sstream>

#include "formats/bundle/writers.h"

namespace fovea::formats {
namespace {

std::string Organization(const TensorDescription& tensor) {
  std::string out;
  for (const AxisDescription& axis : tensor.axes) {
    const size_t at = std::string_view("byxc").find(axis.letter);
    if (at != std::string_view::npos) out += "NHWC"[at];
  }
  return out;
}

std::string SizeText(const PhysicalSize& size) {
  if (size.value <= 0) return "1.0pixel";
  std::ostringstream out;
  out << size.value << size.unit;
  return out.str();
}

const AxisDescription* Axis(const TensorDescription& tensor, char letter) {
  for (const AxisDescription& axis : tensor.axes) {
    if (axis.letter == letter) return &axis;
  }
  return nullptr;
}

std::string First(const std::vector<std::string>& words) { return words.empty() ? "" : words[0]; }

}  // namespace

std::vector<std::string> ConfigXmlComplaints(const BundleDescription& d) {
  std::vector<std::string> out;
  if (d.inputs.size() != 1 || d.outputs.size() != 1) {
    out.push_back("DeepImageJ 1 runs networks with one input and one output; write a bioimage.io package");
    return out;
  }
  for (const TensorDescription* tensor : {&d.inputs[0], &d.outputs[0]}) {
    if (Organization(*tensor).size() != tensor->axes.size() || Axis(*tensor, 'y') == nullptr ||
        Axis(*tensor, 'x') == nullptr) {
      out.push_back("'" + tensor->name + "' has the axes " + tensor->Letters() +
                    "; DeepImageJ 1 knows batch, y, x and channel only: write a bioimage.io package");
    }
  }
  const bool saved_model = !d.weights.empty() && d.weights[0].format == WeightsFormat::kSavedModel;
  if (!saved_model) out.push_back("DeepImageJ 1 runs TensorFlow SavedModels only: write a bioimage.io package");
  return out;
}

std::string WriteConfigXml(const BundleDescription& d) {
  pugi::xml_document document;
  pugi::xml_node head = document.append_child(pugi::node_declaration);
  head.append_attribute("version") = "1.0";
  head.append_attribute("encoding") = "UTF-8";
  pugi::xml_node model = document.append_child("Model"), group;
  const auto section = [&](const char* name) { group = model.append_child(name); };
  const auto tag = [&](const std::string& name, const std::string& text) {
    group.append_child(name.c_str()).append_child(pugi::node_pcdata).set_value(text.c_str());
  };
  section("ModelInformation");
  tag("Name", d.name);
  tag("Author", d.authors.empty() ? "n/a" : d.authors[0].name);
  tag("URL", d.repository.empty() ? "n/a" : d.repository);
  std::string credit;
  for (const Author& author : d.authors) {
    credit +=
        (credit.empty() ? "" : "; ") + author.name + (author.affiliation.empty() ? "" : ", " + author.affiliation);
  }
  tag("Credit", credit);
  tag("Version", d.version.empty() ? "n/a" : d.version);
  tag("Date", d.date.empty() ? "n/a" : d.date);
  tag("Reference", d.citations.empty() ? "n/a" : d.citations[0].text);
  section("ModelTest");
  tag("InputSize", d.test_input_size);
  tag("OutputSize", d.test_output_size);
  tag("MemoryPeak", d.test_memory);
  tag("Runtime", d.test_runtime);
  tag("PixelSize", SizeText(d.pixel_x) + " x " + SizeText(d.pixel_y));
  section("ModelCharacteristics");
  tag("ModelTag", "tf.saved_model.tag_constants.SERVING");
  tag("SignatureDefinition", "tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY");
  std::string dimensions = ",";
  for (const AxisDescription& axis : d.inputs[0].axes) {
    const bool fixed = axis.size.kind == SizeRuleDescription::Kind::kFixed && axis.letter != 'b';
    dimensions += (fixed ? std::to_string(axis.size.min) : "-1") + ",";
  }
  tag("InputTensorDimensions", dimensions);
  for (const bool outputs : {false, true}) {
    const std::string kind = outputs ? "Output" : "Input";
    const std::vector<TensorDescription>& tensors = outputs ? d.outputs : d.inputs;
    tag("NumberOf" + kind + "s", std::to_string(tensors.size()));
    for (size_t i = 0; i < tensors.size(); ++i) {
      tag(kind + "Names" + std::to_string(i), tensors[i].name);
      tag(kind + "Organization" + std::to_string(i), Organization(tensors[i]));
    }
  }
  const AxisDescription* channel = Axis(d.inputs[0], 'c');
  tag("Channels", std::to_string(channel == nullptr ? 1 : std::max<int64_t>(channel->size.min, 1)));
  const SizeRuleDescription& rows = Axis(d.inputs[0], 'y')->size;
  const bool fixed = rows.kind == SizeRuleDescription::Kind::kFixed;
  tag("FixedPatch", fixed ? "true" : "false");
  tag("MinimumSize", std::to_string(fixed ? 1 : std::max<int64_t>(rows.step, 1)));
  tag("PatchSize", std::to_string(fixed ? rows.min : d.patch_size_px.value_or(rows.min)));
  tag("FixedPadding", "true");
  tag("Padding", std::to_string(Axis(d.outputs[0], 'y')->halo_px));
  tag("PreprocessingFile", First(d.preprocessing_files));
  tag("PostprocessingFile", First(d.postprocessing_files));
  tag("slices", "1");
  std::ostringstream out;
  document.save(out, "    ", pugi::format_default, pugi::encoding_utf8);
  return out.str();
}

}  // namespace fovea::formats
