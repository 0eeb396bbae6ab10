// Look-up tables for label images, and the colours of the overlay picture.
#ifndef FOVEA_FORMATS_IMAGE_LUT_H_
#define FOVEA_FORMATS_IMAGE_LUT_H_

#include <array>
#include <cstdint>

#include "formats/image/image.h"

namespace fovea::formats {

// Red, green, blue. Steps of the golden angle around the colour wheel: consecutive numbers get distant hues, and no two
// close ones are alike.
std::array<uint8_t, 3> LabelColour(int32_t label);

// Black for 0, then LabelColour(1) .. LabelColour(255).
Lut LabelLut();

// The range under which a program that maps [min, max] onto 256 colours gives every label its own colour up to 255, and
// a run of labels the same one beyond; as MorphoLibJ shows label images.
DisplayRange LabelRange(int64_t most_objects);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_LUT_H_
