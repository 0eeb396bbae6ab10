#include "converter/onnx/node_context.h"

#include "converter/onnx/importer.h"

namespace fovea::converter {

NodeContext::NodeContext(Importer* importer, Scope* scope, const onnx::NodeProto& node, int64_t node_opset,
                         ir::Builder* builder, std::vector<ValueId> inputs)
    : opset(node_opset), b(*builder), importer_(importer), scope_(scope), node_(node), inputs_(std::move(inputs)) {}

Result<ValueId> NodeContext::Need(int i) const {
  if (!Has(i)) return CorruptFile("input " + std::to_string(i) + " of " + op() + " is missing");
  return In(i);
}

std::string NodeContext::Decides(int i, const char* what) const {
  const std::string& name = node_.input(i);
  const bool is_input = b.value(In(i)).producer < 0;
  return "input " + Quoted(name) + " decides " + what + " but depends on the data" +
         (is_input ? ": give it with --set " + name + "=..." : "; only what follows from the inputs' sizes can");
}

Result<Dims> NodeContext::SizesAt(int i) const {
  FOVEA_ASSIGN_OR_RETURN(const ValueId v, Need(i));
  std::optional<Dims> elements = b.Elements(v);
  if (!elements) return Unsupported(Decides(i, "sizes"));
  return *std::move(elements);
}

Result<std::vector<int64_t>> NodeContext::IntegersAt(int i) const {
  FOVEA_ASSIGN_OR_RETURN(const ValueId v, Need(i));
  std::optional<std::vector<int64_t>> integers = b.ConstIntegers(v);
  if (!integers) return Unsupported(Decides(i, "the structure"));
  return *std::move(integers);
}

Result<std::vector<float>> NodeContext::FloatsAt(int i) const {
  FOVEA_ASSIGN_OR_RETURN(const ValueId v, Need(i));
  std::optional<std::vector<float>> floats = b.ConstFloats(v);
  if (!floats) return Unsupported(Decides(i, "the structure"));
  return *std::move(floats);
}

const onnx::AttributeProto* NodeContext::Find(const char* name) const {
  for (const auto& attribute : node_.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

int64_t NodeContext::Int(const char* name, int64_t fallback) const {
  const auto* attribute = Find(name);
  return attribute != nullptr && attribute->has_i() ? attribute->i() : fallback;
}

float NodeContext::Float(const char* name, float fallback) const {
  const auto* attribute = Find(name);
  return attribute != nullptr && attribute->has_f() ? attribute->f() : fallback;
}

std::string NodeContext::String(const char* name, const char* fallback) const {
  const auto* attribute = Find(name);
  return attribute != nullptr && attribute->has_s() ? attribute->s() : fallback;
}

std::vector<int64_t> NodeContext::Ints(const char* name) const {
  const auto* attribute = Find(name);
  if (attribute == nullptr) return {};
  return {attribute->ints().begin(), attribute->ints().end()};
}

std::vector<float> NodeContext::Floats(const char* name) const {
  const auto* attribute = Find(name);
  if (attribute == nullptr) return {};
  return {attribute->floats().begin(), attribute->floats().end()};
}

bool NodeContext::Wants(int i) const {
  return i < output_count() && !node_.output(i).empty() && scope_->used.count(node_.output(i)) != 0;
}

Status NodeContext::Out(int i, ValueId value) {
  if (i >= output_count() || node_.output(i).empty()) return OkStatus();
  scope_->values[node_.output(i)] = value;
  ir::Value& made = b.graph()->values[static_cast<size_t>(value)];
  if (made.producer >= 0) made.name = node_.output(i);
  return OkStatus();
}

Status NodeContext::Out(int i, Result<ValueId> value) { return value.ok() ? Out(i, *value) : value.status(); }

std::optional<std::vector<int64_t>> NodeContext::DeclaredDims(int i) const {
  if (i >= output_count()) return std::nullopt;
  const auto found = importer_->declared_outputs().find(node_.output(i));
  if (found == importer_->declared_outputs().end()) return std::nullopt;
  for (const int64_t dim : found->second) {
    if (dim < 0) return std::nullopt;
  }
  return found->second;
}

void NodeContext::Warn(const std::string& text) {
  importer_->Warn("node " + Quoted(NodeLabel(node_)) + " (" + op() + "): " + text);
}

}  // namespace fovea::converter
