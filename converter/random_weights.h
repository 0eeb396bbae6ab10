// Stand-ins for weights that a file lacks: zeros for planning, or seeded random numbers for trying and timing.
#ifndef FOVEA_CONVERTER_RANDOM_WEIGHTS_H_
#define FOVEA_CONVERTER_RANDOM_WEIGHTS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace fovea::converter {

// Of such sizes that values neither vanish nor explode on their way through a network: factors and variances of
// normalisations ("gamma", "variance", "scale") lie in [0.5, 1.5), weights within sqrt(6 / fan-in) as in He's
// initialisation, vectors within 0.1. The same for the same seed and name.
std::vector<float> RandomWeights(const std::string& name, const std::vector<int64_t>& dims, uint64_t seed);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_RANDOM_WEIGHTS_H_
