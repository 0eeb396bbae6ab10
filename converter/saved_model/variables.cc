#include "converter/saved_model/variables.h"

#include <algorithm>

#include "converter/random_weights.h"
#include "converter/saved_model/bundle.h"
#include "converter/saved_model/tensor.h"

namespace fovea::converter {

namespace {

using NodeDef = tfproto::NodeDef;

constexpr uint64_t kMaxZeros = uint64_t{1} << 29;  // elements that stand in for absent weights
constexpr const char* kObjectGraph = "_CHECKPOINTABLE_OBJECT_GRAPH";

struct Restored {
  std::string key, slice;
};
using Restores = std::map<const NodeDef*, Restored>;

// The operator behind any number of Identity.
Result<Flattener::Tensor> Source(Flattener* flattener, Scope* scope, const std::string& input) {
  FOVEA_ASSIGN_OR_RETURN(Flattener::Tensor tensor, flattener->Resolve(scope, input));
  for (int hops = 0; tensor.node->op() == "Identity" && tensor.node->input_size() > 0 && hops < 100; ++hops) {
    FOVEA_ASSIGN_OR_RETURN(tensor, flattener->Resolve(tensor.scope, tensor.node->input(0)));
  }
  return tensor;
}

Result<std::string> StringElement(Flattener* flattener, const Flattener::Tensor& restore, int input) {
  if (restore.node->input_size() <= input) return CorruptFile("a restore operation with too few inputs");
  FOVEA_ASSIGN_OR_RETURN(const Flattener::Tensor tensor, Source(flattener, restore.scope, restore.node->input(input)));
  const tfproto::AttrValue* value = FindAttr(tensor.node->attr(), "value");
  if (value == nullptr || restore.index >= value->tensor().string_val_size()) {
    return CorruptFile("a restore operation without names");
  }
  return value->tensor().string_val(static_cast<int>(restore.index));
}

Status AddRestore(Flattener* flattener, Scope* scope, const NodeDef& assign, Restores* restores) {
  FOVEA_ASSIGN_OR_RETURN(const Flattener::Tensor variable, Source(flattener, scope, assign.input(0)));
  FOVEA_ASSIGN_OR_RETURN(const Flattener::Tensor value, Source(flattener, scope, assign.input(1)));
  if (value.node->op() != "RestoreV2") return OkStatus();
  Restored restored;
  FOVEA_ASSIGN_OR_RETURN(restored.key, StringElement(flattener, value, 1));
  FOVEA_ASSIGN_OR_RETURN(restored.slice, StringElement(flattener, value, 2));
  restores->emplace(variable.node, std::move(restored));
  return OkStatus();
}

// What the operation `name` restores. What can't be followed is left to the variables' names.
Restores FindRestores(Flattener* flattener, const std::string& name) {
  Restores restores;
  NodeDef* operation = Flattener::Find(flattener->top(), name);
  if (operation == nullptr) return restores;
  const Result<Scope*> function = flattener->Enter(flattener->top(), operation);
  if (!function.ok()) return restores;
  const bool in_graph = *function == nullptr;
  // Operations of one saver share their first name: "save/restore_all", "save/Assign_3".
  const std::string prefix = in_graph ? name.substr(0, name.rfind('/') + 1) : "";
  std::vector<Scope*> scopes = {in_graph ? flattener->top() : *function};
  for (size_t i = 0; i < scopes.size(); ++i) {
    for (NodeDef& node : *Flattener::Nodes(scopes[i])) {
      if (node.name().compare(0, prefix.size(), prefix) != 0) continue;
      if ((node.op() == "Assign" || node.op() == "AssignVariableOp") && node.input_size() >= 2) {
        (void)AddRestore(flattener, scopes[i], node, &restores).ok();
      } else if (!in_graph) {
        const Result<Scope*> child = flattener->Enter(scopes[i], &node);
        if (child.ok() && *child != nullptr) scopes.push_back(*child);
      }
    }
  }
  return restores;
}

// Names of variables to keys, from the object graph of TensorFlow 2; names that come twice are left out.
std::map<std::string, std::string> ReadFullNames(Bundle* bundle) {
  std::map<std::string, std::string> keys;
  const Result<std::string> text = bundle->ReadString(kObjectGraph);
  tfproto::TrackableObjectGraph objects;
  if (!text.ok() || !objects.ParseFromString(*text)) return keys;
  for (const auto& object : objects.nodes()) {
    for (const auto& attribute : object.attributes()) {
      if (attribute.full_name().empty()) continue;
      const auto [known, fresh] = keys.emplace(attribute.full_name(), attribute.checkpoint_key());
      if (!fresh && known->second != attribute.checkpoint_key()) known->second.clear();
    }
  }
  return keys;
}

std::string NameOf(const NodeDef& variable) {
  const tfproto::AttrValue* shared = FindAttr(variable.attr(), "shared_name");
  return shared != nullptr && !shared->s().empty() ? shared->s() : variable.name();
}

// `count` variables' names, at most three of them.
std::string SomeNames(const std::vector<Flattener::Variable>& variables) {
  std::string names;
  for (size_t i = 0; i < std::min<size_t>(variables.size(), 3); ++i) {
    names += (i > 0 ? ", '" : "'") + NameOf(*variables[i].def) + "'";
  }
  return names + (variables.size() > 3 ? ", ..." : "");
}

Status FillIn(Flattener* flattener, const Options& options) {
  uint64_t budget = kMaxZeros;
  for (const Flattener::Variable& variable : flattener->variables()) {
    const std::string where = "variable '" + NameOf(*variable.def) + "'";
    const tfproto::AttrValue* shape = FindAttr(variable.def->attr(), "shape");
    const tfproto::AttrValue* type = FindAttr(variable.def->attr(), "dtype");
    const TfType dtype = ToDType(type != nullptr ? type->type() : 0);
    if (!dtype) return Unsupported(where + " is not of numbers");
    const TfShape known = shape != nullptr ? ToShape(shape->shape()) : TfShape();
    const std::optional<uint64_t> count = known.known_rank ? ElementCount(known.dims) : std::nullopt;
    if (!count) return Unsupported(where + ": the graph does not say its size, so --no-weights can't stand in for it");
    if (*count > budget) return CorruptFile(where + ": the graph asks for more than 2 GiB of weights");
    budget -= *count;
    std::vector<float> values = options.random_weights
                                    ? RandomWeights(NameOf(*variable.def), known.dims, *options.random_weights)
                                    : std::vector<float>(*count);
    TfTensor tensor = MakeFloatTensor(known.dims, std::move(values));
    tensor.dtype = *dtype;
    if (!IsFloat(*dtype) && *count <= 4096) tensor.integers.assign(*count, 0);
    flattener->nodes()[variable.node].attrs["value"] = std::move(tensor);
  }
  return OkStatus();
}

Status CheckShape(const NodeDef& variable, const TfTensor& tensor) {
  const tfproto::AttrValue* attr = FindAttr(variable.attr(), "shape");
  if (attr == nullptr) return OkStatus();
  const TfShape shape = ToShape(attr->shape());
  if (!shape.known_rank) return OkStatus();
  bool fits = shape.dims.size() == tensor.dims.size();
  for (size_t i = 0; fits && i < shape.dims.size(); ++i) fits = shape.dims[i] < 0 || shape.dims[i] == tensor.dims[i];
  if (fits) return OkStatus();
  return CorruptFile("variable '" + NameOf(variable) + "' has another shape in the checkpoint than in the graph");
}

}  // namespace

Status LoadVariables(Flattener* flattener, const std::string& restore_op, FileTree* tree, const std::string& folder,
                     const Options& options, std::vector<std::string>* warnings) {
  const std::vector<Flattener::Variable>& variables = flattener->variables();
  if (variables.empty()) return OkStatus();
  if (options.no_weights || options.random_weights) {
    warnings->push_back("without weights: " + std::to_string(variables.size()) + " variables are " +
                        (options.random_weights ? "random numbers" : "zeros"));
    return FillIn(flattener, options);
  }
  const std::string prefix = folder + "variables/variables";
  if (!tree->Has(prefix + ".index")) {
    return NotFound("the weights are missing: there is no " + prefix + ".index, but the network needs " +
                    std::to_string(variables.size()) + " variables (" + SomeNames(variables) +
                    "); --no-weights converts it for planning only");
  }
  FOVEA_ASSIGN_OR_RETURN(Bundle bundle, Bundle::Open(tree, prefix));
  const Restores restores = FindRestores(flattener, restore_op);
  std::optional<std::map<std::string, std::string>> full_names;
  std::vector<Bundle::Request> requests;
  std::vector<Flattener::Variable> missing;
  for (const Flattener::Variable& variable : variables) {
    const std::string name = NameOf(*variable.def);
    const auto restored = restores.find(variable.def);
    if (restored != restores.end() && bundle.Has(restored->second.key)) {
      requests.push_back({restored->second.key, restored->second.slice, name});
    } else if (bundle.Has(name) || bundle.Has(variable.def->name())) {
      requests.push_back({bundle.Has(name) ? name : variable.def->name(), "", name});
    } else {
      if (!full_names) full_names = ReadFullNames(&bundle);
      const auto key = full_names->find(name);
      if (key != full_names->end() && bundle.Has(key->second)) {
        requests.push_back({key->second, "", name});
      } else {
        missing.push_back(variable);
      }
    }
  }
  if (!missing.empty()) {
    return NotFound(prefix + ".index has no values for " + std::to_string(missing.size()) + " of " +
                    std::to_string(variables.size()) + " variables: " + SomeNames(missing));
  }
  Result<std::vector<TfTensor>> tensors = bundle.Read(requests);
  if (!tensors.ok()) return tensors.status().Prefixed(prefix);
  for (size_t i = 0; i < variables.size(); ++i) {
    FOVEA_RETURN_IF_ERROR(CheckShape(*variables[i].def, (*tensors)[i]));
    flattener->nodes()[variables[i].node].attrs["value"] = std::move((*tensors)[i]);
  }
  return OkStatus();
}

}  // namespace fovea::converter
