// Operator names to importers, and what to say about well-known operators that fovea does not have.
#include <map>
#include <string_view>

#include "converter/tensorflow/importers.h"

namespace fovea::converter::tf {
namespace {

// Leaked on purpose: never destroyed, so no order of destruction to think of.
const std::map<std::string_view, ImportFn>& Table() {
  static const auto* const table = [] {
    auto* rows = new std::map<std::string_view, ImportFn>;
    for (const auto list : {ConvOps(), FusedOps(), PoolOps(), ResizeOps(), BlockOps(), ActivationOps(), ArithmeticOps(),
                            ShapeOps(), SelectionOps(), NormalizationOps(), MatMulOps(), ReduceOps(), ConstantOps()}) {
      for (const OpRow& row : list) rows->emplace(row.name, row.import);
    }
    return rows;
  }();
  return *table;
}

constexpr struct {
  std::string_view op, why;
} kReasons[] = {
    {"While", "a loop; export the model with its loop unrolled"},
    {"StatelessWhile", "a loop; export the model with its loop unrolled"},
    {"NextIteration", "a loop; export the model with its loop unrolled"},
    {"If", "a branch that depends on the data; only branches on constants and training flags are supported"},
    {"StatelessIf", "a branch that depends on the data; only branches on constants and training flags are supported"},
    {"Switch", "a branch that depends on the data; fix its flag with --set NAME=false"},
    {"Merge", "a branch that depends on the data; fix its flag with --set NAME=false"},
    {"StatefulPartitionedCall", "a function that the file does not define"},
    {"PartitionedCall", "a function that the file does not define"},
    {"MaxPoolWithArgmax", "positions of maxima; MaxPool without them is supported"},
    {"Conv2DBackpropFilter", "training; export the model for inference"},
    {"CropAndResize", "boxes chosen by the data; ResizeBilinear is supported"},
    {"NonMaxSuppressionV3", "object selection; fovea does that after the network"},
    {"PyFunc", "code outside the file"},
    {"EagerPyFunc", "code outside the file"},
    {"ParseExample", "records as input; choose a signature that takes tensors"},
    {"DecodePng", "files as input; choose a signature that takes tensors"},
    {"DecodeJpeg", "files as input; choose a signature that takes tensors"},
};

}  // namespace

ImportFn FindImporter(const std::string& op) {
  const auto found = Table().find(op);
  return found == Table().end() ? nullptr : found->second;
}

std::string WhyUnsupported(const std::string& op) {
  for (const auto& row : kReasons) {
    if (row.op == op) return std::string(row.why);
  }
  return "fovea has no such operator";
}

}  // namespace fovea::converter::tf
