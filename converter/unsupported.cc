#include "converter/unsupported.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace fovea::converter {

namespace {

constexpr size_t kMaxAttribute = 60, kMaxAttributes = 300, kMaxName = 64;  // characters

std::string Lower(std::string_view text) {
  std::string lower(text.substr(0, kMaxName));
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

// Levenshtein's distance.
size_t Distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace

UnsupportedNode MakeUnsupported(std::string name, std::string op, std::string attributes, const std::string& why) {
  const size_t cut = why.find("; ");
  UnsupportedNode node{std::move(name), std::move(op), std::move(attributes), why.substr(0, cut), ""};
  node.alternative =
      cut == std::string::npos ? "write the layer with operators that fovea has, or leave it out" : why.substr(cut + 2);
  return node;
}

std::string NoSuchOperator(const std::string& op, std::span<const std::string_view> known) {
  const std::string wanted = Lower(op);
  std::string_view nearest;
  size_t least = wanted.size() / 3 + 1;
  for (const std::string_view name : known) {
    const size_t distance = Distance(wanted, Lower(name));
    if (distance >= least) continue;
    least = distance;
    nearest = name;
  }
  if (nearest.empty()) return "fovea has no such operator";
  return "fovea has no such operator; the nearest that it has is " + std::string(nearest);
}

void AppendAttribute(const std::string& name, std::string value, std::string* attributes) {
  if (value.size() > kMaxAttribute) value = value.substr(0, kMaxAttribute) + "...";
  if (attributes->size() > kMaxAttributes) return;
  *attributes += (attributes->empty() ? "" : " ") + name + "=" + value;
}

Status UnsupportedStatus(const Report& report) {
  if (report.unsupported.empty()) return OkStatus();
  std::string message = std::to_string(report.unsupported.size()) + " unsupported node(s):";
  for (const UnsupportedNode& node : report.unsupported) {
    message += "\n  '" + node.name + "' (" + node.op + (node.attributes.empty() ? "" : " ") + node.attributes +
               "): " + node.reason + "; " + node.alternative;
  }
  return Unsupported(message);
}

}  // namespace fovea::converter
