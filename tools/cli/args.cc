#include "tools/cli/args.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

namespace fovea::cli {
namespace {

std::vector<std::string> SplitNames(const std::string& names) {
  std::vector<std::string> result;
  std::istringstream in(names);
  for (std::string word; std::getline(in, word, ',');) {
    word.erase(0, word.find_first_not_of(' '));
    result.push_back(word);
  }
  return result;
}

// std::from_chars, so that no locale decides what a decimal point is.
bool ParseDouble(const std::string& text, double* value) {
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, *value);
  return result.ec == std::errc() && result.ptr == end && std::isfinite(*value);
}

bool ParseInteger(const std::string& text, int64_t* value) {
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, *value);
  return result.ec == std::errc() && result.ptr == end;
}

size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string Nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

Result<uint64_t> ParseBytes(const std::string& text) {
  const size_t digits = text.find_first_not_of("0123456789.");
  std::string unit = digits == std::string::npos ? "" : text.substr(digits);
  for (char& c : unit) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  static const std::vector<std::pair<std::string, double>> kUnits = {{"", 1},
                                                                     {"b", 1},
                                                                     {"k", 1e3},
                                                                     {"kb", 1e3},
                                                                     {"m", 1e6},
                                                                     {"mb", 1e6},
                                                                     {"g", 1e9},
                                                                     {"gb", 1e9},
                                                                     {"t", 1e12},
                                                                     {"tb", 1e12},
                                                                     {"kib", 1024},
                                                                     {"mib", 1048576.},
                                                                     {"gib", 1073741824.},
                                                                     {"tib", 1099511627776.}};
  double number = 0;
  for (const auto& [name, factor] : kUnits) {
    if (unit != name) continue;
    if (!ParseDouble(text.substr(0, digits), &number) || number <= 0 || number * factor > 1e15) break;
    return static_cast<uint64_t>(number * factor);
  }
  return InvalidArgument("'" + text + "' is not an amount of memory; write for example 256MB, 1.5GB or 512MiB");
}

Result<std::vector<int64_t>> ParseSize(const std::string& text) {
  std::vector<int64_t> size;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, 'x');) {
    int64_t value = 0;
    if (!ParseInteger(word, &value) || value < 1 || value > (int64_t{1} << 40)) {
      size.clear();
      break;
    }
    size.push_back(value);
  }
  if (size.size() == 2) size.insert(size.begin(), 1);
  if (size.size() != 3) {
    return InvalidArgument("'" + text +
                           "' is not a size; write rows x columns (512x512) or planes x rows x columns (32x128x128)");
  }
  return size;
}

Args::Args(std::string program, std::string usage, std::string about)
    : program_(std::move(program)), usage_(std::move(usage)), about_(std::move(about)) {}

void Args::Add(const std::string& names, const std::string& value, const std::string& help,
               std::function<Status(const std::string&)> set) {
  options_.push_back({SplitNames(names), value, help, std::move(set)});
}

void Args::Flag(const std::string& names, bool* target, const std::string& help) {
  Add(names, "", help, [target](const std::string&) {
    *target = true;
    return OkStatus();
  });
}

void Args::Text(const std::string& names, std::string* target, const std::string& value, const std::string& help) {
  Add(names, value, help, [target](const std::string& text) {
    *target = text;
    return OkStatus();
  });
}

void Args::TextList(const std::string& names, std::vector<std::string>* target, const std::string& value,
                    const std::string& help) {
  Add(names, value, help, [target](const std::string& text) {
    target->push_back(text);
    return OkStatus();
  });
}

void Args::Integer(const std::string& names, int64_t* target, int64_t min, int64_t max, const std::string& value,
                   const std::string& help) {
  Add(names, value, help, [=](const std::string& text) {
    if (!ParseInteger(text, target) || *target < min || *target > max) {
      return InvalidArgument("'" + text + "' is not a whole number from " + std::to_string(min) + " to " +
                             std::to_string(max));
    }
    return OkStatus();
  });
}

void Args::Number(const std::string& names, double* target, const std::string& value, const std::string& help) {
  Add(names, value, help, [=](const std::string& text) {
    return ParseDouble(text, target) ? OkStatus() : InvalidArgument("'" + text + "' is not a number");
  });
}

void Args::Bytes(const std::string& names, uint64_t* target, const std::string& value, const std::string& help) {
  Add(names, value, help, [=](const std::string& text) -> Status {
    FOVEA_ASSIGN_OR_RETURN(*target, ParseBytes(text));
    return OkStatus();
  });
}

void Args::Positional(const std::string& name, std::vector<std::string>* target, int min, int max) {
  positional_name_ = name;
  positional_ = target;
  positional_min_ = min;
  positional_max_ = max;
}

const Args::Option* Args::Find(const std::string& name) const {
  for (const Option& option : options_) {
    if (std::find(option.names.begin(), option.names.end(), name) != option.names.end()) return &option;
  }
  return nullptr;
}

Status Args::Parse(const std::vector<std::string>& words, bool* help) {
  *help = false;
  std::vector<std::string> free;
  bool options_ended = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (options_ended || word.size() < 2 || word[0] != '-') {
      free.push_back(word);
      continue;
    }
    if (word == "--") {
      options_ended = true;
      continue;
    }
    if (word == "--help" || word == "-h") {
      *help = true;
      return OkStatus();
    }
    const size_t equals = word.rfind("--", 0) == 0 ? word.find('=') : std::string::npos;
    const std::string name = word.substr(0, equals);
    const Option* option = Find(name);
    if (option == nullptr) {
      std::vector<std::string> known;
      for (const Option& o : options_) known.insert(known.end(), o.names.begin(), o.names.end());
      const std::string near = Nearest(name, known);
      return InvalidArgument("unknown option " + name +
                             (near.empty() ? "; see " : "; did you mean " + near + "? See ") + program_ + " --help");
    }
    std::string value;
    if (option->value.empty()) {
      if (equals != std::string::npos) return InvalidArgument(name + " takes no value");
    } else if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (i + 1 < words.size()) {
      value = words[++i];
    } else {
      return InvalidArgument(name + " needs a value: " + name + " " + option->value);
    }
    FOVEA_RETURN_IF_ERROR(option->set(value).Prefixed(name));
    given_.emplace_back(option->names.front(), value);
  }
  const int count = static_cast<int>(free.size());
  if (count < positional_min_) {
    // "MODEL and INPUT" are two words, of which the first may be there.
    const size_t second = positional_name_.find(" and ");
    const bool both = second != std::string::npos && count == 0;
    const std::string missing =
        second != std::string::npos && count > 0 ? positional_name_.substr(second + 5) : positional_name_;
    return InvalidArgument(missing + (both ? " are" : " is") + " missing. Usage: " + program_ + " " + usage_);
  }
  if (positional_max_ >= 0 && count > positional_max_) {
    return InvalidArgument("'" + free[static_cast<size_t>(positional_max_)] +
                           "' is one word too many. Usage: " + program_ + " " + usage_);
  }
  if (positional_ != nullptr) *positional_ = free;
  return OkStatus();
}

namespace {

constexpr size_t kHelpWidth = 100;

// Words of `text` from column `column` on, wrapped under column `indent`.
void Wrap(const std::string& text, size_t column, size_t indent, std::ostringstream* out) {
  std::istringstream words(text);
  bool first = true;
  for (std::string word; words >> word; first = false) {
    if (!first && column + word.size() + 1 > kHelpWidth) {
      *out << "\n" << std::string(indent, ' ');
      column = indent;
    } else if (!first) {
      *out << " ";
      ++column;
    }
    *out << word;
    column += word.size();
  }
  *out << "\n";
}

}  // namespace

std::string Args::Help() const {
  std::ostringstream out;
  out << "usage: " << program_ << " " << usage_ << "\n\n";
  Wrap(about_, 0, 0, &out);
  out << "\noptions:\n";
  auto line = [&out](const std::string& left, const std::string& right) {
    constexpr size_t kColumn = 30;
    out << "  " << left;
    size_t column = left.size() + 2;
    if (column + 1 >= kColumn) {
      out << "\n";
      column = 0;
    }
    out << std::string(kColumn - column, ' ');
    Wrap(right, kColumn, kColumn, &out);
  };
  for (const Option& option : options_) {
    std::string left;
    for (const std::string& name : option.names) left += (left.empty() ? "" : ", ") + name;
    if (!option.value.empty()) left += " " + option.value;
    line(left, option.help);
  }
  line("--help, -h", "this text");
  if (!epilogue_.empty()) out << "\n" << epilogue_ << "\n";
  return out.str();
}

}  // namespace fovea::cli
