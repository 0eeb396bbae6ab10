#include "tools/fovea/run_checkpoints.h"

#include <algorithm>

#include "tools/cli/program.h"

namespace fovea::cli {
namespace {

constexpr double kEverySeconds = 1;
constexpr double kLongRunSeconds = 10;
constexpr double kMostShare = 0.05;  // of the time

}  // namespace

Checkpoints::Checkpoints(std::string output, nlohmann::json identity, bool wanted)
    : output_(std::move(output)), wanted_(wanted), next_(Seconds() + (wanted ? kEverySeconds : kLongRunSeconds)) {
  entry_.identity = std::move(identity);
}

void Checkpoints::SetPlan(const PlanReport& plan, DType label_type) {
  // Bits differ among instruction sets, so a run is gone on with on its own.
  entry_.identity["isa"] = plan.isa;
  for (int s = 0; s < 3; ++s) entry_.tile_size[s] = plan.tiles > 1 ? plan.tile_size[s] : 0;
  entry_.label_type = label_type;
}

void Checkpoints::Continue(const JournalEntry& entry, RunOutputs* outputs) {
  entry_ = entry;
  written_ = true;
  outputs->KeepUnfinished(true);
}

Status Checkpoints::Reach(int64_t sample, int64_t tile, RunOutputs* outputs) {
  const double begin = Seconds();
  if (!possible_ || begin < next_) return OkStatus();
  // What is held is of one sample: the record must not name another one while it is written.
  const bool other = written_ && entry_.tile > 0 && entry_.sample != sample;
  if (other && tile > 0 && outputs->holds()) FOVEA_RETURN_IF_ERROR(Record(sample, 0, outputs));
  if (possible_) FOVEA_RETURN_IF_ERROR(Record(sample, tile, outputs));
  const double end = Seconds();
  next_ = end + std::max(kEverySeconds, (end - begin) / kMostShare);
  return OkStatus();
}

Status Checkpoints::Record(int64_t sample, int64_t tile, RunOutputs* outputs) {
  entry_.sample = sample;
  entry_.tile = tile;
  const Status state = outputs->Checkpoint(&entry_);
  if (state.code() == StatusCode::kUnsupported) {
    possible_ = false;
    return OkStatus();
  }
  FOVEA_RETURN_IF_ERROR(state);
  FOVEA_RETURN_IF_ERROR(WriteJournal(output_, entry_));
  if (!written_) outputs->KeepUnfinished(true);
  written_ = true;
  return OkStatus();
}

Status Checkpoints::Failed(const Status& status, RunOutputs* outputs) {
  if (!written_ || status.message().find("without --resume") != std::string::npos) return status;
  if (wanted_ || status.code() == StatusCode::kCancelled) {
    return Status(status.code(), status.message() + "; the same command with --resume goes on from here");
  }
  outputs->KeepUnfinished(false);
  RemoveJournal(output_);
  return status;
}

}  // namespace fovea::cli
