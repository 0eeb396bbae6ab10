// Metadata, weights and tests of bioimage.io descriptions; tensors and steps have files of their own.
#include <algorithm>

#include "formats/bundle/readers.h"

namespace fovea::formats {
namespace {

std::string OneLine(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

// "0.4.9" -> k04. Versions between and beyond are read like the nearest that we know, which is what their rules of
// compatibility promise within one minor version.
Result<RdfVersion> ParseVersion(const std::string& text) {
  if (text == "0.2.0-csbdeep") return RdfVersion::k02Csbdeep;
  if (text.rfind("0.3.", 0) == 0 || text == "0.3") return RdfVersion::k03;
  if (text.rfind("0.4.", 0) == 0 || text == "0.4") return RdfVersion::k04;
  if (text.rfind("0.5.", 0) == 0 || text == "0.5") return RdfVersion::k05;
  if (text.empty()) return CorruptFile("has no format_version, so it is not a bioimage.io description");
  return Unsupported("format_version " + text.substr(0, 40) +
                     " is not known; fovea reads 0.3, 0.4, 0.5 and 0.2.0-csbdeep");
}

std::string CleanDoi(const std::string& text) {
  for (const char* prefix : {"https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "http://dx.doi.org/"}) {
    if (text.rfind(prefix, 0) == 0) return text.substr(std::string_view(prefix).size());
  }
  return text;
}

FileReference ReadReference(const Node& node) {
  FileReference file;
  if (node.is_scalar()) file.source = node.Text();
  if (node.is_map()) {
    file.source = node.At("source").Text();
    file.sha256 = node.At("sha256").Text();
  }
  return file;
}

void ReadPeople(const Node& root, BundleDescription* out) {
  for (const Node* author : root.At("authors").Elements()) {
    if (author->is_scalar()) {
      out->authors.push_back({author->Text(), "", ""});
    } else if (author->is_map()) {
      out->authors.push_back(
          {author->At("name").Text(), OneLine(author->At("affiliation").Text()), author->At("orcid").Text()});
    } else {
      NotUnderstood("authors", *author, out);
    }
  }
  for (const Node* cite : root.At("cite").Elements()) {
    if (cite->is_scalar()) {
      out->citations.push_back({OneLine(cite->Text()), "", ""});
    } else if (cite->is_map()) {
      out->citations.push_back(
          {OneLine(cite->At("text").Text()), CleanDoi(cite->At("doi").Text()), cite->At("url").Text()});
    } else {
      NotUnderstood("cite", *cite, out);
    }
  }
}

WeightsFormat FormatOf(const std::string& name) {
  if (name == "onnx") return WeightsFormat::kOnnx;
  if (name == "tensorflow_saved_model_bundle") return WeightsFormat::kSavedModel;
  if (name == "keras_hdf5") return WeightsFormat::kKeras;
  if (name == "tensorflow_js") return WeightsFormat::kTfjs;
  if (name == "torchscript" || name == "pytorch_script") return WeightsFormat::kTorchscript;
  if (name == "pytorch_state_dict") return WeightsFormat::kStateDict;
  return WeightsFormat::kOther;
}

void ReadWeights(const Node& weights, BundleDescription* out) {
  if (!weights.is_map() && !weights.is_null()) NotUnderstood("weights", weights, out);
  for (const auto& [name, entry] : weights.map) {
    WeightsDescription description;
    description.format = FormatOf(name);
    description.format_name = name;
    description.file = ReadReference(entry);
    std::string& hash = description.file.sha256;
    std::transform(hash.begin(), hash.end(), hash.begin(),
                   [](unsigned char c) { return static_cast<char>(tolower(c)); });
    if (!hash.empty() && (hash.size() != 64 || hash.find_first_not_of("0123456789abcdef") != std::string::npos)) {
      NotUnderstood("weights." + name + ".sha256", entry.At("sha256"), out);
      hash.clear();
    }
    description.parent = entry.At("parent").Text();
    description.opset_version = entry.At("opset_version").Text();
    description.tensorflow_version = entry.At("tensorflow_version").Text();
    description.pytorch_version = entry.At("pytorch_version").Text();
    const Node& attachments = entry.At("attachments");
    for (const Node* file : (attachments.is_map() ? attachments.At("files") : attachments).Elements()) {
      description.attachments.push_back(ReadReference(*file));
    }
    if (description.file.empty()) NotUnderstood("weights." + name, entry, out);
    out->weights.push_back(std::move(description));
  }
}

// test_inputs, sample_outputs, ... up to 0.4: one file a tensor, in order.
void ReadTensorFiles(const Node& root, const char* key, std::vector<TensorDescription>* tensors,
                     FileReference TensorDescription::*member, BundleDescription* out) {
  const std::vector<const Node*> files = root.At(key).Elements();
  for (size_t i = 0; i < files.size(); ++i) {
    if (i < tensors->size()) {
      (*tensors)[i].*member = ReadReference(*files[i]);
    } else {
      NotUnderstood(key, *files[i], out);  // tables and the like that belong to no tensor
    }
  }
}

void ReadTolerance(const Node& root, BundleDescription* out) {
  const auto all = root.At("config").At("bioimageio").At("reproducibility_tolerance").Elements();
  if (all.empty()) return;
  const Node& first = *all[0];
  if (all.size() > 1) NotUnderstood("config.bioimageio.reproducibility_tolerance[1]", *all[1], out);
  out->test_rtol = first.At("relative_tolerance").Number();
  out->test_atol = first.At("absolute_tolerance").Number();
  out->test_mismatches_per_million = first.At("mismatched_elements_per_million").Number();
}

Status CheckNames(const BundleDescription& description) {
  std::vector<std::string> names;
  for (const auto* tensors : {&description.inputs, &description.outputs}) {
    for (const TensorDescription& tensor : *tensors) {
      if (std::find(names.begin(), names.end(), tensor.name) != names.end()) {
        return CorruptFile("two of its inputs and outputs are both named '" + tensor.name + "'");
      }
      names.push_back(tensor.name);
    }
  }
  return OkStatus();
}

}  // namespace

void ReadMetadata(const Node& root, BundleDescription* out) {
  out->name = OneLine(root.At("name").Text());
  out->description = OneLine(root.At("description").Text());
  out->licence = root.At("license").Text();
  out->version = root.At("version").Text();
  out->date = root.At("timestamp").Text();
  out->documentation = ReadReference(root.At("documentation")).source;
  out->repository = root.At("git_repo").Text();
  out->id = root.At("id").Text();
  ReadPeople(root, out);
  for (const Node* tag : root.At("tags").Elements()) {
    const bool known = std::find(out->tags.begin(), out->tags.end(), tag->Text()) != out->tags.end();
    if (!tag->Text().empty() && !known) out->tags.push_back(tag->Text());
  }
  for (const Node* cover : root.At("covers").Elements()) out->covers.push_back(ReadReference(*cover).source);
  const Node& attachments = root.At("attachments");  // {files: [...]} up to 0.4, a list of files since
  for (const Node* file : (attachments.is_map() ? attachments.At("files") : attachments).Elements()) {
    out->attachments.push_back(ReadReference(*file));
  }
  const Node& bioimageio = root.At("config").At("bioimageio");
  out->doi = CleanDoi(!root.At("doi").Text().empty() ? root.At("doi").Text() : bioimageio.At("doi").Text());
  if (out->id.empty()) out->id = bioimageio.At("nickname").Text();
}

void NotUnderstood(const std::string& where, const Node& node, BundleDescription* out) {
  out->not_understood.emplace_back(where, node.ToString());
}

std::optional<std::vector<double>> Numbers(const Node& node) {
  std::vector<double> values;
  for (const Node* element : node.Elements()) {
    const std::optional<double> value = element->Number();
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

std::string TensorflowConstant(const std::string& text) {
  if (text == "tf.saved_model.tag_constants.SERVING") return "serve";
  if (text == "tf.saved_model.tag_constants.TRAINING") return "train";
  if (text == "tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY") return "serving_default";
  return text;
}

Status ReadRdf(const Node& root, BundleDescription* out) {
  if (!root.is_map()) return CorruptFile("not a description of a model: no fields");
  const std::string type = root.At("type").Text();
  if (!type.empty() && type != "model") return Unsupported("describes a " + type.substr(0, 40) + ", not a model");
  FOVEA_ASSIGN_OR_RETURN(const RdfVersion version, ParseVersion(root.At("format_version").Text()));
  out->format = "bioimage.io " + root.At("format_version").Text();
  ReadMetadata(root, out);
  FOVEA_RETURN_IF_ERROR(ReadTensors(root.At("inputs"), false, version, out));
  FOVEA_RETURN_IF_ERROR(ReadTensors(root.At("outputs"), true, version, out));
  FOVEA_RETURN_IF_ERROR(CheckNames(*out));
  ReadWeights(root.At("weights"), out);
  if (version != RdfVersion::k05) {
    ReadTensorFiles(root, "test_inputs", &out->inputs, &TensorDescription::test, out);
    ReadTensorFiles(root, "test_outputs", &out->outputs, &TensorDescription::test, out);
    ReadTensorFiles(root, "sample_inputs", &out->inputs, &TensorDescription::sample, out);
    ReadTensorFiles(root, "sample_outputs", &out->outputs, &TensorDescription::sample, out);
  }
  ReadTolerance(root, out);
  if (version == RdfVersion::k02Csbdeep) {
    ReadTensorFiles(root, "test_input", &out->inputs, &TensorDescription::sample, out);
    ReadTensorFiles(root, "test_output", &out->outputs, &TensorDescription::sample, out);
    ReadCsbdeepPrediction(root.At("prediction"), out);
  }
  ReadDeepImageJ(root.At("config").At("deepimagej"), out);
  ReadStardistThresholds(root.At("config").At("stardist").At("thresholds"), out);
  return OkStatus();
}

}  // namespace fovea::formats
