// YAML and JSON from strangers as one tree of nodes: what a file says, before anybody decides what it means.
//
// Scalars keep their text ("1,60E-04 cm", "1.10"): readers convert what they need and report what they cannot.
// Limits: kMaxDocumentBytes of text, kMaxDepth levels, kMaxNodes nodes after aliases have been replaced by copies (an
// alias bomb is refused before it grows). Errors: kCorruptFile with the line; nothing throws.
#ifndef FOVEA_FORMATS_BUNDLE_DOCUMENT_H_
#define FOVEA_FORMATS_BUNDLE_DOCUMENT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/include/fovea/status.h"

namespace fovea::formats {

inline constexpr size_t kMaxDocumentBytes = size_t{4} << 20;
inline constexpr int kMaxDepth = 64;
inline constexpr size_t kMaxNodes = 200'000;

struct Node {
  enum class Kind : uint8_t { kNull, kScalar, kList, kMap };
  struct Member;
  Kind kind = Kind::kNull;
  std::string text;         // kScalar
  bool quoted = false;      // kScalar: written in quotes, so never a number, a truth or null
  std::vector<Node> list;   // kList
  std::vector<Member> map;  // kMap, in the file's order
  int line = 0;             // from 1; 0 where the reader does not know

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_map() const { return kind == Kind::kMap; }

  // The member of a map (the last, where its key comes twice), or the shared null node: chains of At never fail.
  const Node& At(std::string_view key) const;
  // The elements of a list; a single scalar or map counts as a list of one, null as an empty one.
  std::vector<const Node*> Elements() const;

  // Text of a scalar; "" for anything else.
  const std::string& Text() const;
  // kScalar as a number: decimal, exponent, ".inf", "inf", "-inf". A quoted number counts (YAML files of the zoo quote
  // them); NaN does not.
  std::optional<double> Number() const;
  std::optional<int64_t> Integer() const;  // a number without fraction, up to 2^53
  std::optional<bool> Truth() const;       // true, True, yes, on; false, ...
  // On one line, for reports: "{a: 1, b: [2, 3]}", shortened to `max_bytes`.
  std::string ToString(size_t max_bytes = 300) const;
};

// Not a std::pair: asking whether one may be made asks the same of Node, whose members it is of; clang 14 ends there.
struct Node::Member {
  std::string key;
  Node value;
};

Result<Node> ParseYaml(std::string_view text);
// NaN and Infinity, which Python writes, are scalars.
Result<Node> ParseJson(std::string_view text);

// A number as the zoo's files write it: "62.9", "172,9", "9.658E-4", "1,60E-04"; what follows it goes to `rest`,
// trimmed.
std::optional<double> ParseLocaleNumber(std::string_view text, std::string* rest);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_BUNDLE_DOCUMENT_H_
