// One image file through a network: open, match, fit, run sample by sample, write, report.
#ifndef FOVEA_TOOLS_FOVEA_RUN_FILE_H_
#define FOVEA_TOOLS_FOVEA_RUN_FILE_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "runtime/include/fovea/model.h"
#include "tools/fovea/run_fit.h"

namespace fovea::cli {

// Runs `input`, or goes on with an interrupted run of it (options.resume), and writes `output` (and, for further image
// outputs, siblings named after them). Fills `report` (predicted and measured peak, strategy, tiles, seconds, files).
// Nothing is left at the final names when it fails. kept: the session of an image of the same size is used again, and
// left for the next one.
Status RunFile(const Model& model, const RunOptions& options, const std::string& input, const std::string& output,
               std::optional<FittedSession>* kept, nlohmann::ordered_json* report);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_FILE_H_
