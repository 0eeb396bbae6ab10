// What a run tells while it runs: one line on a terminal that is overwritten, or one JSON object a line on stderr.
#ifndef FOVEA_TOOLS_FOVEA_RUN_PROGRESS_H_
#define FOVEA_TOOLS_FOVEA_RUN_PROGRESS_H_

#include <cstdint>
#include <string>

namespace fovea::cli {

enum class ProgressKind : uint8_t { kNone, kLine, kJson };

class Progress {
 public:
  // name: of the input. budget: of the process, 0: none. Megapixels are those of the network's first output.
  Progress(ProgressKind kind, std::string name, uint64_t budget)
      : kind_(kind), name_(std::move(name)), budget_(budget) {}

  void Begin(const std::string& strategy, uint64_t predicted_peak_bytes, int64_t samples, int64_t sample_pixels);
  // sample: from 0; tiles of it that are done. Tells at most 10 times a second.
  void Tile(int64_t sample, int64_t tile, int64_t tiles);
  // How much of this sample's predicted time is done, 0 .. 1: all passes, what is left out included. Where nobody
  // tells, tiles count.
  void Work(double done);
  // A sample begins.
  void Sample(int64_t sample) { sample_ = sample, tile_ = 0; }
  // The run goes on after this part of all samples, or after the first work that is told: what an earlier one did says
  // nothing about how fast this one is.
  void GoesOn(double done) { goes_on_ = true, before_ = done_ = done; }
  void End();

  double seconds() const;

 private:
  void Show(bool always, double done_of_sample);

  const ProgressKind kind_;
  const std::string name_;
  const uint64_t budget_;
  int64_t samples_ = 1, sample_pixels_ = 1;
  int64_t sample_ = 0, tile_ = 0, tiles_ = 0;
  double done_ = 0, before_ = 0;  // of all samples; by an earlier run
  bool goes_on_ = false, told_work_ = false;
  double start_ = 0, told_ = -1;
  bool line_open_ = false;
};

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_RUN_PROGRESS_H_
