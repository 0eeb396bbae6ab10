#include "converter/keras/layer_context.h"

#include <cmath>

#include "converter/keras/importer.h"

namespace fovea::converter::keras {

namespace {

constexpr int64_t kMaxNumber = int64_t{1} << 40;

std::optional<int64_t> SmallInteger(const Json& value) {
  const std::optional<int64_t> number = AsInteger(value);
  return number && std::llabs(*number) <= kMaxNumber ? number : std::nullopt;
}

}  // namespace

std::optional<std::vector<float>> AsFloats(const Json& value) {
  if (value.is_number()) return std::vector<float>{static_cast<float>(value.get<double>())};
  if (value.is_object()) {
    const Json* inner = Find(value, "value");
    return inner == nullptr || inner->is_object() ? std::nullopt : AsFloats(*inner);
  }
  if (!value.is_array()) return std::nullopt;
  std::vector<float> floats;
  for (const Json& element : value) {
    if (element.is_array() && value.size() == 1) return AsFloats(element);
    if (!element.is_number()) return std::nullopt;
    floats.push_back(static_cast<float>(element.get<double>()));
  }
  return floats;
}

void LayerContext::WrongKind(const char* key, const char* wanted) {
  if (!config_error_.ok()) return;
  std::string text = Find(layer_.config, key)->dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  config_error_ = CorruptFile(std::string(key) + " is " + text + " where " + wanted + " is wanted");
}

bool LayerContext::Bool(const char* key, bool otherwise) {
  const Json* value = Find(layer_.config, key);
  if (value == nullptr) return otherwise;
  if (value->is_boolean()) return value->get<bool>();
  if (const auto number = AsInteger(*value)) return *number != 0;
  WrongKind(key, "true or false");
  return otherwise;
}

int64_t LayerContext::Int(const char* key, int64_t otherwise) {
  const Json* value = Find(layer_.config, key);
  if (value == nullptr) return otherwise;
  const bool list_of_one = value->is_array() && value->size() == 1;
  if (const auto number = SmallInteger(list_of_one ? (*value)[0] : *value)) return *number;
  WrongKind(key, "an integer");
  return otherwise;
}

float LayerContext::Float(const char* key, float otherwise) {
  const Json* value = Find(layer_.config, key);
  if (value == nullptr) return otherwise;
  const auto numbers = AsFloats(*value);
  if (numbers && numbers->size() == 1 && std::isfinite((*numbers)[0])) return (*numbers)[0];
  WrongKind(key, "a number");
  return otherwise;
}

std::string LayerContext::String(const char* key, const std::string& otherwise) {
  const Json* value = Find(layer_.config, key);
  if (value == nullptr) return otherwise;
  if (value->is_string()) return value->get<std::string>();
  WrongKind(key, "text");
  return otherwise;
}

std::vector<int64_t> LayerContext::Ints(const char* key, size_t n, int64_t otherwise) {
  std::vector<int64_t> numbers = IntList(key);
  if (numbers.empty()) return std::vector<int64_t>(n, otherwise);
  if (numbers.size() == 1) numbers.resize(n, numbers[0]);
  if (numbers.size() != n) {
    WrongKind(key, "one integer an axis");
    numbers.assign(n, otherwise);
  }
  return numbers;
}

std::vector<int64_t> LayerContext::IntList(const char* key, std::optional<int64_t> for_null) {
  const Json* value = Find(layer_.config, key);
  if (value == nullptr) return {};
  std::vector<int64_t> numbers;
  if (value->is_array()) {
    for (const Json& element : *value) {
      const auto number = element.is_null() ? for_null : SmallInteger(element);
      if (!number) {
        WrongKind(key, "a list of integers");
        return {};
      }
      numbers.push_back(*number);
    }
  } else if (const auto number = SmallInteger(*value)) {
    numbers.push_back(*number);
  } else {
    WrongKind(key, "an integer or a list of them");
  }
  return numbers;
}

bool LayerContext::ChannelsFirst() {
  const std::string format = String("data_format", "channels_last");
  if (format != "channels_first" && format != "channels_last" && format != "default") {
    WrongKind("data_format", "channels_first or channels_last");
  }
  return format == "channels_first";
}

Result<ValueId> LayerContext::Input() const {
  if (inputs.size() == 1) return inputs[0];
  return CorruptFile(std::to_string(inputs.size()) + " inputs where the layer takes one");
}

Result<ValueId> LayerContext::Param(const char* role, const std::function<Status(Weight*)>& arrange) {
  return importer_->Param(layer_, role, arrange);
}

std::optional<uint64_t> LayerContext::DropoutSeed() const { return importer_->options().dropout_seed; }

void LayerContext::Warn(const std::string& text) { importer_->Warn("layer '" + layer_.name + "': " + text); }

}  // namespace fovea::converter::keras
