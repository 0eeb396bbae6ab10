// Element types of the tensors and images that enter and leave fovea.
//
// Inside the runtime every value is float32; integers are exact there up to 2^24. A DType says how a tensor looks at
// the border: in the source model's interface, in an NPY file, in an image file.
#ifndef FOVEA_DTYPE_H_
#define FOVEA_DTYPE_H_

#include <cstddef>
#include <cstdint>

namespace fovea {

// Values are stored in .fov files: append only.
enum class DType : uint8_t {
  kFloat32 = 0,
  kFloat64 = 1,
  kFloat16 = 2,
  kInt8 = 3,
  kUInt8 = 4,
  kInt16 = 5,
  kUInt16 = 6,
  kInt32 = 7,
  kUInt32 = 8,
  kInt64 = 9,
  kUInt64 = 10,
  kBool = 11,
};
inline constexpr int kDTypeCount = 12;

constexpr size_t DTypeBytes(DType t) {
  switch (t) {
    case DType::kFloat64:
    case DType::kInt64:
    case DType::kUInt64: return 8;
    case DType::kFloat32:
    case DType::kInt32:
    case DType::kUInt32: return 4;
    case DType::kFloat16:
    case DType::kInt16:
    case DType::kUInt16: return 2;
    case DType::kInt8:
    case DType::kUInt8:
    case DType::kBool: return 1;
  }
  return 0;
}

// numpy's name of the type: "float32", "uint16", "bool".
constexpr const char* DTypeName(DType t) {
  switch (t) {
    case DType::kFloat32: return "float32";
    case DType::kFloat64: return "float64";
    case DType::kFloat16: return "float16";
    case DType::kInt8: return "int8";
    case DType::kUInt8: return "uint8";
    case DType::kInt16: return "int16";
    case DType::kUInt16: return "uint16";
    case DType::kInt32: return "int32";
    case DType::kUInt32: return "uint32";
    case DType::kInt64: return "int64";
    case DType::kUInt64: return "uint64";
    case DType::kBool: return "bool";
  }
  return "unknown";
}

constexpr bool IsFloat(DType t) { return t == DType::kFloat32 || t == DType::kFloat64 || t == DType::kFloat16; }

}  // namespace fovea

#endif  // FOVEA_DTYPE_H_
