// One image file through a network: open, match, run sample by sample, write.
#ifndef FOVEA_TOOLS_FOVEA_RUN_FILE_H_
#define FOVEA_TOOLS_FOVEA_RUN_FILE_H_

#include <string>

#include "formats/image/image.h"
#include "runtime/include/fovea/process.h"
#include "tools/fovea/common.h"

namespace fovea::cli {

struct RunOptions {
  SessionOptions session;
  uint64_t memory_bytes = 0;  // of the whole process; 0: no limit
  NormalizationStep normalization;
  int64_t channel = -1;
  double threshold = 0.5;
  bool has_threshold = false, labels = false;
  std::string overlay;  // path of a PNG, or empty
  formats::WriteOptions write;
  bool progress = false;  // a line on stderr
};

// Runs `input` and writes `output` (and, for further image outputs, siblings named after them). Fills `report`
// (predicted and measured peak, strategy, tiles, seconds, files). Nothing is left at the final names when it fails.
Status RunFile(const Model& model, const RunOptions& options, const std::string& input, const std::string& output,
               nlohmann::ordered_json* report);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_FILE_H_
