// A picture for users to look at: the input in grey with the outlines of the found objects in colour, and the labels
// that it needs.
#ifndef FOVEA_FORMATS_IMAGE_OVERLAY_H_
#define FOVEA_FORMATS_IMAGE_OVERLAY_H_

#include <cstdint>
#include <string>

#include "runtime/include/fovea/status.h"

namespace fovea::formats {

// 8-bit RGB PNG of height x width pixels. `grey`: any range, stretched from its 0.5 to its 99.8 percentile; values that
// are not finite are black. `labels`: 0 = background, every other value is an object whose outline (its pixels with a
// 4-neighbour of another value) is drawn in a colour of its own; consecutive numbers get distant hues. Both planes are
// row-major and tight.
Status WriteOverlayPng(const std::string& path, const float* grey, const int32_t* labels, int64_t height,
                       int64_t width);

enum class Connectivity { kFour, kEight };

// Connected components of `plane` > threshold (NaN is background). labels: 0 = background, 1..count in the order in
// which components begin, row by row. Returns the count.
Result<int32_t> LabelMask(const float* plane, int64_t height, int64_t width, float threshold, Connectivity connectivity,
                          int32_t* labels);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_OVERLAY_H_
