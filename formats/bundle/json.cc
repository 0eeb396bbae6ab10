// JSON by nlohmann's event parser, which never holds the file as a tree of its own.
#include <nlohmann/json.hpp>

#include "formats/bundle/document.h"

namespace fovea::formats {
namespace {

class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(Node* root) : root_(root) {}

  const std::string& problem() const { return problem_; }

  bool null() override { return Add({}); }
  bool boolean(bool value) override { return Scalar(value ? "true" : "false", false); }
  bool number_integer(number_integer_t value) override { return Scalar(std::to_string(value), false); }
  bool number_unsigned(number_unsigned_t value) override { return Scalar(std::to_string(value), false); }
  bool number_float(number_float_t, const string_t& text) override { return Scalar(text, false); }
  bool string(string_t& value) override { return Scalar(value, true); }
  bool binary(binary_t&) override { return Refuse("not JSON"); }
  bool start_object(size_t) override { return Open(Node::Kind::kMap); }
  bool start_array(size_t) override { return Open(Node::Kind::kList); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& value) override {
    key_ = value;
    return true;
  }
  bool parse_error(size_t at, const std::string&, const nlohmann::detail::exception&) override {
    return Refuse("not JSON at byte " + std::to_string(at));
  }

 private:
  bool Refuse(const std::string& problem) {
    problem_ = problem;
    return false;
  }

  bool Scalar(const std::string& text, bool quoted) {
    Node node;
    node.kind = Node::Kind::kScalar;
    node.text = text;
    node.quoted = quoted;
    return Add(std::move(node));
  }

  // Nodes above the current one do not move while it is filled: only the last element of each is open.
  Node* Place() {
    if (open_.empty()) return root_;
    Node* parent = open_.back();
    if (parent->is_list()) return &parent->list.emplace_back();
    parent->map.push_back({key_, Node()});
    return &parent->map.back().value;
  }

  bool Add(Node node) {
    if (++nodes_ > kMaxNodes) return Refuse("more than " + std::to_string(kMaxNodes) + " entries");
    *Place() = std::move(node);
    return true;
  }

  bool Open(Node::Kind kind) {
    if (++nodes_ > kMaxNodes) return Refuse("more than " + std::to_string(kMaxNodes) + " entries");
    if (open_.size() >= static_cast<size_t>(kMaxDepth)) {
      return Refuse("nested more than " + std::to_string(kMaxDepth) + " deep");
    }
    Node* place = Place();
    place->kind = kind;
    open_.push_back(place);
    return true;
  }

  bool Close() {
    open_.pop_back();
    return true;
  }

  Node* root_;
  std::vector<Node*> open_;
  std::string key_, problem_;
  size_t nodes_ = 0;
};

// Python's json writes numbers that JSON does not have; in quotes they are texts that Node::Number reads.
std::string WithPythonNumbersQuoted(std::string_view text) {
  static constexpr std::string_view kWords[] = {"-Infinity", "Infinity", "NaN"};
  std::string out;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!in_string) {
      bool found = false;
      for (const std::string_view word : kWords) {
        if (text.compare(i, word.size(), word) != 0) continue;
        out += '"' + std::string(word) + '"';
        i += word.size() - 1;
        found = true;
        break;
      }
      if (found) continue;
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

Result<Node> ParseJson(std::string_view text) {
  if (text.size() > kMaxDocumentBytes) return CorruptFile(std::to_string(text.size()) + " bytes: too large");
  const std::string plain = WithPythonNumbersQuoted(text);
  Node root;
  Builder builder(&root);
  if (!nlohmann::json::sax_parse(plain, &builder)) return CorruptFile(builder.problem());
  return root;
}

}  // namespace fovea::formats
