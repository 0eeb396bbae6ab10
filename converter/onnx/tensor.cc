#include "converter/onnx/tensor.h"

#include <bit>
#include <cstring>

#include "converter/onnx/external_data.h"

namespace fovea::converter {

namespace {

constexpr int kMaxRank = 64;  // far beyond what any operator takes; the importer checks the real limit

float HalfToFloat(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
  const uint32_t exponent = (h >> 10) & 0x1fu, mantissa = h & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float subnormal = static_cast<float>(mantissa) * 0x1p-24f;
  return sign != 0 ? -subnormal : subnormal;
}

float BFloat16ToFloat(uint16_t b) { return std::bit_cast<float>(static_cast<uint32_t>(b) << 16); }

size_t OnnxTypeBytes(int32_t type) {
  switch (type) {
    case kOnnxBool:
    case kOnnxUInt8:
    case kOnnxInt8: return 1;
    case kOnnxUInt16:
    case kOnnxInt16:
    case kOnnxFloat16:
    case kOnnxBFloat16: return 2;
    case kOnnxFloat:
    case kOnnxInt32:
    case kOnnxUInt32: return 4;
    default: return 8;
  }
}

template <class Stored, class Out, class Convert>
void Unpack(const std::string& raw, std::vector<Out>* out, Convert convert) {
  const size_t count = raw.size() / sizeof(Stored);
  out->resize(count);
  for (size_t i = 0; i < count; ++i) {
    Stored value;  // files are little-endian, and so are all machines that the converter runs on
    std::memcpy(&value, raw.data() + i * sizeof(Stored), sizeof(Stored));
    (*out)[i] = convert(value);
  }
}

void UnpackRaw(int32_t type, const std::string& raw, TensorData* out) {
  const auto to_int = [](auto v) { return static_cast<int64_t>(v); };
  switch (type) {
    case kOnnxFloat: Unpack<float>(raw, &out->floats, [](float v) { return v; }); break;
    case kOnnxDouble: Unpack<double>(raw, &out->floats, [](double v) { return static_cast<float>(v); }); break;
    case kOnnxFloat16: Unpack<uint16_t>(raw, &out->floats, HalfToFloat); break;
    case kOnnxBFloat16: Unpack<uint16_t>(raw, &out->floats, BFloat16ToFloat); break;
    case kOnnxBool: Unpack<uint8_t>(raw, &out->integers, [](uint8_t v) { return int64_t{v != 0}; }); break;
    case kOnnxUInt8: Unpack<uint8_t>(raw, &out->integers, to_int); break;
    case kOnnxInt8: Unpack<int8_t>(raw, &out->integers, to_int); break;
    case kOnnxUInt16: Unpack<uint16_t>(raw, &out->integers, to_int); break;
    case kOnnxInt16: Unpack<int16_t>(raw, &out->integers, to_int); break;
    case kOnnxInt32: Unpack<int32_t>(raw, &out->integers, to_int); break;
    case kOnnxUInt32: Unpack<uint32_t>(raw, &out->integers, to_int); break;
    default: Unpack<int64_t>(raw, &out->integers, to_int); break;  // int64 and the bits of uint64
  }
}

template <class Field, class Out, class Convert>
void Copy(const Field& field, std::vector<Out>* out, Convert convert) {
  out->reserve(static_cast<size_t>(field.size()));
  for (const auto v : field) out->push_back(convert(v));
}

void UnpackTyped(const onnx::TensorProto& tensor, TensorData* out) {
  const auto to_int = [](auto v) { return static_cast<int64_t>(v); };
  const auto bits = [](int32_t v) { return static_cast<uint16_t>(v); };
  switch (tensor.data_type()) {
    case kOnnxFloat: Copy(tensor.float_data(), &out->floats, [](float v) { return v; }); break;
    case kOnnxDouble: Copy(tensor.double_data(), &out->floats, [](double v) { return static_cast<float>(v); }); break;
    case kOnnxFloat16: Copy(tensor.int32_data(), &out->floats, [&](int32_t v) { return HalfToFloat(bits(v)); }); break;
    case kOnnxBFloat16:
      Copy(tensor.int32_data(), &out->floats, [&](int32_t v) { return BFloat16ToFloat(bits(v)); });
      break;
    case kOnnxBool: Copy(tensor.int32_data(), &out->integers, [](int32_t v) { return int64_t{v != 0}; }); break;
    case kOnnxInt64: Copy(tensor.int64_data(), &out->integers, to_int); break;
    case kOnnxUInt32:
    case kOnnxUInt64: Copy(tensor.uint64_data(), &out->integers, to_int); break;
    default: Copy(tensor.int32_data(), &out->integers, to_int); break;
  }
}

}  // namespace

Result<DType> ElementType(int32_t onnx_type) {
  switch (onnx_type) {
    case kOnnxFloat:
    case kOnnxBFloat16: return DType::kFloat32;
    case kOnnxDouble: return DType::kFloat64;
    case kOnnxFloat16: return DType::kFloat16;
    case kOnnxUInt8: return DType::kUInt8;
    case kOnnxInt8: return DType::kInt8;
    case kOnnxUInt16: return DType::kUInt16;
    case kOnnxInt16: return DType::kInt16;
    case kOnnxInt32: return DType::kInt32;
    case kOnnxUInt32: return DType::kUInt32;
    case kOnnxInt64: return DType::kInt64;
    case kOnnxUInt64: return DType::kUInt64;
    case kOnnxBool: return DType::kBool;
    default: break;
  }
  return Unsupported("element type " + std::to_string(onnx_type) +
                     " of ONNX (strings, complex numbers, 8-bit floats and 4-bit integers are not supported)");
}

std::vector<float> TensorData::AsFloats() const {
  if (!is_integer()) return floats;
  std::vector<float> out(integers.size());
  for (size_t i = 0; i < integers.size(); ++i) {
    out[i] = dtype == DType::kUInt64 ? static_cast<float>(static_cast<uint64_t>(integers[i]))
                                     : static_cast<float>(integers[i]);
  }
  return out;
}

Result<TensorData> ReadTensor(const onnx::TensorProto& tensor, const std::string& folder) {
  TensorData out;
  FOVEA_ASSIGN_OR_RETURN(out.dtype, ElementType(tensor.data_type()));
  if (tensor.dims_size() > kMaxRank) return CorruptFile("tensor of rank " + std::to_string(tensor.dims_size()));
  uint64_t bytes = OnnxTypeBytes(tensor.data_type());
  for (const int64_t dim : tensor.dims()) {
    if (dim < 0) return CorruptFile("tensor with the size " + std::to_string(dim));
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(dim), &bytes)) {
      return CorruptFile("tensor whose dims multiply to more than 2^64 bytes");
    }
    out.dims.push_back(dim);
  }
  const uint64_t count = bytes / OnnxTypeBytes(tensor.data_type());

  if (tensor.data_location() == 1) {
    FOVEA_ASSIGN_OR_RETURN(const std::string raw, ReadExternalData(tensor, folder, bytes));
    UnpackRaw(tensor.data_type(), raw, &out);
  } else if (tensor.has_raw_data()) {
    if (tensor.raw_data().size() != bytes) {
      return CorruptFile("tensor of " + std::to_string(tensor.raw_data().size()) + " bytes where its dims ask for " +
                         std::to_string(bytes));
    }
    UnpackRaw(tensor.data_type(), tensor.raw_data(), &out);
  } else {
    UnpackTyped(tensor, &out);
  }
  const uint64_t got = out.is_integer() ? out.integers.size() : out.floats.size();
  if (got != count) {
    return CorruptFile("tensor of " + std::to_string(got) + " elements where its dims ask for " +
                       std::to_string(count));
  }
  return out;
}

}  // namespace fovea::converter
