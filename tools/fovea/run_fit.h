// A session for one image within the budget of the whole process.
#ifndef FOVEA_TOOLS_FOVEA_RUN_FIT_H_
#define FOVEA_TOOLS_FOVEA_RUN_FIT_H_

#include <array>
#include <functional>
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

// What a run of one image will take. All numbers but the session's are of the whole process.
struct Fit {
  PlanReport plan;
  uint64_t process_bytes = 0;  // without the session and the image's buffers
  uint64_t buffer_bytes = 0;   // of the image: reader, writers, steps
  uint64_t predicted_peak_bytes = 0;
  uint64_t session_budget = 0;  // of the session alone; 0: none
  uint64_t machine_budget = 0;  // where none was named and the machine lacks memory; 0: none
  bool reuse_tiles = false;     // there is room for what TileFilter keeps
};

struct FittedSession {
  Session session;
  Fit fit;
  std::string image_kind;       // of the image that it was made for, see ImageKind
  std::array<int64_t, 3> tile;  // that was asked for
};

// Sizes and type: images of one kind may share a session. A run lets go of another kind's before it reads the image,
// so that the two are never in memory at the same time.
std::string ImageKind(const formats::ImageInfo& info);

// Makes or plans a session with these options.
using PlanMaker = std::function<Result<PlanReport>(const SessionOptions&)>;
// Bytes of the process as it is, with the code and the small things that a run will need.
uint64_t ProcessBytes(int threads);
// The session that, with the image's buffers and what is resident already, keeps to the budget. process_bytes: as
// ProcessBytes. Where no budget was named and what is fastest would take more memory than the machine has left, that is
// the budget. Errors: kOverBudget, which names the smallest budget of the whole process that would do; those of `make`.
Result<Fit> FitPlan(const Model& model, const Purpose& purpose, const Layout& layout, uint64_t process_bytes,
                    const PlanMaker& make);
// The budget of the whole process that a refusal names where the smallest session takes so many bytes; `rest`: bytes
// beside it. In full megabytes.
uint64_t LeastBudget(uint64_t rest, uint64_t session_bytes);
// FitPlan with a session that is made: the one in *kept when it has the right size, otherwise a new one, which takes
// its place.
Status FitSession(const Model& model, const Purpose& purpose, const Layout& layout, std::optional<FittedSession>* kept);

// The same for reading an image through its steps alone, without a network. Limits the reader's cache.
Status FitReading(uint64_t budget, formats::ImageReader* reader, const ProcessedImage& image);
// Rows of tiles that are lower than those of the session, so that an interrupted run, which goes on from a tile, loses
// some seconds and no more. 0: its tiles do not take long, were asked for, or lower ones would cost too much time.
int64_t RowsWorthATile(const Model& model, const Fit& fit, const SessionOptions& options, const Layout& layout);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_FIT_H_
