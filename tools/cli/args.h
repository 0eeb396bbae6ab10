// Command lines: options that are declared once and so parse, complain and explain themselves alike in all programs.
#ifndef FOVEA_TOOLS_CLI_ARGS_H_
#define FOVEA_TOOLS_CLI_ARGS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/include/fovea/status.h"

namespace fovea::cli {

class Args {
 public:
  // usage: what follows the program's name; about: one or two sentences.
  Args(std::string program, std::string usage, std::string about);

  // Declares options. names: "--output, -o". help: one sentence; value: the placeholder shown ("FILE").
  void Flag(const std::string& names, bool* target, const std::string& help);
  void Text(const std::string& names, std::string* target, const std::string& value, const std::string& help);
  void TextList(const std::string& names, std::vector<std::string>* target, const std::string& value,
                const std::string& help);
  void Integer(const std::string& names, int64_t* target, int64_t min, int64_t max, const std::string& value,
               const std::string& help);
  void Number(const std::string& names, double* target, const std::string& value, const std::string& help);
  // "256MB", "1.5G", "4096": powers of 1000 with MB, GB; of 1024 with MiB, GiB.
  void Bytes(const std::string& names, uint64_t* target, const std::string& value, const std::string& help);
  // Words that are not options; at least min of them, at most max (-1: any number).
  void Positional(const std::string& name, std::vector<std::string>* target, int min, int max);
  // Printed after the options: examples, exit codes.
  void Epilogue(std::string text) { epilogue_ = std::move(text); }

  // "--" ends the options. --help sets *help and stops. Errors name the option and suggest the nearest one.
  Status Parse(const std::vector<std::string>& words, bool* help);
  // The options that Parse met, by their first name, with their values ("" for flags), in order.
  const std::vector<std::pair<std::string, std::string>>& given() const { return given_; }
  std::string Help() const;

 private:
  struct Option {
    std::vector<std::string> names;
    std::string value, help;  // value empty: a flag
    std::function<Status(const std::string&)> set;
  };
  void Add(const std::string& names, const std::string& value, const std::string& help,
           std::function<Status(const std::string&)> set);
  const Option* Find(const std::string& name) const;

  std::string program_, usage_, about_, epilogue_;
  std::vector<Option> options_;
  std::vector<std::pair<std::string, std::string>> given_;
  std::string positional_name_;
  std::vector<std::string>* positional_ = nullptr;
  int positional_min_ = 0, positional_max_ = 0;
};

// The candidate with the smallest edit distance to `word`, or "" when none is near.
std::string Nearest(const std::string& word, const std::vector<std::string>& candidates);

Result<uint64_t> ParseBytes(const std::string& text);
// "512x512" or "32x128x128" -> {1 or D, H, W}.
Result<std::vector<int64_t>> ParseSize(const std::string& text);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CLI_ARGS_H_
