// The readers of description formats, one file each, behind ReadDescription in bundle.h. Each fills what its format
// says and notes what it could not use; kCorruptFile only where the whole cannot be a description.
#ifndef FOVEA_FORMATS_BUNDLE_READERS_H_
#define FOVEA_FORMATS_BUNDLE_READERS_H_

#include <string>
#include <string_view>

#include "formats/bundle/description.h"
#include "formats/bundle/document.h"
#include "runtime/include/fovea/status.h"

namespace fovea::formats {

// bioimage.io RDF 0.3, 0.4, 0.5 and 0.2.0-csbdeep (rdf.cc; csbdeep.cc for the last one's processing).
// Specification: github.com/bioimage-io/spec-bioimage-io, model descriptions v0.4 and v0.5.
Status ReadRdf(const Node& root, BundleDescription* out);
// DeepImageJ 1's config.xml: 32 tags (config_xml.cc).
Status ReadConfigXml(std::string_view text, BundleDescription* out);
// CSBDeep's meta.json beside a SavedModel, and the config.json (with thresholds.json) of CSBDeep and StarDist models.
Status ReadCsbdeepMeta(const Node& root, BundleDescription* out);
Status ReadCsbdeepConfig(const Node& root, BundleDescription* out);
void ReadStardistThresholds(const Node& thresholds, BundleDescription* out);

// Parts of ReadRdf.
enum class RdfVersion : uint8_t { k02Csbdeep, k03, k04, k05 };
Status ReadTensors(const Node& list, bool outputs, RdfVersion version, BundleDescription* out);
// The steps listed under one tensor.
void ReadSteps(const Node& list, const std::string& where, const TensorDescription& tensor, RdfVersion version,
               std::vector<Step>* steps, BundleDescription* out);
void ReadCsbdeepPrediction(const Node& prediction, BundleDescription* out);
// config.deepimagej.
void ReadDeepImageJ(const Node& section, BundleDescription* out);

// "1.30 µm", "9.658E-4 µm", "1,60E-04 cm", "1.0 pixel" (value 0), "0.065" (no unit).
PhysicalSize ParsePhysicalSize(std::string_view text);
// "micrometer", "um", "micron" -> "µm"; "" for pixels; other units as they are.
std::string UnitSymbol(std::string_view unit);
// The names in TensorFlow's Python ("tf.saved_model.tag_constants.SERVING") stand for their values ("serve").
std::string TensorflowConstant(const std::string& text);

// Name, authors, citations, licence, tags, ...: fields that all versions share.
void ReadMetadata(const Node& root, BundleDescription* out);

void NotUnderstood(const std::string& where, const Node& node, BundleDescription* out);
// A list of numbers, all of them; nothing when one is not.
std::optional<std::vector<double>> Numbers(const Node& node);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_BUNDLE_READERS_H_
