// What a run tells while it runs: one line on a terminal that is overwritten, or one JSON object a line on stderr.
#ifndef FOVEA_TOOLS_FOVEA_RUN_PROGRESS_H_
#define FOVEA_TOOLS_FOVEA_RUN_PROGRESS_H_

#include <cstdint>
#include <string>

namespace fovea::cli {

enum class ProgressKind : uint8_t { kNone, kLine, kJson };

class Progress {
 public:
  // name: of the input. budget: of the process, 0: none. Work is counted in pixels of the network's first output.
  Progress(ProgressKind kind, std::string name, uint64_t budget)
      : kind_(kind), name_(std::move(name)), budget_(budget) {}

  void Begin(const std::string& strategy, uint64_t predicted_peak_bytes, int64_t samples, int64_t sample_pixels);
  // sample: from 0; tiles of it that are done. Tells at most 10 times a second.
  void Tile(int64_t sample, int64_t tile, int64_t tiles);
  // Pixels of this sample that were written, or left out, so far.
  void Pixels(int64_t done) { Show(false, done); }
  // Work that an earlier run did, which says nothing about how fast this one is.
  void AlreadyDone(int64_t pixels) { before_ = pixels; }
  void End();

  double seconds() const;

 private:
  void Show(bool always, int64_t pixels_of_sample);

  const ProgressKind kind_;
  const std::string name_;
  const uint64_t budget_;
  int64_t samples_ = 1, sample_pixels_ = 1, before_ = 0;
  int64_t sample_ = 0, tile_ = 0, tiles_ = 0, pixels_ = 0;
  double start_ = 0, told_ = -1;
  bool line_open_ = false;
};

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_PROGRESS_H_
