// Numbers to feed networks with when nobody gives an image.
#ifndef FOVEA_TOOLS_CLI_SEEDED_H_
#define FOVEA_TOOLS_CLI_SEEDED_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fovea::cli {

inline size_t ElementCount(const std::vector<int64_t>& dims) {
  size_t n = 1;
  for (const int64_t d : dims) n *= static_cast<size_t>(d);
  return n;
}

// Numbers in [-1, 1) from a fixed linear congruential sequence: the same on every machine.
inline std::vector<float> SeededInput(size_t n) {
  std::vector<float> values(n);
  uint32_t state = 12345;
  for (float& v : values) {
    state = state * 1664525u + 1013904223u;
    v = static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
  }
  return values;
}

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CLI_SEEDED_H_
