// Operator names to importers, and what to say about well-known operators that fovea does not have.
#include <map>
#include <string_view>
#include <vector>

#include "converter/tensorflow/importers.h"
#include "converter/unsupported.h"

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
    {"StatefulPartitionedCall", "a function that the file does not define; export the model again"},
    {"PartitionedCall", "a function that the file does not define; export the model again"},
    {"MaxPoolWithArgmax", "positions of maxima; MaxPool without them is supported"},
    {"Conv2DBackpropFilter", "training; export the model for inference"},
    {"CropAndResize", "boxes chosen by the data; ResizeBilinear is supported"},
    {"NonMaxSuppressionV3", "object selection; fovea does that after the network"},
    {"PyFunc", "code outside the file; write it with TensorFlow's own operators"},
    {"EagerPyFunc", "code outside the file; write it with TensorFlow's own operators"},
    {"Einsum", "sums over named axes; MatMul, Transpose and Reshape are supported"},
    {"TopKV2", "sorting; ArgMax and ReduceMax are supported"},
    {"Unique", "results of a size that the data decide; fovea needs sizes that follow from the image's"},
    {"Where", "results of a size that the data decide; SelectV2 is supported"},
    {"FFT2D", "Fourier transforms; convolutions are supported"},
    {"ResizeArea", "resizing by areas; ResizeBilinear and AvgPool are supported"},
    {"Dilation2D", "morphology; MaxPool is supported"},
    {"FakeQuantWithMinMaxVars", "quantisation in training; export the model in float32"},
    {"FakeQuantWithMinMaxVarsPerChannel", "quantisation in training; export the model in float32"},
    {"QuantizedConv2D", "quantised arithmetic; export the model in float32"},
    {"IteratorGetNext", "the images' way in when training; name the tensors that it gives with --inputs"},
    {"IteratorFromStringHandle", "the images' way in when training; name the tensors that it gives with --inputs"},
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
  std::vector<std::string_view> names;
  for (const auto& [name, import] : Table()) names.push_back(name);
  return NoSuchOperator(op, names);
}

}  // namespace fovea::converter::tf
