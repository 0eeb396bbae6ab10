// Options of `fovea run` that decide a result and what it takes to make it. `fovea plan` has the same ones, so that it
// tells beforehand what the run will.
#ifndef FOVEA_TOOLS_FOVEA_RESULT_OPTIONS_H_
#define FOVEA_TOOLS_FOVEA_RESULT_OPTIONS_H_

#include <string>

#include "tools/fovea/common.h"
#include "tools/fovea/run_options.h"

namespace fovea::cli {

class ResultWords {
 public:
  void Declare(Args* args);
  // After args.Parse: what the words decide. Errors: kInvalidArgument.
  Status Decide(const Args& args, RunOptions* options) const;
  // The steps around this network.
  Status DecideSteps(const Model& model, RunOptions* options) const;

 private:
  StepWords steps_;
  ExecutionOptions execution_;
  uint64_t memory_bytes_ = 0;
  int64_t channel_ = 0, overlap_ = -1;
  std::string dtype_ = "float32", compression_ = "none", tile_, pixel_size_, border_ = "exact", patch_, patches_;
  std::string overlay_;
  bool tiled_ = false, pyramid_ = false;
};

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RESULT_OPTIONS_H_
