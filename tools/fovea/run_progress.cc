#include "tools/fovea/run_progress.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/cli/program.h"

namespace fovea::cli {
namespace {

constexpr double kEverySeconds = 0.1;

void PrintJson(const nlohmann::ordered_json& line) {
  std::fprintf(stderr, "%s\n", line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
}

std::string Duration(double seconds) {
  char text[32];
  const auto whole = static_cast<long long>(seconds);
  if (seconds < 60) {
    std::snprintf(text, sizeof(text), "%.1f s", seconds);
  } else if (whole < 3600) {
    std::snprintf(text, sizeof(text), "%lld:%02lld min", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof(text), "%lld:%02lld h", whole / 3600, whole / 60 % 60);
  }
  return text;
}

}  // namespace

void Progress::Begin(const std::string& strategy, uint64_t predicted_peak_bytes, int64_t samples,
                     int64_t sample_pixels) {
  start_ = Seconds();
  samples_ = samples;
  sample_pixels_ = sample_pixels;
  if (kind_ == ProgressKind::kJson) {
    PrintJson({{"event", "begin"},
               {"input", name_},
               {"strategy", strategy},
               {"predicted_peak_bytes", predicted_peak_bytes},
               {"samples", samples}});
  } else if (kind_ == ProgressKind::kLine) {
    std::fprintf(stderr, "%s: %s, will use up to %s\n", name_.c_str(), strategy.c_str(),
                 HumanBytes(predicted_peak_bytes).c_str());
  }
}

double Progress::seconds() const { return Seconds() - start_; }

void Progress::Tile(int64_t sample, int64_t tile, int64_t tiles) {
  sample_ = sample;
  tile_ = tile;
  tiles_ = tiles;
  const double done = static_cast<double>(tile) / static_cast<double>(std::max<int64_t>(1, tiles));
  if (!goes_on_ || tile >= tiles) Show(false, told_work_ && tile < tiles ? 0 : done);
}

void Progress::Work(double done) {
  told_work_ = true;
  if (goes_on_) before_ = std::max(before_, (static_cast<double>(sample_) + done) / static_cast<double>(samples_));
  goes_on_ = false;
  Show(false, done);
}

void Progress::Show(bool always, double done_of_sample) {
  done_ = std::max(done_, (static_cast<double>(sample_) + done_of_sample) / static_cast<double>(samples_));
  const double now = Seconds();
  if (kind_ == ProgressKind::kNone || (!always && now - told_ < kEverySeconds)) return;
  told_ = now;
  const double all = static_cast<double>(samples_) * static_cast<double>(sample_pixels_);
  const double elapsed = now - start_, done = std::min(1.0, done_);
  const double rate = elapsed > 0 ? all * (done - before_) / elapsed : 0;
  const double remaining = rate > 0 ? all * (1 - done) / rate : 0;
  const uint64_t resident = ResidentBytes(), peak = PeakResidentBytes();
  if (kind_ == ProgressKind::kJson) {
    nlohmann::ordered_json line = {{"event", "progress"},
                                   {"input", name_},
                                   {"sample", sample_},
                                   {"samples", samples_},
                                   {"tile", tile_},
                                   {"tiles", tiles_},
                                   {"fraction", done},
                                   {"elapsed_seconds", elapsed},
                                   {"megapixels_per_second", rate * 1e-6},
                                   {"memory_bytes", resident},
                                   {"peak_memory_bytes", peak}};
    if (rate > 0) line["remaining_seconds"] = remaining;
    PrintJson(line);
    return;
  }
  char head[160];
  std::string place;
  if (samples_ > 1)
    place += "plane " + std::to_string(std::min(sample_ + 1, samples_)) + "/" + std::to_string(samples_) + ", ";
  if (tiles_ > 1) place += "tile " + std::to_string(tile_) + "/" + std::to_string(tiles_) + ", ";
  std::snprintf(head, sizeof(head), "%s%.0f %%, %s", place.c_str(), 100 * done, Duration(elapsed).c_str());
  std::string line = head;
  if (rate > 0 && done < 1) line += ", about " + Duration(remaining) + " left";
  std::snprintf(head, sizeof(head), ", %.2f Mpx/s", rate * 1e-6);
  line += head;
  line += ", memory " + HumanBytes(resident) + ", peak " + HumanBytes(peak);
  if (budget_ > 0) line += " of " + HumanBytes(budget_);
  // Back to the begin of the line, and nothing left of a longer one.
  std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
  line_open_ = true;
}

void Progress::End() {
  if (samples_ > 0 && kind_ == ProgressKind::kJson) Show(true, 0);
  if (line_open_) std::fprintf(stderr, "\n");
  line_open_ = false;
}

}  // namespace fovea::cli
