#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "runtime/include/fovea/process.h"

namespace fovea {
namespace {

constexpr double kEpsilon = 1e-6;

bool ParsePercentile(const char* begin, const char* end, double* value) {
  const auto result = std::from_chars(begin, end, *value);
  return result.ec == std::errc() && result.ptr == end && *value >= 0 && *value <= 100;
}

// numpy.percentile's "linear": between the order statistics around (n - 1) p / 100. Partially sorts `values`.
double Percentile(std::vector<float>* values, double percent) {
  const double position = static_cast<double>(values->size() - 1) * percent / 100;
  const auto below = static_cast<int64_t>(std::floor(position));
  std::nth_element(values->begin(), values->begin() + below, values->end());
  const double low = (*values)[static_cast<size_t>(below)];
  const double fraction = position - static_cast<double>(below);
  if (fraction == 0) return low;
  const double high = *std::min_element(values->begin() + below + 1, values->end());
  return low + (high - low) * fraction;
}

}  // namespace

Result<NormalizationStep> ParseNormalization(const std::string& text) {
  NormalizationStep step;
  const std::string name = text.substr(0, text.find(':'));
  if (name == "none" && text == name) return step;
  if (name == "zero-mean" && text == name) {
    step.kind = NormalizationKind::kZeroMean;
    return step;
  }
  if (name == "range" && text == name) {
    step.kind = NormalizationKind::kRange;
    return step;
  }
  if (name == "percentile") {
    step.kind = NormalizationKind::kPercentile;
    if (text == name) return step;
    const char* begin = text.data() + name.size() + 1;
    const char* end = text.data() + text.size();
    const char* comma = std::find(begin, end, ',');
    if (comma != end && ParsePercentile(begin, comma, &step.low) && ParsePercentile(comma + 1, end, &step.high) &&
        step.low < step.high) {
      return step;
    }
  }
  return InvalidArgument("'" + text +
                         "' is not a normalisation; choose none, zero-mean, range, percentile or percentile:LOW,HIGH "
                         "(percentile:1,99.8)");
}

NormalizationStatistics::NormalizationStatistics(const NormalizationStep& step, int64_t sample_elements)
    : step_(step), min_(std::numeric_limits<float>::infinity()), max_(-std::numeric_limits<float>::infinity()) {
  if (step_.kind == NormalizationKind::kPercentile) values_.reserve(static_cast<size_t>(sample_elements));
}

int64_t NormalizationStatistics::WorkingBytes(const NormalizationStep& step, int64_t sample_elements) {
  return step.kind == NormalizationKind::kPercentile ? sample_elements * static_cast<int64_t>(sizeof(float)) : 0;
}

void NormalizationStatistics::Add(std::span<const float> values) {
  if (values.empty()) return;
  switch (step_.kind) {
    case NormalizationKind::kNone: break;
    case NormalizationKind::kPercentile: values_.insert(values_.end(), values.begin(), values.end()); break;
    case NormalizationKind::kRange:
      for (const float v : values) {
        // Written so that a NaN stays.
        if (!(v >= min_)) min_ = v;
        if (!(v <= max_)) max_ = v;
      }
      break;
    case NormalizationKind::kZeroMean:
      if (count_ == 0) shift_ = values[0];
      for (const float v : values) {
        const double d = static_cast<double>(v) - shift_;
        sum_ += d;
        sum_squares_ += d * d;
      }
      break;
  }
  count_ += static_cast<int64_t>(values.size());
}

Normalization NormalizationStatistics::Finish() {
  if (count_ == 0) return {};
  switch (step_.kind) {
    case NormalizationKind::kNone: return {};
    case NormalizationKind::kRange: {
      const double span = static_cast<double>(max_) - static_cast<double>(min_);
      return {min_, static_cast<float>(span + kEpsilon)};
    }
    case NormalizationKind::kPercentile: {
      const double low = Percentile(&values_, step_.low);
      const double high = Percentile(&values_, step_.high);
      return {static_cast<float>(low), static_cast<float>(high - low + kEpsilon)};
    }
    case NormalizationKind::kZeroMean: {
      const double n = static_cast<double>(count_);
      const double mean = sum_ / n;
      const double variance = std::max(0.0, sum_squares_ / n - mean * mean);
      return {static_cast<float>(mean + shift_), static_cast<float>(std::sqrt(variance) + kEpsilon)};
    }
  }
  return {};
}

}  // namespace fovea
