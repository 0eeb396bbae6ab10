// Largest and smallest values around each pixel of a plane, and Euclidean distances to the background.
#ifndef FOVEA_RUNTIME_PROCESS_MORPHOLOGY_H_
#define FOVEA_RUNTIME_PROCESS_MORPHOLOGY_H_

#include <cstdint>
#include <vector>

namespace fovea::process {

// A neighbourhood, symmetric about its centre: row dy (-reach .. reach) spans columns -half[|dy|] .. half[|dy|].
struct Element {
  std::vector<int64_t> half;
  int64_t reach() const { return static_cast<int64_t>(half.size()) - 1; }
};
Element SquareElement(double radius);  // |dy|, |dx| <= radius
Element DiskElement(double radius);    // dy^2 + dx^2 <= radius^2; MorphoLibJ's disk of r is the one of r + 0.5
Element CrossElement(double radius);   // |dy| + |dx| <= radius

enum class Outside : uint8_t { kIgnored, kZero };  // what lies beyond the border

void Dilate(const Element& element, float* plane, int64_t rows, int64_t cols);
void Erode(const Element& element, Outside outside, float* plane, int64_t rows, int64_t cols);
int64_t MorphologyBytes(int64_t rows, int64_t cols);

// For each pixel that is not 0: the distance of its centre to the nearest centre of a pixel that is 0 (0 for those);
// infinite where the plane has none. Exact, by parabolas (Felzenszwalb & Huttenlocher 2012).
std::vector<float> DistanceToBackground(const float* plane, int64_t rows, int64_t cols);

}  // namespace fovea::process

#endif  // FOVEA_RUNTIME_PROCESS_MORPHOLOGY_H_
