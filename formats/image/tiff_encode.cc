#include "formats/image/tiff_encode.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "formats/image/tiff_structure.h"

namespace fovea::formats {
namespace {

constexpr int kClear = 256, kEnd = 257, kFirstFree = 258, kLimit = 4094;

// The string table: (code of the prefix, next byte) -> code, by open addressing.
class LzwTable {
 public:
  LzwTable() { Clear(); }
  void Clear() { keys_.fill(-1); }
  // The slot of `key`, or the free one where it belongs.
  size_t Find(int32_t key) const {
    size_t slot = (static_cast<uint32_t>(key) * 2654435761u) >> 18;
    while (keys_[slot] != key && keys_[slot] >= 0) slot = (slot + 1) % kSlots;
    return slot;
  }
  bool Has(size_t slot) const { return keys_[slot] >= 0; }
  int Code(size_t slot) const { return codes_[slot]; }
  void Set(size_t slot, int32_t key, int code) {
    keys_[slot] = key;
    codes_[slot] = static_cast<int16_t>(code);
  }

 private:
  static constexpr size_t kSlots = size_t{1} << 14;  // a quarter full at most; 2^32 >> 18
  std::array<int32_t, kSlots> keys_;
  std::array<int16_t, kSlots> codes_;
};

class BitWriter {
 public:
  explicit BitWriter(std::vector<uint8_t>* out) : out_(out) {}
  void Put(int code, int width) {
    held_ = held_ << width | static_cast<uint32_t>(code);
    for (bits_ += width; bits_ >= 8; bits_ -= 8) out_->push_back(static_cast<uint8_t>(held_ >> (bits_ - 8)));
  }
  void Flush() {
    if (bits_ > 0) out_->push_back(static_cast<uint8_t>(held_ << (8 - bits_)));
    bits_ = 0;
  }

 private:
  std::vector<uint8_t>* out_;
  uint32_t held_ = 0;
  int bits_ = 0;
};

template <class T>
void DifferenceRow(uint8_t* bytes, int64_t width, int64_t samples) {
  for (int64_t i = width * samples - 1; i >= samples; --i) {
    T value, before;
    std::memcpy(&value, bytes + static_cast<size_t>(i) * sizeof(T), sizeof(T));
    std::memcpy(&before, bytes + static_cast<size_t>(i - samples) * sizeof(T), sizeof(T));
    value = static_cast<T>(value - before);
    std::memcpy(bytes + static_cast<size_t>(i) * sizeof(T), &value, sizeof(T));
  }
}

}  // namespace

std::vector<uint8_t> EncodeLzw(std::span<const uint8_t> bytes) {
  std::vector<uint8_t> out;
  BitWriter writer(&out);
  LzwTable table;
  int width = 9, next = kFirstFree, prefix = -1;
  // After each code that is written the reader's table grows by one entry, and with it the width of codes.
  const auto grow = [&] {
    if (++next == kLimit) {
      writer.Put(kClear, width);
      table.Clear();
      width = 9;
      next = kFirstFree;
    } else if (next == 1 << width) {
      ++width;
    }
  };
  writer.Put(kClear, width);
  for (const uint8_t byte : bytes) {
    if (prefix < 0) {
      prefix = byte;
      continue;
    }
    const int32_t key = prefix << 8 | byte;
    const size_t slot = table.Find(key);
    if (table.Has(slot)) {
      prefix = table.Code(slot);
      continue;
    }
    writer.Put(prefix, width);
    table.Set(slot, key, next);
    grow();
    prefix = byte;
  }
  if (prefix >= 0) {
    writer.Put(prefix, width);
    grow();
  }
  writer.Put(kEnd, width);
  writer.Flush();
  return out;
}

Result<std::vector<uint8_t>> EncodeDeflate(std::span<const uint8_t> bytes) {
  uLongf length = compressBound(static_cast<uLong>(bytes.size()));
  std::vector<uint8_t> out(length);
  if (compress2(out.data(), &length, bytes.data(), static_cast<uLong>(bytes.size()), 6) != Z_OK) {
    return OutOfMemory("not enough memory to compress the output");
  }
  out.resize(length);
  return out;
}

void DifferenceRows(uint8_t* bytes, int64_t rows, int64_t width, int64_t samples, size_t sample_bytes) {
  const int64_t row_bytes = width * samples * static_cast<int64_t>(sample_bytes);
  for (int64_t row = 0; row < rows; ++row) {
    if (sample_bytes == 1) DifferenceRow<uint8_t>(bytes + row * row_bytes, width, samples);
    if (sample_bytes == 2) DifferenceRow<uint16_t>(bytes + row * row_bytes, width, samples);
  }
}

template <class T>
void IfdBuilder::Add(uint16_t id, uint16_t type, const std::vector<T>& values) {
  Entry entry{id, type, values.size(), std::vector<uint8_t>(values.size() * sizeof(T))};
  if (!values.empty()) std::memcpy(entry.bytes.data(), values.data(), entry.bytes.size());
  entries_.push_back(std::move(entry));
}

void IfdBuilder::AddShorts(uint16_t id, const std::vector<uint16_t>& values) { Add(id, kTiffShort, values); }
void IfdBuilder::AddLongs(uint16_t id, const std::vector<uint32_t>& values) { Add(id, kTiffLong, values); }
void IfdBuilder::AddBytes(uint16_t id, const std::vector<uint8_t>& bytes) { Add(id, kTiffByte, bytes); }

void IfdBuilder::AddOffsets(uint16_t id, const std::vector<uint64_t>& values) {
  if (big_tiff_) return Add(id, kTiffLong8, values);
  Add(id, kTiffLong, std::vector<uint32_t>(values.begin(), values.end()));
}

void IfdBuilder::AddSubIfds(uint16_t id, const std::vector<uint64_t>& values) {
  if (big_tiff_) return Add(id, kTiffIfd8, values);
  Add(id, kTiffIfd, std::vector<uint32_t>(values.begin(), values.end()));
}

void IfdBuilder::AddText(uint16_t id, const std::string& text) {
  if (text.empty()) return;
  Add(id, kTiffAscii, std::vector<char>(text.c_str(), text.c_str() + text.size() + 1));
}

void IfdBuilder::AddRational(uint16_t id, double value) {
  // Powers of ten below keep what ImageJ wrote (n / 1000000) exactly; both numbers must fit ImageJ's signed 32 bits.
  double denominator = 1e9;
  while (denominator > 1 && value * denominator > 2147483647.0) denominator /= 10;
  const double numerator = std::min(std::nearbyint(value * denominator), 2147483647.0);
  Add(id, kTiffRational, std::vector<uint32_t>{static_cast<uint32_t>(numerator), static_cast<uint32_t>(denominator)});
  entries_.back().count = 1;
}

std::vector<uint8_t> IfdBuilder::Serialize(uint64_t start, bool last) const {
  std::vector<Entry> entries = entries_;
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.id < b.id; });
  const size_t word = big_tiff_ ? 8 : 4;
  const size_t head = (big_tiff_ ? 8 : 2) + entries.size() * (4 + 2 * word) + word;
  std::vector<uint8_t> out;
  std::vector<uint8_t> values;
  const auto put = [&out](uint64_t value, size_t bytes) {
    // Host byte order, like everything in the file.
    uint8_t raw[8];
    if (bytes == 2) {
      const auto narrow = static_cast<uint16_t>(value);
      std::memcpy(raw, &narrow, 2);
    } else if (bytes == 4) {
      const auto narrow = static_cast<uint32_t>(value);
      std::memcpy(raw, &narrow, 4);
    } else {
      std::memcpy(raw, &value, 8);
    }
    out.insert(out.end(), raw, raw + bytes);
  };
  put(entries.size(), big_tiff_ ? 8 : 2);
  for (const Entry& entry : entries) {
    put(entry.id, 2);
    put(entry.type, 2);
    put(entry.count, word);
    if (entry.bytes.size() <= word) {
      std::vector<uint8_t> inline_value = entry.bytes;
      inline_value.resize(word);
      out.insert(out.end(), inline_value.begin(), inline_value.end());
    } else {
      while ((start + head + values.size()) % 8 != 0) values.push_back(0);
      put(start + head + values.size(), word);
      values.insert(values.end(), entry.bytes.begin(), entry.bytes.end());
    }
  }
  while ((start + head + values.size()) % 2 != 0) values.push_back(0);
  put(last ? 0 : start + head + values.size(), word);
  out.insert(out.end(), values.begin(), values.end());
  return out;
}

}  // namespace fovea::formats
