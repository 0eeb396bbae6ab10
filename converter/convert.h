// The converter as a function: a published model in, a .fov file's graph and weights out, and a report of what
// happened.
#ifndef FOVEA_CONVERTER_CONVERT_H_
#define FOVEA_CONVERTER_CONVERT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "converter/ir/graph.h"

namespace fovea::converter {

struct UnsupportedNode {
  std::string name, op, attributes;  // attributes: "strides=1,2,2,1 padding=SAME", shortened
  std::string reason, alternative;   // alternative: the nearest that is supported, or what to do
};

struct PassReport {
  std::string pass;
  int nodes_before = 0, nodes_after = 0;
};

struct Report {
  std::string source_format;   // "ONNX IR 8, opset 17, pytorch 2.1"
  std::string signature, tag;  // SavedModel: those taken
  int source_operators = 0;    // of the file, constants and inputs left aside
  ir::History history;         // what became of them
  std::vector<PassReport> passes;
  std::vector<std::string> warnings;
  std::vector<UnsupportedNode> unsupported;  // all of them; conversion failed when not empty
  double seconds = 0;
};

// A tensor that the caller has read from a file or a command line. The converter itself reads models only.
struct NamedTensor {
  std::string name;  // of an input or output in the source file; may be empty for tests when there is only one
  DType dtype = DType::kFloat32;
  std::vector<int64_t> dims;  // source order
  std::vector<float> data;    // row-major
};

struct Options {
  std::vector<NamedTensor> set;             // --set NAME=VALUE or NAME=@file.npy: inputs that become constants
  std::map<std::string, std::string> axes;  // --axes NAME=bcyx: letters of an input's or output's axes, source order
  std::map<std::string, std::string>
      size;  // --size NAME=1x1x512x512 (? leaves an axis open): fixes open sizes, source order
  std::vector<NamedTensor> test_inputs, test_outputs;  // a self-test to be stored in the file
  double test_rtol = 1e-3, test_atol = 1e-3;
  double test_mismatches_per_million = 0;
  bool test_with_steps = false;  // the tensors are before the graph's preprocessing and after its postprocessing
  WeightType weights = WeightType::kFloat32;
  // Sources that hold several models or entry points.
  std::string tag, signature;                // SavedModel: --tag, --signature; empty: the usual one, or the only one
  std::vector<std::string> inputs, outputs;  // frozen graphs: --inputs a,b --outputs c,d; empty: found when unambiguous
  // Random dropout inside the network ("live dropout"): unset becomes the identity, set keeps it with this seed.
  std::optional<uint64_t> dropout_seed;
  bool no_weights = false;  // --no-weights: a graph without its variables' values, for planning; they read as zeros
  std::optional<uint64_t> random_weights;  // --random-weights: the same with random numbers of this seed
  std::string dump_ir;                     // a pass's name, "import" or "all": IR text to stderr after it
};

// All of report.unsupported as one kUnsupported, a node a line; OK when there is none.
Status UnsupportedStatus(const Report& report);

// Reads any supported source, runs the passes. The graph is ready to be emitted. On kUnsupported, report->unsupported
// lists every node.
Result<ir::Graph> Convert(const std::string& path, const Options& options, Report* report);

// The .fov bytes of a graph (emit/).
Result<std::vector<std::byte>> Emit(const ir::Graph& graph, const Options& options);
// The same into a file, through EmissionName(path), without a second copy of the weights in memory.
Status EmitFile(const ir::Graph& graph, const Options& options, const std::string& path);
std::string EmissionName(const std::string& path);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_CONVERT_H_
