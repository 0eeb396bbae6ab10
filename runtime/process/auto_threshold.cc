#include "runtime/process/auto_threshold.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace fovea::process {
namespace {

constexpr int kClasses = 256;
using Weights = std::array<double, kClasses>;

Weights ToWeights(const Histogram& histogram) {
  Weights weights;
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<double>(histogram[i]);
  return weights;
}
double Sum(const Weights& w, int begin, int end) {
  double sum = 0;
  for (int i = begin; i < end; ++i) sum += w[static_cast<size_t>(i)];
  return sum;
}
double FirstMoment(const Weights& w, int begin, int end) {
  double sum = 0;
  for (int i = begin; i < end; ++i) sum += i * w[static_cast<size_t>(i)];
  return sum;
}

// Inter-means by ImageJ: the first and last class don't count; the split moves up until it passes the middle of the
// means of both sides.
int IjIsoData(Weights w) {
  w.front() = w.back() = 0;
  int min = 0, max = kClasses - 1;
  while (min < kClasses - 1 && w[static_cast<size_t>(min)] == 0) ++min;
  while (max > 0 && w[static_cast<size_t>(max)] == 0) --max;
  if (min >= max) return kClasses / 2;
  int split = min;
  double middle = 0;
  do {
    const double below = FirstMoment(w, min, split + 1) / Sum(w, min, split + 1);
    const double above = FirstMoment(w, split + 1, max + 1) / Sum(w, split + 1, max + 1);
    middle = (below + above) / 2;
    ++split;
  } while (split + 1 <= middle && split < max - 1);
  return static_cast<int>(std::floor(middle + 0.5));
}

int Default(Weights w) {
  const auto mode = std::max_element(w.begin(), w.end());
  double second = 0;
  for (auto it = w.begin(); it != w.end(); ++it) {
    if (it != mode) second = std::max(second, *it);
  }
  if (*mode > 2 * second && second != 0) *mode = std::floor(second * 1.5);
  return IjIsoData(w);
}

// Ridler and Calvard with whole means; class `split` belongs to neither side.
int IsoData(const Weights& w) {
  int split = 0;
  for (int i = 1; i < kClasses && split == 0; ++i) {
    if (w[static_cast<size_t>(i)] > 0) split = i + 1;
  }
  for (; split <= kClasses - 2; ++split) {
    const double below = Sum(w, 0, split), above = Sum(w, split + 1, kClasses);
    if (below == 0 || above == 0) continue;
    const double low = std::floor(FirstMoment(w, 0, split) / below);
    const double high = std::floor(FirstMoment(w, split + 1, kClasses) / above);
    if (split == static_cast<int>(std::floor((low + high) / 2 + 0.5))) return split;
  }
  return -1;
}

int Otsu(const Weights& w) {
  const double all = Sum(w, 0, kClasses), moment = FirstMoment(w, 0, kClasses);
  double count = w[0], sum = 0, best = 0;
  int threshold = 0;
  for (int k = 1; k < kClasses - 1; ++k) {
    sum += k * w[static_cast<size_t>(k)];
    count += w[static_cast<size_t>(k)];
    const double product = count * (all - count);
    const double difference = count / all * moment - sum;
    const double between = product == 0 ? 0 : difference * difference / product;
    if (between >= best) {
      best = between;
      threshold = k;
    }
  }
  return threshold;
}

int Li(const Weights& w) {
  double next = FirstMoment(w, 0, kClasses) / Sum(w, 0, kClasses), now = 0;
  int threshold = 0;
  // ImageJ's loop has no end on some histograms; they alternate, so any bound will do.
  for (int round = 0; round < 1000; ++round) {
    now = next;
    threshold = static_cast<int>(now + 0.5);
    const double below = Sum(w, 0, threshold + 1), above = Sum(w, threshold + 1, kClasses);
    const double low = below == 0 ? 0 : FirstMoment(w, 0, threshold + 1) / below;
    const double high = above == 0 ? 0 : FirstMoment(w, threshold + 1, kClasses) / above;
    const double centre = (low - high) / (std::log(low) - std::log(high));
    if (std::isnan(centre)) {
      next = 0;
    } else {
      next = std::trunc(centre < -std::numeric_limits<double>::epsilon() ? centre - 0.5 : centre + 0.5);
    }
    if (!(std::abs(next - now) > 0.5)) break;
  }
  return threshold;
}

// Sums of the shares up to and with each class, and the first and last class that is not empty.
struct Shares {
  Weights share, up_to;
  int first = 0, last = kClasses - 1;
};
Shares ToShares(const Weights& w) {
  Shares s;
  const double all = Sum(w, 0, kClasses);
  double sum = 0;
  for (size_t i = 0; i < w.size(); ++i) {
    s.share[i] = w[i] / all;
    s.up_to[i] = sum += s.share[i];
  }
  constexpr double kNothing = 2.220446049250313E-16;
  while (s.first < kClasses - 1 && std::abs(s.up_to[static_cast<size_t>(s.first)]) < kNothing) ++s.first;
  while (s.last > s.first && std::abs(1 - s.up_to[static_cast<size_t>(s.last - 1)]) < kNothing) --s.last;
  return s;
}

int MaxEntropy(const Weights& w) {
  const Shares s = ToShares(w);
  double best = std::numeric_limits<double>::denorm_min();
  int threshold = -1;
  for (int t = s.first; t <= s.last; ++t) {
    const double below = s.up_to[static_cast<size_t>(t)], above = 1 - below;
    double entropy = 0;
    for (int i = 0; i < kClasses; ++i) {
      const double share = s.share[static_cast<size_t>(i)];
      if (share == 0) continue;
      const double part = share / (i <= t ? below : above);
      entropy -= part * std::log(part);
    }
    if (best < entropy) {
      best = entropy;
      threshold = t;
    }
  }
  return threshold;
}

// The threshold with the largest Renyi entropy of order alpha, 1/2 or 2.
int RenyiMaximum(const Shares& s, double alpha) {
  double most = std::numeric_limits<double>::denorm_min();
  int threshold = 0;
  for (int t = s.first; t <= s.last; ++t) {
    const double up_to = s.up_to[static_cast<size_t>(t)];
    double below = 0, above = 0;
    for (int i = 0; i < kClasses; ++i) {
      const double share = s.share[static_cast<size_t>(i)] / (i <= t ? up_to : 1 - up_to);
      (i <= t ? below : above) += alpha == 2 ? share * share : std::sqrt(share);
    }
    const double entropy = below * above > 0 ? std::log(below * above) / (1 - alpha) : 0;
    if (entropy > most) {
      most = entropy;
      threshold = t;
    }
  }
  return threshold;
}

int RenyiEntropy(const Weights& w) {
  const Shares s = ToShares(w);
  std::array<int, 3> best = {RenyiMaximum(s, 0.5), std::max(0, MaxEntropy(w)), RenyiMaximum(s, 2)};
  std::sort(best.begin(), best.end());
  // Thresholds within 5 classes of one another support each other.
  const bool low_pair = best[1] - best[0] <= 5, high_pair = best[2] - best[1] <= 5;
  std::array<double, 3> beta = {1, 2, 1};
  if (low_pair && !high_pair) beta = {0, 1, 3};
  if (!low_pair && high_pair) beta = {3, 1, 0};
  const double low = s.up_to[static_cast<size_t>(best[0])], high = s.up_to[static_cast<size_t>(best[2])];
  const double omega = high - low;
  return static_cast<int>(best[0] * (low + 0.25 * omega * beta[0]) + 0.25 * best[1] * omega * beta[1] +
                          best[2] * (1 - high + 0.25 * omega * beta[2]));
}

// Each side's information, weighed by how surely a class belongs to it; the threshold where both are most alike.
int Shanbhag(const Weights& w) {
  const Shares s = ToShares(w);
  double least = std::numeric_limits<double>::max();
  int threshold = -1;
  for (int t = s.first; t <= s.last; ++t) {
    const double low = 0.5 / s.up_to[static_cast<size_t>(t)], high = 0.5 / (1 - s.up_to[static_cast<size_t>(t)]);
    double below = 0, above = 0;
    for (int i = 1; i <= t; ++i) {
      below -= s.share[static_cast<size_t>(i)] * std::log(1 - low * s.up_to[static_cast<size_t>(i - 1)]);
    }
    for (int i = t + 1; i < kClasses; ++i) {
      above -= s.share[static_cast<size_t>(i)] * std::log(1 - high * (1 - s.up_to[static_cast<size_t>(i)]));
    }
    const double difference = std::abs(below * low - above * high);
    if (difference < least) {
      least = difference;
      threshold = t;
    }
  }
  return threshold;
}

int Yen(const Weights& w) {
  const Shares s = ToShares(w);
  double best = std::numeric_limits<double>::denorm_min(), below = 0;
  int threshold = -1;
  for (size_t t = 0; t < kClasses; ++t) {
    below += s.share[t] * s.share[t];
    double above = 0;
    for (size_t i = t + 1; i < kClasses; ++i) above += s.share[i] * s.share[i];
    const double product = s.up_to[t] * (1 - s.up_to[t]);
    const double criterion =
        (below * above > 0 ? -std::log(below * above) : 0) + 2 * (product > 0 ? std::log(product) : 0);
    if (criterion > best) {
      best = criterion;
      threshold = static_cast<int>(t);
    }
  }
  return threshold;
}

int Mean(const Weights& w) { return static_cast<int>(std::floor(FirstMoment(w, 0, kClasses) / Sum(w, 0, kClasses))); }

// Each pixel belongs to its side by mu = 1 / (1 + |class - mean of the side| / range); the threshold with the least
// entropy of these memberships.
int Huang(const Weights& w) {
  int first = 0, last = kClasses - 1;
  while (first < kClasses - 1 && w[static_cast<size_t>(first)] == 0) ++first;
  while (last > 0 && w[static_cast<size_t>(last)] == 0) --last;
  const double scale = 1.0 / (last - first);
  // The mean of classes 0 .. i, and of those above i; 0 where there are none.
  Weights below{}, above{};
  double count = 0, sum = 0;
  for (size_t i = static_cast<size_t>(first); i < kClasses; ++i) {
    sum += static_cast<double>(i) * w[i];
    count += w[i];
    below[i] = sum / count;
  }
  count = sum = 0;
  for (size_t i = static_cast<size_t>(last); i > 0; --i) {
    sum += static_cast<double>(i) * w[i];
    count += w[i];
    above[i - 1] = sum / count;
  }
  double least = std::numeric_limits<double>::max();
  int threshold = -1;
  for (int t = 0; t < kClasses; ++t) {
    double entropy = 0;
    for (int i = 0; i < kClasses; ++i) {
      const double mean = (i <= t ? below : above)[static_cast<size_t>(t)];
      const double mu = 1 / (1 + scale * std::abs(i - mean));
      if (mu < 1e-06 || mu > 0.999999) continue;
      entropy += w[static_cast<size_t>(i)] * (-mu * std::log(mu) - (1 - mu) * std::log(1 - mu));
    }
    if (entropy < least) {
      least = entropy;
      threshold = t;
    }
  }
  return threshold;
}

double SecondMoment(const Weights& w, int begin, int end) {
  double sum = 0;
  for (int i = begin; i < end; ++i) sum += static_cast<double>(i) * i * w[static_cast<size_t>(i)];
  return sum;
}

// The border where two normal distributions, fitted to both sides of the last border, are equally likely; from the mean
// on until it stays.
int MinError(const Weights& w) {
  const double all = Sum(w, 0, kClasses);
  int threshold = Mean(w), before = -2;
  // A border that comes round in a circle ends as well.
  for (int round = 0; threshold != before && round < kClasses; ++round) {
    if (threshold < 0 || threshold >= kClasses) return -1;
    const double low = Sum(w, 0, threshold + 1), high = all - low;
    const double mean_low = FirstMoment(w, 0, threshold + 1) / low;
    const double mean_high = FirstMoment(w, threshold + 1, kClasses) / high;
    const double p = low / all, q = high / all;
    const double var_low = SecondMoment(w, 0, threshold + 1) / low - mean_low * mean_low;
    const double var_high = SecondMoment(w, threshold + 1, kClasses) / high - mean_high * mean_high;
    // a t^2 - 2 b t + c = 0
    const double a = 1 / var_low - 1 / var_high, b = mean_low / var_low - mean_high / var_high;
    const double c = mean_low * mean_low / var_low - mean_high * mean_high / var_high +
                     std::log10(var_low * (q * q) / (var_high * (p * p)));
    const double root = b * b - a * c;
    if (root < 0) return threshold;
    before = threshold;
    const double next = (b + std::sqrt(root)) / a;
    if (!std::isnan(next)) threshold = static_cast<int>(std::clamp(std::floor(next), -1.0, 1.0 * kClasses));
  }
  return threshold;
}

bool HasTwoMaxima(const Weights& w) {
  int maxima = 0;
  for (size_t k = 1; k + 1 < kClasses && maxima <= 2; ++k) maxima += w[k - 1] < w[k] && w[k + 1] < w[k] ? 1 : 0;
  return maxima == 2;
}

// Running means over three classes until two maxima are left; nullopt when they never are.
std::optional<Weights> Bimodal(Weights w, bool includes_ends) {
  for (int round = 0; !HasTwoMaxima(w); ++round) {
    if (round > 10000) return std::nullopt;
    Weights smooth = w;
    for (size_t i = 1; i + 1 < kClasses; ++i) smooth[i] = (w[i - 1] + w[i] + w[i + 1]) / 3;
    if (includes_ends) {
      smooth.front() = (w[0] + w[1]) / 3;
      smooth.back() = (w[kClasses - 2] + w[kClasses - 1]) / 3;
    }
    w = smooth;
  }
  return w;
}

int Intermodes(const Weights& weights) {
  const auto w = Bimodal(weights, true);
  if (!w) return -1;
  int sum = 0;
  for (size_t i = 1; i + 1 < kClasses; ++i) {
    if ((*w)[i - 1] < (*w)[i] && (*w)[i + 1] < (*w)[i]) sum += static_cast<int>(i);
  }
  return sum / 2;
}

int Minimum(const Weights& weights) {
  const auto w = Bimodal(weights, true);
  if (!w) return -1;
  for (size_t i = 1; i + 1 < kClasses; ++i) {
    if ((*w)[i - 1] > (*w)[i] && (*w)[i + 1] >= (*w)[i]) return static_cast<int>(i);
  }
  return -1;
}

int Moments3(const Weights& w) {
  const double all = Sum(w, 0, kClasses);
  double m1 = 0, m2 = 0, m3 = 0;
  for (int i = 0; i < kClasses; ++i) {
    const double share = w[static_cast<size_t>(i)] / all, value = i;
    m1 += value * share;
    m2 += value * value * share;
    m3 += value * value * value * share;
  }
  const double determinant = m2 - m1 * m1;
  const double c0 = (-m2 * m2 + m1 * m3) / determinant, c1 = (-m3 + m2 * m1) / determinant;
  const double root = std::sqrt(c1 * c1 - 4 * c0);
  const double z0 = 0.5 * (-c1 - root), z1 = 0.5 * (-c1 + root);
  const double share = (z1 - m1) / (z1 - z0);
  double sum = 0;
  for (int i = 0; i < kClasses; ++i) {
    sum += w[static_cast<size_t>(i)] / all;
    if (sum > share) return i;
  }
  return -1;
}

int HalfOfPixels(const Weights& w) {
  const double all = Sum(w, 0, kClasses);
  double sum = 0, best = 1;
  int threshold = -1;
  for (int i = 0; i < kClasses; ++i) {
    sum += w[static_cast<size_t>(i)];
    const double distance = std::abs(sum / all - 0.5);
    if (distance < best) {
      best = distance;
      threshold = i;
    }
  }
  return threshold;
}

// The class farthest from the line between the peak and the end of the longer tail.
int Triangle(Weights w) {
  int low = 0, high = 0;
  for (int i = 0; i < kClasses && w[static_cast<size_t>(low)] == 0; ++i) low = i;
  if (low > 0) --low;
  for (int i = kClasses - 1; i > 0 && high == 0; --i) high = w[static_cast<size_t>(i)] > 0 ? i : 0;
  if (high < kClasses - 1) ++high;
  int peak = static_cast<int>(std::max_element(w.begin(), w.end()) - w.begin());
  const bool mirrored = peak - low < high - peak;
  if (mirrored) {
    std::reverse(w.begin(), w.end());
    low = kClasses - 1 - high;
    peak = kClasses - 1 - peak;
  }
  if (low == peak) return low;
  double nx = w[static_cast<size_t>(peak)], ny = low - peak;
  const double length = std::sqrt(nx * nx + ny * ny);
  nx /= length;
  ny /= length;
  const double offset = nx * low + ny * w[static_cast<size_t>(low)];
  int split = low;
  double farthest = 0;
  for (int i = low + 1; i <= peak; ++i) {
    const double distance = nx * i + ny * w[static_cast<size_t>(i)] - offset;
    if (distance > farthest) {
      farthest = distance;
      split = i;
    }
  }
  --split;
  return mirrored ? kClasses - 1 - split : split;
}

}  // namespace

const std::vector<std::string>& ThresholdMethodNames() {
  static const std::vector<std::string> kNames = {
      "default", "huang",   "ij_isodata", "intermodes", "isodata",       "li",       "max_entropy", "mean", "min_error",
      "minimum", "moments", "otsu",       "percentile", "renyi_entropy", "shanbhag", "triangle",    "yen"};
  return kNames;
}

int AutoThreshold(ThresholdMethod method, const Histogram& histogram) {
  const Weights w = ToWeights(histogram);
  if (Sum(w, 0, kClasses) == 0) return 0;
  int threshold = -1;
  switch (method) {
    case ThresholdMethod::kDefault: threshold = Default(w); break;
    case ThresholdMethod::kHuang: threshold = Huang(w); break;
    case ThresholdMethod::kIjIsoData: threshold = IjIsoData(w); break;
    case ThresholdMethod::kIntermodes: threshold = Intermodes(w); break;
    case ThresholdMethod::kIsoData: threshold = IsoData(w); break;
    case ThresholdMethod::kLi: threshold = Li(w); break;
    case ThresholdMethod::kMaxEntropy: threshold = MaxEntropy(w); break;
    case ThresholdMethod::kMean: threshold = Mean(w); break;
    case ThresholdMethod::kMinError: threshold = MinError(w); break;
    case ThresholdMethod::kMinimum: threshold = Minimum(w); break;
    case ThresholdMethod::kMoments: threshold = Moments3(w); break;
    case ThresholdMethod::kOtsu: threshold = Otsu(w); break;
    case ThresholdMethod::kPercentile: threshold = HalfOfPixels(w); break;
    case ThresholdMethod::kRenyiEntropy: threshold = RenyiEntropy(w); break;
    case ThresholdMethod::kShanbhag: threshold = Shanbhag(w); break;
    case ThresholdMethod::kTriangle: threshold = Triangle(w); break;
    case ThresholdMethod::kYen: threshold = Yen(w); break;
  }
  return std::clamp(threshold, 0, kClasses - 1);
}

}  // namespace fovea::process
