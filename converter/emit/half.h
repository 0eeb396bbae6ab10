// float32 to the 16-bit formats of the weight section, rounded to nearest, ties to even (IEEE 754 binary16; bfloat16:
// the upper half of binary32).
#ifndef FOVEA_CONVERTER_EMIT_HALF_H_
#define FOVEA_CONVERTER_EMIT_HALF_H_

#include <cstdint>

namespace fovea::converter {

uint16_t ToFloat16(float x);  // beyond 65504 (after rounding): infinity
uint16_t ToBFloat16(float x);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_EMIT_HALF_H_
