// A TensorFlow graph as all its containers give it: SavedModel, frozen GraphDef and TF.js graph model end here, and the
// operator importers begin here.
//
// The container readers have already done their part: functions are inlined, variables are Const nodes that hold their
// values (a ReadVariableOp on one is an Identity), and the interface says which tensors are the model's inputs and
// outputs.
#ifndef FOVEA_CONVERTER_TENSORFLOW_TF_GRAPH_H_
#define FOVEA_CONVERTER_TENSORFLOW_TF_GRAPH_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "converter/convert.h"
#include "converter/ir/graph.h"

namespace fovea::converter {

struct TfTensor {
  DType dtype = DType::kFloat32;
  std::vector<int64_t> dims;
  ir::ConstData data;             // row-major, as float32
  std::vector<int64_t> integers;  // the same, exact, for integer types of at most 4096 elements; else empty
  bool is_string = false;         // string tensors have neither; they only feed savers and asserts
};

struct TfShape {
  bool known_rank = false;
  std::vector<int64_t> dims;  // -1: open
};

// DType that fovea has none of (resource, variant, string, complex, ...) is nullopt.
using TfType = std::optional<DType>;
using TfAttr = std::variant<std::monostate, int64_t, float, bool, std::string, TfType, TfShape, TfTensor,
                            std::vector<int64_t>, std::vector<float>, std::vector<std::string>, std::vector<TfShape>>;

struct TfNode {
  std::string name, op;
  std::vector<std::string> inputs;  // "node", "node:1", "^node" (control)
  std::map<std::string, TfAttr> attrs;
};

// "strides=1,2,2,1 padding=SAME": what a report says of a node.
std::string AttributesText(const TfNode& node);

struct TfPort {
  std::string name;    // what the user sees: the signature's key, or the node's name
  std::string tensor;  // "node:0"
  DType dtype = DType::kFloat32;
  TfShape shape;
};

struct TfGraph {
  std::vector<TfNode> nodes;  // any order; names are unique
  std::vector<TfPort> inputs, outputs;
  std::string source_format;            // "SavedModel, TensorFlow 2.12.0, signature serving_default"
  std::string tag, signature;           // SavedModel: those taken
  int source_operators = 0;             // of the container: the graph and each function that is called
  std::map<std::string, int> left_out;  // operators that nothing above the outputs needs, by operator
  Metadata metadata;
};

// Prunes to what the outputs need, resolves inference (Switch/Merge, learning phase, PlaceholderWithDefault),
// recognises dropout and normalisation idioms, and builds the IR. On kUnsupported, report->unsupported lists every
// node.
Status ImportTfGraph(const TfGraph& tf, const Options& options, ir::Graph* graph, Report* report);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_TENSORFLOW_TF_GRAPH_H_
