// What the words of `fovea run` ask for, as values that its parts share.
#ifndef FOVEA_TOOLS_FOVEA_RUN_OPTIONS_H_
#define FOVEA_TOOLS_FOVEA_RUN_OPTIONS_H_

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "formats/image/image.h"
#include "runtime/include/fovea/session.h"
#include "tools/fovea/border.h"
#include "tools/fovea/record.h"
#include "tools/fovea/rescale.h"
#include "tools/fovea/run_progress.h"
#include "tools/fovea/steps.h"

namespace fovea::cli {

// Empty: not known.
struct ValueRange {
  double least = 0, most = -1;
  bool empty() const { return most < least; }
  void Include(double low, double high) {
    least = empty() ? low : std::min(least, low);
    most = std::max(most, high);
  }
};

struct RecordOptions {
  bool write = false;                // a record beside each result
  const RunRecord* again = nullptr;  // the run that this one repeats
  std::string model_path;
  std::vector<std::pair<std::string, std::string>> given;  // options, as Args::given()
};

struct RunOptions {
  SessionOptions session;
  uint64_t memory_bytes = 0;  // of the whole process; 0: no limit
  int64_t channel = -1;
  size_t files = 1;          // of the run
  bool says_output = false;  // see RunPaths
  Processing processing;
  double threshold = 0.5;  // of the overlay's outlines
  PixelSizeChoice pixel_size;
  std::string overlay;  // path of a PNG, or empty
  formats::WriteOptions write;
  bool dtype_given = false;  // write.dtype is for masks and labels, too
  ProgressKind progress = ProgressKind::kNone;
  bool resume = false;
  BorderOptions border;
  ValueRange example_range;  // of what the network's example gives it
  bool approximate = false;  // what the session does, for the outputs' metadata
  RecordOptions record;
  nlohmann::json words = nlohmann::json::object();  // the options given that decide the result's bytes
};

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_OPTIONS_H_
