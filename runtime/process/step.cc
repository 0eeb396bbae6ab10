// Steps as text and back.
#include "runtime/include/fovea/step.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "runtime/model/file_layout.h"

namespace fovea {
namespace {

bool IsWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}
bool IsWord(const std::string& text) { return !text.empty() && std::all_of(text.begin(), text.end(), IsWordCharacter); }

// Reads all of `text` as a number; "inf" and "-inf" too, NaN not.
bool ParseNumber(const std::string& text, double* value) {
  const char* begin = text.data();
  const char* const end = text.data() + text.size();
  if (begin != end && *begin == '+') ++begin;
  const auto result = std::from_chars(begin, end, *value);
  return begin != end && result.ec == std::errc() && result.ptr == end && !std::isnan(*value);
}

std::string NumberText(double value) {
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value);  // the shortest that reads back the same
  return std::string(buffer, result.ptr);
}

std::string TextText(const std::string& text) {
  double number = 0;
  if (IsWord(text) && text != "true" && text != "false" && !ParseNumber(text, &number)) return text;
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

std::string ValueText(const StepValue& value) {
  if (const auto* number = std::get_if<double>(&value)) return NumberText(*number);
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) return TextText(*text);
  std::string list;
  if (const auto* numbers = std::get_if<std::vector<double>>(&value)) {
    for (const double number : *numbers) list += (list.empty() ? "" : ", ") + NumberText(number);
  } else {
    for (const std::string& text : std::get<std::vector<std::string>>(value)) {
      list += (list.empty() ? "" : ", ") + TextText(text);
    }
  }
  return "[" + list + "]";
}

class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}

  Result<std::vector<Step>> Run() {
    std::vector<Step> steps;
    do {
      FOVEA_ASSIGN_OR_RETURN(Step step, ReadStep());
      FOVEA_RETURN_IF_ERROR(CheckStepForm(step));
      steps.push_back(std::move(step));
    } while (Take('|'));
    if (at_ < text_.size()) return Expected("'|' or the end");
    const bool none = steps.size() == 1 && steps[0] == Step{"none", {}, ""};
    if (none) steps.clear();
    return steps;
  }

 private:
  void SkipSpace() {
    while (at_ < text_.size() && std::strchr(" \t\n", text_[at_]) != nullptr) ++at_;
  }
  bool Peek(char c) {
    SkipSpace();
    return at_ < text_.size() && text_[at_] == c;
  }
  bool Take(char c) {
    if (!Peek(c)) return false;
    ++at_;
    return true;
  }
  Status Expected(const std::string& what) {
    SkipSpace();
    const std::string rest = at_ < text_.size() ? "at '" + text_.substr(at_, 24) + "'" : "at the end";
    return InvalidArgument("'" + text_ + "' is no list of steps: " + what + " is missing " + rest +
                           "; write name(key=value, ...) | name(...) or none");
  }

  // Everything up to white space or one of `stops`.
  std::string ReadWord(const char* stops) {
    SkipSpace();
    const size_t begin = at_;
    while (at_ < text_.size() && std::strchr(stops, text_[at_]) == nullptr && text_[at_] != ' ') ++at_;
    return text_.substr(begin, at_ - begin);
  }

  Result<Step> ReadStep() {
    Step step;
    step.name = ReadWord("()|@,=");
    if (!IsWord(step.name)) return Expected("the name of a step");
    if (Take('(') && !Take(')')) {
      do {
        StepArgument argument;
        argument.key = ReadWord("()|@,=");
        if (!IsWord(argument.key)) return Expected("the name of an argument");
        if (!Take('=')) return Expected("'='");
        FOVEA_ASSIGN_OR_RETURN(argument.value, ReadValue());
        step.arguments.push_back(std::move(argument));
      } while (Take(','));
      if (!Take(')')) return Expected("',' or ')'");
    }
    if (Take('@')) {
      step.tensor = ReadWord("|");
      if (step.tensor.empty()) return Expected("the name of a tensor");
    }
    return step;
  }

  Result<StepValue> ReadValue() {
    if (!Take('[')) return ReadScalar();
    std::vector<double> numbers;
    std::vector<std::string> texts;
    if (!Take(']')) {
      do {
        FOVEA_ASSIGN_OR_RETURN(const StepValue value, ReadScalar());
        if (const auto* number = std::get_if<double>(&value)) {
          numbers.push_back(*number);
        } else if (const auto* text = std::get_if<std::string>(&value)) {
          texts.push_back(*text);
        } else {
          return Expected("a number or a text in front of");
        }
      } while (Take(','));
      if (!Take(']')) return Expected("',' or ']'");
    }
    if (texts.empty()) return StepValue(std::move(numbers));
    if (numbers.empty()) return StepValue(std::move(texts));
    return InvalidArgument("'" + text_ + "' is no list of steps: a list holds numbers and texts; it must be one kind");
  }

  Result<StepValue> ReadScalar() {
    SkipSpace();
    if (at_ < text_.size() && (text_[at_] == '\'' || text_[at_] == '"')) return ReadQuoted();
    const std::string word = ReadWord("()[]|,=");
    double number = 0;
    if (word == "true" || word == "false") return StepValue(word == "true");
    if (ParseNumber(word, &number)) return StepValue(number);
    if (word.empty()) return Expected("a value");
    return StepValue(word);
  }

  Result<StepValue> ReadQuoted() {
    const char quote = text_[at_++];
    std::string value;
    for (; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      value += text_[at_];
    }
    if (at_ == text_.size()) return Expected(std::string("the closing ") + quote);
    ++at_;
    return StepValue(std::move(value));
  }

  const std::string& text_;
  size_t at_ = 0;
};

bool HasNan(const StepValue& value) {
  if (const auto* number = std::get_if<double>(&value)) return std::isnan(*number);
  const auto* numbers = std::get_if<std::vector<double>>(&value);
  return numbers != nullptr && std::any_of(numbers->begin(), numbers->end(), [](double d) { return std::isnan(d); });
}

}  // namespace

const StepValue* Step::Find(const std::string& key) const {
  for (const StepArgument& argument : arguments) {
    if (argument.key == key) return &argument.value;
  }
  return nullptr;
}

std::string ToString(const Step& step) {
  std::string text = step.name;
  for (size_t i = 0; i < step.arguments.size(); ++i) {
    text += (i == 0 ? "(" : ", ") + step.arguments[i].key + "=" + ValueText(step.arguments[i].value);
  }
  if (!step.arguments.empty()) text += ")";
  return step.tensor.empty() ? text : text + "@" + step.tensor;
}

std::string ToString(std::span<const Step> steps) {
  if (steps.empty()) return "none";
  std::string text;
  for (const Step& step : steps) text += (text.empty() ? "" : " | ") + ToString(step);
  return text;
}

Result<std::vector<Step>> ParseSteps(const std::string& text) { return Parser(text).Run(); }

Status CheckStepForm(const Step& step) {
  if (!IsWord(step.name)) return InvalidArgument("a step's name " + Quoted(step.name) + " is no word");
  for (size_t i = 0; i < step.arguments.size(); ++i) {
    const StepArgument& argument = step.arguments[i];
    if (!IsWord(argument.key)) {
      return InvalidArgument("step " + step.name + ": an argument's name " + Quoted(argument.key) + " is no word");
    }
    if (step.Find(argument.key) != &argument.value) {
      return InvalidArgument("step " + step.name + ": the argument " + argument.key + " is given twice");
    }
    if (HasNan(argument.value)) {
      return InvalidArgument("step " + step.name + ": the argument " + argument.key + " is not a number");
    }
  }
  return OkStatus();
}

}  // namespace fovea
