#include "converter/emit/half.h"

#include <bit>

namespace fovea::converter {
namespace {

// bits >> shift, rounded to nearest even.
uint32_t RoundedShift(uint32_t bits, uint32_t shift) {
  const uint32_t half = 1u << (shift - 1), rest = bits & ((1u << shift) - 1), kept = bits >> shift;
  return kept + (rest > half || (rest == half && (kept & 1u) != 0) ? 1 : 0);
}

constexpr uint32_t kInfinity = 0x7f800000u;

}  // namespace

uint16_t ToFloat16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x), sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > kInfinity) return static_cast<uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x47800000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 65536 and above
  uint32_t half;
  if (magnitude >= 0x38800000u) {  // normal in binary16: rebias the exponent; a carry out of the mantissa raises it
    half = RoundedShift(magnitude - 0x38000000u, 13);
  } else {  // subnormal: a multiple of 2^-24
    const uint32_t exponent = magnitude >> 23, mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    const uint32_t shift = 126 - exponent;
    half = exponent == 0 || shift > 24 ? 0 : RoundedShift(mantissa, shift);
  }
  return static_cast<uint16_t>(sign | half);
}

uint16_t ToBFloat16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7fffffffu) > kInfinity) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>(RoundedShift(bits, 16));
}

}  // namespace fovea::converter
