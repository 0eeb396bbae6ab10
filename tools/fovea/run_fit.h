// A session for one image within the budget of the whole process.
#ifndef FOVEA_TOOLS_FOVEA_RUN_FIT_H_
#define FOVEA_TOOLS_FOVEA_RUN_FIT_H_

#include <string>

#include "tools/fovea/layout.h"
#include "tools/fovea/run_options.h"

namespace fovea::cli {

// What the image's buffers depend on.
struct Purpose {
  const RunOptions* options;
  const formats::ImageReader* reader;
  std::string output;
  DType label_type;  // of the file, with options->labels
  const Rescaling* rescaling;
};

struct FittedSession {
  Session session;
  uint64_t predicted_peak_bytes;  // of the process
};

// A session that, with the image's buffers and what is resident already, keeps to the budget; fills layout->outputs.
// Errors: kOverBudget, those of Session::Create and MatchOutputs.
Result<FittedSession> FitSession(const Model& model, const Purpose& purpose, Layout* layout);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_FIT_H_
