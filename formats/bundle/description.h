// BundleDescription: what the description of a published model says, whatever its format: DeepImageJ config.xml,
// bioimage.io RDF 0.3, 0.4 and 0.5, 0.2.0-csbdeep, meta.json of CSBDeep, config.json and thresholds.json of StarDist.
//
// Nothing is guessed: a field that the file does not have is empty, one that could not be understood is kept as text in
// `not_understood`. Axis letters are b (batch) t z y x c (channel) i (index); sizes in pixels, halos in pixels of the
// output that are cropped on each side. Steps have the names and arguments of bioimage.io 0.5 (fovea/step.h).
#ifndef FOVEA_FORMATS_BUNDLE_DESCRIPTION_H_
#define FOVEA_FORMATS_BUNDLE_DESCRIPTION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/include/fovea/step.h"

namespace fovea::formats {

// A file of the bundle, as the description names it: a path inside the bundle, or a URL.
struct FileReference {
  std::string source;
  std::string sha256;  // 64 lower-case hexadecimal digits, or empty

  bool empty() const { return source.empty(); }
  bool is_url() const;
};

struct SizeRuleDescription {
  enum class Kind : uint8_t {
    kUnknown,        // the file does not say, or says -1
    kFixed,          // exactly `min`
    kSteps,          // min, min + step, ...
    kReference,      // of another tensor's axis: size * scale + offset
    kDataDependent,  // between min and max (0: no upper limit)
  };
  Kind kind = Kind::kUnknown;
  int64_t min = 0, step = 0, max = 0;
  std::string tensor = {}, axis = {};  // kReference; axis: its id in 0.5, the position as a number before
  double scale = 1, offset = 0;

  bool operator==(const SizeRuleDescription&) const = default;
};

struct AxisDescription {
  char letter = 'i';
  std::string id = {};  // 0.5: "y", "channel"; before: the letter
  SizeRuleDescription size = {};
  int64_t halo_px = 0;
  double pixel_scale = 0;  // physical size of a pixel in `unit`; 0: not said
  std::string unit = {};
  std::vector<std::string> channel_names = {};
};

struct TensorDescription {
  std::string name, description;
  std::vector<AxisDescription> axes;  // in the order of the published network's tensor
  std::string data_type;              // "float32"
  std::optional<double> data_min, data_max;
  bool optional = false;
  FileReference test, sample;

  std::string Letters() const;  // "bcyx"
};

enum class WeightsFormat : uint8_t {
  kOnnx,
  kSavedModel,
  kKeras,
  kTfjs,
  kTorchscript,
  kStateDict,
  kOther,
};

struct WeightsDescription {
  WeightsFormat format = WeightsFormat::kOther;
  std::string format_name;  // as the file writes it
  FileReference file;       // of a SavedModel folder: the folder, "" for the bundle itself
  std::string parent, opset_version, tensorflow_version, pytorch_version;
  std::vector<FileReference> attachments;
};

struct Author {
  std::string name, affiliation, orcid;
};

struct Citation {
  std::string text, doi, url;
};

// A size of a pixel as a description says it: "0.65 µm". value 0: in pixels, so not known.
struct PhysicalSize {
  double value = 0;
  std::string unit;
};

struct BundleDescription {
  std::string format;  // "bioimage.io 0.4.9", "DeepImageJ config.xml", "CSBDeep meta.json", ...
  std::string name, description, licence, doi, version, date, documentation, repository, id;
  std::vector<Author> authors;
  std::vector<Citation> citations;
  std::vector<std::string> tags;
  std::vector<std::string> covers;
  std::vector<FileReference> attachments;
  PhysicalSize pixel_y, pixel_x, pixel_z;

  std::vector<TensorDescription> inputs, outputs;
  std::vector<Step> preprocessing, postprocessing;
  // Macros and jars of DeepImageJ, by name: not executed, but reported.
  std::vector<std::string> preprocessing_files, postprocessing_files;

  std::vector<WeightsDescription> weights;
  std::string tensorflow_tag, tensorflow_signature;  // "serve", "serving_default"

  // What DeepImageJ measured, as it writes it: "2048x2048", "62.9 Mb", "11.5 s".
  std::string test_input_size, test_output_size, test_memory, test_runtime;
  std::optional<int64_t> patch_size_px;  // DeepImageJ's default patch
  bool fixed_patch = false;
  std::optional<bool> tiling_allowed;

  std::optional<double> test_rtol, test_atol, test_mismatches_per_million;
  std::optional<double> probability_threshold, nms_threshold;  // StarDist
  std::optional<bool> probabilistic;                           // CSBDeep: outputs are mean and scale

  // (where, text) of what the file says and the reader could not use: ("inputs[0].shape", "[a, b]").
  std::vector<std::pair<std::string, std::string>> not_understood;
};

const char* WeightsFormatName(WeightsFormat format);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_BUNDLE_DESCRIPTION_H_
