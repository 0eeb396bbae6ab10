// The arguments of a step, read by name and type; what nobody asked for is refused in the end.
#ifndef FOVEA_RUNTIME_PROCESS_ARGUMENTS_H_
#define FOVEA_RUNTIME_PROCESS_ARGUMENTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/include/fovea/step.h"

namespace fovea::process {

// The name that `word` is most likely a slip of the pen of, or "": at most a third of its letters changed, left out,
// added or exchanged with their neighbour; '-' and '_' and capitals count as the same.
std::string NearestName(const std::string& word, const std::vector<std::string>& names);

// The first failure is kept and later calls give defaults, so that factories read everything and then ask status().
class Arguments {
 public:
  explicit Arguments(const Step& step) : step_(step) {}

  const Step& step() const { return step_; }
  bool Has(const std::string& key) { return Take(key) != nullptr; }
  double Number(const std::string& key, double fallback);
  double Number(const std::string& key, double fallback, double min, double max);  // min <= value <= max
  double Required(const std::string& key);
  int64_t Integer(const std::string& key, int64_t fallback, int64_t min, int64_t max);
  bool Boolean(const std::string& key, bool fallback);
  std::string Text(const std::string& key, const std::string& fallback);
  // One of `choices`; the index.
  int Choice(const std::string& key, const std::vector<std::string>& choices, int fallback);
  // A number counts as a list of one; absent: empty.
  std::vector<double> Numbers(const std::string& key);
  // A text counts as a list of one; absent: empty.
  std::vector<std::string> Texts(const std::string& key);
  // Which axes: "channel", "z", "y", "x", "batch", "time" or single letters of "bctzyx" ("xy" counts as two), as those
  // letters in the order given; nullopt when absent.
  std::optional<std::string> Axes(const std::string& key);

  // "clip: min must be ...".
  Status Error(const std::string& message) const { return InvalidArgument("step " + step_.name + ": " + message); }
  void Fail(const std::string& message);
  // The first failure, or the complaint about an argument that was never read.
  Status status() const;

 private:
  const StepValue* Take(const std::string& key);

  const Step& step_;
  std::vector<std::string> known_;
  Status failure_;
};

}  // namespace fovea::process

#endif  // FOVEA_RUNTIME_PROCESS_ARGUMENTS_H_
