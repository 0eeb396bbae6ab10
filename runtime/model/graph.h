// Graph: a model in memory, as it stands in a .fov file: portable, channels last, no packing, no kernel choice.
//
// Values are numbered; nodes are in an order in which every value is produced before it is read. A verified Graph
// (VerifyGraph in model_file.h) is what the planner and the executors rely on.
#ifndef FOVEA_RUNTIME_MODEL_GRAPH_H_
#define FOVEA_RUNTIME_MODEL_GRAPH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/include/fovea/dtype.h"
#include "runtime/include/fovea/step.h"
#include "runtime/model/ops.h"

namespace fovea {

// How constants are stored in the weight section. Stored in .fov files: append only.
enum class WeightType : uint8_t { kFloat32 = 0, kFloat16 = 1, kBFloat16 = 2 };

struct Value {
  std::string name;           // of the source file, for messages; not necessarily unique
  std::vector<DimExpr> dims;  // stored axis order
  // Constants: bytes [offset, offset + bytes) of the weight section, row-major.
  bool is_const = false;
  WeightType weight_type = WeightType::kFloat32;
  uint64_t offset = 0, bytes = 0;
};

struct Node {
  std::string name;  // of the source node, for messages and profiles
  OpParams params;
  std::vector<int> inputs;  // value numbers or kNoValue
  int output = kNoValue;    // every operator has one output
};

// How an axis of a model input may be sized: min + k step, k >= 0; step 0: exactly min.
struct AxisRule {
  int64_t min = 1, step = 1;
  bool operator==(const AxisRule&) const = default;
};

// One tensor of the model's interface. Axis i of the source tensor (NCHW in ONNX files, NHWC in TensorFlow) is stored
// axis source_axes[i] of the value.
struct Port {
  std::string name;  // in the source file
  int value = kNoValue;
  DType dtype = DType::kFloat32;  // in the source file
  std::vector<int> source_axes;   // a permutation
  std::string axes;               // one letter a stored axis: b (batch) c z y x t, or i for anything else
  std::vector<AxisRule> rules;    // inputs: one a stored axis; empty for outputs
  bool is_shape = false;          // input: a small vector of numbers that only decides sizes; read when planned
};

struct SelfTest {
  // Weight-section blobs of float32 in source axis order, one per input and output port.
  struct Tensor {
    std::vector<int64_t> dims;
    uint64_t offset = 0, bytes = 0;
  };
  std::vector<Tensor> inputs, expected;
  double rtol = 1e-3, atol = 1e-3;
  double mismatches_per_million = 0;  // elements that may be out of tolerance
  bool with_steps = false;            // inputs are before preprocessing, expected results after postprocessing
};

struct Metadata {
  std::string name, description, authors, licence, citation,
      source_format;                                            // source_format: "ONNX opset 13, pytorch 2.5.1"
  std::vector<std::pair<std::string, std::string>> properties;  // everything else the source says, in order
};

struct Graph {
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<Port> inputs, outputs;
  Metadata metadata;
  std::vector<SelfTest> self_tests;
  // In the order in which they are applied. Names of steps are not checked here: a file of a newer fovea may have
  // others.
  std::vector<Step> preprocessing, postprocessing;
};

}  // namespace fovea

#endif  // FOVEA_RUNTIME_MODEL_GRAPH_H_
