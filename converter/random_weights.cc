#include "converter/random_weights.h"

#include <cmath>
#include <initializer_list>
#include <random>

namespace fovea::converter {

std::vector<float> RandomWeights(const std::string& name, const std::vector<int64_t>& dims, uint64_t seed) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  std::mt19937_64 random(seed ^ hash);
  size_t count = 1;
  double fan_in = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    count *= static_cast<size_t>(dims[i]);
    if (i + 1 < dims.size()) fan_in *= static_cast<double>(dims[i]);
  }
  double middle = 0, reach = dims.size() > 1 ? std::sqrt(6 / std::max(1.0, fan_in)) : 0.1;
  for (const char* word : {"gamma", "variance", "scale"}) {
    if (name.find(word) == std::string::npos) continue;
    middle = 1;
    reach = 0.5;
  }
  std::vector<float> values(count);
  for (float& value : values) {
    const double uniform = static_cast<double>(random() >> 40) / 16777216.0;  // [0, 1), the same with every library
    value = static_cast<float>(middle + reach * (2 * uniform - 1));
  }
  return values;
}

}  // namespace fovea::converter
