#include "formats/image/lut.h"

#include <algorithm>
#include <cmath>

namespace fovea::formats {

std::array<uint8_t, 3> LabelColour(int32_t label) {
  const double turn = std::fmod(static_cast<double>(static_cast<uint32_t>(label)) * 0.6180339887498949, 1.0) * 6;
  const double rise = turn - std::floor(turn);
  const auto up = static_cast<uint8_t>(std::lround(255 * rise));
  const auto down = static_cast<uint8_t>(255 - up);
  switch (static_cast<int>(turn)) {
    case 0: return {255, up, 0};
    case 1: return {down, 255, 0};
    case 2: return {0, 255, up};
    case 3: return {0, down, 255};
    case 4: return {up, 0, 255};
    default: return {255, 0, down};
  }
}

Lut LabelLut() {
  Lut lut{};
  for (size_t i = 1; i < 256; ++i) {
    const std::array<uint8_t, 3> colour = LabelColour(static_cast<int32_t>(i));
    for (size_t channel = 0; channel < 3; ++channel) lut[channel * 256 + i] = colour[channel];
  }
  return lut;
}

DisplayRange LabelRange(int64_t most_objects) { return {0, static_cast<double>(std::max<int64_t>(255, most_objects))}; }

}  // namespace fovea::formats
