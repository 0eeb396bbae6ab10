// What an interrupted run needs to go on: a small file beside the unfinished output, replaced atomically after the
// output's bytes are on disk, so that at any moment, power cuts included, the last one is whole and true.
//
// It names what the result depends on (program, model, input, options, instruction
// set); when any of it has changed the run refuses to go on, because the two halves would not belong together.
#ifndef FOVEA_TOOLS_FOVEA_RUN_JOURNAL_H_
#define FOVEA_TOOLS_FOVEA_RUN_JOURNAL_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "runtime/include/fovea/dtype.h"
#include "runtime/include/fovea/model.h"

namespace fovea::cli {

struct JournalEntry {
  nlohmann::json identity;           // see RunIdentity
  int64_t sample = 0, tile = 0;      // the first that is not done; tiles count within the sample
  int64_t tile_size[3] = {0, 0, 0};  // D, H, W of the run
  int64_t objects = 0;               // counted so far
  int64_t most_objects = 0;          // in one plane (volume)
  DType label_type = DType::kUInt16;
  std::vector<std::vector<uint8_t>> states;  // of the writers, see ImageWriter::Checkpoint
  // Of the sample, where it takes several passes: what is known after those that are done, see Session::SetPassDone.
  std::vector<uint8_t> statistics;
  int64_t passes_done = 0;
};

// Names and values of everything that decides the bytes of the result. options: words given, by option.
// Errors: kIo, kNotFound when the input can't be read.
Result<nlohmann::json> RunIdentity(const Model& model, const std::string& input, const nlohmann::json& options);
// Why a run of identity `was` can't be gone on with by one of identity `is`; empty when it can.
std::string DifferenceOf(const nlohmann::json& was, const nlohmann::json& is);

// The journal of the run that writes `output`.
std::string JournalPath(const std::string& output);
// Nothing when there is none; kCorruptFile when it is not what WriteJournal made.
Result<std::optional<JournalEntry>> ReadJournal(const std::string& output);
Status WriteJournal(const std::string& output, const JournalEntry& entry);
void RemoveJournal(const std::string& output);

// Replaces the file in one step; what it says survives a power cut.
Status ReplaceFile(const std::string& path, const std::vector<uint8_t>& bytes);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_JOURNAL_H_
