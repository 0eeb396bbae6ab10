#include "converter/saved_model/interface.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "converter/saved_model/tensor.h"

namespace fovea::converter {

namespace {

using NodeDef = tfproto::NodeDef;
using Nodes = std::vector<const NodeDef*>;

constexpr size_t kMaxListed = 20;
constexpr int kMaxPorts = 256;

std::string Join(const std::vector<std::string>& words) {
  std::string out;
  for (size_t i = 0; i < std::min(words.size(), kMaxListed); ++i) out += (i > 0 ? ", " : "") + words[i];
  if (words.size() > kMaxListed) out += " and " + std::to_string(words.size() - kMaxListed) + " more";
  return out;
}

std::vector<std::string> NamesOf(const Nodes& nodes) {
  std::vector<std::string> names;
  for (const NodeDef* node : nodes) names.push_back(node->name());
  return names;
}

std::string TagsOf(const tfproto::MetaGraphDef& graph) {
  std::vector<std::string> tags(graph.meta_info_def().tags().begin(), graph.meta_info_def().tags().end());
  std::string out;
  for (const std::string& tag : tags) out += (out.empty() ? "" : "+") + tag;
  return out.empty() ? "(none)" : out;
}

bool HasTag(const tfproto::MetaGraphDef& graph, const std::string& tag) {
  const auto& tags = graph.meta_info_def().tags();
  return TagsOf(graph) == tag || std::find(tags.begin(), tags.end(), tag) != tags.end();
}

// Signatures for strings (serialised examples) and those without tensors start no network.
bool TakesNumbers(const tfproto::SignatureDef& signature) {
  const auto numbers = [](const tfproto::TensorInfoEntry& entry) {
    return ToDType(entry.value().dtype()).has_value() && !entry.value().name().empty();
  };
  return signature.inputs_size() > 0 && signature.outputs_size() > 0 &&
         std::all_of(signature.inputs().begin(), signature.inputs().end(), numbers) &&
         std::all_of(signature.outputs().begin(), signature.outputs().end(), numbers);
}

std::vector<TensorChoice> Choices(const google::protobuf::RepeatedPtrField<tfproto::TensorInfoEntry>& entries) {
  std::vector<TensorChoice> out;
  for (const auto& entry : entries) {
    out.push_back({entry.key(), entry.value().name(), entry.value().dtype(), &entry.value().tensor_shape()});
  }
  // A map on the wire has no order; names have.
  std::sort(out.begin(), out.end(), [](const TensorChoice& a, const TensorChoice& b) { return a.name < b.name; });
  return out;
}

std::string NodeName(const std::string& tensor) { return tensor.substr(0, tensor.find(':')); }

int32_t TypeOf(const NodeDef& node) {
  for (const char* name : {"dtype", "T", "output_type", "DstT"}) {
    const tfproto::AttrValue* attr = FindAttr(node.attr(), name);
    if (attr != nullptr && attr->type() != 0) return attr->type();
  }
  return kTfFloat;
}

TensorChoice Named(const std::string& text, const NodeDef* node) {
  const bool first = text.size() > 2 && text.compare(text.size() - 2, 2, ":0") == 0;
  TensorChoice out{first ? text.substr(0, text.size() - 2) : text, text, kTfFloat, nullptr};
  if (node == nullptr) return out;  // what is not there is said when it is looked up
  out.tf_type = TypeOf(*node);
  const tfproto::AttrValue* shape = FindAttr(node->attr(), "shape");
  if (shape != nullptr && node->op().compare(0, 11, "Placeholder") == 0) out.shape = &shape->shape();
  return out;
}

// The data edges of a graph.
class Edges {
 public:
  explicit Edges(const tfproto::GraphDef& graph) {
    for (const NodeDef& node : graph.node()) nodes_.emplace(node.name(), &node);
    for (const NodeDef& node : graph.node()) {
      for (const std::string& input : node.input()) {
        if (input.empty() || input[0] == '^') continue;
        if (const NodeDef* from = Find(NodeName(input))) {
          inputs_[&node].push_back(from);
          readers_[from].push_back(&node);
        }
      }
    }
  }
  const NodeDef* Find(const std::string& name) const {
    const auto node = nodes_.find(name);
    return node != nodes_.end() ? node->second : nullptr;
  }
  bool IsRead(const NodeDef* node) const { return readers_.count(node) != 0; }
  std::unordered_map<const NodeDef*, bool> Above(const Nodes& start) const { return Reach(start, inputs_); }
  std::unordered_map<const NodeDef*, bool> Below(const Nodes& start) const { return Reach(start, readers_); }

 private:
  using Lists = std::unordered_map<const NodeDef*, Nodes>;
  static std::unordered_map<const NodeDef*, bool> Reach(Nodes stack, const Lists& lists) {
    std::unordered_map<const NodeDef*, bool> reached;
    while (!stack.empty()) {
      const NodeDef* node = stack.back();
      stack.pop_back();
      if (!reached.emplace(node, true).second) continue;
      const auto next = lists.find(node);
      if (next != lists.end()) stack.insert(stack.end(), next->second.begin(), next->second.end());
    }
    return reached;
  }
  std::unordered_map<std::string, const NodeDef*> nodes_;
  Lists inputs_, readers_;
};

Nodes Select(const tfproto::GraphDef& graph, const std::function<bool(const NodeDef&)>& keep) {
  Nodes out;
  for (const NodeDef& node : graph.node()) {
    if (keep(node)) out.push_back(&node);
  }
  return out;
}

bool IsPlaceholder(const NodeDef& node) { return node.op() == "Placeholder" || node.op() == "PlaceholderV2"; }
bool HasDefault(const NodeDef& node) {
  return node.op() == "PlaceholderWithDefault" && (ToDType(TypeOf(node)).value_or(DType::kBool) != DType::kBool);
}

}  // namespace

Result<tfproto::MetaGraphDef*> ChooseMetaGraph(tfproto::SavedModel* model, const std::string& tag) {
  std::vector<tfproto::MetaGraphDef*> exact, matching;
  std::vector<std::string> known;
  for (tfproto::MetaGraphDef& graph : *model->mutable_meta_graphs()) {
    known.push_back(TagsOf(graph));
    const std::string wanted = tag.empty() ? "serve" : tag;
    if (TagsOf(graph) == wanted) exact.push_back(&graph);
    if (HasTag(graph, wanted)) matching.push_back(&graph);
  }
  if (known.empty()) return CorruptFile("it holds no graph");
  if (exact.size() == 1) return exact[0];
  if (matching.size() == 1) return matching[0];
  if (tag.empty() && known.size() == 1) return model->mutable_meta_graphs(0);
  const std::string list = "; it has " + Join(known);
  if (tag.empty()) return InvalidArgument("several graphs: choose one with --tag" + list);
  return InvalidArgument((matching.empty() ? "no graph has the tag '" : "several graphs have the tag '") + tag + "'" +
                         list);
}

Result<const tfproto::SignatureEntry*> ChooseSignature(const tfproto::MetaGraphDef& graph, const std::string& name) {
  std::vector<std::string> known;
  std::vector<const tfproto::SignatureEntry*> usable;
  for (const tfproto::SignatureEntry& entry : graph.signature_def()) {
    known.push_back(entry.key());
    const bool numbers = TakesNumbers(entry.value());
    if (numbers) usable.push_back(&entry);
    if (!name.empty() && entry.key() == name) {
      if (numbers) return &entry;
      return Unsupported("the signature '" + name + "' takes or gives something other than tensors of numbers");
    }
  }
  std::sort(known.begin(), known.end());
  if (!name.empty()) {
    return InvalidArgument("no signature '" + name + "'; it has " + (known.empty() ? "none" : Join(known)));
  }
  for (const tfproto::SignatureEntry* entry : usable) {
    if (entry->key() == "serving_default") return entry;
  }
  if (usable.size() == 1) return usable[0];
  if (usable.empty()) return static_cast<const tfproto::SignatureEntry*>(nullptr);
  return InvalidArgument("several signatures: choose one with --signature; it has " + Join(known));
}

Interface FromSignature(const tfproto::SignatureDef& signature) {
  return {Choices(signature.inputs()), Choices(signature.outputs())};
}

Result<Interface> FromNames(const tfproto::GraphDef& graph, const Options& options) {
  const Edges edges(graph);
  Interface out;
  for (const std::string& name : options.inputs) out.inputs.push_back(Named(name, edges.Find(NodeName(name))));
  for (const std::string& name : options.outputs) out.outputs.push_back(Named(name, edges.Find(NodeName(name))));
  // Inputs with a default come second: most of them are switches.
  const Nodes placeholders = Select(graph, IsPlaceholder), defaults = Select(graph, HasDefault);
  Nodes possible = placeholders;
  possible.insert(possible.end(), defaults.begin(), defaults.end());
  if (out.outputs.empty()) {
    Nodes start;
    for (const TensorChoice& input : out.inputs) {
      if (const NodeDef* node = edges.Find(NodeName(input.tensor))) start.push_back(node);
    }
    const auto below = edges.Below(start.empty() ? possible : start);
    const Nodes ends = Select(graph, [&](const NodeDef& node) {
      return !edges.IsRead(&node) && below.count(&node) != 0 && !IsPlaceholder(node) && node.op() != "Assert";
    });
    if (ends.size() != 1) {
      return InvalidArgument("which tensors are the network's? Say it with --inputs and --outputs; placeholders: " +
                             (possible.empty() ? "none" : Join(NamesOf(possible))) +
                             "; ends of the graph: " + (ends.empty() ? "none" : Join(NamesOf(ends))));
    }
    out.outputs.push_back(Named(ends[0]->name(), ends[0]));
  }
  if (out.inputs.empty()) {
    Nodes start;
    for (const TensorChoice& output : out.outputs) {
      if (const NodeDef* node = edges.Find(NodeName(output.tensor))) start.push_back(node);
    }
    const auto above = edges.Above(start);
    for (const Nodes* nodes : {&placeholders, &defaults}) {
      if (!out.inputs.empty()) break;
      for (const NodeDef* node : *nodes) {
        if (above.count(node) != 0) out.inputs.push_back(Named(node->name(), node));
      }
    }
    if (out.inputs.empty()) {
      return InvalidArgument("which tensors are the network's inputs? Say it with --inputs; placeholders: " +
                             (possible.empty() ? "none" : Join(NamesOf(possible))));
    }
  }
  return out;
}

Status Flatten(const Interface& interface, Flattener* flattener, TfGraph* graph) {
  if (interface.inputs.size() > kMaxPorts || interface.outputs.size() > kMaxPorts) {
    return Unsupported("more than 256 inputs or outputs");
  }
  const auto port = [](const TensorChoice& choice, std::string tensor) -> Result<TfPort> {
    const TfType dtype = ToDType(choice.tf_type);
    if (!dtype) return Unsupported("'" + choice.name + "' is a tensor of " + TfTypeName(choice.tf_type));
    return TfPort{choice.name, std::move(tensor), *dtype, choice.shape != nullptr ? ToShape(*choice.shape) : TfShape()};
  };
  for (const TensorChoice& choice : interface.inputs) {
    Result<std::string> tensor = flattener->Feed(choice.tensor, choice.tf_type, choice.shape);
    if (!tensor.ok()) return tensor.status().Prefixed("input '" + choice.name + "'");
    FOVEA_ASSIGN_OR_RETURN(TfPort made, port(choice, std::move(*tensor)));
    graph->inputs.push_back(std::move(made));
  }
  for (const TensorChoice& choice : interface.outputs) {
    Result<std::string> tensor = flattener->Want(choice.tensor);
    if (!tensor.ok()) return tensor.status().Prefixed("output '" + choice.name + "'");
    FOVEA_ASSIGN_OR_RETURN(TfPort made, port(choice, std::move(*tensor)));
    graph->outputs.push_back(std::move(made));
  }
  FOVEA_RETURN_IF_ERROR(flattener->Run());
  flattener->CountLeftOut(graph);
  return OkStatus();
}

}  // namespace fovea::converter
