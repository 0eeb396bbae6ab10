#include "converter/tfjs/manifest.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace fovea::converter::tfjs {

namespace {

constexpr uint64_t kMaxElements = uint64_t{1} << 40;
constexpr uint64_t kMaxGroupBytes = uint64_t{16} << 30;
constexpr size_t kMaxWeights = 100'000;

std::string Quoted(const std::string& text) { return "'" + text + "'"; }

// Bytes an element has in the shard; 0: not said by the type.
uint64_t ElementBytes(const std::string& type) {
  if (type == "float32" || type == "int32") return 4;
  if (type == "float16" || type == "uint16") return 2;
  if (type == "uint8" || type == "bool") return 1;
  if (type == "complex64") return 8;
  return 0;
}

Status ReadQuantization(const Json& quantization, StoredWeight* weight) {
  weight->packed = keras::FindString(quantization, "dtype").value_or("");
  if (weight->packed == "float16") return OkStatus();
  if (weight->packed != "uint8" && weight->packed != "uint16") {
    return Unsupported("quantisation to " + Quoted(weight->packed));
  }
  for (const auto& [key, value] : {std::pair{"scale", &weight->scale}, std::pair{"min", &weight->min}}) {
    const Json* number = keras::Find(quantization, key);
    if (number == nullptr || !number->is_number() || !std::isfinite(number->get<double>())) {
      return CorruptFile(std::string("quantisation without a ") + key);
    }
    *value = number->get<double>();
  }
  return OkStatus();
}

Result<StoredWeight> ReadEntry(const Json& json) {
  StoredWeight weight;
  weight.name = keras::FindString(json, "name").value_or("");
  weight.dtype = keras::FindString(json, "dtype").value_or("");
  const Json* shape = keras::Find(json, "shape");
  if (weight.name.empty() || shape == nullptr || !shape->is_array()) return CorruptFile("no name, or no shape");
  weight.count = 1;
  for (const Json& size : *shape) {
    const auto number = keras::AsInteger(size);
    if (!number || *number < 0 || static_cast<uint64_t>(*number) > kMaxElements ||
        (*number > 0 && weight.count > kMaxElements / static_cast<uint64_t>(*number))) {
      return CorruptFile("a size that no weight can have");
    }
    weight.count *= static_cast<uint64_t>(*number);
    weight.dims.push_back(*number);
  }
  if (const Json* quantization = keras::Find(json, "quantization"); quantization != nullptr) {
    FOVEA_RETURN_IF_ERROR(ReadQuantization(*quantization, &weight));
  }
  return weight;
}

// Bytes of the weight at the front of `rest`. Text has a length before every element.
Result<uint64_t> StoredBytes(const StoredWeight& weight, std::string_view rest) {
  if (weight.dtype != "string") {
    const uint64_t bytes = ElementBytes(weight.packed.empty() ? weight.dtype : weight.packed);
    if (bytes == 0) return Unsupported("elements of type " + Quoted(weight.dtype));
    return weight.count * bytes;
  }
  uint64_t at = 0;
  for (uint64_t i = 0; i < weight.count; ++i) {
    uint32_t length = 0;
    if (rest.size() - at < sizeof(length)) return CorruptFile("text that is cut off");
    std::memcpy(&length, rest.data() + at, sizeof(length));
    at += sizeof(length);
    if (rest.size() - at < length) return CorruptFile("text that is cut off");
    at += length;
  }
  return at;
}

Status VisitGroup(const Json& group, const ShardReader& read_shard, size_t* weights,
                  const std::function<Status(const StoredWeight&, std::string_view)>& visit) {
  const Json *paths = keras::Find(group, "paths"), *entries = keras::Find(group, "weights");
  if (paths == nullptr || entries == nullptr || !paths->is_array() || !entries->is_array()) {
    return CorruptFile("a group of weights without paths or weights");
  }
  std::string bytes;
  for (const Json& path : *paths) {
    if (!path.is_string()) return CorruptFile("the path of a shard is not text");
    FOVEA_ASSIGN_OR_RETURN(const std::string shard,
                           read_shard(path.get_ref<const std::string&>(), kMaxGroupBytes - bytes.size()));
    bytes += shard;
  }
  std::string_view rest = bytes;
  for (const Json& json : *entries) {
    const std::string where = "the weights " + Quoted(keras::FindString(json, "name").value_or(""));
    if (++*weights > kMaxWeights) return CorruptFile("more than 100,000 weights");
    Result<StoredWeight> weight = ReadEntry(json);
    if (!weight.ok()) return weight.status().Prefixed(where);
    Result<uint64_t> size = StoredBytes(*weight, rest);
    if (!size.ok()) return size.status().Prefixed(where);
    if (*size > rest.size()) {
      return CorruptFile(where + " need " + std::to_string(*size) + " bytes, but the shards have only " +
                         std::to_string(rest.size()) + " left");
    }
    FOVEA_RETURN_IF_ERROR(visit(*weight, rest.substr(0, *size)).Prefixed(where));
    rest.remove_prefix(*size);
  }
  if (rest.empty()) return OkStatus();
  return CorruptFile(std::to_string(rest.size()) + " bytes of the shards belong to no weights");
}

float HalfToFloat(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 0x3ff;
  const float sign = (bits & 0x8000) != 0 ? -1.0f : 1.0f;
  if (exponent == 31) return mantissa != 0 ? std::nanf("") : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
  return sign * std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
}

template <class T, class Fn>
std::vector<float> Converted(std::string_view bytes, Fn convert) {
  std::vector<float> out(bytes.size() / sizeof(T));
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    out[i] = convert(value);
  }
  return out;
}

}  // namespace

Status ForEachWeight(const Json& manifest, const ShardReader& read_shard,
                     const std::function<Status(const StoredWeight&, std::string_view)>& visit) {
  if (!manifest.is_array()) return CorruptFile("weightsManifest is not a list");
  size_t weights = 0;
  for (const Json& group : manifest) FOVEA_RETURN_IF_ERROR(VisitGroup(group, read_shard, &weights, visit));
  return OkStatus();
}

Result<std::vector<float>> Unpack(const StoredWeight& weight, std::string_view bytes) {
  static_assert(std::endian::native == std::endian::little, "shards are little-endian");
  // Dequantised in double, rounded once; integers are rounded to integers.
  const bool integers = weight.dtype == "int32";
  const auto dequantize = [&](double q) {
    const double value = q * weight.scale + weight.min;
    return static_cast<float>(integers ? std::nearbyint(value) : value);
  };
  const std::string& type = weight.packed.empty() ? weight.dtype : weight.packed;
  if (weight.packed == "uint8") return Converted<uint8_t>(bytes, dequantize);
  if (weight.packed == "uint16") return Converted<uint16_t>(bytes, dequantize);
  if (type == "float16") return Converted<uint16_t>(bytes, HalfToFloat);
  if (type == "float32") return Converted<float>(bytes, [](float v) { return v; });
  if (type == "int32") return Converted<int32_t>(bytes, [](int32_t v) { return static_cast<float>(v); });
  if (type == "uint8" || type == "bool") {
    return Converted<uint8_t>(bytes, [](uint8_t v) { return static_cast<float>(v); });
  }
  return Unsupported("elements of type " + Quoted(type));
}

}  // namespace fovea::converter::tfjs
