// The steps of `fovea run`: those of the model, and what the command line says about them.
#ifndef FOVEA_TOOLS_FOVEA_STEPS_H_
#define FOVEA_TOOLS_FOVEA_STEPS_H_

#include <string>
#include <vector>

#include "runtime/include/fovea/model.h"
#include "runtime/include/fovea/process.h"
#include "tools/cli/args.h"

namespace fovea::cli {

// Words of the command line.
struct StepWords {
  std::string pre, post;            // "": the model's; "+ STEPS": the model's, then these; "STEPS" or "none": these
  std::string normalize;            // "": nothing said; a spelling of --pre
  double threshold = kNoThreshold;  // a spelling of --post "+ threshold(value=T)"
  bool labels = false;              // ... and " | connected_components(connectivity=4)"
  std::string compatibility = "exact";

  static constexpr double kNoThreshold = -1e300;
  void Declare(Args* args);
};

// What is done before and after the network.
struct Processing {
  std::vector<Step> pre, post;
  Compatibility compatibility = Compatibility::kExact;
  DatasetStatistics dataset;  // of all inputs, for `pre`; empty: each input is a data set of its own
};

// Errors: kInvalidArgument for words that make no sense or contradict one another.
Result<Processing> ChooseSteps(const Model& model, const StepWords& words);

// The page that `fovea run --steps` prints.
std::string StepPage();

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_STEPS_H_
