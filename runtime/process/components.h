// Connected objects of a plane or a volume.
#ifndef FOVEA_RUNTIME_PROCESS_COMPONENTS_H_
#define FOVEA_RUNTIME_PROCESS_COMPONENTS_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "runtime/include/fovea/status.h"

namespace fovea::process {

struct Extent {
  int64_t planes = 1, rows = 1, cols = 1;
  int64_t pixels() const { return planes * rows * cols; }
};

// Pixels that share an edge (4), an edge or a corner (8) in the plane; a face (6), an edge (18) or a corner (26) in the
// volume.
enum class Neighbours : uint8_t { k4 = 4, k8 = 8, k6 = 6, k18 = 18, k26 = 26 };
inline bool IsOfVolume(Neighbours n) { return n == Neighbours::k6 || n == Neighbours::k18 || n == Neighbours::k26; }

// Objects: connected pixels of equal value, 0 and NaN apart. any_value: pixels that are not 0 are alike. labels:
// 0 = background, 1 .. count in the order in which objects begin, row by row. Returns the count.
// Errors: kUnsupported for more than 2^31 - 1 pixels.
Result<int32_t> LabelObjects(const float* pixels, const Extent& extent, Neighbours neighbours, bool any_value,
                             std::vector<int32_t>* labels);
// Bytes that LabelObjects holds, labels included.
int64_t LabelBytes(const Extent& extent);

}  // namespace fovea::process

#endif  // FOVEA_RUNTIME_PROCESS_COMPONENTS_H_
