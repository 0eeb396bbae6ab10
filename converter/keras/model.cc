#include "converter/keras/model.h"

#include <map>
#include <set>
#include <utility>

namespace fovea::converter::keras {

namespace {

constexpr int kMaxDepth = 16;
constexpr size_t kMaxLayers = 20'000;
constexpr int64_t kMaxIndex = 1'000'000;

std::string Quoted(const std::string& text) { return "'" + text + "'"; }

class Parser {
 public:
  Result<ModelDef> Model(const Json& json, int depth);

 private:
  Result<LayerDef> Layer(const Json& json, int depth);
  Status Sequential(const Json& config, ModelDef* model, int depth);
  Status Functional(const Json& config, ModelDef* model, int depth);
  Status Calls(const Json& nodes, LayerDef* layer);
  Status Call(const Json& node, CallDef* call);
  Status AddArgument(const Json& value, CallDef* call, int depth);
  Result<TensorRef> Ref(const Json& list) const;
  Status Ports(const Json& list, const char* what, std::vector<TensorRef>* ports) const;

  size_t layer_count_ = 0;
  std::map<std::string, int> by_name_;  // layers of the model that is being read
};

const Json* LayerList(const Json& config) { return config.is_array() ? &config : Find(config, "layers"); }

// ["name", 0, 0] with whatever follows.
bool IsRef(const Json& value) {
  return value.is_array() && value.size() >= 3 && value[0].is_string() && AsInteger(value[1]) && AsInteger(value[2]);
}

Result<TensorRef> Parser::Ref(const Json& list) const {
  if (!IsRef(list)) return CorruptFile("a connection that is not [layer, node, tensor]");
  const std::string& name = list[0].get_ref<const std::string&>();
  const auto layer = by_name_.find(name);
  if (layer == by_name_.end()) return CorruptFile("a connection to layer " + Quoted(name) + ", which is not there");
  const int64_t call = *AsInteger(list[1]), tensor = *AsInteger(list[2]);
  if (call < 0 || call > kMaxIndex || tensor < 0 || tensor > kMaxIndex) {
    return CorruptFile("a connection to node " + std::to_string(call) + ", tensor " + std::to_string(tensor));
  }
  return TensorRef{layer->second, static_cast<int>(call), static_cast<int>(tensor)};
}

// One tensor, a list or a dictionary of them.
Status Parser::Ports(const Json& list, const char* what, std::vector<TensorRef>* ports) const {
  const auto add = [&](const Json& value) -> Status {
    Result<TensorRef> ref = Ref(value);
    if (!ref.ok()) return ref.status().Prefixed(what);
    ports->push_back(*ref);
    return OkStatus();
  };
  if (IsRef(list)) return add(list);
  if (!list.is_array() && !list.is_object()) return CorruptFile(std::string(what) + " that are not a list");
  for (const Json& value : list) FOVEA_RETURN_IF_ERROR(add(value));
  return OkStatus();
}

// Keras 3: tensors, constants, and lists of both.
Status Parser::AddArgument(const Json& value, CallDef* call, int depth) {
  if (depth > kMaxDepth) return CorruptFile("arguments nested more than 16 deep");
  if (FindString(value, "class_name") == "__keras_tensor__") {
    const Json* config = Find(value, "config");
    const Json* history = config == nullptr ? nullptr : Find(*config, "keras_history");
    if (history == nullptr) return CorruptFile("a tensor without its keras_history");
    FOVEA_ASSIGN_OR_RETURN(const TensorRef ref, Ref(*history));
    call->args.push_back({true, ref, {}});
    return OkStatus();
  }
  if (value.is_array()) {
    for (const Json& element : value) FOVEA_RETURN_IF_ERROR(AddArgument(element, call, depth + 1));
    return OkStatus();
  }
  call->args.push_back({false, {}, value});
  return OkStatus();
}

Status Parser::Call(const Json& node, CallDef* call) {
  if (node.is_object()) {  // Keras 3: {"args": [...], "kwargs": {...}}
    if (const Json* args = Find(node, "args"); args != nullptr) {
      if (!args->is_array()) return CorruptFile("arguments that are not a list");
      for (const Json& value : *args) FOVEA_RETURN_IF_ERROR(AddArgument(value, call, 0));
    }
    if (const Json* named = Find(node, "kwargs"); named != nullptr && named->is_object()) {
      for (auto it = named->begin(); it != named->end(); ++it) {
        CallDef part;
        FOVEA_RETURN_IF_ERROR(AddArgument(it.value(), &part, 0));
        if (part.args.size() == 1 && part.args[0].is_tensor) {
          call->named_tensors.emplace_back(it.key(), part.args[0].ref);
        } else {
          call->named[it.key()] = it.value();
        }
      }
    }
    return OkStatus();
  }
  if (!node.is_array()) return CorruptFile("an inbound node that is neither a list nor a dictionary");
  // Keras 1 and 2: [[layer, node, tensor, {arguments}], ...], or one such entry alone.
  std::vector<const Json*> entries;
  if (!node.empty() && node[0].is_string()) {
    entries.push_back(&node);
  } else {
    for (const Json& entry : node) entries.push_back(&entry);
  }
  for (const Json* entry : entries) {
    if (!entry->is_array() || entry->size() < 3 || !(*entry)[0].is_string()) {
      return CorruptFile("a connection that is not [layer, node, tensor]");
    }
    if ((*entry)[0] == "_CONSTANT_VALUE") {
      call->args.push_back({false, {}, (*entry)[2]});
    } else {
      FOVEA_ASSIGN_OR_RETURN(const TensorRef ref, Ref(*entry));
      call->args.push_back({true, ref, {}});
    }
    if (entry->size() < 4 || !(*entry)[3].is_object()) continue;
    for (auto it = (*entry)[3].begin(); it != (*entry)[3].end(); ++it) {
      const bool is_tensor = IsRef(it.value()) && by_name_.count(it.value()[0].get<std::string>()) != 0;
      if (is_tensor) {
        FOVEA_ASSIGN_OR_RETURN(const TensorRef ref, Ref(it.value()));
        call->named_tensors.emplace_back(it.key(), ref);
      } else {
        call->named[it.key()] = it.value();
      }
    }
  }
  return OkStatus();
}

Status Parser::Calls(const Json& nodes, LayerDef* layer) {
  if (!nodes.is_array()) return CorruptFile("inbound_nodes that are not a list");
  for (const Json& node : nodes) {
    CallDef call;
    FOVEA_RETURN_IF_ERROR(Call(node, &call));
    layer->calls.push_back(std::move(call));
  }
  return OkStatus();
}

Result<LayerDef> Parser::Layer(const Json& json, int depth) {
  if (++layer_count_ > kMaxLayers) return CorruptFile("more than 20,000 layers");
  const std::optional<std::string> class_name = FindString(json, "class_name");
  const Json* config = Find(json, "config");
  if (!class_name.has_value() || config == nullptr) return CorruptFile("a layer without class_name and config");
  LayerDef layer;
  layer.class_name = *class_name;
  layer.name = FindString(json, "name").value_or(FindString(*config, "name").value_or(""));
  if (IsModel(json)) {
    const std::map<std::string, int> outer = std::exchange(by_name_, {});
    Result<ModelDef> model = Model(json, depth + 1);
    by_name_ = outer;
    if (!model.ok()) return model.status().Prefixed("model " + Quoted(layer.name));
    layer.model = std::make_unique<ModelDef>(std::move(*model));
    if (layer.name.empty()) layer.name = layer.model->name;
    layer.config = Json::object();
    if (const Json* trainable = Find(*config, "trainable"); trainable != nullptr) {
      layer.config["trainable"] = *trainable;
    }
    return layer;
  }
  if (!config->is_object()) return CorruptFile("layer " + Quoted(layer.name) + " has no configuration");
  layer.config = *config;
  ModerniseLayer(&layer.class_name, &layer.config);
  return layer;
}

// The shape that a layer's configuration gives for its input; null: none.
const Json* InputShape(const LayerDef& layer) {
  if (layer.model != nullptr) {
    const std::vector<TensorRef>& inputs = layer.model->inputs;
    return inputs.empty() ? nullptr : InputShape(layer.model->layers[static_cast<size_t>(inputs[0].layer)]);
  }
  const Json* shape = Find(layer.config, "batch_input_shape");
  return shape != nullptr ? shape : Find(layer.config, "batch_shape");
}

Status Parser::Sequential(const Json& config, ModelDef* model, int depth) {
  for (const Json& json : *LayerList(config)) {
    FOVEA_ASSIGN_OR_RETURN(LayerDef layer, Layer(json, depth));
    const bool is_input = layer.class_name == "InputLayer";
    if (is_input && !model->layers.empty()) continue;  // Keras itself drops an InputLayer behind the first layer
    if (!is_input && model->layers.empty()) {
      LayerDef input;
      input.class_name = "InputLayer";
      input.name = layer.name + "_input";
      input.config = Json::object();
      if (const Json* shape = InputShape(layer); shape != nullptr) {
        input.config["batch_shape"] = *shape;
      } else if (const Json* built = Find(config, "build_input_shape"); built != nullptr) {
        input.config["batch_shape"] = *built;
      }
      model->layers.push_back(std::move(input));
    }
    layer.calls.clear();
    if (!model->layers.empty()) {
      CallDef call;
      call.args.push_back({true, {static_cast<int>(model->layers.size()) - 1, 0, 0}, {}});
      layer.calls.push_back(std::move(call));
    }
    model->layers.push_back(std::move(layer));
  }
  if (model->layers.empty()) return CorruptFile("a Sequential model without layers");
  model->inputs.push_back({0, 0, 0});
  model->outputs.push_back({static_cast<int>(model->layers.size()) - 1, 0, 0});
  return OkStatus();
}

// Models that are layers were called once outside when they were made, and Keras counts that call: theirs are numbered
// from 1. Files list the calls that somebody reads, so that order alone tells which is which.
void NumberCalls(ModelDef* model) {
  std::vector<std::set<int>> read(model->layers.size());
  const auto each_ref = [model](const auto& visit) {
    for (LayerDef& layer : model->layers) {
      for (CallDef& call : layer.calls) {
        for (Argument& argument : call.args) {
          if (argument.is_tensor) visit(argument.ref);
        }
        for (auto& named : call.named_tensors) visit(named.second);
      }
    }
    for (TensorRef& ref : model->inputs) visit(ref);
    for (TensorRef& ref : model->outputs) visit(ref);
  };
  each_ref([&](const TensorRef& ref) { read[static_cast<size_t>(ref.layer)].insert(ref.call); });
  each_ref([&](TensorRef& ref) {
    const std::set<int>& calls = read[static_cast<size_t>(ref.layer)];
    if (calls.size() != model->layers[static_cast<size_t>(ref.layer)].calls.size()) return;
    ref.call = static_cast<int>(std::distance(calls.begin(), calls.find(ref.call)));
  });
}

Status Parser::Functional(const Json& config, ModelDef* model, int depth) {
  const Json& list = *LayerList(config);
  for (const Json& json : list) {
    FOVEA_ASSIGN_OR_RETURN(LayerDef layer, Layer(json, depth));
    if (!by_name_.emplace(layer.name, static_cast<int>(model->layers.size())).second) {
      return CorruptFile("two layers named " + Quoted(layer.name));
    }
    model->layers.push_back(std::move(layer));
  }
  for (size_t i = 0; i < model->layers.size(); ++i) {
    const Json* nodes = Find(list[i], "inbound_nodes");
    if (nodes == nullptr) continue;
    const Status status = Calls(*nodes, &model->layers[i]);
    if (!status.ok()) return status.Prefixed("layer " + Quoted(model->layers[i].name));
  }
  const Json *inputs = Find(config, "input_layers"), *outputs = Find(config, "output_layers");
  if (inputs == nullptr || outputs == nullptr) return CorruptFile("no input_layers or output_layers");
  FOVEA_RETURN_IF_ERROR(Ports(*inputs, "input_layers", &model->inputs));
  FOVEA_RETURN_IF_ERROR(Ports(*outputs, "output_layers", &model->outputs));
  if (model->inputs.empty() || model->outputs.empty()) return CorruptFile("no inputs or no outputs");
  NumberCalls(model);
  return OkStatus();
}

Result<ModelDef> Parser::Model(const Json& json, int depth) {
  if (depth > kMaxDepth) return CorruptFile("models nested more than 16 deep");
  ModelDef model;
  model.class_name = FindString(json, "class_name").value_or("");
  const Json* config = Find(json, "config");
  if (!IsModel(json)) {
    if (config == nullptr || model.class_name.empty()) return CorruptFile("the configuration is not that of a model");
    return Unsupported("a model of class " + Quoted(model.class_name) +
                       ", whose configuration does not list its layers; only Functional and Sequential models do");
  }
  model.name = FindString(*config, "name").value_or("");
  const bool sequential = Find(*config, "input_layers") == nullptr;
  if (!LayerList(*config)->is_array()) return CorruptFile("its layers are not a list");
  FOVEA_RETURN_IF_ERROR(sequential ? Sequential(*config, &model, depth) : Functional(*config, &model, depth));
  return model;
}

}  // namespace

bool IsModel(const Json& json) {
  const Json* config = Find(json, "config");
  if (config == nullptr || LayerList(*config) == nullptr) return false;
  return FindString(json, "class_name") == "Sequential" || Find(*config, "input_layers") != nullptr;
}

Result<ModelDef> ParseModel(const Json& json) { return Parser().Model(json, 0); }

}  // namespace fovea::converter::keras
