// A Keras configuration as a graph of calls: what model_config says, in one form for Keras 1, 2 and 3.
//
// A layer may be called more than once (shared layers); each call has its own arguments and results. Models that are
// layers of other models have a definition of their own.
#ifndef FOVEA_CONVERTER_KERAS_MODEL_H_
#define FOVEA_CONVERTER_KERAS_MODEL_H_

#include <memory>
#include <string>
#include <vector>

#include "converter/keras/json.h"

namespace fovea::converter::keras {

// Result `tensor` of call `call` of layer `layer` of the same model.
struct TensorRef {
  int layer = 0, call = 0, tensor = 0;
};

// A tensor, or a constant that stands where a tensor could (x * 2.0 in a functional model).
struct Argument {
  bool is_tensor = false;
  TensorRef ref;
  Json constant;
};

struct CallDef {
  std::vector<Argument> args;  // positional, lists flattened
  Json named = Json::object();
  std::vector<std::pair<std::string, TensorRef>> named_tensors;
};

struct ModelDef;

struct LayerDef {
  std::string class_name, name;
  Json config;  // Keras 2's names
  std::vector<CallDef> calls;
  std::unique_ptr<ModelDef> model;  // set when the layer is itself a model
};

struct ModelDef {
  std::string class_name, name;
  std::vector<LayerDef> layers;
  std::vector<TensorRef> inputs, outputs;
};

// json: {"class_name": ..., "config": ...}. kCorruptFile: references to layers that are not there, names twice, nesting
// more than 16 deep, more than 20,000 layers.
Result<ModelDef> ParseModel(const Json& json);

// Whether a serialised layer is a model of layers.
bool IsModel(const Json& json);

// Keras 1 configurations in Keras 2's words: {"class_name": "Convolution2D", "config": {"nb_filter": ...}} becomes
// Conv2D with "filters". Others are left alone. (keras1.cc)
void ModerniseLayer(std::string* class_name, Json* config);

}  // namespace fovea::converter::keras

#endif  // FOVEA_CONVERTER_KERAS_MODEL_H_
