// When a run's state is recorded, and what stays of a run that ends early.
//
// With --resume from the first second on, otherwise once a run is so long that losing it would hurt: then Ctrl-C, a
// kill or a power cut cost no more than what came after the last record. A record costs at most a twentieth of the
// time.
#ifndef FOVEA_TOOLS_FOVEA_RUN_CHECKPOINTS_H_
#define FOVEA_TOOLS_FOVEA_RUN_CHECKPOINTS_H_

#include <span>
#include <string>

#include "runtime/include/fovea/session.h"
#include "tools/fovea/run_journal.h"
#include "tools/fovea/run_outputs.h"

namespace fovea::cli {

class Checkpoints {
 public:
  // wanted: the user asked for --resume.
  Checkpoints(std::string output, nlohmann::json identity, bool wanted);

  // pieces: tiles or patches of a sample.
  void SetPlan(const PlanReport& plan, DType label_type, int64_t pieces, int64_t samples);
  // After SetPlan: kCorruptFile when `entry` names a tile that a run of this plan does not have. A journal is a file
  // that anybody may have changed, and a run that trusted it would pass off a result with holes as complete.
  Status Check(const JournalEntry& entry) const;
  // The run goes on from `entry`, whose files are open.
  void Continue(const JournalEntry& entry, RunOutputs* outputs);
  // Everything before this tile of this sample is written. Records it when it is time.
  Status Reach(int64_t sample, int64_t tile, RunOutputs* outputs);
  // One of several passes of this sample is done; statistics: see Session::SetPassDone. Records it when it is time, and
  // with what comes after it.
  Status EndPass(int64_t sample, std::span<const uint8_t> statistics, RunOutputs* outputs);
  // The results are complete.
  void Complete();
  // The run ended early with `status`: unfinished files stay when they can be gone on with and are worth it. The status
  // to tell the user.
  Status Failed(const Status& status, RunOutputs* outputs);

 private:
  // Statistics of another sample than this one.
  void ForgetOthers(int64_t sample);
  Status RecordWhenTime(int64_t sample, int64_t tile, RunOutputs* outputs);
  Status Record(int64_t sample, int64_t tile, RunOutputs* outputs);
  void Recorded();

  const std::string output_;
  const bool wanted_;
  JournalEntry entry_;
  int64_t pieces_ = 1, samples_ = 1;
  int64_t passes_ = 1;
  int64_t statistics_sample_ = -1;  // whose statistics the entry has
  bool possible_ = true, written_ = false;
  double next_;  // second of the next record
};

// Of the file that is run, for what is said when it is cancelled: "; 12 of 32 tiles kept, --resume goes on", or that
// nothing is kept and why. "" between files. From any thread.
std::string WhatIsKept();

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_CHECKPOINTS_H_
