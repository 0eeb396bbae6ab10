// Element conversions between file types and float32, and byte order.
#ifndef FOVEA_FORMATS_IMAGE_PIXELS_H_
#define FOVEA_FORMATS_IMAGE_PIXELS_H_

#include <cstddef>
#include <cstdint>

#include "runtime/include/fovea/dtype.h"

namespace fovea::formats {

float HalfToFloat(uint16_t half);
uint16_t FloatToHalf(float value);  // round half to even; overflow becomes infinity

// n elements of `dtype` at `src` (tight, host byte order, any alignment) to dst[i * stride], nearest float.
void ToFloat(DType dtype, const void* src, int64_t n, float* dst, int64_t stride);

// src[i * stride] to n tight elements of `dtype`. Integers round half to even and saturate, NaN becomes 0; bool is
// "not 0". Independent of the floating-point environment's rounding mode only in its default setting.
void FromFloat(DType dtype, const float* src, int64_t stride, int64_t n, void* dst);

// Reverses the bytes of each element in place.
void SwapBytes(void* data, size_t element_bytes, size_t n);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_PIXELS_H_
