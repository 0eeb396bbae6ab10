#include "formats/image/overlay.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <new>
#include <vector>

#include "formats/image/lut.h"
#include "formats/image/raster.h"

namespace fovea::formats {
namespace {

constexpr double kLowPercentile = 0.5, kHighPercentile = 99.8;

struct Stretch {
  float low = 0, scale = 0;
};

Stretch FindStretch(const float* grey, int64_t count) {
  std::vector<float> values;
  values.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    if (std::isfinite(grey[i])) values.push_back(grey[i]);
  }
  if (values.empty()) return {};
  const auto percentile = [&](double p) {
    const auto rank = static_cast<std::ptrdiff_t>(std::lround(p / 100 * static_cast<double>(values.size() - 1)));
    std::nth_element(values.begin(), values.begin() + rank, values.end());
    return values[static_cast<size_t>(rank)];
  };
  const float low = percentile(kLowPercentile), high = percentile(kHighPercentile);
  const double span = static_cast<double>(high) - static_cast<double>(low);
  return {low, span > 0 ? static_cast<float>(255 / span) : 0.0f};
}

Status CheckSize(int64_t height, int64_t width) {
  int64_t count = 0;
  if (height < 1 || width < 1 || __builtin_mul_overflow(height, width, &count) ||
      count > std::numeric_limits<int32_t>::max()) {
    return InvalidArgument("a plane of " + std::to_string(height) + " x " + std::to_string(width) +
                           " pixels cannot be labelled or drawn");
  }
  return OkStatus();
}

int32_t FindRoot(std::vector<int32_t>& parent, int32_t label) {
  while (parent[static_cast<size_t>(label)] != label) {
    int32_t& up = parent[static_cast<size_t>(label)];
    up = parent[static_cast<size_t>(up)];
    label = up;
  }
  return label;
}

}  // namespace

Status WriteOverlayPng(const std::string& path, const float* grey, const int32_t* labels, int64_t height,
                       int64_t width) {
  FOVEA_RETURN_IF_ERROR(CheckSize(height, width));
  try {
    const Stretch stretch = FindStretch(grey, height * width);
    std::vector<uint8_t> rgb(static_cast<size_t>(height * width) * 3);
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        const int64_t i = y * width + x;
        uint8_t* pixel = &rgb[static_cast<size_t>(i) * 3];
        const int32_t label = labels[i];
        const bool outline =
            label != 0 && ((y > 0 && labels[i - width] != label) || (x > 0 && labels[i - 1] != label) ||
                           (y + 1 < height && labels[i + width] != label) || (x + 1 < width && labels[i + 1] != label));
        if (outline) {
          const std::array<uint8_t, 3> colour = LabelColour(label);
          std::copy(colour.begin(), colour.end(), pixel);
        } else {
          const float value = std::isfinite(grey[i]) ? (grey[i] - stretch.low) * stretch.scale : 0.0f;
          const auto level = static_cast<uint8_t>(std::lround(std::clamp(value, 0.0f, 255.0f)));
          std::fill(pixel, pixel + 3, level);
        }
      }
    }
    return WritePng(path, rgb.data(), height, width, 3, 8);
  } catch (const std::bad_alloc&) {
    return OutOfMemory("not enough memory to draw '" + path + "'");
  }
}

Result<int32_t> LabelMask(const float* plane, int64_t height, int64_t width, float threshold, Connectivity connectivity,
                          int32_t* labels) {
  FOVEA_RETURN_IF_ERROR(CheckSize(height, width));
  try {
    // First pass: provisional labels; those that touch are united under the smaller root, which began earlier.
    std::vector<int32_t> parent = {0};
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        const int64_t i = y * width + x;
        labels[i] = 0;
        if (!(plane[i] > threshold)) continue;
        int32_t label = 0;
        const auto join = [&](int64_t neighbour) {
          const int32_t other = labels[neighbour];
          if (other == 0) return;
          const int32_t a = FindRoot(parent, other);
          if (label == 0) {
            label = a;
            return;
          }
          const int32_t b = FindRoot(parent, label);
          parent[static_cast<size_t>(std::max(a, b))] = std::min(a, b);
          label = std::min(a, b);
        };
        if (x > 0) join(i - 1);
        if (y > 0) join(i - width);
        if (connectivity == Connectivity::kEight && y > 0) {
          if (x > 0) join(i - width - 1);
          if (x + 1 < width) join(i - width + 1);
        }
        if (label == 0) {
          label = static_cast<int32_t>(parent.size());
          parent.push_back(label);
        }
        labels[i] = label;
      }
    }
    // Roots in ascending order are components in order of their first pixel.
    int32_t count = 0;
    std::vector<int32_t> number(parent.size(), 0);
    for (size_t label = 1; label < parent.size(); ++label) {
      const int32_t root = FindRoot(parent, static_cast<int32_t>(label));
      number[label] = root == static_cast<int32_t>(label) ? ++count : number[static_cast<size_t>(root)];
    }
    for (int64_t i = 0; i < height * width; ++i) labels[i] = number[static_cast<size_t>(labels[i])];
    return count;
  } catch (const std::bad_alloc&) {
    return OutOfMemory("not enough memory to label a plane");
  }
}

}  // namespace fovea::formats
