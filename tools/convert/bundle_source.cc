#include "tools/convert/bundle_source.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "converter/describe.h"
#include "runtime/include/fovea/model.h"
#include "tools/convert/bundle_tests.h"

namespace fovea::cli {
namespace {

using formats::AxisDescription;
using formats::BundleDescription;
using formats::SizeRuleDescription;
using formats::TensorDescription;

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::optional<AxisRule> RuleOf(const SizeRuleDescription& size) {
  switch (size.kind) {
    case SizeRuleDescription::Kind::kFixed: return AxisRule{size.min, 0};
    case SizeRuleDescription::Kind::kSteps: return AxisRule{size.min, size.step};
    default: return std::nullopt;
  }
}

std::vector<converter::DescribedTensor> Described(const std::vector<TensorDescription>& tensors) {
  std::vector<converter::DescribedTensor> out;
  for (const TensorDescription& tensor : tensors) {
    converter::DescribedTensor& described = out.emplace_back();
    described.name = tensor.name;
    described.axes = tensor.Letters();
    for (const AxisDescription& axis : tensor.axes) described.sizes.push_back(RuleOf(axis.size));
  }
  return out;
}

std::string PeopleText(const BundleDescription& description) {
  std::string text;
  for (const formats::Author& author : description.authors) {
    text += (text.empty() ? "" : "; ") + author.name;
    if (!author.affiliation.empty()) text += " (" + author.affiliation + ")";
  }
  return text;
}

std::string CitationsText(const BundleDescription& description) {
  std::string text;
  for (const formats::Citation& cite : description.citations) {
    text += (text.empty() ? "" : "; ") + cite.text;
    if (!cite.doi.empty()) text += (cite.text.empty() ? "doi:" : ", doi:") + cite.doi;
    if (cite.doi.empty() && !cite.url.empty()) text += (cite.text.empty() ? "" : ", ") + cite.url;
  }
  return text;
}

std::string SizeText(const formats::PhysicalSize& size) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.6g", size.value);
  return text + (size.unit.empty() ? "" : " " + size.unit);
}

std::string HaloText(const BundleDescription& description) {
  std::string text;
  for (const AxisDescription& axis : description.outputs[0].axes) {
    if (axis.halo_px > 0) {
      text += (text.empty() ? "" : ", ") + std::string(1, axis.letter) + " " + std::to_string(axis.halo_px);
    }
  }
  return text;
}

std::string FilesText(const BundleDescription& description) {
  std::vector<std::string> files = description.preprocessing_files;
  files.insert(files.end(), description.postprocessing_files.begin(), description.postprocessing_files.end());
  return Joined(files);
}

void AddWarnings(const BundleSource& source, ir::Graph* graph) {
  const BundleDescription& description = source.bundle.description();
  std::vector<std::string>& warnings = graph->warnings;
  const std::string& file = source.bundle.description_file();
  for (const auto& [where, text] : description.not_understood) {
    warnings.push_back(file + ": " + where + " was not understood: " + text);
  }
  const std::string macros = FilesText(description);
  if (!macros.empty()) {
    warnings.push_back("macros are named in the file but not run by it: " + macros +
                       (description.preprocessing.empty() && description.postprocessing.empty()
                            ? ""
                            : "; the steps of the description are applied"));
  }
  warnings.insert(warnings.end(), source.other_files.begin(), source.other_files.end());
  if (!source.weights.is_listed) {
    warnings.push_back("the weights " + source.weights.file + " are in the bundle but not in its description");
  } else if (source.weights.is_folder && !source.weights.description.file.sha256.empty()) {
    warnings.push_back("the description's sha256 is of a zip; the bundle has its folder, which could not be checked");
  }
}

}  // namespace

void AddMetadata(const BundleDescription& description, ir::Graph* graph) {
  Metadata& out = graph->metadata;
  const auto set = [](const std::string& value, std::string* field) {
    if (!value.empty()) *field = value;
  };
  set(description.name, &out.name);
  set(description.description, &out.description);
  set(PeopleText(description), &out.authors);
  set(description.licence, &out.licence);
  set(CitationsText(description), &out.citation);
  const auto property = [&out](const char* key, const std::string& value) {
    if (!value.empty()) out.properties.emplace_back(key, value);
  };
  property(property::kDescriptionFormat, description.format);
  property(property::kDoi, description.doi);
  property(property::kTags, Joined(description.tags));
  for (const auto& [key, size] : {std::pair(property::kPixelSizeX, description.pixel_x),
                                  {property::kPixelSizeY, description.pixel_y},
                                  {property::kPixelSizeZ, description.pixel_z}}) {
    if (size.value > 0) property(key, SizeText(size));
  }
  if (!description.outputs.empty()) property(property::kHalo, HaloText(description));
  if (description.probability_threshold) {
    property(property::kProbabilityThreshold, SizeText({*description.probability_threshold, ""}));
  }
  if (description.nms_threshold) property(property::kNmsThreshold, SizeText({*description.nms_threshold, ""}));
  property(property::kMacros, FilesText(description));
  property("id", description.id);
  property("version", description.version);
  property("date", description.date);
  property("repository", description.repository);
  property("documentation", description.documentation);
  property("authors' test image", description.test_input_size);
  property("authors' peak memory", description.test_memory);
  property("authors' run time", description.test_runtime);
  if (description.probabilistic.value_or(false)) {
    property("outputs", "probabilistic: the first half of the channels is the mean, the second the scale");
  }
}

Status BundleSource::Verify(const std::string& file, const std::string& sha256, std::vector<std::string>* told) const {
  const Status verified = bundle.Verify(file, sha256);
  if (verified.code() != StatusCode::kCorruptFile) return verified;
  if (!ignore_sha256) {
    return CorruptFile(verified.message() + ", or take it as it is with --ignore-sha256");
  }
  told->push_back(file + " is not the file that the description means (sha256), but taken as it is");
  return OkStatus();
}

Result<BundleSource> OpenBundleSource(const std::string& path, bool ignore_sha256) {
  FOVEA_ASSIGN_OR_RETURN(formats::Bundle bundle, formats::OpenBundle(path));
  FOVEA_ASSIGN_OR_RETURN(formats::Bundle::Weights weights, bundle.ChooseWeights());
  BundleSource source{std::move(bundle), std::move(weights), std::nullopt, "", ignore_sha256, {}};
  if (source.weights.is_listed && !source.weights.is_folder) {
    FOVEA_RETURN_IF_ERROR(
        source.Verify(source.weights.file, source.weights.description.file.sha256, &source.other_files));
  }
  if (source.bundle.is_folder()) {
    source.model_path = (std::filesystem::path(source.bundle.folder()) / source.weights.file).string();
    return source;
  }
  FOVEA_ASSIGN_OR_RETURN(TemporaryFolder folder, TemporaryFolder::Create());
  FOVEA_ASSIGN_OR_RETURN(source.model_path, source.bundle.Extract(source.weights, folder.path()));
  source.unpacked = std::move(folder);
  return source;
}

void FillReadingOptions(const BundleSource& source, converter::Options* options) {
  const BundleDescription& description = source.bundle.description();
  if (source.weights.description.format != formats::WeightsFormat::kSavedModel) return;
  if (options->tag.empty()) options->tag = description.tensorflow_tag;
  if (options->signature.empty()) options->signature = description.tensorflow_signature;
}

Status AddDescription(const BundleSource& source, converter::Options* options, ir::Graph* graph) {
  const BundleDescription& said = source.bundle.description();
  converter::Description description;
  description.inputs = Described(said.inputs);
  description.outputs = Described(said.outputs);
  description.preprocessing = said.preprocessing;
  description.postprocessing = said.postprocessing;
  FOVEA_RETURN_IF_ERROR(ApplyDescription(description, graph).Prefixed(source.bundle.path()));
  AddWarnings(source, graph);
  if (!options->test_inputs.empty()) return OkStatus();
  return AddTests(source, description, options, graph);
}

}  // namespace fovea::cli
