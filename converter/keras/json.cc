#include "converter/keras/json.h"

#include <cctype>
#include <cmath>
#include <cstring>

namespace fovea::converter::keras {

namespace {

constexpr int kMaxDepth = 100;
constexpr double kExactIntegers = 9007199254740992.0;  // 2^53

bool TooDeep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

// Python's json writes numbers that JSON does not have.
std::string WithoutPythonNumbers(std::string_view text) {
  static constexpr std::string_view kWords[] = {"-Infinity", "Infinity", "NaN"};
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!in_string) {
      bool replaced = false;
      for (const std::string_view word : kWords) {
        if (text.compare(i, word.size(), word) != 0) continue;
        out += "null";
        i += word.size() - 1;
        replaced = true;
        break;
      }
      if (replaced) continue;
    }
    out += text[i];
    if (in_string && text[i] == '\\' && i + 1 < text.size()) {
      out += text[++i];
    } else if (text[i] == '"') {
      in_string = !in_string;
    }
  }
  return out;
}

}  // namespace

Result<Json> ParseJson(std::string_view text, const std::string& what) {
  if (text.size() > kMaxJsonBytes) return CorruptFile(what + " has " + std::to_string(text.size()) + " bytes");
  if (TooDeep(text)) return CorruptFile(what + " is nested more than 100 deep");
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() &&
      (text.find("NaN") != std::string_view::npos || text.find("Infinity") != std::string_view::npos)) {
    json = Json::parse(WithoutPythonNumbers(text), nullptr, /*allow_exceptions=*/false);
  }
  if (json.is_discarded()) return CorruptFile(what + " is not JSON");
  return json;
}

const Json* Find(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  for (auto it = object.begin(); it != object.end(); ++it) {
    if (it.key() == key) return it.value().is_null() ? nullptr : &it.value();
  }
  return nullptr;
}

std::optional<std::string> FindString(const Json& object, std::string_view key) {
  const Json* member = Find(object, key);
  if (member == nullptr || !member->is_string()) return std::nullopt;
  return member->get_ref<const std::string&>();
}

std::optional<int64_t> FindInteger(const Json& object, std::string_view key) {
  const Json* member = Find(object, key);
  return member == nullptr ? std::nullopt : AsInteger(*member);
}

std::optional<int64_t> AsInteger(const Json& value) {
  if (!value.is_number()) return std::nullopt;
  const double number = value.get<double>();
  if (!(std::fabs(number) <= kExactIntegers) || number != std::floor(number)) return std::nullopt;
  return static_cast<int64_t>(number);
}

}  // namespace fovea::converter::keras
