// Model: a converted network, loaded and verified. Start here, then session.h.
//
// Immutable, cheap to copy (a shared handle), safe to use from several threads and to share between sessions.
#ifndef FOVEA_MODEL_H_
#define FOVEA_MODEL_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "fovea/dtype.h"
#include "fovea/status.h"
#include "fovea/step.h"

namespace fovea {

class ModelFile;

// A size may be min, min + step, min + 2 step, ...; step 0: exactly min.
struct SizeRule {
  int64_t min = 1, step = 1;
};

// One tensor of a model's interface. "Stored" order is the order in which Session takes and gives tensors: channels
// last. "Source" order is that of the published file (N, C, H, W in ONNX).
struct TensorSpec {
  std::string name;               // in the published file
  DType dtype = DType::kFloat32;  // in the published file; sessions take and give float32
  std::string axes;  // stored order, a letter an axis: b batch, t time, z depth, y rows, x columns, c channels, i other
  std::vector<int64_t> dims;     // stored order; -1: any size that `rules` allow
  std::vector<SizeRule> rules;   // stored order, inputs only
  std::vector<int> source_axes;  // source axis i is stored axis source_axes[i]
  bool is_probability = false;   // outputs: sigmoid or softmax comes last, so every value is in [0, 1]
  bool is_shape = false;         // a small vector of numbers that only decides sizes; Session::Create wants its values
};

struct OperatorInfo {
  std::string name, kind, parameters;  // of the source node; "conv"; "kernel=1,3,3 stride=1,1,1 act=relu"
  std::vector<int64_t> output_dims;    // stored order, for the sizes asked about
  int64_t multiply_adds = 0;           // of convolutions and matrix products
  int64_t weight_bytes = 0;
};

// How far a result looks, in input pixels on each side of the pixel it belongs to, per stored axis of output `output`
// and input `input`. unbounded: the network looks at the whole axis (global pooling, instance normalisation, ...).
struct ReceptiveField {
  struct Axis {
    int64_t before = 0, after = 0;
    bool unbounded = false;
    int64_t scale_numerator = 1, scale_denominator = 1;  // output pixels per input pixel
  };
  int input = 0, output = 0;
  std::string axes;         // spatial axes among the input's stored axes, e.g. "yx"
  std::vector<Axis> sides;  // one a letter of axes
};

// Names of properties that fovea-convert writes for models that came with a description; their values are text for
// people, except where said.
namespace property {
inline constexpr const char* kDescriptionFormat = "described by";  // "bioimage.io 0.4.9"
inline constexpr const char* kDoi = "doi";
inline constexpr const char* kTags = "tags";                // joined by ", "
inline constexpr const char* kPixelSizeX = "pixel size x";  // a number, a blank and a unit: "0.65 µm"
inline constexpr const char* kPixelSizeY = "pixel size y";
inline constexpr const char* kPixelSizeZ = "pixel size z";
inline constexpr const char* kHalo = "halo";  // pixels of the result that the authors crop: "y 32, x 32"
inline constexpr const char* kProbabilityThreshold = "probability threshold";  // a number, StarDist's
inline constexpr const char* kNmsThreshold = "overlap threshold";              // a number, StarDist's
inline constexpr const char* kMacros = "macros not run";                       // file names, joined by ", "
}  // namespace property

struct ModelInfo {
  std::string name, description, authors, licence, citation, source_format;
  std::vector<std::pair<std::string, std::string>> properties;
  std::string content_hash;  // XXH3-128 of the file's contents, 32 hexadecimal digits
  uint64_t file_bytes = 0;
  int64_t parameters = 0;  // number of weights
};

// Source order throughout.
struct SelfTestCase {
  struct Tensor {
    std::vector<int64_t> dims;
    std::vector<float> values;
  };
  std::vector<Tensor> inputs, expected;  // in the order of Model::inputs() and outputs()
  double rtol = 0, atol = 0;             // |result - expected| <= atol + rtol |expected|
  double mismatches_per_million = 0;     // elements that may be out of tolerance
  bool with_steps = false;               // inputs are before preprocessing(), expected results after postprocessing()
};

class Model {
 public:
  // Errors: kNotFound, kIo, kCorruptFile, kUnsupported (a newer format); the message names the file.
  static Result<Model> Load(const std::string& path);
  static Result<Model> FromBytes(std::span<const std::byte> bytes, const std::string& name);

  std::span<const TensorSpec> inputs() const;
  std::span<const TensorSpec> outputs() const;
  ModelInfo info() const;
  std::vector<SelfTestCase> self_tests() const;
  // The steps that the model's authors ask for, in order (process.h applies them); Step::tensor names a port.
  std::span<const Step> preprocessing() const;
  std::span<const Step> postprocessing() const;

  // The smallest size of each axis of input `input` that is at least `wanted` and that the rules allow. Stored order.
  std::vector<int64_t> LegalSize(int input, std::span<const int64_t> wanted) const;
  // A small legal size for each input where the model leaves it open: what info and bench use when none is given.
  std::vector<std::vector<int64_t>> DefaultSizes() const;

  // Sizes of the outputs for these input sizes. Stored order.
  Result<std::vector<std::vector<int64_t>>> OutputSizes(std::span<const std::vector<int64_t>> input_dims) const;
  // Operators with sizes and costs for these input sizes (stored order).
  Result<std::vector<OperatorInfo>> Operators(std::span<const std::vector<int64_t>> input_dims) const;
  Result<std::vector<ReceptiveField>> ReceptiveFields() const;

  const std::shared_ptr<const ModelFile>& file() const { return file_; }  // for the runtime's own use

 private:
  struct Ports;
  static Model FromFile(std::shared_ptr<const ModelFile> file);
  std::shared_ptr<const ModelFile> file_;
  std::shared_ptr<const Ports> ports_;
};

}  // namespace fovea

#endif  // FOVEA_MODEL_H_
