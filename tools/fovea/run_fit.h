// A session for one image within the budget of the whole process.
#ifndef FOVEA_TOOLS_FOVEA_RUN_FIT_H_
#define FOVEA_TOOLS_FOVEA_RUN_FIT_H_

#include <array>
#include <optional>
#include <string>

#include "tools/fovea/processed_image.h"
#include "tools/fovea/run_options.h"

namespace fovea::cli {

// What the image's buffers depend on.
struct Purpose {
  const RunOptions* options;
  formats::ImageReader* reader;  // its cache is limited to what serves
  ProcessedImage* image;
  std::string output;
  DType label_type;  // of files of labels
  const Rescaling* rescaling;
};

struct FittedSession {
  Session session;
  std::string image_kind;             // of the image that it was made for, see ImageKind
  std::array<int64_t, 3> tile;        // that was asked for
  uint64_t process_bytes = 0;         // of the process, without the session and the image's buffers
  uint64_t predicted_peak_bytes = 0;  // of the process
  uint64_t session_budget = 0;        // of the session alone; 0: none
  uint64_t machine_budget = 0;        // of the process, where none was named and the machine lacks memory; 0: none
  bool reuse_tiles = false;           // there is room for what TileFilter keeps
};

// Sizes and type: images of one kind may share a session. A run lets go of another kind's before it reads the image,
// so that the two are never in memory at the same time.
std::string ImageKind(const formats::ImageInfo& info);

// A session that, with the image's buffers and what is resident already, keeps to the budget: the one in *kept when it
// has the right size, otherwise a new one, which takes its place.
// Where no budget was named and what is fastest would take more memory than the machine has left, that is the budget.
// Errors: kOverBudget, which names the smallest budget of the whole process that would do; those of Session::Create.
Status FitSession(const Model& model, const Purpose& purpose, const Layout& layout, std::optional<FittedSession>* kept);

// The same for reading an image through its steps alone, without a network. Limits the reader's cache.
Status FitReading(uint64_t budget, formats::ImageReader* reader, const ProcessedImage& image);
// Rows of tiles that are lower than those of the session, so that an interrupted run, which goes on from a tile, loses
// some seconds and no more. 0: its tiles do not take long, were asked for, or lower ones would cost too much time.
int64_t RowsWorthATile(const Model& model, const FittedSession& fitted, const SessionOptions& options,
                       const Layout& layout);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_FIT_H_
