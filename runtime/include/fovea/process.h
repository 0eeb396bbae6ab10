// Steps before and after a network, as data: named, with exact definitions, applied to whole samples.
//
// A sample is what the network sees at once: all channels (and planes, in 3-D) of one image of a series.
#ifndef FOVEA_PROCESS_H_
#define FOVEA_PROCESS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "fovea/status.h"

namespace fovea {

// y = (x - subtract) / divide, in float32.
struct Normalization {
  float subtract = 0, divide = 1;
  float operator()(float x) const { return (x - subtract) / divide; }
};

enum class NormalizationKind : uint8_t {
  kNone,
  kZeroMean,    // (x - mean) / (standard deviation + 1e-6), biased variance
  kPercentile,  // (x - p_low) / (p_high - p_low + 1e-6), linear interpolation between order statistics
                // (numpy.percentile)
  kRange,       // (x - min) / (max - min + 1e-6)
};

struct NormalizationStep {
  NormalizationKind kind = NormalizationKind::kNone;
  double low = 1, high = 99.8;  // percentiles, 0 .. 100
};

// "none", "zero-mean", "range", "percentile" or "percentile:LOW,HIGH".
Result<NormalizationStep> ParseNormalization(const std::string& text);

// Collects a sample's statistics from its pieces. kZeroMean and kRange keep running sums; kPercentile keeps every value
// (exact order statistics), so sample_elements floats are held. The order of the pieces does not matter for kPercentile
// and kRange; for kZeroMean sums are taken piece by piece in double.
class NormalizationStatistics {
 public:
  NormalizationStatistics(const NormalizationStep& step, int64_t sample_elements);
  void Add(std::span<const float> values);
  // NaN and infinities count as they are, so they show in the result; a constant sample divides by the 1e-6.
  Normalization Finish();
  static int64_t WorkingBytes(const NormalizationStep& step, int64_t sample_elements);

 private:
  NormalizationStep step_;
  int64_t count_ = 0;
  double shift_ = 0, sum_ = 0, sum_squares_ = 0;  // of x - shift_, so that large offsets keep their precision
  float min_, max_;
  std::vector<float> values_;
};

}  // namespace fovea

#endif  // FOVEA_PROCESS_H_
