#include <charconv>
#include <type_traits>

#include "converter/tensorflow/tf_graph.h"
#include "converter/unsupported.h"

namespace fovea::converter {

namespace {

std::string Text(std::monostate) { return "?"; }
std::string Text(int64_t v) { return std::to_string(v); }
std::string Text(bool v) { return v ? "true" : "false"; }
std::string Text(const std::string& v) { return v; }
std::string Text(const TfType& v) { return v ? DTypeName(*v) : "?"; }
std::string Text(float v) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, v).ptr);
}
std::string Text(const TfTensor& v) {
  return "tensor of " + std::to_string(v.data == nullptr ? 0 : v.data->size()) + " elements";
}
template <class T>
std::string Text(const std::vector<T>& list) {
  std::string text;
  for (size_t i = 0; i < list.size() && text.size() < 100; ++i) text += (i > 0 ? "," : "") + Text(list[i]);
  return text;
}
std::string Text(const TfShape& v) { return v.known_rank ? "[" + Text(v.dims) + "]" : "any shape"; }
std::string Text(const std::vector<TfShape>& list) { return std::to_string(list.size()) + " shapes"; }

}  // namespace

std::string AttributesText(const TfNode& node) {
  std::string text;
  for (const auto& [name, value] : node.attrs) {
    AppendAttribute(name, std::visit([](const auto& v) { return Text(v); }, value), &text);
  }
  return text;
}

}  // namespace fovea::converter
