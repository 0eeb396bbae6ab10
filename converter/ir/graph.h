// The converter's IR: a graph that frontends build and passes rewrite.
//
// It speaks the operators of runtime/model/ops.h from the start, channels last for spatial operators: a frontend whose
// source is channels first puts a Transpose before and after each spatial operator, and the layout pass removes what
// cancels. So there is one vocabulary, one shape inference, and every graph in the middle of the pipeline can be
// emitted and run.
#ifndef FOVEA_CONVERTER_IR_GRAPH_H_
#define FOVEA_CONVERTER_IR_GRAPH_H_

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/model/graph.h"

namespace fovea::ir {

using fovea::kNoValue;
using ValueId = int;

// Shared, immutable numbers of a constant, row-major float32 (integers exact to 2^24; sizes beyond that live in
// `elements`).
using ConstData = std::shared_ptr<const std::vector<float>>;

// A rational size: numerator factor / denominator. What float arithmetic on sizes holds between Cast to float and Floor
// or Cast to an integer (exporters compute the sizes and scales of Resize so).
struct SizeRatio {
  DimExpr numerator = 0;
  double factor = 1;
  DimExpr denominator = 1;
};

struct Value {
  std::string name;
  DType dtype = DType::kFloat32;  // what the source file says; arithmetic is float32 throughout
  std::vector<DimExpr> dims;
  ConstData constant;  // null unless constant
  // Small integer tensors whose elements (row-major) are known as expressions of input sizes ("shape arithmetic").
  std::optional<std::vector<DimExpr>> elements;
  // The same for float tensors.
  std::optional<std::vector<SizeRatio>> ratios;
  int producer = -1;  // index into Graph::nodes, -1 for inputs and constants

  bool is_const() const { return constant != nullptr; }
};

struct Node {
  std::string name;    // of the source node
  std::string source;  // operator of the source file, for messages: "Conv", "FusedBatchNormV3"
  OpParams params;
  std::vector<ValueId> inputs;  // kNoValue where an optional input is absent
  ValueId output = kNoValue;
  bool removed = false;  // passes mark, Compact() drops
};

struct Port {
  std::string name;  // in the source file
  ValueId value = kNoValue;
  DType dtype = DType::kFloat32;
  std::vector<int> source_axes;  // source axis i is axis source_axes[i] of the value
  std::string axes;       // letters in source order where the source or the user says them, else empty: guessed on emit
  bool is_shape = false;  // input that only decides sizes
  // Inputs: sizes that a description of the model allows, an axis of the source each; empty: none does. What the
  // network itself needs is found on emit and wins where both contradict.
  std::vector<std::optional<AxisRule>> described;
};

// What became of the source's operators, for the report. Counts by name.
struct History {
  std::map<std::string, int> idioms;   // patterns recognised: "batch normalisation", "pixel shuffle"
  std::map<std::string, int> dropped;  // operators of the source that inference does without: "Identity", "SaveV2"
  int folded = 0;                      // steps of arithmetic whose results were known when converting
};

class Graph {
 public:
  std::vector<Value> values;
  std::vector<Node> nodes;  // producers before consumers
  std::vector<Port> inputs, outputs;
  Metadata metadata;
  std::vector<Step> preprocessing, postprocessing;  // of a description; tensors are names of ports
  std::vector<std::string> warnings;                // what the user should know: dropped, approximated or assumed
  History history;

  void Recognised(const std::string& idiom) { ++history.idioms[idiom]; }
  // Counts one operator of the source that was imported into what follows node `nodes_before`: dropped where it passed
  // an input on.
  void Imported(const std::string& op, size_t nodes_before, std::span<const ValueId> sources, ValueId result);

  // Consumers of each value (node indices, each once); outputs of the graph are not listed.
  std::vector<std::vector<int>> Consumers() const;
  bool IsGraphOutput(ValueId v) const;
  // Every reader of `from`, graph outputs included, reads `to` instead.
  void ReplaceUses(ValueId from, ValueId to);
  // Drops removed nodes and values nobody refers to, renumbers, restores topological order.
  void Compact();
  // Text for --dump-ir and test failures: one node a line.
  std::string ToString() const;
};

// The invariants that must hold between passes: ids in range, one producer a value, topological order, dims equal to
// what shape inference gives, constants as large as their dims, ports' permutations valid. Names the node that breaks
// one.
Status Verify(const Graph& graph);

}  // namespace fovea::ir

#endif  // FOVEA_CONVERTER_IR_GRAPH_H_
