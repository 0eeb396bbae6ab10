// Layer classes to importers.
#include <map>
#include <string_view>
#include <vector>

#include "converter/keras/layer_context.h"
#include "converter/unsupported.h"

namespace fovea::converter::keras {

namespace {

// Leaked on purpose: never destroyed, so no order of destruction to think of.
const std::map<std::string_view, const LayerRow*>& Table() {
  static const auto* const table = [] {
    auto* rows = new std::map<std::string_view, const LayerRow*>;
    for (const auto list : {ConvLayers(), PoolLayers(), ResizeLayers(), ActivationLayers(), MergeLayers(),
                            NormalizationLayers(), CoreLayers(), OperationLayers()}) {
      for (const LayerRow& row : list) rows->emplace(row.class_name, &row);
    }
    return rows;
  }();
  return *table;
}

constexpr struct {
  std::string_view class_name, why;
} kReasons[] = {
    {"LSTM", "a recurrent layer; convolutions are supported"},
    {"GRU", "a recurrent layer; convolutions are supported"},
    {"ConvLSTM2D", "a recurrent layer; Conv3D is supported"},
    {"Bidirectional", "a recurrent layer; convolutions are supported"},
    {"TimeDistributed", "a layer applied to each time; use its 3-D counterpart with a window of 1 along time"},
    {"Embedding", "a table of words; images are supported"},
    {"LocallyConnected2D", "weights of their own for each pixel; Conv2D is supported"},
    {"MultiHeadAttention", "attention; write it with MatMul and Softmax in a SavedModel or ONNX file"},
    {"RandomFlip", "augmentation; export the model without it"},
    {"RandomRotation", "augmentation; export the model without it"},
    {"RandomZoom", "augmentation; export the model without it"},
};

}  // namespace

std::string WhyUnsupported(const std::string& class_name) {
  for (const auto& row : kReasons) {
    if (row.class_name == class_name) return std::string(row.why);
  }
  std::vector<std::string_view> names;
  for (const auto& [name, row] : Table()) names.push_back(name);
  const std::string nearest = NoSuchOperator(class_name, names);
  return nearest.find(';') != std::string::npos
             ? nearest
             : "fovea has no such layer; a layer of one's own is exported as a SavedModel, which holds its operators";
}

const LayerRow* FindLayer(const std::string& class_name) {
  // Classes of add-on packages carry its name: "Addons>InstanceNormalization".
  const size_t package = class_name.rfind('>');
  const auto found = Table().find(package == std::string::npos ? class_name : class_name.substr(package + 1));
  return found == Table().end() ? nullptr : found->second;
}

}  // namespace fovea::converter::keras
