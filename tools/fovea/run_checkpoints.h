// When a run's state is recorded, and what stays of a run that ends early.
//
// With --resume from the first second on, otherwise once a run is so long that losing it would hurt: then Ctrl-C, a
// kill or a power cut cost no more than what came after the last record. A record costs at most a twentieth of the
// time.
#ifndef FOVEA_TOOLS_FOVEA_RUN_CHECKPOINTS_H_
#define FOVEA_TOOLS_FOVEA_RUN_CHECKPOINTS_H_

#include <string>

#include "runtime/include/fovea/session.h"
#include "tools/fovea/run_journal.h"
#include "tools/fovea/run_outputs.h"

namespace fovea::cli {

class Checkpoints {
 public:
  // wanted: the user asked for --resume.
  Checkpoints(std::string output, nlohmann::json identity, bool wanted);

  void SetPlan(const PlanReport& plan, DType label_type);
  // The run goes on from `entry`, whose files are open.
  void Continue(const JournalEntry& entry, RunOutputs* outputs);
  // Everything before this tile of this sample is written. Records it when it is time.
  Status Reach(int64_t sample, int64_t tile, RunOutputs* outputs);
  // The run ended early with `status`: unfinished files stay when they can be gone on with and are worth it. The status
  // to tell the user.
  Status Failed(const Status& status, RunOutputs* outputs);

 private:
  Status Record(int64_t sample, int64_t tile, RunOutputs* outputs);

  const std::string output_;
  const bool wanted_;
  JournalEntry entry_;
  bool possible_ = true, written_ = false;
  double next_;  // second of the next record
};

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_CHECKPOINTS_H_
