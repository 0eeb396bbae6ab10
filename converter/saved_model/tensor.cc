#include "converter/saved_model/tensor.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace fovea::converter {

namespace {

constexpr int kMaxRank = 32;
constexpr size_t kMaxExactIntegers = 4096;  // tf_graph.h
constexpr int32_t kReference = 100;

float HalfToFloat(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
  const uint32_t exponent = (h >> 10) & 0x1fu, mantissa = h & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float subnormal = static_cast<float>(mantissa) * 0x1p-24f;
  return sign != 0 ? -subnormal : subnormal;
}

float BFloat16ToFloat(uint16_t b) { return std::bit_cast<float>(static_cast<uint32_t>(b) << 16); }

// Gathers elements of any type into a TfTensor.
class Elements {
 public:
  Elements(DType dtype, std::vector<int64_t> dims, size_t count)
      : exact_(!IsFloat(dtype) && count <= kMaxExactIntegers) {
    tensor_.dtype = dtype;
    tensor_.dims = std::move(dims);
    floats_.reserve(count);
    if (exact_) tensor_.integers.reserve(count);
  }
  void Add(float v) { floats_.push_back(v); }
  void Add(double v) { floats_.push_back(static_cast<float>(v)); }
  template <class Integer>
  void Add(Integer v) {
    floats_.push_back(static_cast<float>(v));
    if (exact_) tensor_.integers.push_back(static_cast<int64_t>(v));
  }
  // The last element again until there are `count`; zeros where there is none.
  void Fill(size_t count) {
    floats_.resize(count, floats_.empty() ? 0.0f : floats_.back());
    if (exact_) tensor_.integers.resize(count, tensor_.integers.empty() ? 0 : tensor_.integers.back());
  }
  size_t size() const { return floats_.size(); }
  TfTensor Take() {
    tensor_.data = std::make_shared<const std::vector<float>>(std::move(floats_));
    return std::move(tensor_);
  }

 private:
  bool exact_;
  TfTensor tensor_;
  std::vector<float> floats_;
};

template <class Stored, class Convert>
void Unpack(std::span<const std::byte> bytes, bool swap, Elements* out, Convert convert) {
  for (size_t at = 0; at + sizeof(Stored) <= bytes.size(); at += sizeof(Stored)) {
    std::byte raw[sizeof(Stored)];
    std::memcpy(raw, bytes.data() + at, sizeof(Stored));
    if (swap) std::reverse(std::begin(raw), std::end(raw));
    Stored value;
    std::memcpy(&value, raw, sizeof(Stored));
    out->Add(convert(value));
  }
}

template <class Field, class Convert>
void Copy(const Field& field, size_t count, Elements* out, Convert convert) {
  for (size_t i = 0; i < count; ++i) out->Add(convert(field[static_cast<int>(i)]));
}

struct Dims {
  std::vector<int64_t> dims;
  size_t count = 0;
};

Result<Dims> KnownDims(const tfproto::TensorShapeProto& shape) {
  Dims out;
  if (shape.unknown_rank() || shape.dim_size() > kMaxRank) return CorruptFile("a tensor without a usable shape");
  out.dims = ToShape(shape).dims;
  const std::optional<uint64_t> count = ElementCount(out.dims);
  if (!count) return CorruptFile("a tensor whose sizes are open or absurd");
  out.count = *count;
  return out;
}

// Typed fields hold any number of values up to `count`.
void CopyTyped(const tfproto::TensorProto& t, size_t count, Elements* out) {
  const auto same = [](auto v) { return v; };
  const auto use = [&](const auto& field, auto convert) {
    Copy(field, std::min(count, static_cast<size_t>(field.size())), out, convert);
  };
  switch (t.dtype()) {
    case kTfFloat: use(t.float_val(), same); break;
    case kTfDouble: use(t.double_val(), same); break;
    case kTfHalf: use(t.half_val(), [](int32_t v) { return HalfToFloat(static_cast<uint16_t>(v)); }); break;
    case kTfBFloat16: use(t.half_val(), [](int32_t v) { return BFloat16ToFloat(static_cast<uint16_t>(v)); }); break;
    case kTfInt64: use(t.int64_val(), same); break;
    case kTfBool: use(t.bool_val(), [](bool v) { return int32_t{v}; }); break;
    case kTfUInt32: use(t.uint32_val(), same); break;
    case kTfUInt64: use(t.uint64_val(), same); break;
    default: use(t.int_val(), same); break;
  }
}

int TypedSize(const tfproto::TensorProto& t) {
  switch (t.dtype()) {
    case kTfFloat: return t.float_val_size();
    case kTfDouble: return t.double_val_size();
    case kTfHalf:
    case kTfBFloat16: return t.half_val_size();
    case kTfInt64: return t.int64_val_size();
    case kTfBool: return t.bool_val_size();
    case kTfUInt32: return t.uint32_val_size();
    case kTfUInt64: return t.uint64_val_size();
    default: return t.int_val_size();
  }
}

}  // namespace

TfType ToDType(int32_t tf_type) {
  switch (tf_type > kReference ? tf_type - kReference : tf_type) {
    case kTfFloat:
    case kTfBFloat16: return DType::kFloat32;
    case kTfDouble: return DType::kFloat64;
    case kTfHalf: return DType::kFloat16;
    case kTfInt8:
    case kTfQInt8: return DType::kInt8;
    case kTfUInt8:
    case kTfQUInt8: return DType::kUInt8;
    case kTfInt16:
    case kTfQInt16: return DType::kInt16;
    case kTfUInt16:
    case kTfQUInt16: return DType::kUInt16;
    case kTfInt32:
    case kTfQInt32: return DType::kInt32;
    case kTfUInt32: return DType::kUInt32;
    case kTfInt64: return DType::kInt64;
    case kTfUInt64: return DType::kUInt64;
    case kTfBool: return DType::kBool;
    default: return std::nullopt;
  }
}

size_t TfTypeBytes(int32_t tf_type) {
  if (tf_type == kTfBFloat16) return 2;
  const TfType dtype = ToDType(tf_type);
  return dtype ? DTypeBytes(*dtype) : 0;
}

std::string TfTypeName(int32_t tf_type) {
  if (const TfType dtype = ToDType(tf_type)) return DTypeName(*dtype);
  if (tf_type == kTfString) return "string";
  if (tf_type == kTfResource) return "resource";
  return "type " + std::to_string(tf_type);
}

TfShape ToShape(const tfproto::TensorShapeProto& shape) {
  TfShape out;
  out.known_rank = !shape.unknown_rank();
  if (out.known_rank) {
    for (const auto& dim : shape.dim()) out.dims.push_back(std::max<int64_t>(dim.size(), -1));
  }
  return out;
}

std::optional<uint64_t> ElementCount(const std::vector<int64_t>& dims) {
  uint64_t count = 1;
  for (const int64_t dim : dims) {
    if (dim < 0 || __builtin_mul_overflow(count, static_cast<uint64_t>(dim), &count) || count > uint64_t{1} << 62) {
      return std::nullopt;
    }
  }
  return count;
}

TfTensor MakeFloatTensor(std::vector<int64_t> dims, std::vector<float> values) {
  TfTensor tensor;
  tensor.dims = std::move(dims);
  tensor.data = std::make_shared<const std::vector<float>>(std::move(values));
  return tensor;
}

Result<TfTensor> DecodeElements(int32_t tf_type, std::vector<int64_t> dims, std::span<const std::byte> bytes,
                                bool big_endian) {
  const TfType dtype = ToDType(tf_type);
  if (!dtype) return Unsupported("a tensor of " + TfTypeName(tf_type));
  const std::optional<uint64_t> count = ElementCount(dims);
  if (!count || bytes.size() % TfTypeBytes(tf_type) != 0 || bytes.size() / TfTypeBytes(tf_type) != *count) {
    return CorruptFile("a tensor of " + std::to_string(bytes.size()) + " bytes, which its shape contradicts");
  }
  const bool swap = big_endian != (std::endian::native == std::endian::big);
  Elements out(*dtype, std::move(dims), *count);
  const auto same = [](auto v) { return v; };
  switch (tf_type > kReference ? tf_type - kReference : tf_type) {
    case kTfFloat: Unpack<float>(bytes, swap, &out, same); break;
    case kTfDouble: Unpack<double>(bytes, swap, &out, same); break;
    case kTfHalf: Unpack<uint16_t>(bytes, swap, &out, HalfToFloat); break;
    case kTfBFloat16: Unpack<uint16_t>(bytes, swap, &out, BFloat16ToFloat); break;
    case kTfBool: Unpack<uint8_t>(bytes, swap, &out, [](uint8_t v) { return int32_t{v != 0}; }); break;
    case kTfUInt8:
    case kTfQUInt8: Unpack<uint8_t>(bytes, swap, &out, same); break;
    case kTfInt8:
    case kTfQInt8: Unpack<int8_t>(bytes, swap, &out, same); break;
    case kTfUInt16:
    case kTfQUInt16: Unpack<uint16_t>(bytes, swap, &out, same); break;
    case kTfInt16:
    case kTfQInt16: Unpack<int16_t>(bytes, swap, &out, same); break;
    case kTfInt32:
    case kTfQInt32: Unpack<int32_t>(bytes, swap, &out, same); break;
    case kTfUInt32: Unpack<uint32_t>(bytes, swap, &out, same); break;
    case kTfInt64: Unpack<int64_t>(bytes, swap, &out, same); break;
    default: Unpack<uint64_t>(bytes, swap, &out, same); break;
  }
  return out.Take();
}

Result<TfTensor> DecodeTensor(const tfproto::TensorProto& tensor, uint64_t* budget) {
  FOVEA_ASSIGN_OR_RETURN(Dims known, KnownDims(tensor.tensor_shape()));
  if (tensor.dtype() == kTfString) {
    TfTensor out;
    out.is_string = true;
    out.dims = std::move(known.dims);
    return out;
  }
  const TfType dtype = ToDType(tensor.dtype());
  if (!dtype) return Unsupported("a tensor of " + TfTypeName(tensor.dtype()));
  if (!tensor.tensor_content().empty()) {
    return DecodeElements(tensor.dtype(), std::move(known.dims), std::as_bytes(std::span(tensor.tensor_content())),
                          false);
  }
  const auto given = static_cast<size_t>(TypedSize(tensor));
  if (given > known.count) {
    return CorruptFile("a tensor of " + std::to_string(given) + " values where its shape asks for " +
                       std::to_string(known.count));
  }
  const uint64_t repeated = known.count - given;
  if (repeated > *budget) return CorruptFile("tensors that repeat a value more often than memory allows");
  *budget -= repeated;
  Elements out(*dtype, std::move(known.dims), known.count);
  CopyTyped(tensor, known.count, &out);
  out.Fill(known.count);
  return out.Take();
}

const tfproto::AttrValue* FindAttr(const google::protobuf::RepeatedPtrField<tfproto::AttrEntry>& attrs,
                                   const std::string& name) {
  for (const tfproto::AttrEntry& entry : attrs) {
    if (entry.key() == name) return &entry.value();
  }
  return nullptr;
}

Result<TfAttr> DecodeAttr(const tfproto::AttrValue& value, uint64_t* budget) {
  using Value = tfproto::AttrValue;
  switch (value.value_case()) {
    case Value::kS: return TfAttr(value.s());
    case Value::kI: return TfAttr(value.i());
    case Value::kF: return TfAttr(value.f());
    case Value::kB: return TfAttr(value.b());
    case Value::kType: return TfAttr(ToDType(value.type()));
    case Value::kShape: return TfAttr(ToShape(value.shape()));
    case Value::kPlaceholder: return TfAttr(value.placeholder());
    case Value::kFunc: return TfAttr(value.func().name());
    case Value::kTensor: {
      FOVEA_ASSIGN_OR_RETURN(TfTensor tensor, DecodeTensor(value.tensor(), budget));
      return TfAttr(std::move(tensor));
    }
    case Value::kList: break;
    default: return TfAttr();
  }
  const Value::ListValue& list = value.list();
  if (list.s_size() > 0) return TfAttr(std::vector<std::string>(list.s().begin(), list.s().end()));
  if (list.f_size() > 0) return TfAttr(std::vector<float>(list.f().begin(), list.f().end()));
  if (list.shape_size() > 0) {
    std::vector<TfShape> shapes;
    for (const auto& shape : list.shape()) shapes.push_back(ToShape(shape));
    return TfAttr(std::move(shapes));
  }
  if (list.func_size() > 0) {
    std::vector<std::string> names;
    for (const auto& func : list.func()) names.push_back(func.name());
    return TfAttr(std::move(names));
  }
  if (list.b_size() > 0) return TfAttr(std::vector<int64_t>(list.b().begin(), list.b().end()));
  if (list.type_size() > 0) return TfAttr(std::vector<int64_t>(list.type().begin(), list.type().end()));
  return TfAttr(std::vector<int64_t>(list.i().begin(), list.i().end()));
}

}  // namespace fovea::converter
