#include "formats/bundle/document.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace fovea::formats {
namespace {

constexpr double kExactIntegers = 9007199254740992.0;  // 2^53

const Node& NullNode() {
  static const Node node;
  return node;
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

bool OneOf(std::string_view text, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (text == word) return true;
  }
  return false;
}

void Append(const Node& node, size_t max_bytes, std::string* out) {
  if (out->size() > max_bytes) return;
  switch (node.kind) {
    case Node::Kind::kNull: *out += "null"; break;
    case Node::Kind::kScalar: *out += node.text; break;
    case Node::Kind::kList:
      *out += '[';
      for (size_t i = 0; i < node.list.size() && out->size() <= max_bytes; ++i) {
        if (i > 0) *out += ", ";
        Append(node.list[i], max_bytes, out);
      }
      *out += ']';
      break;
    case Node::Kind::kMap:
      *out += '{';
      for (size_t i = 0; i < node.map.size() && out->size() <= max_bytes; ++i) {
        if (i > 0) *out += ", ";
        *out += node.map[i].key + ": ";
        Append(node.map[i].value, max_bytes, out);
      }
      *out += '}';
      break;
  }
}

}  // namespace

const Node& Node::At(std::string_view key) const {
  for (auto member = map.rbegin(); member != map.rend(); ++member) {
    if (member->key == key) return member->value;
  }
  return NullNode();
}

std::vector<const Node*> Node::Elements() const {
  std::vector<const Node*> out;
  if (is_null()) return out;
  if (!is_list()) return {this};
  for (const Node& node : list) out.push_back(&node);
  return out;
}

const std::string& Node::Text() const { return text; }

std::optional<double> Node::Number() const {
  if (!is_scalar()) return std::nullopt;
  std::string_view word = Trimmed(text);
  if (!word.empty() && word[0] == '+') word.remove_prefix(1);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (OneOf(word, {".inf", "inf", ".Inf", ".INF", "Infinity"})) return kInfinity;
  if (OneOf(word, {"-.inf", "-inf", "-.Inf", "-.INF", "-Infinity"})) return -kInfinity;
  double value = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != word.data() + word.size() || std::isnan(value)) return std::nullopt;
  return value;
}

std::optional<int64_t> Node::Integer() const {
  const std::optional<double> number = Number();
  if (!number || std::abs(*number) > kExactIntegers || *number != std::floor(*number)) return std::nullopt;
  return static_cast<int64_t>(*number);
}

std::optional<bool> Node::Truth() const {
  if (!is_scalar()) return std::nullopt;
  if (OneOf(text, {"true", "True", "TRUE", "yes", "on"})) return true;
  if (OneOf(text, {"false", "False", "FALSE", "no", "off"})) return false;
  return std::nullopt;
}

std::string Node::ToString(size_t max_bytes) const {
  std::string out;
  Append(*this, max_bytes, &out);
  if (out.size() > max_bytes) {
    size_t end = max_bytes;
    while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80) --end;  // not within a UTF-8 character
    out = out.substr(0, end) + "...";
  }
  return out;
}

std::optional<double> ParseLocaleNumber(std::string_view text, std::string* rest) {
  text = Trimmed(text);
  std::string digits(text);
  // A comma between digits is a decimal one: no file of the zoo groups thousands.
  for (size_t i = 1; i + 1 < digits.size(); ++i) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (digits[i] == ',' && digit(digits[i - 1]) && digit(digits[i + 1])) {
      digits[i] = '.';
      break;
    }
  }
  double value = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (parsed.ec != std::errc() || !std::isfinite(value)) return std::nullopt;
  if (rest != nullptr) *rest = Trimmed(text.substr(static_cast<size_t>(parsed.ptr - digits.data())));
  return value;
}

}  // namespace fovea::formats
