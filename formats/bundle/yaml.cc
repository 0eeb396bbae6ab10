// YAML by libyaml's parser of events: its own nesting is bounded, no tree is built before it is counted, and aliases
// are copies that count.
#include <yaml.h>

#include <map>
#include <memory>

#include "formats/bundle/document.h"

namespace fovea::formats {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) {
    ready_ = yaml_parser_initialize(&parser_) != 0;
    if (!ready_) return;
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~Parser() {
    if (ready_) yaml_parser_delete(&parser_);
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  Result<Node> Document() {
    if (!ready_) return OutOfMemory("no memory to read YAML");
    Node root;
    FOVEA_RETURN_IF_ERROR(Next());
    while (event_->type == YAML_STREAM_START_EVENT || event_->type == YAML_DOCUMENT_START_EVENT) {
      FOVEA_RETURN_IF_ERROR(Next());
    }
    if (event_->type == YAML_STREAM_END_EVENT) return root;  // an empty file
    FOVEA_RETURN_IF_ERROR(Value(0, &root));
    FOVEA_RETURN_IF_ERROR(Next());
    if (event_->type == YAML_DOCUMENT_END_EVENT) FOVEA_RETURN_IF_ERROR(Next());
    if (event_->type != YAML_STREAM_END_EVENT) return Fail("a second document follows; one is expected");
    return root;
  }

 private:
  struct DeleteEvent {
    void operator()(yaml_event_t* event) const {
      yaml_event_delete(event);
      delete event;
    }
  };

  Status Next() {
    event_.reset();
    auto* event = new yaml_event_t;
    if (yaml_parser_parse(&parser_, event) == 0) {
      delete event;
      line_ = static_cast<int>(parser_.problem_mark.line) + 1;
      return Fail(parser_.problem != nullptr ? parser_.problem : "not YAML");
    }
    event_.reset(event);
    line_ = static_cast<int>(event->start_mark.line) + 1;
    return OkStatus();
  }

  Status Fail(const std::string& what) const { return CorruptFile("line " + std::to_string(line_) + ": " + what); }

  Status Count(size_t nodes) {
    nodes_ += nodes;
    if (nodes_ > kMaxNodes) return Fail("more than " + std::to_string(kMaxNodes) + " entries");
    return OkStatus();
  }

  static std::string Name(const yaml_char_t* name) {
    return name == nullptr ? "" : reinterpret_cast<const char*>(name);
  }

  // The value that the current event begins; leaves the event that ends it as the current one.
  Status Value(int depth, Node* node) {
    FOVEA_RETURN_IF_ERROR(Count(1));
    const size_t before = nodes_;
    node->line = line_;
    std::string anchor;
    switch (event_->type) {
      case YAML_ALIAS_EVENT: return Alias(depth, node);
      case YAML_SCALAR_EVENT:
        anchor = Name(event_->data.scalar.anchor);
        Scalar(node);
        break;
      case YAML_SEQUENCE_START_EVENT:
        if (depth >= kMaxDepth) return Fail("nested more than " + std::to_string(kMaxDepth) + " deep");
        anchor = Name(event_->data.sequence_start.anchor);
        FOVEA_RETURN_IF_ERROR(List(depth, node));
        break;
      case YAML_MAPPING_START_EVENT:
        if (depth >= kMaxDepth) return Fail("nested more than " + std::to_string(kMaxDepth) + " deep");
        anchor = Name(event_->data.mapping_start.anchor);
        FOVEA_RETURN_IF_ERROR(Map(depth, node));
        break;
      default: return Fail("a value is missing");
    }
    if (!anchor.empty()) {
      const size_t size = nodes_ - before + 1;
      FOVEA_RETURN_IF_ERROR(Count(size));  // the copy that is kept
      anchors_[anchor] = {*node, size, Depth(*node)};
    }
    return OkStatus();
  }

  Status Alias(int depth, Node* node) {
    const std::string name = Name(event_->data.alias.anchor);
    const auto found = anchors_.find(name);
    if (found == anchors_.end()) return Fail("'*" + name + "' is named nowhere before");
    FOVEA_RETURN_IF_ERROR(Count(found->second.nodes));
    if (depth + found->second.depth > kMaxDepth) return Fail("nested more than " + std::to_string(kMaxDepth) + " deep");
    *node = found->second.node;
    return OkStatus();
  }

  void Scalar(Node* node) {
    const auto& scalar = event_->data.scalar;
    node->text.assign(reinterpret_cast<const char*>(scalar.value), scalar.length);
    node->quoted = scalar.style != YAML_PLAIN_SCALAR_STYLE;
    const bool null = !node->quoted && (node->text.empty() || node->text == "~" || node->text == "null" ||
                                        node->text == "Null" || node->text == "NULL");
    if (null) node->text.clear();
    node->kind = null ? Node::Kind::kNull : Node::Kind::kScalar;
  }

  Status List(int depth, Node* node) {
    node->kind = Node::Kind::kList;
    while (true) {
      FOVEA_RETURN_IF_ERROR(Next());
      if (event_->type == YAML_SEQUENCE_END_EVENT) return OkStatus();
      node->list.emplace_back();
      FOVEA_RETURN_IF_ERROR(Value(depth + 1, &node->list.back()));
    }
  }

  Status Map(int depth, Node* node) {
    node->kind = Node::Kind::kMap;
    while (true) {
      FOVEA_RETURN_IF_ERROR(Next());
      if (event_->type == YAML_MAPPING_END_EVENT) return OkStatus();
      Node key, value;
      FOVEA_RETURN_IF_ERROR(Value(depth + 1, &key));
      if (!key.is_scalar() && !key.is_null()) return Fail("a key that is a list or a map");
      FOVEA_RETURN_IF_ERROR(Next());
      FOVEA_RETURN_IF_ERROR(Value(depth + 1, &value));
      node->map.push_back({key.text, std::move(value)});
    }
  }

  static int Depth(const Node& node) {
    int deepest = 0;
    for (const Node& child : node.list) deepest = std::max(deepest, 1 + Depth(child));
    for (const auto& [key, child] : node.map) deepest = std::max(deepest, 1 + Depth(child));
    return deepest;
  }

  struct Anchor {
    Node node;
    size_t nodes = 0;
    int depth = 0;
  };

  yaml_parser_t parser_;
  bool ready_ = false;
  std::unique_ptr<yaml_event_t, DeleteEvent> event_;
  std::map<std::string, Anchor> anchors_;
  size_t nodes_ = 0;
  int line_ = 0;
};

}  // namespace

Result<Node> ParseYaml(std::string_view text) {
  if (text.size() > kMaxDocumentBytes) return CorruptFile(std::to_string(text.size()) + " bytes: too large");
  return Parser(text).Document();
}

}  // namespace fovea::formats
