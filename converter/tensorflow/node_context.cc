#include "converter/tensorflow/node_context.h"

#include "converter/tensorflow/common.h"

namespace fovea::converter::tf {

Result<ValueId> NodeContext::Need(int i) const {
  if (i >= input_count() || In(i) == ir::kNoValue) return CorruptFile("input " + std::to_string(i) + " is missing");
  return In(i);
}

std::string NodeContext::Decides(int i, const char* what) const {
  std::string name;
  int data = 0;
  for (const std::string& input : node_.inputs) {
    if (!ParseRef(input).control && data++ == i) name = input;
  }
  const bool is_input = b.value(In(i)).producer < 0;
  return "input '" + name + "' decides " + what + " but depends on the data" +
         (is_input ? ": give it with --set " + b.value(In(i)).name + "=..."
                   : "; only what follows from the inputs' sizes can");
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
  if (!floats) return Unsupported(Decides(i, "the result"));
  return *std::move(floats);
}

Result<int64_t> NodeContext::IntegerAt(int i) const {
  FOVEA_ASSIGN_OR_RETURN(const std::vector<int64_t> list, IntegersAt(i));
  if (list.size() != 1) return CorruptFile("input " + std::to_string(i) + " is not a single number");
  return list[0];
}

Result<int64_t> NodeContext::AxisAt(int i, int rank) const {
  FOVEA_ASSIGN_OR_RETURN(const int64_t axis, IntegerAt(i));
  return NormalAxis(axis, rank);
}

int64_t NodeContext::Int(const char* name, int64_t fallback) const {
  const int64_t* found = FindAttr<int64_t>(node_, name);
  return found != nullptr ? *found : fallback;
}

float NodeContext::Float(const char* name, float fallback) const {
  const float* found = FindAttr<float>(node_, name);
  if (found != nullptr) return *found;
  const int64_t* integer = FindAttr<int64_t>(node_, name);
  return integer != nullptr ? static_cast<float>(*integer) : fallback;
}

bool NodeContext::Bool(const char* name, bool fallback) const {
  const bool* found = FindAttr<bool>(node_, name);
  return found != nullptr ? *found : fallback;
}

std::string NodeContext::String(const char* name, const char* fallback) const {
  const std::string* found = FindAttr<std::string>(node_, name);
  return found != nullptr ? *found : fallback;
}

std::vector<int64_t> NodeContext::Ints(const char* name) const {
  const auto* found = FindAttr<std::vector<int64_t>>(node_, name);
  return found != nullptr ? *found : std::vector<int64_t>();
}

std::vector<std::string> NodeContext::Strings(const char* name) const {
  const auto* found = FindAttr<std::vector<std::string>>(node_, name);
  return found != nullptr ? *found : std::vector<std::string>();
}

Result<DType> NodeContext::Type(const char* name, DType fallback) const {
  const TfType* found = FindAttr<TfType>(node_, name);
  if (found == nullptr) return fallback;
  if (!found->has_value()) return Unsupported(std::string("its type ") + name + " is none that fovea has");
  return **found;
}

Status NodeContext::Out(int i, Tensor tensor) {
  if (static_cast<size_t>(i) >= outputs_.size()) outputs_.resize(static_cast<size_t>(i) + 1);
  if (tensor.value != ir::kNoValue) {
    ir::Value& made = b.graph()->values[static_cast<size_t>(tensor.value)];
    if (made.producer >= 0) made.name = i == 0 ? node_.name : node_.name + ":" + std::to_string(i);
  }
  outputs_[static_cast<size_t>(i)] = std::move(tensor);
  return OkStatus();
}

Status NodeContext::Out(int i, Result<ValueId> value) { return value.ok() ? Out(i, *value) : value.status(); }

void NodeContext::Warn(const std::string& text) {
  b.graph()->warnings.push_back("node '" + node_.name + "' (" + op() + "): " + text);
}

}  // namespace fovea::converter::tf
