// Layer classes to importers.
#include <map>
#include <string_view>

#include "converter/keras/layer_context.h"

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

}  // namespace

const LayerRow* FindLayer(const std::string& class_name) {
  // Classes of add-on packages carry its name: "Addons>InstanceNormalization".
  const size_t package = class_name.rfind('>');
  const auto found = Table().find(package == std::string::npos ? class_name : class_name.substr(package + 1));
  return found == Table().end() ? nullptr : found->second;
}

}  // namespace fovea::converter::keras
