#include "converter/tensorflow/graph_index.h"

#include <charconv>

namespace fovea::converter::tf {

TensorRef ParseRef(std::string_view text) {
  TensorRef ref;
  if (!text.empty() && text[0] == '^') {
    ref.control = true;
    text.remove_prefix(1);
  }
  ref.node = text;
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return ref;
  int output = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, output);
  if (error != std::errc() || stop != end || output < 0) return ref;
  ref.node = text.substr(0, colon);
  ref.output = output;
  return ref;
}

int GraphIndex::Find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? -1 : found->second;
}

Edge GraphIndex::Resolve(std::string_view tensor) const {
  const TensorRef ref = ParseRef(tensor);
  return {Find(ref.node), ref.output};
}

Result<GraphIndex> GraphIndex::Make(const TfGraph& tf) {
  GraphIndex index;
  index.tf_ = &tf;
  const size_t count = tf.nodes.size();
  index.by_name_.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    if (!index.by_name_.emplace(tf.nodes[i].name, static_cast<int>(i)).second) {
      return CorruptFile("two nodes have the name '" + tf.nodes[i].name + "'");
    }
  }
  index.inputs_.resize(count);
  index.controls_.resize(count);
  std::vector<std::vector<int>> readers(count);
  std::vector<int> waiting(count, 0);
  for (size_t i = 0; i < count; ++i) {
    for (const std::string& text : tf.nodes[i].inputs) {
      const TensorRef ref = ParseRef(text);
      const int producer = index.Find(ref.node);
      if (!ref.control) index.inputs_[i].push_back({producer, ref.output});
      if (producer < 0) continue;
      if (ref.control) index.controls_[i].push_back(producer);
      readers[static_cast<size_t>(producer)].push_back(static_cast<int>(i));
      ++waiting[i];
    }
  }
  for (size_t i = 0; i < count; ++i) {
    if (waiting[i] == 0) index.order_.push_back(static_cast<int>(i));
  }
  for (size_t next = 0; next < index.order_.size(); ++next) {
    for (const int reader : readers[static_cast<size_t>(index.order_[next])]) {
      if (--waiting[static_cast<size_t>(reader)] == 0) index.order_.push_back(reader);
    }
  }
  return index;
}

}  // namespace fovea::converter::tf
