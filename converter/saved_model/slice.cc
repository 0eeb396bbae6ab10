#include "converter/saved_model/slice.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <string_view>

namespace fovea::converter {

namespace {

// Length byte, then big-endian bytes without leading zeros.
void AppendNumber(uint64_t v, std::string* out) {
  const int bytes = (static_cast<int>(std::bit_width(v)) + 7) / 8;
  out->push_back(static_cast<char>(bytes));
  for (int i = bytes - 1; i >= 0; --i) out->push_back(static_cast<char>(v >> (8 * i)));
}

void AppendString(const std::string& text, std::string* out) {
  for (const char c : text) {
    out->push_back(c);
    if (c == '\0') out->push_back('\xff');
    if (c == '\xff') out->push_back('\0');
  }
  out->push_back('\0');
  out->push_back('\1');
}

// n bytes hold 7n - 1 bits and the sign: the first bits are n ones and a zero for a number >= 0, inverted for one
// below.
void AppendSigned(int64_t v, std::string* out) {
  const uint64_t magnitude = static_cast<uint64_t>(v < 0 ? ~v : v);
  const int bits = static_cast<int>(std::bit_width(magnitude));
  const int n = (bits + 7) / 7;
  uint8_t bytes[10];
  for (int i = 0; i < 10; ++i) {
    const int shift = 8 * (9 - i);
    bytes[i] =
        shift < 64 ? static_cast<uint8_t>(static_cast<uint64_t>(v) >> shift) : static_cast<uint8_t>(v < 0 ? 0xff : 0);
  }
  uint8_t* first = bytes + 10 - n;
  for (int i = 0; i < n; ++i) first[i / 8] = static_cast<uint8_t>(first[i / 8] ^ (0x80u >> (i % 8)));
  out->append(reinterpret_cast<const char*>(first), static_cast<size_t>(n));
}

// Calls visit(offset in the whole, offset in the part, length) for each run along the last axis.
template <class Visit>
void ForEachRun(const Slice& slice, const std::vector<int64_t>& dims, Visit visit) {
  const size_t rank = dims.size();
  size_t part = 0;
  if (rank == 0) return visit(size_t{0}, size_t{0}, size_t{1});
  for (const Extent& e : slice) {
    if (e.length == 0) return;
  }
  const auto run = static_cast<size_t>(slice[rank - 1].length);
  std::vector<int64_t> at(rank, 0);
  while (true) {
    int64_t whole = 0;
    for (size_t i = 0; i < rank; ++i) whole = whole * dims[i] + slice[i].start + at[i];
    visit(static_cast<size_t>(whole), part, run);
    part += run;
    size_t axis = rank - 1;
    while (axis > 0 && ++at[axis - 1] == slice[axis - 1].length) at[--axis] = 0;
    if (axis == 0) return;
  }
}

bool ParseInteger(std::string_view text, int64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size() && *value >= 0;
}

}  // namespace

Slice ToSlice(const tfproto::TensorSliceProto& proto) {
  Slice slice;
  for (const auto& extent : proto.extent()) {
    const bool whole = extent.has_length_case() == tfproto::TensorSliceProto::Extent::HAS_LENGTH_NOT_SET;
    slice.push_back({extent.start(), whole ? -1 : extent.length()});
  }
  return slice;
}

std::string SliceKey(const std::string& name, const Slice& slice) {
  std::string key;
  AppendNumber(0, &key);
  AppendString(name, &key);
  AppendNumber(slice.size(), &key);
  for (const Extent& extent : slice) {
    AppendSigned(extent.start, &key);
    AppendSigned(extent.length, &key);
  }
  return key;
}

Result<Slice> Resolve(const Slice& slice, const std::vector<int64_t>& dims) {
  if (slice.size() != dims.size()) return CorruptFile("a slice of another rank than its variable");
  Slice out = slice;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (out[i].length == -1 && out[i].start == 0) out[i].length = dims[i];
    if (out[i].start < 0 || out[i].length < 0 || out[i].start > dims[i] || out[i].length > dims[i] - out[i].start) {
      return CorruptFile("a slice that lies outside its variable");
    }
  }
  return out;
}

bool Overlap(const Slice& a, const Slice& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].start >= b[i].start + b[i].length || b[i].start >= a[i].start + a[i].length) return false;
  }
  return true;
}

std::vector<int64_t> SliceDims(const Slice& resolved) {
  std::vector<int64_t> dims;
  for (const Extent& extent : resolved) dims.push_back(extent.length);
  return dims;
}

Result<Slice> ParseSliceSpec(const std::string& spec) {
  Slice slice;
  if (spec.empty()) return slice;
  std::string_view text = spec;
  const size_t space = text.rfind(' ');
  if (space != std::string_view::npos) text.remove_prefix(space + 1);
  while (true) {
    const size_t colon = std::min(text.find(':'), text.size());
    const std::string_view part = text.substr(0, colon);
    Extent extent;
    if (part != "-") {
      const size_t comma = part.find(',');
      if (comma == std::string_view::npos || !ParseInteger(part.substr(0, comma), &extent.start) ||
          !ParseInteger(part.substr(comma + 1), &extent.length)) {
        return CorruptFile("'" + spec + "' is not a slice");
      }
    }
    slice.push_back(extent);
    if (colon == text.size()) return slice;
    text.remove_prefix(colon + 1);
  }
}

void CopySliceIn(const std::vector<float>& part, const Slice& slice, const std::vector<int64_t>& dims,
                 std::vector<float>* whole) {
  ForEachRun(slice, dims, [&](size_t in_whole, size_t in_part, size_t n) {
    std::copy_n(part.begin() + static_cast<int64_t>(in_part), n, whole->begin() + static_cast<int64_t>(in_whole));
  });
}

std::vector<float> CopySliceOut(const std::vector<float>& whole, const Slice& slice, const std::vector<int64_t>& dims) {
  size_t count = 1;
  for (const Extent& extent : slice) count *= static_cast<size_t>(extent.length);
  std::vector<float> part(count);
  ForEachRun(slice, dims, [&](size_t in_whole, size_t in_part, size_t n) {
    std::copy_n(whole.begin() + static_cast<int64_t>(in_whole), n, part.begin() + static_cast<int64_t>(in_part));
  });
  return part;
}

}  // namespace fovea::converter
