// What the importer of one layer sees: its configuration, inputs, weights, and the builder of the IR.
//
// Reading the configuration cannot fail at once: a member of the wrong kind gives the default and is remembered, and
// the importer reports it when the layer returns.
#ifndef FOVEA_CONVERTER_KERAS_LAYER_CONTEXT_H_
#define FOVEA_CONVERTER_KERAS_LAYER_CONTEXT_H_

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "converter/ir/builder.h"
#include "converter/keras/model.h"
#include "converter/keras/weights.h"

namespace fovea::converter::keras {

using ir::ValueId;
using Dims = std::vector<DimExpr>;

class Importer;

// What the file says about its writer.
struct Writer {
  std::string keras_version, backend;
  int major = 1, minor = 0;  // of keras_version; files of Keras 1 may lack it
  bool is_tf_keras = false;  // "2.2.4-tf"
  bool is_tfjs = false;      // made in TF.js, not converted for it
};

// A tensor, or a constant in a tensor's place.
struct Operand {
  ValueId value = ir::kNoValue;
  const Json* constant = nullptr;
};

class LayerContext {
 public:
  LayerContext(Importer* importer, const LayerDef& layer, const CallDef& call, const Writer& file_writer,
               ir::Builder* builder)
      : b(*builder), writer(file_writer), layer_(layer), call_(call), importer_(importer) {}

  ir::Builder& b;
  const Writer& writer;
  std::vector<ValueId> inputs;    // the tensors among the positional arguments
  std::vector<Operand> operands;  // all positional arguments
  std::vector<std::pair<std::string, ValueId>> named_inputs;

  const std::string& class_name() const { return layer_.class_name; }
  const Json& config() const { return layer_.config; }
  const CallDef& call() const { return call_; }

  // The only input.
  Result<ValueId> Input() const;

  bool Has(const char* key) const { return Find(layer_.config, key) != nullptr; }
  bool Bool(const char* key, bool otherwise);
  int64_t Int(const char* key, int64_t otherwise);
  float Float(const char* key, float otherwise);  // also {"value": x} and [x], as numpy scalars are written
  std::string String(const char* key, const std::string& otherwise);
  // One integer for all of n axes, or a list of n.
  std::vector<int64_t> Ints(const char* key, size_t n, int64_t otherwise);
  // A list of integers of any length (for_null in the place of null), or one integer; empty when absent.
  std::vector<int64_t> IntList(const char* key, std::optional<int64_t> for_null = std::nullopt);
  bool ChannelsFirst();

  // A weight by its role ("kernel"), brought into the layout that the operator wants. Made once a layer, however often
  // the layer is called.
  Result<ValueId> Param(const char* role, const std::function<Status(Weight*)>& arrange = nullptr);

  std::optional<uint64_t> DropoutSeed() const;  // what the user asked for
  void Warn(const std::string& text);
  // The first member of the configuration that was of the wrong kind.
  const Status& config_error() const { return config_error_; }

 private:
  void WrongKind(const char* key, const char* wanted);

  const LayerDef& layer_;
  const CallDef& call_;
  Importer* importer_;
  Status config_error_;
};

// Floats of a configuration: 0.1, [0.1], {"value": 0.1}, {"type": "ndarray", "value": [...]}.
std::optional<std::vector<float>> AsFloats(const Json& value);

// A weight of a layer as the file names it. `names`: alternatives, separated by '|'.
struct Role {
  const char* names;
  bool trainable = true;
};

using ImportFn = Result<ValueId> (*)(LayerContext& c);
using RolesFn = std::vector<Role> (*)(const Json& config);
struct LayerRow {
  const char* class_name;
  ImportFn import;
  RolesFn roles = nullptr;  // null: no weights
};

// The row of a class, or null. (registry.cc)
const LayerRow* FindLayer(const std::string& class_name);
// What to say of a class without one.
std::string WhyUnsupported(const std::string& class_name);

std::span<const LayerRow> ConvLayers();           // conv.cc
std::span<const LayerRow> PoolLayers();           // pool.cc
std::span<const LayerRow> ResizeLayers();         // resize.cc
std::span<const LayerRow> ActivationLayers();     // activation.cc
std::span<const LayerRow> MergeLayers();          // merge.cc
std::span<const LayerRow> NormalizationLayers();  // normalization.cc
std::span<const LayerRow> CoreLayers();           // core.cc
std::span<const LayerRow> OperationLayers();      // operation.cc

}  // namespace fovea::converter::keras

#endif  // FOVEA_CONVERTER_KERAS_LAYER_CONTEXT_H_
