// Operator names to importers, and what to say about well-known operators that fovea does not have.
#include <map>
#include <string_view>

#include "converter/onnx/importer.h"
#include "converter/onnx/importers.h"

namespace fovea::converter {

namespace {

// Leaked on purpose: never destroyed, so no order of destruction to think of.
const std::map<std::string_view, ImportFn>& Table() {
  static const auto* const table = [] {
    auto* rows = new std::map<std::string_view, ImportFn>;
    for (const auto list :
         {ConvOps(), PoolOps(), ResizeOps(), ActivationOps(), ArithmeticOps(), ShapeOps(), SelectionOps(),
          NormalizationOps(), MatMulOps(), ReduceOps(), ConstantOps(), ControlOps()}) {
      for (const OpRow& row : list) rows->emplace(row.name, row.import);
    }
    return rows;
  }();
  return *table;
}

}  // namespace

ImportFn FindImporter(const std::string& op) {
  const auto found = Table().find(op);
  return found == Table().end() ? nullptr : found->second;
}

}  // namespace fovea::converter
