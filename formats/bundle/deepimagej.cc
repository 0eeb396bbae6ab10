// What DeepImageJ adds to a bioimage.io description: config.deepimagej.
#include "formats/bundle/readers.h"

namespace fovea::formats {
namespace {

// [{spec: "ij.IJ::runMacroFile", kwargs: "preprocessing.ijm"}, {spec: "General.jar Class::method"}, {spec: null}].
void ReadMacros(const Node& list, const std::string& where, std::vector<std::string>* files, BundleDescription* out) {
  for (const Node* entry : list.Elements()) {
    const std::string& spec = entry->At("spec").Text();
    const Node& kwargs = entry->At("kwargs");
    if (spec.empty()) continue;
    if (kwargs.is_scalar()) {
      files->push_back(kwargs.Text());
    } else if (spec.find(".jar") != std::string::npos) {
      files->push_back(spec);
    } else {
      NotUnderstood(where, *entry, out);
    }
  }
}

void ReadTestInformation(const Node& information, BundleDescription* out) {
  // A list of inputs, or (seen once) the only one as a map.
  const std::vector<const Node*> inputs = information.At("inputs").Elements();
  const std::vector<const Node*> outputs = information.At("outputs").Elements();
  if (!inputs.empty()) {
    const Node& pixel = inputs[0]->At("pixel_size");
    out->test_input_size = inputs[0]->At("size").Text();
    for (const auto& [key, size] : {std::pair("y", &out->pixel_y), {"x", &out->pixel_x}, {"z", &out->pixel_z}}) {
      const Node& text = pixel.At(key);
      if (text.is_null()) continue;
      *size = ParsePhysicalSize(text.Text());
      if (size->value == 0 && text.Text().find("pixel") == std::string::npos) {
        NotUnderstood(std::string("config.deepimagej.test_information.inputs[0].pixel_size.") + key, text, out);
      }
    }
  }
  if (!outputs.empty()) out->test_output_size = outputs[0]->At("size").Text();
  out->test_memory = information.At("memory_peak").Text();
  out->test_runtime = information.At("runtime").Text();
}

}  // namespace

void ReadDeepImageJ(const Node& section, BundleDescription* out) {
  if (section.is_null()) return;
  out->tiling_allowed = section.At("allow_tiling").Truth();
  const Node& keys = section.At("model_keys");
  // "siganture" is how the field is written; two other spellings exist.
  for (const char* key : {"tensorflow_siganture_def", "tensorflow_signature_def", "signature_definition"}) {
    if (!keys.At(key).is_null()) out->tensorflow_signature = TensorflowConstant(keys.At(key).Text());
  }
  for (const char* key : {"tensorflow_model_tag", "model_tag"}) {
    if (!keys.At(key).is_null()) out->tensorflow_tag = TensorflowConstant(keys.At(key).Text());
  }
  ReadTestInformation(section.At("test_information"), out);
  const Node& prediction = section.At("prediction");
  const std::string where = "config.deepimagej.prediction.";
  ReadMacros(prediction.At("preprocess"), where + "preprocess", &out->preprocessing_files, out);
  ReadMacros(prediction.At("postprocess"), where + "postprocess", &out->postprocessing_files, out);
}

std::string UnitSymbol(std::string_view unit) {
  std::string word(unit);
  for (const char* name : {"µm", "\xce\xbcm", "um", "micron", "microns", "micrometer", "micrometre"}) {
    if (word == name) return "µm";
  }
  if (word == "nanometer" || word == "nanometre") return "nm";
  if (word == "millimeter" || word == "millimetre") return "mm";
  if (word == "pixel" || word == "pixels" || word == "px") return "";
  return word;
}

PhysicalSize ParsePhysicalSize(std::string_view text) {
  std::string unit;
  const std::optional<double> value = ParseLocaleNumber(text, &unit);
  if (!value || *value <= 0) return {};
  const std::string symbol = UnitSymbol(unit);
  if (symbol.empty() && !unit.empty()) return {};  // pixels
  return {*value, symbol};
}

}  // namespace fovea::formats
