#include "converter/saved_model/flatten.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "converter/saved_model/tensor.h"
#include "converter/tensorflow/inference.h"

namespace fovea::converter {

namespace {

constexpr size_t kMaxNodes = 1'000'000;
constexpr size_t kMaxCalls = 200'000;
constexpr int kMaxDepth = 100;             // of calls within calls
constexpr int kMaxConditionDepth = 50;     // of conditions that are decided by conditions
constexpr uint64_t kMaxHops = 20'000'000;  // from calls into functions and from arguments to callers
constexpr uint64_t kMaxNameBytes = uint64_t{256} << 20;
constexpr uint64_t kFillBudget = uint64_t{1} << 28;  // elements of constants that repeat one value

bool IsVariable(const std::string& op) {
  return op == "VarHandleOp" || op == "VariableV2" || op == "Variable" || op == "AutoReloadVariable";
}

// The parts of "node:out:1", "node:1" or "node".
struct Reference {
  std::string name, output;
  int64_t index = 0;
};

Result<Reference> ParseReference(const std::string& text) {
  Reference out;
  const size_t first = text.find(':');
  out.name = text.substr(0, first);
  if (first == std::string::npos) return out;
  std::string rest = text.substr(first + 1);
  const size_t second = rest.find(':');
  if (second != std::string::npos) {
    out.output = rest.substr(0, second);
    rest = rest.substr(second + 1);
  } else if (rest.empty() || rest.find_first_not_of("0123456789") != std::string::npos) {
    out.output = rest;
    return out;
  }
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out.index);
  if (error != std::errc() || end != rest.data() + rest.size() || out.index < 0 || out.index > INT32_MAX) {
    return CorruptFile("'" + text + "' names no tensor");
  }
  return out;
}

std::string TensorName(const std::string& node, int64_t index) { return node + ":" + std::to_string(index); }

}  // namespace

struct Flattener::Body {
  const tfproto::FunctionDef* function = nullptr;  // null: the graph itself
  NodeList* list = nullptr;
  std::unordered_map<std::string, NodeDef*> nodes;
  std::unordered_map<std::string, int> args;
  std::vector<std::string> results;
};

struct Scope {
  Scope* parent = nullptr;
  const tfproto::NodeDef* call = nullptr;
  const Flattener::Body* body = nullptr;
  const google::protobuf::RepeatedPtrField<tfproto::AttrEntry>* attrs = nullptr;  // that the call binds
  int first_arg = 0;                                                              // of the call's inputs
  int depth = 0;
  std::string prefix;
  std::map<const tfproto::NodeDef*, Scope*> children;  // null: known to be no call

  // An attribute of a node, with the caller's value where the function leaves it open.
  const tfproto::AttrValue* Bound(const tfproto::AttrValue* value) const {
    for (const Scope* s = this; s != nullptr && value != nullptr; s = s->parent) {
      if (value->value_case() != tfproto::AttrValue::kPlaceholder || s->attrs == nullptr) return value;
      value = FindAttr(*s->attrs, value->placeholder());
    }
    return value;
  }
};

Flattener::Flattener(const tfproto::OpList* ops, const Options& options)
    : outputs_(ops), options_(options), fill_budget_(kFillBudget) {}
Flattener::~Flattener() = default;

Result<std::unique_ptr<Flattener>> Flattener::Create(tfproto::GraphDef* graph, const tfproto::OpList* ops,
                                                     const Options& options) {
  std::unique_ptr<Flattener> flattener(new Flattener(ops, options));
  FOVEA_RETURN_IF_ERROR(flattener->Index(graph));
  return flattener;
}

Status Flattener::Index(tfproto::GraphDef* graph) {
  for (tfproto::FunctionDef& function : *graph->mutable_library()->mutable_function()) {
    if (!functions_.emplace(function.signature().name(), &function).second) {
      return CorruptFile("two functions are named '" + function.signature().name() + "'");
    }
  }
  auto body = std::make_unique<Body>();
  body->list = graph->mutable_node();
  for (NodeDef& node : *body->list) {
    if (!body->nodes.emplace(node.name(), &node).second) {
      return CorruptFile("two nodes are named '" + node.name() + "'");
    }
  }
  top_ = scopes_.emplace_back(std::make_unique<Scope>()).get();
  top_->body = body.get();
  bodies_[""] = std::move(body);
  return OkStatus();
}

Result<const Flattener::Body*> Flattener::BodyOf(const std::string& name) {
  const auto known = bodies_.find(name);
  if (!name.empty() && known != bodies_.end()) return known->second.get();
  const auto found = functions_.find(name);
  if (name.empty() || found == functions_.end()) return CorruptFile("the function '" + name + "' is not in the file");
  tfproto::FunctionDef& function = *found->second;
  auto body = std::make_unique<Body>();
  body->function = &function;
  body->list = function.mutable_node_def();
  for (NodeDef& node : *body->list) {
    if (!body->nodes.emplace(node.name(), &node).second) {
      return CorruptFile("two nodes of the function '" + name + "' are named '" + node.name() + "'");
    }
  }
  for (const auto& arg : function.signature().input_arg()) {
    if (!arg.number_attr().empty() || !arg.type_list_attr().empty()) {
      return Unsupported("the function '" + name + "' takes a list of tensors");
    }
    body->args.emplace(arg.name(), static_cast<int>(body->args.size()));
  }
  for (const auto& arg : function.signature().output_arg()) {
    const auto ret = std::find_if(function.ret().begin(), function.ret().end(),
                                  [&](const tfproto::StringEntry& entry) { return entry.key() == arg.name(); });
    if (ret == function.ret().end() || !arg.number_attr().empty() || !arg.type_list_attr().empty()) {
      return CorruptFile("the function '" + name + "' does not say what it returns as '" + arg.name() + "'");
    }
    body->results.push_back(ret->value());
  }
  return (bodies_[name] = std::move(body)).get();
}

Flattener::NodeList* Flattener::Nodes(Scope* scope) { return scope->body->list; }

Flattener::NodeDef* Flattener::Find(Scope* scope, const std::string& name) {
  const auto node = scope->body->nodes.find(name);
  return node != scope->body->nodes.end() ? node->second : nullptr;
}

Result<Scope*> Flattener::Open(Scope* scope, NodeDef* call, const tfproto::NameAttrList& callee, int first_arg) {
  FOVEA_ASSIGN_OR_RETURN(const Body* body, BodyOf(callee.name()));
  for (const Scope* s = scope; s != nullptr; s = s->parent) {
    if (s->body == body) return CorruptFile("the function '" + callee.name() + "' calls itself");
  }
  if (scope->depth >= kMaxDepth) return CorruptFile("functions call each other more than 100 deep");
  if (scopes_.size() >= kMaxCalls) return CorruptFile("the graph unfolds to more than 200 000 calls");
  Scope* child = scopes_.emplace_back(std::make_unique<Scope>()).get();
  child->parent = scope;
  child->call = call;
  child->body = body;
  child->attrs = &callee.attr();
  child->first_arg = first_arg;
  child->depth = scope->depth + 1;
  child->prefix = scope->prefix + call->name() + "/";
  name_bytes_ += child->prefix.size();
  return child;
}

Result<Scope*> Flattener::OpenBranch(Scope* scope, NodeDef* node) {
  if (node->input_size() == 0) return CorruptFile("a condition without input");
  FOVEA_ASSIGN_OR_RETURN(const std::optional<bool> condition, Condition(scope, node->input(0)));
  if (!condition) return static_cast<Scope*>(nullptr);
  const tfproto::AttrValue* branch = scope->Bound(FindAttr(node->attr(), *condition ? "then_branch" : "else_branch"));
  if (branch == nullptr || branch->value_case() != tfproto::AttrValue::kFunc) {
    return CorruptFile("a condition without branches");
  }
  return Open(scope, node, branch->func(), 1);
}

Result<Scope*> Flattener::Enter(Scope* scope, NodeDef* node) {
  // A condition that is being decided counts as no call, which ends circles.
  const auto [known, fresh] = scope->children.emplace(node, nullptr);
  if (!fresh) return known->second;
  Result<Scope*> child = static_cast<Scope*>(nullptr);
  if (node->op() == "PartitionedCall" || node->op() == "StatefulPartitionedCall") {
    const tfproto::AttrValue* f = scope->Bound(FindAttr(node->attr(), "f"));
    if (f == nullptr || f->value_case() != tfproto::AttrValue::kFunc)
      child = CorruptFile("a call without a function");
    else
      child = Open(scope, node, f->func(), 0);
  } else if (node->op() == "If" || node->op() == "StatelessIf") {
    child = OpenBranch(scope, node);
  } else if (functions_.count(node->op()) != 0) {
    tfproto::NameAttrList callee;
    callee.set_name(node->op());
    child = Open(scope, node, callee, 0);
    if (child.ok()) (*child)->attrs = &node->attr();
  }
  if (!child.ok()) return child.status().Prefixed("node '" + node->name() + "'");
  known->second = *child;
  return *child;
}

Result<Flattener::Tensor> Flattener::Resolve(Scope* scope, const std::string& input) {
  std::string text = input;
  while (true) {
    if (++hops_ > kMaxHops) return CorruptFile("calls that feed each other in a circle, or far too many of them");
    FOVEA_ASSIGN_OR_RETURN(const Reference reference, ParseReference(text));
    const auto arg = scope->body->args.find(reference.name);
    if (arg != scope->body->args.end()) {
      const int at = scope->first_arg + arg->second;
      if (at >= scope->call->input_size() || scope->call->input(at)[0] == '^' || reference.index != 0) {
        return CorruptFile("the call '" + scope->call->name() + "' passes too few tensors");
      }
      text = scope->call->input(at);
      scope = scope->parent;
      continue;
    }
    NodeDef* node = Find(scope, reference.name);
    if (node == nullptr) return CorruptFile("there is no node '" + reference.name + "'");
    FOVEA_ASSIGN_OR_RETURN(Scope* const child, Enter(scope, node));
    Tensor tensor{scope, node, reference.index};
    if (!reference.output.empty() && child == nullptr) tensor.index += outputs_.Begin(*node, reference.output);
    if (scope == top_) {
      const auto feed = feeds_.find({node, tensor.index});
      if (feed != feeds_.end()) return Tensor{top_, feed->second, 0};
    }
    if (child == nullptr) return tensor;

    size_t result = static_cast<size_t>(reference.index);
    const tfproto::FunctionDef& function = *child->body->function;
    if (node->op() == function.signature().name()) {  // called by name: its outputs go by its own names
      for (int i = 0; i < function.signature().output_arg_size(); ++i) {
        if (function.signature().output_arg(i).name() == reference.output) result = static_cast<size_t>(i);
      }
    }
    if (result >= child->body->results.size()) {
      return CorruptFile("output " + std::to_string(result) + " of the call '" + node->name() + "' does not exist");
    }
    text = child->body->results[result];
    scope = child;
  }
}

Result<const TfTensor*> Flattener::Constant(NodeDef* node) {
  const auto known = constants_.find(node);
  if (known != constants_.end()) return &known->second;
  for (tfproto::AttrEntry& entry : *node->mutable_attr()) {
    if (entry.key() != "value" || !entry.value().has_tensor()) continue;
    FOVEA_ASSIGN_OR_RETURN(TfTensor tensor, DecodeTensor(entry.value().tensor(), &fill_budget_));
    if (!tensor.is_string) entry.mutable_value()->clear_tensor();
    return &constants_.emplace(node, std::move(tensor)).first->second;
  }
  return CorruptFile("a constant without a value");
}

Result<std::optional<bool>> Flattener::Condition(Scope* scope, std::string input) {
  if (++condition_depth_ > kMaxConditionDepth) return CorruptFile("conditions hang on conditions more than 50 deep");
  bool invert = false;
  std::optional<bool> value;
  for (int hops = 0; hops < 1000; ++hops) {
    FOVEA_ASSIGN_OR_RETURN(const Tensor tensor, Resolve(scope, input));
    NodeDef& node = *tensor.node;
    const auto set = std::find_if(options_.set.begin(), options_.set.end(),
                                  [&](const NamedTensor& t) { return t.name == node.name() && t.data.size() == 1; });
    if (set != options_.set.end()) {
      value = set->data[0] != 0;
    } else if (node.op() == "Const") {
      FOVEA_ASSIGN_OR_RETURN(const TfTensor* constant, Constant(&node));
      if (!constant->is_string && constant->data->size() == 1) value = (*constant->data)[0] != 0;
    } else if (node.op().rfind("Placeholder", 0) == 0 && tf::NamesTrainingFlag(node.name())) {
      value = false;
    } else if (node.op() == "Identity" || node.op() == "PlaceholderWithDefault" || node.op() == "LogicalNot") {
      invert = invert != (node.op() == "LogicalNot");
      if (node.input_size() == 0) break;
      scope = tensor.scope;
      input = node.input(0);
      continue;
    }
    break;
  }
  --condition_depth_;
  if (value && invert) value = !*value;
  return value;
}

Result<std::string> Flattener::NameOf(const Tensor& tensor) {
  const auto [known, fresh] = emitted_.emplace(std::pair(tensor.scope, tensor.node), nodes_.size());
  if (fresh) {
    if (nodes_.size() >= kMaxNodes) return CorruptFile("the graph unfolds to more than a million nodes");
    std::string name = tensor.scope->prefix + tensor.node->name();
    while (!names_.insert(name).second) name += "_";
    name_bytes_ += name.size();
    if (name_bytes_ > kMaxNameBytes) return CorruptFile("names of nodes that unfold to more than 256 MiB");
    nodes_.emplace_back().name = std::move(name);
    sources_.emplace_back(tensor.scope, tensor.node);
  }
  return TensorName(nodes_[known->second].name, tensor.index);
}

Status Flattener::Emit(Scope* scope, NodeDef* node, TfNode* out) {
  out->op = node->op();
  for (const tfproto::AttrEntry& entry : node->attr()) {
    if (entry.key().empty() || entry.key()[0] == '_') continue;  // for TensorFlow's own book-keeping
    if (node->op() == "Const" && entry.key() == "value") continue;
    const tfproto::AttrValue* value = scope->Bound(&entry.value());
    if (value == nullptr) return CorruptFile("the attribute '" + entry.key() + "' is never given a value");
    FOVEA_ASSIGN_OR_RETURN(out->attrs[entry.key()], DecodeAttr(*value, &fill_budget_));
  }
  if (node->op() == "Const") {
    FOVEA_ASSIGN_OR_RETURN(const TfTensor* value, Constant(node));
    out->attrs["value"] = *value;
    return OkStatus();
  }
  if (IsVariable(node->op())) {
    out->op = "Const";
    return OkStatus();
  }
  if (node->op() == "ReadVariableOp") {
    out->op = "Identity";
    out->attrs["T"] = out->attrs["dtype"];
  }
  for (const std::string& input : node->input()) {
    if (input.empty() || input[0] == '^') continue;
    FOVEA_ASSIGN_OR_RETURN(const Tensor tensor, Resolve(scope, input));
    FOVEA_ASSIGN_OR_RETURN(std::string name, NameOf(tensor));
    out->inputs.push_back(std::move(name));
  }
  return OkStatus();
}

Result<std::string> Flattener::Feed(const std::string& text, int32_t tf_type, const tfproto::TensorShapeProto* shape) {
  FOVEA_ASSIGN_OR_RETURN(const Reference reference, ParseReference(text));
  NodeDef* node = Find(top_, reference.name);
  if (node == nullptr) return NotFound("there is no node '" + reference.name + "'");
  NodeDef& placeholder = placeholders_.emplace_back();
  placeholder.set_name(reference.index == 0 ? node->name() : node->name() + "_" + std::to_string(reference.index));
  placeholder.set_op("Placeholder");
  tfproto::AttrEntry* type = placeholder.add_attr();
  type->set_key("dtype");
  type->mutable_value()->set_type(tf_type);
  if (shape != nullptr) {
    tfproto::AttrEntry* attr = placeholder.add_attr();
    attr->set_key("shape");
    *attr->mutable_value()->mutable_shape() = *shape;
  }
  if (!feeds_.emplace(std::pair(node, reference.index), &placeholder).second) {
    return InvalidArgument("the tensor '" + text + "' is named as an input twice");
  }
  return NameOf({top_, &placeholder, 0});
}

Result<std::string> Flattener::Want(const std::string& text) {
  FOVEA_ASSIGN_OR_RETURN(const Tensor tensor, Resolve(top_, text));
  return NameOf(tensor);
}

void Flattener::CountLeftOut(TfGraph* graph) const {
  // Each function once, however often it is called: calls multiply without end in hostile files.
  std::set<const Body*> entered;
  std::set<const NodeDef*> used;
  for (const auto& scope : scopes_) {
    entered.insert(scope->body);
    for (const auto& [node, child] : scope->children) {
      if (child != nullptr) used.insert(node);
    }
  }
  for (const auto& [source, index] : emitted_) used.insert(source.second);
  for (const Body* body : entered) {
    for (const NodeDef& node : *body->list) {
      if (node.op() == "Const" || node.op().rfind("Placeholder", 0) == 0) continue;
      ++graph->source_operators;
      if (used.count(&node) == 0) ++graph->left_out[node.op()];
    }
  }
  const size_t unused = functions_.size() - (entered.size() - 1);  // the graph itself is no function
  if (unused > 0) graph->left_out["function that nothing calls"] = static_cast<int>(unused);
}

Status Flattener::Run() {
  for (size_t i = 0; i < sources_.size(); ++i) {
    const auto [scope, node] = sources_[i];
    TfNode out;
    const Status status = Emit(scope, node, &out);
    if (!status.ok()) return status.Prefixed("node '" + nodes_[i].name + "'");
    out.name = std::move(nodes_[i].name);
    nodes_[i] = std::move(out);
    if (nodes_[i].op == "Const" && node->op() != "Const") variables_.push_back({i, node});
  }
  return OkStatus();
}

}  // namespace fovea::converter
