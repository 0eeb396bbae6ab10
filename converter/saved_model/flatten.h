// A graph with functions as one without: calls are replaced by what the called function computes.
//
// Work starts at the tensors asked for and follows inputs, so only what they need appears, each node once per call that
// reaches it. Nodes of the graph keep their names; nodes of a function get the names of the calls before theirs
// ("StatefulPartitionedCall/model/conv2d/Conv2D"). Calls are PartitionedCall, StatefulPartitionedCall, operators named
// after a function, and If and StatelessIf whose condition is known. Control inputs are dropped.
//
// Hostile graphs: functions that call themselves, calls that feed each other in a circle, and graphs that unfold to
// more than a million nodes are kCorruptFile.
#ifndef FOVEA_CONVERTER_SAVED_MODEL_FLATTEN_H_
#define FOVEA_CONVERTER_SAVED_MODEL_FLATTEN_H_

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "converter/saved_model/op_outputs.h"
#include "converter/saved_model/tensorflow.pb.h"
#include "converter/tensorflow/tf_graph.h"

namespace fovea::converter {

// What one call makes of a function; the graph itself is the outermost scope.
struct Scope;

class Flattener {
 public:
  struct Body;  // the nodes, arguments and results of a function
  using NodeDef = tfproto::NodeDef;
  using NodeList = google::protobuf::RepeatedPtrField<NodeDef>;
  // Output `index` of `node`, an operator that is no call, as seen in `scope`.
  struct Tensor {
    Scope* scope = nullptr;
    NodeDef* node = nullptr;
    int64_t index = 0;
  };
  struct Variable {
    size_t node = 0;  // in nodes()
    const NodeDef* def = nullptr;
  };

  // The graph and the list (may be null) outlive this. Values of constants are moved out of the graph as they are used.
  static Result<std::unique_ptr<Flattener>> Create(tfproto::GraphDef* graph, const tfproto::OpList* ops,
                                                   const Options& options);
  ~Flattener();

  // From here on `tensor` ("node:1") is an input: a Placeholder takes its place. Gives its tensor in nodes().
  Result<std::string> Feed(const std::string& tensor, int32_t tf_type, const tfproto::TensorShapeProto* shape);
  // The tensor in nodes() for a tensor of the graph, which is now wanted.
  Result<std::string> Want(const std::string& tensor);
  // Emits all that the wanted tensors need.
  Status Run();

  // After Run: how many operators the graph and its called functions have, and which of them are not in nodes().
  void CountLeftOut(TfGraph* graph) const;

  std::vector<TfNode>& nodes() { return nodes_; }
  // Nodes that stand for variables: each a Const that has no value yet.
  const std::vector<Variable>& variables() const { return variables_; }

  // For readers of other parts of the graph.
  Scope* top() { return top_; }
  Result<Tensor> Resolve(Scope* scope, const std::string& input);
  // What a call opens; null where `node` is no call.
  Result<Scope*> Enter(Scope* scope, NodeDef* node);
  static NodeList* Nodes(Scope* scope);
  static NodeDef* Find(Scope* scope, const std::string& name);  // null: there is none

 private:
  Flattener(const tfproto::OpList* ops, const Options& options);
  Status Index(tfproto::GraphDef* graph);
  Result<const Body*> BodyOf(const std::string& function);
  Result<Scope*> Open(Scope* scope, NodeDef* call, const tfproto::NameAttrList& callee, int first_arg);
  Result<Scope*> OpenBranch(Scope* scope, NodeDef* node);
  // nullopt: depends on the inputs.
  Result<std::optional<bool>> Condition(Scope* scope, std::string input);
  Result<const TfTensor*> Constant(NodeDef* node);
  Result<std::string> NameOf(const Tensor& tensor);
  Status Emit(Scope* scope, NodeDef* node, TfNode* out);

  OpOutputs outputs_;
  const Options& options_;
  std::unordered_map<std::string, tfproto::FunctionDef*> functions_;
  std::unordered_map<std::string, std::unique_ptr<Body>> bodies_;
  std::vector<std::unique_ptr<Scope>> scopes_;
  Scope* top_ = nullptr;
  std::deque<NodeDef> placeholders_;
  std::map<std::pair<const NodeDef*, int64_t>, NodeDef*> feeds_;

  std::vector<TfNode> nodes_;
  std::vector<std::pair<Scope*, NodeDef*>> sources_;  // of nodes_
  std::map<std::pair<const Scope*, const NodeDef*>, size_t> emitted_;
  std::set<std::string> names_;
  std::vector<Variable> variables_;
  std::map<const NodeDef*, TfTensor> constants_;  // one value for all calls of a function

  uint64_t name_bytes_ = 0, hops_ = 0, fill_budget_;
  int condition_depth_ = 0;
};

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_SAVED_MODEL_FLATTEN_H_
