#include "runtime/process/arguments.h"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace fovea::process {
namespace {

std::string ShortNumber(double value) {
  const Step step{"", {{"", value}}, ""};
  const std::string text = ToString(step);  // "(=1.5)"
  return text.substr(2, text.size() - 3);
}

// The letter of an axis by its name, 0 when there is none.
char AxisLetter(const std::string& name) {
  static constexpr struct {
    const char* name;
    char letter;
  } kNames[] = {{"batch", 'b'}, {"channel", 'c'}, {"c", 'c'}, {"time", 't'}, {"z", 'z'},
                {"y", 'y'},     {"x", 'x'},       {"b", 'b'}, {"t", 't'},    {"index", 'b'}};
  for (const auto& entry : kNames) {
    if (name == entry.name) return entry.letter;
  }
  return 0;
}

std::string Plain(std::string word) {
  for (char& c : word) c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return word;
}

// Optimal string alignment distance (Damerau 1964, Levenshtein 1966).
size_t Slips(const std::string& a, const std::string& b) {
  std::vector<size_t> before, last(b.size() + 1), now(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before = last;
    last = now;
  }
  return last[b.size()];
}

}  // namespace

std::string NearestName(const std::string& word, const std::vector<std::string>& names) {
  constexpr size_t kLongestWord = 64;
  if (word.size() > kLongestWord) return "";
  std::string nearest;
  size_t fewest = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string& name : names) {
    const size_t slips = Slips(Plain(word), Plain(name));
    if (slips >= fewest) continue;
    fewest = slips;
    nearest = name;
  }
  return nearest;
}

void Arguments::Fail(const std::string& message) {
  if (failure_.ok()) failure_ = Error(message);
}

const StepValue* Arguments::Take(const std::string& key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  return step_.Find(key);
}

double Arguments::Number(const std::string& key, double fallback) {
  const StepValue* const value = Take(key);
  if (value == nullptr) return fallback;
  if (const double* number = std::get_if<double>(value)) return *number;
  // Some files write numbers as texts or as lists of one.
  const auto* numbers = std::get_if<std::vector<double>>(value);
  if (numbers != nullptr && numbers->size() == 1) return numbers->front();
  Fail(key + " must be a number");
  return fallback;
}

double Arguments::Number(const std::string& key, double fallback, double min, double max) {
  const double value = Number(key, fallback);
  if (value >= min && value <= max) return value;
  const std::string limits =
      std::isinf(max) ? "at least " + ShortNumber(min) : "from " + ShortNumber(min) + " to " + ShortNumber(max);
  Fail(key + " must be " + limits + ", not " + ShortNumber(value));
  return fallback;
}

double Arguments::Required(const std::string& key) {
  if (!Has(key)) Fail(key + "=NUMBER is missing");
  return Number(key, 0);
}

int64_t Arguments::Integer(const std::string& key, int64_t fallback, int64_t min, int64_t max) {
  const double value = Number(key, static_cast<double>(fallback), static_cast<double>(min), static_cast<double>(max));
  if (value != std::floor(value)) Fail(key + " must be a whole number, not " + ShortNumber(value));
  return static_cast<int64_t>(value);
}

bool Arguments::Boolean(const std::string& key, bool fallback) {
  const StepValue* const value = Take(key);
  if (value == nullptr) return fallback;
  if (const bool* boolean = std::get_if<bool>(value)) return *boolean;
  Fail(key + " must be true or false");
  return fallback;
}

std::string Arguments::Text(const std::string& key, const std::string& fallback) {
  const StepValue* const value = Take(key);
  if (value == nullptr) return fallback;
  if (const auto* text = std::get_if<std::string>(value)) return *text;
  const auto* texts = std::get_if<std::vector<std::string>>(value);
  if (texts != nullptr && texts->size() == 1) return texts->front();
  Fail(key + " must be a word");
  return fallback;
}

int Arguments::Choice(const std::string& key, const std::vector<std::string>& choices, int fallback) {
  const std::string text = Text(key, choices[static_cast<size_t>(fallback)]);
  const auto found = std::find(choices.begin(), choices.end(), text);
  if (found != choices.end()) return static_cast<int>(found - choices.begin());
  std::string list;
  for (const std::string& choice : choices) list += (list.empty() ? "" : ", ") + choice;
  const std::string near = NearestName(text, choices);
  Fail(key + " '" + text + "' is not known; " +
       (near.empty() ? "choose one of " : "did you mean " + near + "? Choose one of ") + list);
  return fallback;
}

std::vector<double> Arguments::Numbers(const std::string& key) {
  const StepValue* const value = Take(key);
  if (value == nullptr) return {};
  if (const double* number = std::get_if<double>(value)) return {*number};
  if (const auto* numbers = std::get_if<std::vector<double>>(value)) return *numbers;
  Fail(key + " must be a number or a list of numbers");
  return {};
}

std::vector<std::string> Arguments::Texts(const std::string& key) {
  const StepValue* const value = Take(key);
  if (value == nullptr) return {};
  if (const auto* text = std::get_if<std::string>(value)) return {*text};
  if (const auto* texts = std::get_if<std::vector<std::string>>(value)) return *texts;
  if (const auto* numbers = std::get_if<std::vector<double>>(value); numbers != nullptr && numbers->empty()) return {};
  Fail(key + " must be a word or a list of words");
  return {};
}

std::optional<std::string> Arguments::Axes(const std::string& key) {
  if (!Has(key)) return std::nullopt;
  std::string letters;
  for (const std::string& name : Texts(key)) {
    if (const char letter = AxisLetter(name)) {
      letters += letter;
      continue;
    }
    for (const char c : name) {
      if (AxisLetter(std::string(1, c)) == 0) {
        Fail(key + " names the axis '" + name + "'; there are batch, time, channel, z, y and x");
        return letters;
      }
      letters += c;
    }
  }
  return letters;
}

Status Arguments::status() const {
  if (!failure_.ok()) return failure_;
  for (const StepArgument& argument : step_.arguments) {
    if (std::find(known_.begin(), known_.end(), argument.key) != known_.end()) continue;
    return Error(argument.key + " means nothing beside the other arguments");
  }
  return OkStatus();
}

}  // namespace fovea::process
