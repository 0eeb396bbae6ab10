#include "runtime/process/components.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::process {
namespace {

struct Offset {
  int64_t z, y, x;
};

// Neighbours that come before a pixel in the order of rows.
std::vector<Offset> Preceding(Neighbours neighbours) {
  std::vector<Offset> offsets;
  const bool volume = IsOfVolume(neighbours);
  const int64_t most = neighbours == Neighbours::k26                                   ? 3
                       : neighbours == Neighbours::k18 || neighbours == Neighbours::k8 ? 2
                                                                                       : 1;
  for (int64_t z = volume ? -1 : 0; z <= 0; ++z) {
    for (int64_t y = -1; y <= 1; ++y) {
      for (int64_t x = -1; x <= 1; ++x) {
        const bool before = z < 0 || (z == 0 && (y < 0 || (y == 0 && x < 0)));
        if (before && std::abs(z) + std::abs(y) + std::abs(x) <= most) offsets.push_back({z, y, x});
      }
    }
  }
  return offsets;
}

// Pixels point to an earlier pixel of their object; the first one to itself.
int32_t Root(std::vector<int32_t>* parent, int32_t i) {
  while ((*parent)[static_cast<size_t>(i)] != i) {
    int32_t& up = (*parent)[static_cast<size_t>(i)];
    up = (*parent)[static_cast<size_t>(up)];
    i = up;
  }
  return i;
}

}  // namespace

int64_t LabelBytes(const Extent& extent) { return extent.pixels() * static_cast<int64_t>(sizeof(int32_t)); }

Result<int32_t> LabelObjects(const float* pixels, const Extent& extent, Neighbours neighbours, bool any_value,
                             std::vector<int32_t>* labels) {
  const int64_t count = extent.pixels();
  if (count > std::numeric_limits<int32_t>::max()) {
    return Unsupported("objects can't be looked for in more than 2^31 - 1 pixels at once");
  }
  std::vector<int32_t>& parent = *labels;
  parent.resize(static_cast<size_t>(count));
  const std::vector<Offset> offsets = Preceding(neighbours);
  const auto is_object = [pixels](int64_t i) { return pixels[i] != 0 && !std::isnan(pixels[i]); };
  int64_t i = 0;
  for (int64_t z = 0; z < extent.planes; ++z) {
    for (int64_t y = 0; y < extent.rows; ++y) {
      for (int64_t x = 0; x < extent.cols; ++x, ++i) {
        parent[static_cast<size_t>(i)] = static_cast<int32_t>(i);
        if (!is_object(i)) continue;
        for (const Offset& o : offsets) {
          if (z + o.z < 0 || y + o.y < 0 || y + o.y >= extent.rows || x + o.x < 0 || x + o.x >= extent.cols) continue;
          const int64_t j = i + (o.z * extent.rows + o.y) * extent.cols + o.x;
          if (!is_object(j) || (!any_value && pixels[i] != pixels[j])) continue;
          const int32_t a = Root(&parent, static_cast<int32_t>(i)), b = Root(&parent, static_cast<int32_t>(j));
          parent[static_cast<size_t>(std::max(a, b))] = std::min(a, b);
        }
      }
    }
  }
  // Parents come earlier, so they are numbered already: a number n stands as -n - 1 until all are.
  int32_t objects = 0;
  for (int64_t p = 0; p < count; ++p) {
    int32_t& at = parent[static_cast<size_t>(p)];
    if (!is_object(p)) {
      at = -1;
    } else if (at == p) {
      at = -++objects - 1;
    } else {
      at = parent[static_cast<size_t>(at)];
    }
  }
  for (int32_t& label : parent) label = -label - 1;
  return objects;
}

}  // namespace fovea::process
