#include "tools/fovea/run_checkpoints.h"

#include <algorithm>
#include <atomic>

#include "tools/cli/program.h"

namespace fovea::cli {
namespace {

constexpr double kEverySeconds = 1;
constexpr double kLongRunSeconds = 10;
constexpr double kMostShare = 0.05;  // of the time

// Of the file that is run; in tiles of all its samples. Read by the thread that ends an interrupted run.
std::atomic<int64_t> g_kept{0}, g_tiles{0};
std::atomic<int64_t> g_passes_kept{0}, g_passes{1};  // of the sample
std::atomic<bool> g_wanted{false};

}  // namespace

Checkpoints::Checkpoints(std::string output, nlohmann::json identity, bool wanted)
    : output_(std::move(output)), wanted_(wanted), next_(Seconds() + (wanted ? kEverySeconds : kLongRunSeconds)) {
  entry_.identity = std::move(identity);
}

std::string WhatIsKept() {
  const int64_t kept = g_kept, tiles = g_tiles, passes = g_passes_kept;
  if (tiles == 0) return {};
  if (passes > 0 && kept == 0) {
    return "; " + std::to_string(passes) + " of " + std::to_string(g_passes) + " passes kept, --resume goes on";
  }
  if (kept > 0) {
    return "; " + std::to_string(kept) + " of " + std::to_string(tiles) + " tiles kept, --resume goes on";
  }
  return g_wanted ? "; nothing kept (no tile had been done and recorded)"
                  : "; nothing kept (start with --resume to keep what is done)";
}

void Checkpoints::SetPlan(const PlanReport& plan, DType label_type, int64_t pieces, int64_t samples) {
  pieces_ = pieces;
  samples_ = samples;
  passes_ = plan.passes;
  g_passes = plan.passes;
  g_passes_kept = 0;
  g_wanted = wanted_;
  g_kept = 0;
  g_tiles = pieces * samples;
  // Bits differ among instruction sets, so a run is gone on with on its own.
  entry_.identity["isa"] = plan.isa;
  for (int s = 0; s < 3; ++s) entry_.tile_size[s] = plan.tiles > 1 ? plan.tile_size[s] : 0;
  entry_.label_type = label_type;
}

Status Checkpoints::Check(const JournalEntry& entry) const {
  const auto refused = [this](const std::string& what) {
    return CorruptFile(JournalPath(output_) + ": " + what + "; run without --resume to begin anew");
  };
  // A complete run has recorded the sample after the last one.
  const int64_t tiles_there = entry.sample < samples_ ? pieces_ : 1;
  if (entry.sample > samples_ || entry.tile >= tiles_there) {
    return refused("goes on at tile " + std::to_string(entry.tile) + " of sample " + std::to_string(entry.sample) +
                   ", counted from 0; the run has " + std::to_string(samples_) + " x " + std::to_string(pieces_) +
                   " tiles");
  }
  // Numbers within a sample mean other places in other tiles.
  if (entry.tile > 0 && !std::equal(entry.tile_size, entry.tile_size + 3, entry_.tile_size)) {
    return refused("was made with tiles of another size");
  }
  return OkStatus();
}

void Checkpoints::Continue(const JournalEntry& entry, RunOutputs* outputs) {
  entry_ = entry;
  if (!entry.statistics.empty()) statistics_sample_ = entry.sample;
  outputs->KeepUnfinished(true);
  Recorded();
}

void Checkpoints::Recorded() {
  written_ = true;
  g_kept = entry_.sample * pieces_ + entry_.tile;
  g_passes_kept = passes_ > 1 ? entry_.passes_done : 0;
}

void Checkpoints::Complete() { g_tiles = 0; }

Status Checkpoints::Reach(int64_t sample, int64_t tile, RunOutputs* outputs) {
  if (sample == 0 && tile == 0) return OkStatus();
  ForgetOthers(sample);
  return RecordWhenTime(sample, tile, outputs);
}

void Checkpoints::ForgetOthers(int64_t sample) {
  if (statistics_sample_ == sample) return;
  statistics_sample_ = sample;
  entry_.statistics.clear();
  entry_.passes_done = 0;
}

Status Checkpoints::EndPass(int64_t sample, std::span<const uint8_t> statistics, RunOutputs* outputs) {
  ForgetOthers(sample);
  entry_.statistics.assign(statistics.begin(), statistics.end());
  ++entry_.passes_done;
  return RecordWhenTime(sample, 0, outputs);
}

Status Checkpoints::RecordWhenTime(int64_t sample, int64_t tile, RunOutputs* outputs) {
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
  Recorded();
  return OkStatus();
}

Status Checkpoints::Failed(const Status& status, RunOutputs* outputs) {
  if (status.code() == StatusCode::kCancelled) return Cancelled("cancelled" + WhatIsKept());
  if (!written_ || status.message().find("without --resume") != std::string::npos) return status;
  if (wanted_) {
    return Status(status.code(), status.message() + "; the same command with --resume goes on from here");
  }
  outputs->KeepUnfinished(false);
  RemoveJournal(output_);
  return status;
}

}  // namespace fovea::cli
