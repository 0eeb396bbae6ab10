#include "formats/image/npy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <new>
#include <string_view>

#include "formats/image/byte_source.h"
#include "formats/image/output_file.h"
#include "formats/image/pixels.h"

namespace fovea::formats {
namespace {

constexpr std::array<uint8_t, 6> kMagic = {0x93, 'N', 'U', 'M', 'P', 'Y'};
constexpr uint32_t kMaxHeaderBytes = 1 << 16;  // the longest useful header has a few hundred
constexpr size_t kMaxRank = 32;                // numpy's own limit

// The text after "'key':" in a Python dictionary literal, or nothing.
std::string_view ValueOf(std::string_view header, std::string_view key) {
  for (const char quote : {'\'', '"'}) {
    const std::string quoted = quote + std::string(key) + quote;
    size_t at = header.find(quoted);
    if (at == std::string_view::npos) continue;
    at = header.find_first_not_of(" \t", at + quoted.size());
    if (at == std::string_view::npos || header[at] != ':') continue;
    at = header.find_first_not_of(" \t", at + 1);
    if (at != std::string_view::npos) return header.substr(at);
  }
  return {};
}

struct TypeCode {
  std::string_view code;
  DType dtype;
};
constexpr TypeCode kTypeCodes[] = {
    {"f4", DType::kFloat32}, {"f8", DType::kFloat64}, {"f2", DType::kFloat16}, {"i1", DType::kInt8},
    {"u1", DType::kUInt8},   {"i2", DType::kInt16},   {"u2", DType::kUInt16},  {"i4", DType::kInt32},
    {"u4", DType::kUInt32},  {"i8", DType::kInt64},   {"u8", DType::kUInt64},  {"b1", DType::kBool},
};

Status ParseType(std::string_view text, NpyHeader* header) {
  if (text.empty() || (text[0] != '\'' && text[0] != '"')) {
    return Unsupported("has structured elements; fovea reads plain numbers only");
  }
  const size_t end = text.find(text[0], 1);
  const std::string_view code = text.substr(1, end == std::string_view::npos ? 0 : end - 1);
  if (code.size() >= 3 && std::string_view("<>|=").find(code[0]) != std::string_view::npos) {
    for (const TypeCode& known : kTypeCodes) {
      if (code.substr(1) != known.code) continue;
      header->dtype = known.dtype;
      const bool little_host = std::endian::native == std::endian::little;
      header->swapped = DTypeBytes(known.dtype) > 1 && code[0] == (little_host ? '>' : '<');
      return OkStatus();
    }
  }
  return Unsupported("has elements of type '" + std::string(code.substr(0, 16)) +
                     "'; fovea reads float16/32/64, (u)int8/16/32/64 and bool");
}

Status ParseShape(std::string_view text, std::vector<int64_t>* shape) {
  const Status bad = CorruptFile("has a header whose shape cannot be read");
  if (text.empty() || text[0] != '(') return bad;
  size_t at = 1;
  while (true) {
    at = text.find_first_not_of(" \t,", at);
    if (at == std::string_view::npos) return bad;
    if (text[at] == ')') return OkStatus();
    int64_t length = 0;
    const auto parsed = std::from_chars(text.data() + at, text.data() + text.size(), length);
    if (parsed.ec != std::errc() || length < 0 || shape->size() == kMaxRank) return bad;
    shape->push_back(length);
    at = static_cast<size_t>(parsed.ptr - text.data());
    if (at < text.size() && text[at] == 'L') ++at;  // Python 2's long literals
  }
}

Result<NpyHeader> ParseHeader(const ByteSource& source) {
  std::array<uint8_t, 12> start{};
  FOVEA_RETURN_IF_ERROR(source.ReadAt(0, start.data(), 10));
  if (!IsNpy(start)) return CorruptFile("'" + source.name() + "' is not a NPY file");
  const auto fail = [&](const Status& status) {
    return Status(status.code(), "'" + source.name() + "' " + status.message());
  };
  if (start[6] < 1 || start[6] > 3) {
    return fail(Unsupported("is NPY format " + std::to_string(start[6]) + "; fovea reads 1 to 3"));
  }
  uint32_t length = static_cast<uint32_t>(start[8] | start[9] << 8);
  NpyHeader header;
  header.data_offset = 10;
  if (start[6] >= 2) {
    FOVEA_RETURN_IF_ERROR(source.ReadAt(0, start.data(), 12));
    length |= static_cast<uint32_t>(start[10]) << 16 | static_cast<uint32_t>(start[11]) << 24;
    header.data_offset = 12;
  }
  if (length > kMaxHeaderBytes) {
    return fail(Unsupported("has a header of " + std::to_string(length) + " bytes; fovea reads up to 64 KiB"));
  }
  std::string text(length, '\0');
  FOVEA_RETURN_IF_ERROR(source.ReadAt(header.data_offset, text.data(), length));
  header.data_offset += length;
  if (const Status status = ParseType(ValueOf(text, "descr"), &header); !status.ok()) return fail(status);
  const std::string_view order = ValueOf(text, "fortran_order");
  if (order.starts_with("True")) {
    header.fortran_order = true;
  } else if (!order.starts_with("False")) {
    return fail(CorruptFile("has a header without a readable fortran_order"));
  }
  if (const Status status = ParseShape(ValueOf(text, "shape"), &header.shape); !status.ok()) return fail(status);

  const uint64_t stored = source.size() - header.data_offset;
  const size_t element_bytes = DTypeBytes(header.dtype);
  const bool has_zero = std::find(header.shape.begin(), header.shape.end(), 0) != header.shape.end();
  if (has_zero && stored > 0) {
    // DeepImageJ writes length 0 for an axis that it lacks. Read as 1 when that explains the data exactly.
    std::vector<int64_t> repaired = header.shape;
    std::replace(repaired.begin(), repaired.end(), int64_t{0}, int64_t{1});
    const int64_t count = ElementCount(repaired, element_bytes);
    if (count >= 0 && static_cast<uint64_t>(count) * element_bytes == stored) header.shape = repaired;
  }
  const int64_t count = ElementCount(header.shape, element_bytes);
  if (count < 0 || static_cast<uint64_t>(count) * element_bytes > stored) {
    return fail(CorruptFile("holds " + std::to_string(stored) + " bytes of data, fewer than its shape needs"));
  }
  return header;
}

Result<NpyArray> ReadFrom(const ByteSource& source) {
  FOVEA_ASSIGN_OR_RETURN(const NpyHeader header, ReadNpyHeader(source));
  const size_t element_bytes = DTypeBytes(header.dtype);
  const size_t count = static_cast<size_t>(ElementCount(header.shape, element_bytes));
  NpyArray array{header.dtype, header.shape, {}};
  array.data.resize(count * element_bytes);
  FOVEA_RETURN_IF_ERROR(source.ReadAt(header.data_offset, array.data.data(), array.data.size()));
  if (header.swapped) SwapBytes(array.data.data(), element_bytes, count);
  if (!header.fortran_order || header.shape.size() < 2 || count == 0) return array;

  std::vector<std::byte> ordered(array.data.size());
  const size_t rank = header.shape.size();
  std::vector<size_t> stride(rank), index(rank, 0);
  size_t step = 1;
  for (size_t axis = 0; axis < rank; ++axis) {
    stride[axis] = step;
    step *= static_cast<size_t>(header.shape[axis]);
  }
  size_t from = 0;
  for (size_t to = 0; to < count; ++to) {
    std::memcpy(&ordered[to * element_bytes], &array.data[from * element_bytes], element_bytes);
    for (size_t axis = rank; axis-- > 0;) {
      from += stride[axis];
      if (++index[axis] < static_cast<size_t>(header.shape[axis])) break;
      from -= stride[axis] * index[axis];
      index[axis] = 0;
    }
  }
  array.data = std::move(ordered);
  return array;
}

Result<NpyArray> ReadGuarded(const ByteSource& source) {
  try {
    return ReadFrom(source);
  } catch (const std::bad_alloc&) {
    return OutOfMemory("not enough memory to load '" + source.name() + "'");
  }
}

}  // namespace

bool IsNpy(std::span<const uint8_t> first_bytes) {
  return first_bytes.size() >= kMagic.size() && std::equal(kMagic.begin(), kMagic.end(), first_bytes.begin());
}

int64_t ElementCount(const std::vector<int64_t>& shape, size_t element_bytes) {
  int64_t bytes = static_cast<int64_t>(element_bytes);
  for (const int64_t length : shape) {
    if (length < 0 || __builtin_mul_overflow(bytes, length, &bytes)) return -1;
  }
  return bytes / static_cast<int64_t>(element_bytes);
}

Result<NpyHeader> ReadNpyHeader(const ByteSource& source) { return ParseHeader(source); }

Result<NpyArray> ReadNpy(const std::string& path) {
  FOVEA_ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> source, OpenFileSource(path));
  return ReadGuarded(*source);
}

Result<NpyArray> ReadNpyFromMemory(std::span<const uint8_t> bytes, const std::string& name) {
  return ReadGuarded(*MakeMemorySource(bytes, name));
}

std::string NpyHeaderText(DType dtype, const std::vector<int64_t>& shape) {
  const char order = DTypeBytes(dtype) == 1 ? '|' : std::endian::native == std::endian::little ? '<' : '>';
  std::string text = "{'descr': '";
  for (const TypeCode& known : kTypeCodes) {
    if (known.dtype == dtype) text += order + std::string(known.code);
  }
  text += "', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < shape.size(); ++i) {
    text += std::to_string(shape[i]);
    if (i + 1 < shape.size()) text += ", ";
    if (shape.size() == 1) text += ",";
  }
  text += "), }";
  text.resize((10 + text.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  text += '\n';
  std::string head(kMagic.begin(), kMagic.end());
  head += '\x01';
  head += '\x00';
  head += static_cast<char>(text.size() & 255);
  head += static_cast<char>(text.size() >> 8);
  return head + text;
}

Status WriteNpy(const std::string& path, DType dtype, const std::vector<int64_t>& shape, const void* data) {
  const int64_t count = ElementCount(shape, DTypeBytes(dtype));
  if (count < 0 || shape.size() > kMaxRank) return InvalidArgument("cannot write '" + path + "': impossible shape");
  OutputFile file;
  FOVEA_RETURN_IF_ERROR(file.Create(path));
  const std::string head = NpyHeaderText(dtype, shape);
  FOVEA_RETURN_IF_ERROR(file.WriteAt(0, head.data(), head.size()));
  FOVEA_RETURN_IF_ERROR(file.WriteAt(head.size(), data, static_cast<size_t>(count) * DTypeBytes(dtype)));
  return file.Commit();
}

Status WriteNpy(const std::string& path, const NpyArray& array) {
  const int64_t count = ElementCount(array.shape, DTypeBytes(array.dtype));
  if (count < 0 || static_cast<size_t>(count) * DTypeBytes(array.dtype) != array.data.size()) {
    return InvalidArgument("cannot write '" + path + "': the data do not fit the shape");
  }
  return WriteNpy(path, array.dtype, array.shape, array.data.data());
}

std::vector<float> ToFloatVector(const NpyArray& array) {
  std::vector<float> values(array.data.size() / DTypeBytes(array.dtype));
  ToFloat(array.dtype, array.data.data(), static_cast<int64_t>(values.size()), values.data(), 1);
  return values;
}

Result<NpyArray> FromFloatVector(std::span<const float> values, const std::vector<int64_t>& shape, DType dtype) {
  if (ElementCount(shape, DTypeBytes(dtype)) != static_cast<int64_t>(values.size())) {
    return InvalidArgument(std::to_string(values.size()) + " values do not fit the shape");
  }
  NpyArray array{dtype, shape, {}};
  array.data.resize(values.size() * DTypeBytes(dtype));
  FromFloat(dtype, values.data(), 1, static_cast<int64_t>(values.size()), array.data.data());
  return array;
}

}  // namespace fovea::formats
