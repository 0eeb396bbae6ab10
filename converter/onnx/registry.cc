// Operator names to importers, and what to say about well-known operators that fovea does not have.
#include <map>
#include <string_view>
#include <vector>

#include "converter/onnx/importer.h"
#include "converter/onnx/importers.h"
#include "converter/unsupported.h"

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

constexpr struct {
  std::string_view op, why;
} kReasons[] = {
    {"Loop", "a loop; export the model with its loop unrolled"},
    {"Scan", "a loop; export the model with its loop unrolled"},
    {"Einsum", "sums over named axes; MatMul, Transpose and Reshape are supported"},
    {"MaxUnpool", "positions of maxima; ConvTranspose and Resize are supported"},
    {"GridSample", "sampling where the data say; Resize is supported"},
    {"RoiAlign", "boxes chosen by the data; Resize is supported"},
    {"MaxRoiPool", "boxes chosen by the data; MaxPool is supported"},
    {"NonMaxSuppression", "object selection; fovea does that after the network, end the export before it"},
    {"NonZero", "results of a size that the data decide; Where is supported"},
    {"Unique", "results of a size that the data decide; fovea needs sizes that follow from the image's"},
    {"TopK", "sorting; ArgMax and ReduceMax are supported"},
    {"LSTM", "a recurrent layer; convolutions are supported"},
    {"GRU", "a recurrent layer; convolutions are supported"},
    {"RNN", "a recurrent layer; convolutions are supported"},
    {"QLinearConv", "quantised arithmetic; export the model in float32"},
    {"QLinearMatMul", "quantised arithmetic; export the model in float32"},
    {"ConvInteger", "quantised arithmetic; export the model in float32"},
    {"QuantizeLinear", "quantised arithmetic; export the model in float32"},
    {"DequantizeLinear", "quantised arithmetic; export the model in float32"},
    {"DeformConv", "taps where the data say; Conv is supported"},
    {"ScatterND", "writing where the data say; Concat and Where are supported"},
    {"ScatterElements", "writing where the data say; Concat and Where are supported"},
    {"RandomNormalLike", "random numbers; export the model for inference"},
    {"RandomUniformLike", "random numbers; export the model for inference"},
    {"DFT", "Fourier transforms; Conv is supported"},
};

}  // namespace

std::string WhyUnsupported(const std::string& op) {
  for (const auto& row : kReasons) {
    if (row.op == op) return std::string(row.why);
  }
  std::vector<std::string_view> names;
  for (const auto& [name, import] : Table()) names.push_back(name);
  return NoSuchOperator(op, names);
}

ImportFn FindImporter(const std::string& op) {
  const auto found = Table().find(op);
  return found == Table().end() ? nullptr : found->second;
}

}  // namespace fovea::converter
