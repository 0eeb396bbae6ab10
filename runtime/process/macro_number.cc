#include "runtime/process/macro_number.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace fovea::process {

double MacroNumber(double value) {
  constexpr int kSignificant = 4, kMost = 9;
  if (value == 0 || !std::isfinite(value)) return value;
  if (value == std::round(value) && std::abs(value) < 1e9) return value;
  const int magnitude = static_cast<int>(std::ceil(std::log10(std::abs(value)) + 0.223 * std::pow(10, -kMost)));
  int decimals = kMost - magnitude;
  const bool exponent = decimals < 0 || magnitude < kSignificant + 1 - kMost;
  if (decimals > kSignificant) decimals = std::max(kSignificant, decimals - kMost + kSignificant);
  char text[64];
  const auto written = exponent ? std::to_chars(text, text + sizeof(text), value, std::chars_format::scientific, 4)
                                : std::to_chars(text, text + sizeof(text), value, std::chars_format::fixed, decimals);
  double rounded = value;
  std::from_chars(text, written.ptr, rounded);
  return rounded;
}

void MacroScale(double subtract, double divide, float* pixels, int64_t count) {
  const double factor = 1.0 / divide;
  for (int64_t i = 0; i < count; ++i) {
    const float difference = static_cast<float>(static_cast<double>(pixels[i]) - subtract);
    pixels[i] = static_cast<float>(static_cast<double>(difference) * factor);
  }
}

}  // namespace fovea::process
