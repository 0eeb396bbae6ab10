// One image file through a network: open, match, fit, run sample by sample, write, report.
#ifndef FOVEA_TOOLS_FOVEA_RUN_FILE_H_
#define FOVEA_TOOLS_FOVEA_RUN_FILE_H_

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "runtime/include/fovea/model.h"
#include "tools/fovea/border.h"
#include "tools/fovea/run_fit.h"

namespace fovea::cli {

// An image that is opened and matched with the network. Refers to itself: stays where it is made.
struct PreparedImage {
  std::unique_ptr<formats::ImageReader> reader;
  Rescaling rescaling;
  std::unique_ptr<ProcessedImage> image;
  std::optional<PatchGrid> patches;  // with --border

  Status Prepare(const Model& model, const RunOptions& options, std::unique_ptr<formats::ImageReader> file);
};

// What a run of this image would take, by the same sums. output: its name decides what a writer holds. process_bytes:
// see ProcessBytes. speed: as for Session::Plan.
Result<Fit> PlanFile(const Model& model, const RunOptions& options, PreparedImage* prepared, const std::string& output,
                     uint64_t process_bytes, const MachineSpeed& speed);

// Runs `input`, or goes on with an interrupted run of it (options.resume), and writes `output` (and, for further image
// outputs, siblings named after them). Fills `report` (predicted and measured peak, strategy, tiles, seconds, files).
// Nothing is left at the final names when it fails. kept: the session of an image of the same size is used again, and
// left for the next one.
Status RunFile(const Model& model, const RunOptions& options, const std::string& input, const std::string& output,
               std::optional<FittedSession>* kept, nlohmann::ordered_json* report);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_FILE_H_
