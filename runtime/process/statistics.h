// Exact statistics of many pixels, by going through them in a fixed order, once or twice; only counts are held.
#ifndef FOVEA_RUNTIME_PROCESS_STATISTICS_H_
#define FOVEA_RUNTIME_PROCESS_STATISTICS_H_

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "runtime/process/stage.h"

namespace fovea::process {

// The pixels that a statistic is of: some channels and planes of one or of all samples.
struct PixelSet {
  SampleSource* source = nullptr;
  SampleShape shape;
  int64_t first_sample = 0, samples = 1, channel = 0, channels = 1, plane = 0, planes = 1;
  Stage::Select select;  // makes the source ready for a sample; null: it is
  std::function<bool()> cancelled;
  // Instead of `source` and its samples: these of several images. Channels and planes that are taken together are then
  // all that an image has; a single one must be there in each.
  const ImageSeries* series = nullptr;
  ImageSeries::Pixels series_pixels = ImageSeries::Pixels::kUpstream;
  std::string series_reference;
  bool all_channels = true, all_planes = true;

  // f(pixels, count), always in the same order and the same pieces.
  Status ForEach(const std::function<void(const float*, int64_t)>& f) const;
  // The part that is of one image of the series.
  Status OfImage(SampleSource* image, const SampleShape& image_shape, const Stage::Select& select_sample,
                 PixelSet* part) const;
};

// Bytes that any of the functions below holds at most.
int64_t StatisticsBytes();

struct Moments {
  int64_t count = 0;  // finite pixels
  double mean = 0, std = 0;
};
// Two passes: sum; sum of squared differences from the mean. ddof: std = sqrt(sum / (count - ddof)); 0 where that is
// not possible.
Result<Moments> MeasureMoments(const PixelSet& pixels, int ddof);

struct Extremes {
  int64_t count = 0;  // pixels that are not NaN
  double min = 0, max = 0;
};
Result<Extremes> MeasureExtremes(const PixelSet& pixels);

// How a percentile p of n sorted values v[0] .. v[n - 1] is defined; names and definitions of numpy.percentile, where
// it has them.
enum class PercentileMethod : uint8_t {
  kLinear,       // between the neighbours of index (n - 1) p / 100, in proportion
  kLower,        // v[floor((n - 1) p / 100)]
  kHigher,       // v[ceil((n - 1) p / 100)]
  kNearest,      // v[round((n - 1) p / 100)], halves to the even index
  kMidpoint,     // the mean of lower and higher
  kInvertedCdf,  // v[ceil(n p / 100) - 1]
  kFiji,         // v[floor((n - 1) p / 100 + 1/2)]: CSBDeep for Fiji
  kJdll,         // v[floor(n p / 100)], at most v[n - 1]
  kHistogram,    // DeepImageJ 1's macros: of 256 equal bins from min to max, the left edge of the first one after bin 0
                 // whose running count reaches p percent of all, where the count of bin 0 is taken to be min (sic)
};
const std::vector<std::string>& PercentileMethodNames();  // in the order of the values

// Percentiles (0 .. 100) in the order asked for; all 0 when there is no pixel that is not NaN.
Result<std::vector<double>> MeasurePercentiles(const PixelSet& pixels, const std::vector<double>& percents,
                                               PercentileMethod method);

// Counts of finite pixels in 256 classes: ImageJ's 8-bit form of a float image, class floor((v - min) 255 / (max - min)
// + 1/2); all in class 0 when max = min.
using Histogram = std::array<int64_t, 256>;
Result<Histogram> MeasureHistogram(const PixelSet& pixels, double min, double max);

}  // namespace fovea::process

#endif  // FOVEA_RUNTIME_PROCESS_STATISTICS_H_
