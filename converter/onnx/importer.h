// The walk over an ONNX model: names to values, one operator after the other, subgraphs and model functions inlined.
#ifndef FOVEA_CONVERTER_ONNX_IMPORTER_H_
#define FOVEA_CONVERTER_ONNX_IMPORTER_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "converter/convert.h"
#include "converter/ir/builder.h"
#include "converter/onnx/node_context.h"
#include "converter/onnx/node_order.h"

namespace fovea::converter {

// The value of an output that an unsupported node should have given: its readers are skipped, too.
inline constexpr ValueId kUnknownValue = -2;

// Names of one graph; those of subgraphs see the outer ones.
struct Scope {
  const Scope* outer = nullptr;
  std::map<std::string, ValueId> values;
  std::map<std::string, onnx::TensorProto*> initializers;  // not yet read; become constants when somebody asks
  std::set<std::string> used;                              // names that somebody reads
  int depth = 0;
};

class Importer {
 public:
  Importer(const Options& options, ir::Graph* graph, Report* report, std::string folder)
      : options_(options), graph_(graph), report_(report), builder_(graph), folder_(std::move(folder)) {}

  Status Import(onnx::ModelProto* model);

  // Nodes of a graph, subgraph or function, in order of use; `wanted` are the names to be had in the end.
  Status ImportNodes(const NodeList& nodes, const std::set<std::string>& wanted, Scope* scope);
  // A branch of an If: its outputs in order.
  Result<std::vector<ValueId>> InlineGraph(const onnx::GraphProto& graph, Scope* outer);

  Result<ValueId> ConstantFrom(const std::string& name, const onnx::TensorProto& tensor);
  ValueId ConstantFrom(const std::string& name, TensorData data);

  void Warn(const std::string& text) { graph_->warnings.push_back(text); }
  // Declared sizes of graph outputs; -1 where open.
  const std::map<std::string, std::vector<int64_t>>& declared_outputs() const { return declared_outputs_; }
  const std::string& folder() const { return folder_; }
  const Options& options() const { return options_; }

 private:
  Status ReadOpsets(const onnx::ModelProto& model);
  void ReadMetadata(const onnx::ModelProto& model);
  Status AddInputs(const onnx::GraphProto& graph, Scope* scope);
  Status AddOutputs(const onnx::GraphProto& graph, Scope* scope);
  Result<ValueId> Lookup(const std::string& name, Scope* scope);
  bool IsKnown(const std::string& name, const Scope* scope) const;
  Status ImportNode(const onnx::NodeProto& node, Scope* scope);
  Status CallFunction(const onnx::FunctionProto& function, const onnx::NodeProto& call, std::vector<ValueId> inputs,
                      Scope* scope);

  const Options& options_;
  ir::Graph* graph_;
  Report* report_;
  ir::Builder builder_;
  const std::string folder_;
  int64_t opset_ = 1;
  std::map<std::pair<std::string, std::string>, const onnx::FunctionProto*> functions_;  // by domain, name
  std::map<std::string, std::vector<int64_t>> declared_outputs_;
  int64_t inlined_nodes_ = 0;  // of functions and branches, bounded: functions that call functions can grow without end
};

// The operator's importer, or null.
ImportFn FindImporter(const std::string& op);
// What to say of an operator without one.
std::string WhyUnsupported(const std::string& op);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_ONNX_IMPORTER_H_
