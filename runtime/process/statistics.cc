#include "runtime/process/statistics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace fovea::process {
namespace {

constexpr size_t kHalf = 65536;

// Unsigned numbers in the order of the floats; -0 comes just before +0.
uint32_t KeyOf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}
float ValueOf(uint32_t key) { return std::bit_cast<float>((key & 0x80000000u) != 0 ? key & 0x7fffffffu : ~key); }

// Values by their place in the sorted order. Pass one counts upper halves of keys, pass two the lower halves of those
// keys whose upper half holds a wanted place.
class OrderStatistics {
 public:
  explicit OrderStatistics(const PixelSet& pixels) : pixels_(pixels), upper_(kHalf) {}

  Status CountUpper() {
    return pixels_.ForEach([this](const float* v, int64_t n) {
      for (int64_t i = 0; i < n; ++i) {
        if (!std::isnan(v[i])) ++upper_[KeyOf(v[i]) >> 16];
      }
    });
  }
  int64_t count() const {
    int64_t sum = 0;
    for (const int64_t c : upper_) sum += c;
    return sum;
  }

  // ranks: any order, each 0 .. count() - 1.
  Result<std::vector<double>> Values(const std::vector<int64_t>& ranks) {
    std::vector<size_t> bins;
    std::vector<int64_t> before;  // values in front of each bin
    for (const int64_t rank : ranks) {
      size_t bin = 0;
      int64_t sum = 0;
      while (sum + upper_[bin] <= rank) sum += upper_[bin++];
      bins.push_back(bin);
      before.push_back(sum);
    }
    std::vector<std::vector<int64_t>> lower(kHalf);
    for (const size_t bin : bins) lower[bin].resize(kHalf);
    FOVEA_RETURN_IF_ERROR(pixels_.ForEach([&lower](const float* v, int64_t n) {
      for (int64_t i = 0; i < n; ++i) {
        const uint32_t key = KeyOf(v[i]);
        std::vector<int64_t>& counts = lower[key >> 16];
        if (!counts.empty() && !std::isnan(v[i])) ++counts[key & 0xffff];
      }
    }));
    std::vector<double> values;
    for (size_t i = 0; i < ranks.size(); ++i) {
      int64_t sum = before[i];
      uint32_t low = 0;
      while (low < kHalf - 1 && sum + lower[bins[i]][low] <= ranks[i]) sum += lower[bins[i]][low++];
      values.push_back(static_cast<double>(ValueOf(static_cast<uint32_t>(bins[i]) << 16 | low)));
    }
    return values;
  }

 private:
  const PixelSet& pixels_;
  std::vector<int64_t> upper_;
};

// The places that a percentile lies between, and how far it is from the first to the second.
struct Position {
  int64_t low = 0, high = 0;
  double fraction = 0;
};

Position PositionOf(double percent, int64_t n, PercentileMethod method) {
  const double last = static_cast<double>(n - 1), at = last * percent / 100;
  const auto whole = [n](double index) {
    const int64_t i = std::clamp<int64_t>(static_cast<int64_t>(index), 0, n - 1);
    return Position{i, i, 0};
  };
  switch (method) {
    case PercentileMethod::kLower: return whole(std::floor(at));
    case PercentileMethod::kHigher: return whole(std::ceil(at));
    case PercentileMethod::kNearest: return whole(std::nearbyint(at));
    case PercentileMethod::kInvertedCdf: return whole(std::ceil(static_cast<double>(n) * percent / 100) - 1);
    case PercentileMethod::kFiji: return whole(std::floor(at + 0.5));
    case PercentileMethod::kJdll: return whole(std::floor(static_cast<double>(n) * percent / 100));
    case PercentileMethod::kMidpoint: return {whole(std::floor(at)).low, whole(std::ceil(at)).low, 0.5};
    case PercentileMethod::kLinear:
    case PercentileMethod::kHistogram: break;
  }
  return {whole(std::floor(at)).low, whole(std::ceil(at)).low, at - std::floor(at)};
}

// The macro stands in ../shared/deepimagej-zoo (2du-net, preprocessing.ijm).
Result<std::vector<double>> HistogramPercentiles(const PixelSet& pixels, const std::vector<double>& percents) {
  FOVEA_ASSIGN_OR_RETURN(const Extremes range, MeasureExtremes(pixels));
  Histogram counts{};
  const double width = (range.max - range.min) / 256;
  FOVEA_RETURN_IF_ERROR(pixels.ForEach([&](const float* v, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      if (!std::isfinite(v[i])) continue;
      const double bin = width > 0 ? (static_cast<double>(v[i]) - range.min) / width : 0;
      ++counts[static_cast<size_t>(std::clamp(bin, 0.0, 255.0))];
    }
  }));
  double total = range.min;
  for (size_t bin = 1; bin < counts.size(); ++bin) total += static_cast<double>(counts[bin]);
  std::vector<double> values;
  for (const double percent : percents) {
    int bin = 1;
    double sum = range.min + static_cast<double>(counts[1]);
    while (bin < 255 && sum / total < percent / 100) sum += static_cast<double>(counts[static_cast<size_t>(++bin)]);
    values.push_back(range.min + bin * width);
  }
  return values;
}

}  // namespace

Status PixelSet::OfImage(SampleSource* image, const SampleShape& image_shape, const Stage::Select& select_sample,
                         PixelSet* part) const {
  if ((!all_channels && image_shape.channels != shape.channels) ||
      (!all_planes && image_shape.planes != shape.planes)) {
    return InvalidArgument("has " + std::to_string(image_shape.channels) + " channels and " +
                           std::to_string(image_shape.planes) + " planes, the first image of the data set " +
                           std::to_string(shape.channels) + " and " + std::to_string(shape.planes) +
                           ", but statistics of each channel or plane are wanted");
  }
  *part = *this;
  part->series = nullptr;
  part->source = image;
  part->shape = image_shape;
  part->first_sample = 0;
  part->samples = image_shape.samples;
  if (all_channels) part->channels = image_shape.channels;
  if (all_planes) part->planes = image_shape.planes;
  part->select = select_sample;
  return OkStatus();
}

Status PixelSet::ForEach(const std::function<void(const float*, int64_t)>& f) const {
  if (series != nullptr) {
    return series->ForEach(
        series_pixels, series_reference,
        [&](SampleSource* image, const SampleShape& image_shape, const Stage::Select& select_sample) -> Status {
          PixelSet part;
          FOVEA_RETURN_IF_ERROR(OfImage(image, image_shape, select_sample, &part));
          if (select_sample && part.samples == 1) FOVEA_RETURN_IF_ERROR(select_sample(0));
          return part.ForEach(f);
        });
  }
  for (int64_t s = first_sample; s < first_sample + samples; ++s) {
    if (select && samples > 1) FOVEA_RETURN_IF_ERROR(select(s));
    FOVEA_RETURN_IF_ERROR(
        ForEachBand(source, shape, s, channel, channels, plane, planes, cancelled,
                    [&f](const SampleRegion& region, const float* values) { f(values, region.rows * region.cols); }));
  }
  return OkStatus();
}

int64_t StatisticsBytes() {
  // A band of pixels; counts of upper halves, their table, and lower halves of at most four places.
  return (kBandPixels * 4) + static_cast<int64_t>(kHalf * (sizeof(int64_t) * 5 + sizeof(std::vector<int64_t>)));
}

Result<Moments> MeasureMoments(const PixelSet& pixels, int ddof) {
  Moments moments;
  double sum = 0;
  FOVEA_RETURN_IF_ERROR(pixels.ForEach([&](const float* v, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      if (!std::isfinite(v[i])) continue;
      sum += static_cast<double>(v[i]);
      ++moments.count;
    }
  }));
  if (moments.count == 0) return moments;
  moments.mean = sum / static_cast<double>(moments.count);
  double squares = 0;
  FOVEA_RETURN_IF_ERROR(pixels.ForEach([&](const float* v, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      if (!std::isfinite(v[i])) continue;
      const double d = static_cast<double>(v[i]) - moments.mean;
      squares += d * d;
    }
  }));
  if (moments.count > ddof) moments.std = std::sqrt(squares / static_cast<double>(moments.count - ddof));
  return moments;
}

Result<Extremes> MeasureExtremes(const PixelSet& pixels) {
  Extremes range;
  float min = std::numeric_limits<float>::infinity(), max = -min;
  FOVEA_RETURN_IF_ERROR(pixels.ForEach([&](const float* v, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      if (std::isnan(v[i])) continue;
      min = std::min(min, v[i]);
      max = std::max(max, v[i]);
      ++range.count;
    }
  }));
  if (range.count == 0) return range;
  range.min = static_cast<double>(min);
  range.max = static_cast<double>(max);
  return range;
}

const std::vector<std::string>& PercentileMethodNames() {
  static const std::vector<std::string> kNames = {"linear",       "lower", "higher", "nearest",  "midpoint",
                                                  "inverted_cdf", "fiji",  "jdll",   "histogram"};
  return kNames;
}

Result<std::vector<double>> MeasurePercentiles(const PixelSet& pixels, const std::vector<double>& percents,
                                               PercentileMethod method) {
  if (method == PercentileMethod::kHistogram) return HistogramPercentiles(pixels, percents);
  // Smallest and largest need one pass and no counts.
  if (percents.size() == 2 && percents[0] == 0 && percents[1] == 100) {
    FOVEA_ASSIGN_OR_RETURN(const Extremes range, MeasureExtremes(pixels));
    return std::vector<double>{range.min, range.max};
  }
  OrderStatistics order(pixels);
  FOVEA_RETURN_IF_ERROR(order.CountUpper());
  const int64_t n = order.count();
  if (n == 0) return std::vector<double>(percents.size(), 0.0);
  std::vector<Position> positions;
  std::vector<int64_t> ranks;
  for (const double percent : percents) {
    positions.push_back(PositionOf(percent, n, method));
    ranks.push_back(positions.back().low);
    ranks.push_back(positions.back().high);
  }
  FOVEA_ASSIGN_OR_RETURN(const std::vector<double> values, order.Values(ranks));
  std::vector<double> result;
  for (size_t i = 0; i < positions.size(); ++i) {
    const double low = values[2 * i], high = values[2 * i + 1];
    // Not low + (high - low) 0: that is NaN between infinities.
    result.push_back(positions[i].fraction == 0 || low == high ? low : low + (high - low) * positions[i].fraction);
  }
  return result;
}

Result<Histogram> MeasureHistogram(const PixelSet& pixels, double min, double max) {
  Histogram counts{};
  const double scale = max > min ? 255 / (max - min) : 0;
  FOVEA_RETURN_IF_ERROR(pixels.ForEach([&](const float* v, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      if (!std::isfinite(v[i])) continue;
      const double bin = (static_cast<double>(v[i]) - min) * scale + 0.5;
      ++counts[static_cast<size_t>(std::clamp(bin, 0.0, 255.0))];
    }
  }));
  return counts;
}

}  // namespace fovea::process
