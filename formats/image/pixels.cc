#include "formats/image/pixels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace fovea::formats {
namespace {

template <class T>
T Load(const void* src, int64_t i) {
  T value;
  std::memcpy(&value, static_cast<const char*>(src) + static_cast<size_t>(i) * sizeof(T), sizeof(T));
  return value;
}

template <class T>
void Store(void* dst, int64_t i, T value) {
  std::memcpy(static_cast<char*>(dst) + static_cast<size_t>(i) * sizeof(T), &value, sizeof(T));
}

template <class T>
void Widen(const void* src, int64_t n, float* dst, int64_t stride) {
  for (int64_t i = 0; i < n; ++i) dst[i * stride] = static_cast<float>(Load<T>(src, i));
}

template <class T>
T RoundAndSaturate(float value) {
  if (std::isnan(value)) return 0;
  // 2^digits is exact in double while max() may not be; everything at or above it saturates.
  const double limit = std::ldexp(1.0, std::numeric_limits<T>::digits);
  const double rounded = std::nearbyint(static_cast<double>(value));
  if (rounded >= limit) return std::numeric_limits<T>::max();
  if (rounded < static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  return static_cast<T>(rounded);
}

template <class T>
void Narrow(const float* src, int64_t stride, int64_t n, void* dst) {
  for (int64_t i = 0; i < n; ++i) Store<T>(dst, i, RoundAndSaturate<T>(src[i * stride]));
}

}  // namespace

float HalfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 31u;
  const uint32_t fraction = half & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

uint16_t FloatToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // rounds to 65536 or more
  if (magnitude < 0x38800000u) {                                               // subnormal half: a multiple of 2^-24
    const float scaled = std::nearbyint(std::ldexp(std::bit_cast<float>(magnitude), 24));
    return static_cast<uint16_t>(sign | static_cast<uint16_t>(scaled));
  }
  const uint32_t odd = (magnitude >> 13) & 1u;
  return static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}

void ToFloat(DType dtype, const void* src, int64_t n, float* dst, int64_t stride) {
  switch (dtype) {
    case DType::kFloat32: return Widen<float>(src, n, dst, stride);
    case DType::kFloat64: return Widen<double>(src, n, dst, stride);
    case DType::kFloat16:
      for (int64_t i = 0; i < n; ++i) dst[i * stride] = HalfToFloat(Load<uint16_t>(src, i));
      return;
    case DType::kInt8: return Widen<int8_t>(src, n, dst, stride);
    case DType::kUInt8: return Widen<uint8_t>(src, n, dst, stride);
    case DType::kInt16: return Widen<int16_t>(src, n, dst, stride);
    case DType::kUInt16: return Widen<uint16_t>(src, n, dst, stride);
    case DType::kInt32: return Widen<int32_t>(src, n, dst, stride);
    case DType::kUInt32: return Widen<uint32_t>(src, n, dst, stride);
    case DType::kInt64: return Widen<int64_t>(src, n, dst, stride);
    case DType::kUInt64: return Widen<uint64_t>(src, n, dst, stride);
    case DType::kBool:
      for (int64_t i = 0; i < n; ++i) dst[i * stride] = Load<uint8_t>(src, i) != 0 ? 1.0f : 0.0f;
      return;
  }
}

void FromFloat(DType dtype, const float* src, int64_t stride, int64_t n, void* dst) {
  switch (dtype) {
    case DType::kFloat32:
      for (int64_t i = 0; i < n; ++i) Store<float>(dst, i, src[i * stride]);
      return;
    case DType::kFloat64:
      for (int64_t i = 0; i < n; ++i) Store<double>(dst, i, src[i * stride]);
      return;
    case DType::kFloat16:
      for (int64_t i = 0; i < n; ++i) Store<uint16_t>(dst, i, FloatToHalf(src[i * stride]));
      return;
    case DType::kInt8: return Narrow<int8_t>(src, stride, n, dst);
    case DType::kUInt8: return Narrow<uint8_t>(src, stride, n, dst);
    case DType::kInt16: return Narrow<int16_t>(src, stride, n, dst);
    case DType::kUInt16: return Narrow<uint16_t>(src, stride, n, dst);
    case DType::kInt32: return Narrow<int32_t>(src, stride, n, dst);
    case DType::kUInt32: return Narrow<uint32_t>(src, stride, n, dst);
    case DType::kInt64: return Narrow<int64_t>(src, stride, n, dst);
    case DType::kUInt64: return Narrow<uint64_t>(src, stride, n, dst);
    case DType::kBool:
      for (int64_t i = 0; i < n; ++i) {
        const float value = src[i * stride];
        Store<uint8_t>(dst, i, value != 0 && !std::isnan(value) ? 1 : 0);
      }
      return;
  }
}

void SwapBytes(void* data, size_t element_bytes, size_t n) {
  auto* bytes = static_cast<uint8_t*>(data);
  switch (element_bytes) {
    case 1: return;
    case 2:
      for (size_t i = 0; i < n; ++i) std::swap(bytes[2 * i], bytes[2 * i + 1]);
      return;
    default:
      for (size_t i = 0; i < n; ++i) std::reverse(bytes + i * element_bytes, bytes + (i + 1) * element_bytes);
  }
}

}  // namespace fovea::formats
