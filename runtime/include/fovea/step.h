// Step: one piece of processing before or after a network, as data: a name and arguments. This is the form in which
// models carry their steps (Model::preprocessing, Model::postprocessing) and in which command lines name them.
//
// Names and arguments are those of the bioimage.io model description 0.5 where it has the operation (kwargs become
// arguments, `tensor` is the port the operation is listed under); process.h lists all steps with their definitions.
#ifndef FOVEA_STEP_H_
#define FOVEA_STEP_H_

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "fovea/status.h"

namespace fovea {

// Numbers are finite or infinite, never NaN. The order of the alternatives is stored in .fov files: append only.
using StepValue = std::variant<double, bool, std::string, std::vector<double>, std::vector<std::string>>;

struct StepArgument {
  std::string key;
  StepValue value;
  bool operator==(const StepArgument&) const = default;
};

struct Step {
  std::string name;
  std::vector<StepArgument> arguments;  // no key twice; an argument that is left out has its default
  std::string tensor;  // name of an input (before the network) or output (after it); "": the only one (those
                       // that only decide sizes do not count)
  bool operator==(const Step&) const = default;

  // The argument's value, or null.
  const StepValue* Find(const std::string& key) const;
};

// "scale_range(min_percentile=1, max_percentile=99.8)"; texts that are not plain words are quoted; "@NAME" at the end
// names the tensor. Numbers are written so that they read back as the same double.
std::string ToString(const Step& step);
std::string ToString(std::span<const Step> steps);  // joined by " | "; "none" when there is none

// The inverse: steps separated by '|', "none" for an empty list. Arguments are key=value, separated by commas; a value
// is a number, true, false, a word, a text in single or double quotes (\ before a quote or \ keeps it), or a list of
// numbers or of texts: [0.2, 0.8]. Only the form is checked here, not the names.
// Errors: kInvalidArgument; the message quotes the place.
Result<std::vector<Step>> ParseSteps(const std::string& text);

// What must be true of any step, from whatever source: a name of letters, digits, '_' and '-', keys likewise and none
// twice, no NaN. Errors: kInvalidArgument.
Status CheckStepForm(const Step& step);

}  // namespace fovea

#endif  // FOVEA_STEP_H_
