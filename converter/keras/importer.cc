#include "converter/keras/importer.h"

#include <algorithm>
#include <set>

#include "converter/random_weights.h"
#include "converter/unsupported.h"

namespace fovea::converter::keras {

namespace {

constexpr int64_t kMaxCalls = 100'000;
constexpr ValueId kUnknownValue = -2;  // what an unsupported layer should have given: its readers are skipped, too

std::string Quoted(const std::string& text) { return "'" + text + "'"; }

std::string AttributesText(const Json& config) {
  std::string text;
  if (!config.is_object()) return text;
  for (const auto& [name, value] : config.items()) {
    const bool plain = value.is_string() || value.is_number() || value.is_boolean() || value.is_array();
    if (!plain || name == "name") continue;
    AppendAttribute(name, value.dump(-1, ' ', false, Json::error_handler_t::replace), &text);
  }
  return text;
}

}  // namespace

Result<ValueId> Importer::Param(const LayerDef& layer, const char* role,
                                const std::function<Status(Weight*)>& arrange) {
  const auto made = params_.find({&layer, role});
  if (made != params_.end()) return made->second;
  const LayerRow* row = FindLayer(layer.class_name);
  const std::vector<Role> roles = row->roles == nullptr ? std::vector<Role>() : row->roles(layer.config);
  const auto found = std::find_if(roles.begin(), roles.end(), [&](const Role& candidate) {
    const std::string names = candidate.names;
    return names.substr(0, names.find('|')) == role;
  });
  if (found == roles.end()) return Internal("layer class " + layer.class_name + " has no weight " + role);
  FOVEA_ASSIGN_OR_RETURN(const std::vector<size_t> positions, finder_.Find(layer));
  FOVEA_ASSIGN_OR_RETURN(Weight weight,
                         source_->Read(finder_.TopLayer(layer), positions[static_cast<size_t>(found - roles.begin())]));
  if (options_.random_weights) {
    weight.data = RandomWeights(layer.name + "/" + role, weight.dims, *options_.random_weights);
  } else if (options_.no_weights) {
    std::fill(weight.data.begin(), weight.data.end(), 0.0f);
  }
  if (arrange != nullptr) {
    const Status arranged = arrange(&weight);
    if (!arranged.ok()) return arranged.Prefixed(std::string("weight ") + role);
  }
  const ValueId value =
      builder_.Constant(layer.name + "/" + role, DType::kFloat32, weight.dims, std::move(weight.data));
  params_[{&layer, role}] = value;
  return value;
}

Result<std::vector<ValueId>> Importer::RunCall(const LayerDef& layer, const CallDef& call,
                                               const std::vector<Operand>& operands,
                                               const std::vector<std::pair<std::string, ValueId>>& named,
                                               const std::string& prefix) {
  const std::string label = prefix + layer.name;
  const std::string where = "layer " + Quoted(label) + " (" + layer.class_name + ")";
  if (++calls_ > kMaxCalls) return CorruptFile("more than 100,000 calls of layers");
  std::vector<ValueId> inputs;
  bool known = true;
  for (const Operand& operand : operands) {
    if (operand.constant != nullptr) continue;
    inputs.push_back(operand.value);
    known = known && operand.value != kUnknownValue;
  }
  for (const auto& [name, value] : named) {
    known = known && value != kUnknownValue;
    if (name == "inputs" || name == "x") inputs.push_back(value);
  }
  if (layer.model != nullptr) {
    if (inputs.size() != layer.model->inputs.size()) {
      return CorruptFile(where + ": " + std::to_string(inputs.size()) + " inputs for a model with " +
                         std::to_string(layer.model->inputs.size()));
    }
    return Run(*layer.model, inputs, label + "/");
  }

  const LayerRow* row = FindLayer(layer.class_name);
  Status failure;
  if (row == nullptr) {
    failure = Unsupported(WhyUnsupported(layer.class_name));
  } else if (known) {
    builder_.SetSource(label, layer.class_name);
    LayerContext context(this, layer, call, writer_, &builder_);
    context.inputs = inputs;
    context.operands = operands;
    context.named_inputs = named;
    const size_t nodes_before = graph_->nodes.size();
    const Result<ValueId> made = row->import(context);
    if (made.ok() && context.config_error().ok()) {
      graph_->Imported(layer.class_name, nodes_before, inputs, *made);
      return std::vector<ValueId>{*made};
    }
    failure = context.config_error().ok() ? made.status() : context.config_error();
    if (failure.code() == StatusCode::kInvalidArgument) failure = CorruptFile(failure.message());
    if (failure.code() != StatusCode::kUnsupported) return failure.Prefixed(where);
  }
  if (!failure.ok()) {
    report_->unsupported.push_back(
        MakeUnsupported(label, layer.class_name, AttributesText(layer.config), failure.message()));
  }
  return std::vector<ValueId>{kUnknownValue};
}

Result<std::vector<ValueId>> Importer::Run(const ModelDef& model, const std::vector<ValueId>& inputs,
                                           const std::string& prefix) {
  using Key = std::pair<int, int>;  // layer, call
  enum class Mark : uint8_t { kNew, kOpen, kDone };
  std::map<Key, std::vector<ValueId>> results;
  std::map<Key, Mark> marks;
  const auto name_of = [&](int layer) { return prefix + model.layers[static_cast<size_t>(layer)].name; };
  const auto key_of = [&](const TensorRef& ref) {
    // Some writers count the calls that a layer had outside this model, too.
    const bool once = model.layers[static_cast<size_t>(ref.layer)].calls.size() <= 1;
    return Key{ref.layer, once ? 0 : ref.call};
  };
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Key key = key_of(model.inputs[i]);
    results[key] = {inputs[i]};
    marks[key] = Mark::kDone;
  }
  const auto value_of = [&](const TensorRef& ref) -> Result<ValueId> {
    const std::vector<ValueId>& values = results[key_of(ref)];
    if (values.size() == 1 && values[0] == kUnknownValue) return kUnknownValue;
    if (static_cast<size_t>(ref.tensor) < values.size()) return values[static_cast<size_t>(ref.tensor)];
    return CorruptFile("layer " + Quoted(name_of(ref.layer)) + " has no result " + std::to_string(ref.tensor));
  };

  std::vector<Key> open;
  for (auto ref = model.outputs.rbegin(); ref != model.outputs.rend(); ++ref) open.push_back(key_of(*ref));
  while (!open.empty()) {
    const Key key = open.back();
    Mark& mark = marks[key];
    if (mark == Mark::kDone) {
      open.pop_back();
      continue;
    }
    const LayerDef& layer = model.layers[static_cast<size_t>(key.first)];
    if (static_cast<size_t>(key.second) >= layer.calls.size()) {
      return CorruptFile("layer " + Quoted(name_of(key.first)) + " is read but never called" +
                         (layer.class_name == "InputLayer" ? ", nor listed among the inputs" : ""));
    }
    const CallDef& call = layer.calls[static_cast<size_t>(key.second)];
    std::vector<TensorRef> needed;
    for (const Argument& argument : call.args) {
      if (argument.is_tensor) needed.push_back(argument.ref);
    }
    for (const auto& [name, ref] : call.named_tensors) needed.push_back(ref);
    if (mark == Mark::kNew) {
      mark = Mark::kOpen;
      for (const TensorRef& ref : needed) {
        const Key before = key_of(ref);
        const Mark state = marks[before];
        if (state == Mark::kOpen) return CorruptFile("layer " + Quoted(name_of(key.first)) + " is part of a cycle");
        if (state == Mark::kNew) open.push_back(before);
      }
      continue;
    }
    std::vector<Operand> operands;
    for (const Argument& argument : call.args) {
      Operand operand;
      if (argument.is_tensor) {
        FOVEA_ASSIGN_OR_RETURN(operand.value, value_of(argument.ref));
      } else {
        operand.constant = &argument.constant;
      }
      operands.push_back(operand);
    }
    std::vector<std::pair<std::string, ValueId>> named;
    for (const auto& [name, ref] : call.named_tensors) {
      FOVEA_ASSIGN_OR_RETURN(const ValueId value, value_of(ref));
      named.emplace_back(name, value);
    }
    FOVEA_ASSIGN_OR_RETURN(results[key], RunCall(layer, call, operands, named, prefix));
    marks[key] = Mark::kDone;
    open.pop_back();
  }
  for (size_t layer = 0; layer < model.layers.size(); ++layer) {
    if (model.layers[layer].class_name == "InputLayer") continue;
    ++report_->source_operators;
    const auto first = results.lower_bound({static_cast<int>(layer), 0});
    const bool used = first != results.end() && first->first.first == static_cast<int>(layer);
    if (!used) ++graph_->history.dropped[model.layers[layer].class_name];
  }
  std::vector<ValueId> outputs;
  for (const TensorRef& ref : model.outputs) {
    FOVEA_ASSIGN_OR_RETURN(const ValueId value, value_of(ref));
    outputs.push_back(value);
  }
  return outputs;
}

Status Importer::AddOutputs(const std::vector<ValueId>& values) {
  std::set<std::string> names;
  std::set<ValueId> used;
  for (size_t i = 0; i < values.size(); ++i) {
    const LayerDef& layer = model_.layers[static_cast<size_t>(model_.outputs[i].layer)];
    std::string name = layer.name;
    for (int n = 1; !names.insert(name).second; ++n) name = layer.name + "_" + std::to_string(n);
    ValueId value = values[i];
    if (builder_.value(value).is_const()) {
      return Unsupported("the output " + Quoted(name) + " does not depend on any input");
    }
    if (builder_.value(value).producer < 0 || used.count(value) != 0) {  // an output needs a node of its own
      builder_.SetSource(name, "Identity");
      FOVEA_ASSIGN_OR_RETURN(value, builder_.Add(UnaryParams{}, {value}));
    }
    used.insert(value);
    builder_.Output(name, value);
  }
  return OkStatus();
}

Status Importer::Import() {
  std::vector<ValueId> inputs;
  FOVEA_RETURN_IF_ERROR(AddInputs(&inputs));
  FOVEA_ASSIGN_OR_RETURN(const std::vector<ValueId> outputs, Run(model_, inputs, ""));
  FOVEA_RETURN_IF_ERROR(UnsupportedStatus(*report_));
  return AddOutputs(outputs);
}

Writer MakeWriter(const std::string& keras_version, const std::string& backend) {
  Writer writer;
  writer.keras_version = keras_version;
  writer.backend = backend;
  int* number = &writer.major;
  int value = 0;
  bool any = false;
  for (size_t i = 0; i <= keras_version.size() && number != nullptr; ++i) {
    const char c = i < keras_version.size() ? keras_version[i] : '.';
    if (c >= '0' && c <= '9' && value < 1000) {
      value = value * 10 + (c - '0');
      any = true;
    } else {
      if (any) *number = value;
      number = any && c == '.' && number == &writer.major ? &writer.minor : nullptr;
      value = 0;
      any = false;
    }
  }
  writer.is_tf_keras =
      keras_version.find("-tf") != std::string::npos || writer.major >= 3 || (writer.major == 2 && writer.minor >= 4);
  return writer;
}

Status ImportModel(const Source& source, WeightSource* weights, const Options& options, ir::Graph* graph,
                   Report* report) {
  FOVEA_ASSIGN_OR_RETURN(const ModelDef model, ParseModel(source.model));
  report->source_format = source.format + ", " + model.class_name;
  graph->metadata.source_format = report->source_format;
  graph->metadata.name = model.name;
  return Importer(model, source.writer, weights, options, graph, report).Import();
}

}  // namespace fovea::converter::keras
