#include "formats/image/tiff_structure.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <unordered_set>

namespace fovea::formats {
namespace {

constexpr size_t kMaxDirectories = size_t{1} << 20;
constexpr uint64_t kMaxTags = 4096;  // real directories have some dozens

constexpr uint16_t kFirstPrivateTag = 32768;

size_t TypeBytes(uint16_t type) {
  switch (type) {
    case 1:
    case 2:
    case 6:
    case 7: return 1;
    case 3:
    case 8: return 2;
    case 4:
    case 9:
    case 11:
    case 13: return 4;
    case 5:
    case 10:
    case 12:
    case 16:
    case 17:
    case 18: return 8;
    default: return 0;
  }
}

}  // namespace

const TiffTag* FindTag(const TiffDirectory& directory, uint16_t id) {
  for (const TiffTag& tag : directory) {
    if (tag.id == id) return &tag;
  }
  return nullptr;
}

bool IsTiff(std::span<const uint8_t> b) {
  if (b.size() < 4) return false;
  return (b[0] == 'I' && b[1] == 'I' && (b[2] == 42 || b[2] == 43) && b[3] == 0) ||
         (b[0] == 'M' && b[1] == 'M' && b[2] == 0 && (b[3] == 42 || b[3] == 43));
}

bool TiffStructure::swapped() const { return big_endian_ != (std::endian::native == std::endian::big); }

uint64_t TiffStructure::Unsigned(const uint8_t* at, size_t bytes) const {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) value = value << 8 | at[big_endian_ ? i : bytes - 1 - i];
  return value;
}

Result<TiffStructure> TiffStructure::Open(const ByteSource* source) {
  TiffStructure self;
  self.source_ = source;
  uint8_t head[16] = {};
  FOVEA_RETURN_IF_ERROR(source->ReadAt(0, head, 8));
  if (!IsTiff(head)) return CorruptFile("'" + source->name() + "' is not a TIFF file");
  self.big_endian_ = head[0] == 'M';
  self.big_tiff_ = self.Unsigned(head + 2, 2) == 43;
  uint64_t next = self.Unsigned(head + 4, 4);
  if (self.big_tiff_) {
    FOVEA_RETURN_IF_ERROR(source->ReadAt(0, head, 16));
    if (self.Unsigned(head + 4, 2) != 8) return CorruptFile("'" + source->name() + "' has a broken BigTIFF header");
    next = self.Unsigned(head + 8, 8);
  }
  const size_t count_bytes = self.big_tiff_ ? 8 : 2;
  const size_t entry_bytes = self.big_tiff_ ? 20 : 12;
  std::unordered_set<uint64_t> seen;  // membership only; never iterated
  while (next != 0) {
    const std::string page = "page " + std::to_string(self.directories_.size() + 1) + " of '" + source->name() + "'";
    if (!seen.insert(next).second) return CorruptFile(page + " is a page that came before: its directories loop");
    if (self.directories_.size() == kMaxDirectories) {
      return Unsupported("'" + source->name() + "' has more than " + std::to_string(kMaxDirectories) + " pages");
    }
    uint8_t bytes[8] = {};
    FOVEA_RETURN_IF_ERROR(source->ReadAt(next, bytes, count_bytes).Prefixed(page));
    const uint64_t count = self.Unsigned(bytes, count_bytes);
    if (count == 0 || count > kMaxTags) {
      return CorruptFile(page + " claims to have " + std::to_string(count) + " tags");
    }
    self.directories_.push_back(next);
    const size_t next_bytes = self.big_tiff_ ? 8 : 4;
    FOVEA_RETURN_IF_ERROR(source->ReadAt(next + count_bytes + count * entry_bytes, bytes, next_bytes).Prefixed(page));
    next = self.Unsigned(bytes, next_bytes);
  }
  if (self.directories_.empty()) return CorruptFile("'" + source->name() + "' has no page");
  return self;
}

Result<TiffDirectory> TiffStructure::ReadDirectory(uint64_t offset) const {
  const size_t count_bytes = big_tiff_ ? 8 : 2;
  const size_t entry_bytes = big_tiff_ ? 20 : 12;
  const size_t inline_bytes = big_tiff_ ? 8 : 4;
  uint8_t count_field[8] = {};
  FOVEA_RETURN_IF_ERROR(source_->ReadAt(offset, count_field, count_bytes));
  const uint64_t count = std::min(Unsigned(count_field, count_bytes), kMaxTags);
  std::vector<uint8_t> entries(count * entry_bytes);
  FOVEA_RETURN_IF_ERROR(source_->ReadAt(offset + count_bytes, entries.data(), entries.size()));
  TiffDirectory directory;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* entry = entries.data() + i * entry_bytes;
    TiffTag tag;
    tag.id = static_cast<uint16_t>(Unsigned(entry, 2));
    tag.type = static_cast<uint16_t>(Unsigned(entry + 2, 2));
    tag.count = Unsigned(entry + 4, inline_bytes);
    const size_t type_bytes = TypeBytes(tag.type);
    if (type_bytes == 0 || tag.count == 0) continue;  // unknown types carry nothing that is needed
    if (tag.count <= inline_bytes / type_bytes) {
      tag.offset = offset + count_bytes + i * entry_bytes + 4 + inline_bytes;
    } else {
      tag.offset = Unsigned(entry + 4 + inline_bytes, inline_bytes);
    }
    if (tag.offset > source_->size() || tag.count > (source_->size() - tag.offset) / type_bytes) {
      // Broken links of cameras and editors (private tags) are common and harmless; the rest means a file cut short.
      if (tag.id >= kFirstPrivateTag && tag.id != kTagImageJMetadata && tag.id != kTagImageJCounts) continue;
      return CorruptFile("'" + source_->name() + "' is cut short: tag " + std::to_string(tag.id) +
                         " of a page lies beyond its " + std::to_string(source_->size()) + " bytes");
    }
    directory.push_back(tag);
  }
  return directory;
}

Result<uint64_t> TiffStructure::Integer(const TiffTag& tag, uint64_t index) const {
  const size_t bytes = TypeBytes(tag.type);
  const bool integer = tag.type == 1 || tag.type == 3 || tag.type == 4 || tag.type == 13 || tag.type == 16 ||
                       tag.type == 18 || tag.type == 7 || tag.type == 6 || tag.type == 8 || tag.type == 9;
  if (!integer || index >= tag.count) {
    return CorruptFile("tag " + std::to_string(tag.id) + " of '" + source_->name() + "' has no integer number " +
                       std::to_string(index));
  }
  uint8_t value[8] = {};
  FOVEA_RETURN_IF_ERROR(source_->ReadAt(tag.offset + index * bytes, value, bytes));
  return Unsigned(value, bytes);
}

Result<uint64_t> TiffStructure::IntegerOr(const TiffDirectory& directory, uint16_t id, uint64_t otherwise) const {
  const TiffTag* tag = FindTag(directory, id);
  if (tag == nullptr) return otherwise;
  return Integer(*tag, 0);
}

double TiffStructure::Real(const TiffDirectory& directory, uint16_t id) const {
  const TiffTag* tag = FindTag(directory, id);
  uint8_t b[8] = {};
  if (tag == nullptr || !source_->ReadAt(tag->offset, b, TypeBytes(tag->type)).ok()) return 0;
  double value = 0;
  if (tag->type == 5) {
    const double denominator = static_cast<double>(Unsigned(b + 4, 4));
    value = denominator == 0 ? 0 : static_cast<double>(Unsigned(b, 4)) / denominator;
  } else if (tag->type == 11) {
    value = static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(Unsigned(b, 4))));
  } else if (tag->type == 12) {
    value = std::bit_cast<double>(Unsigned(b, 8));
  } else if (tag->type == 3 || tag->type == 4) {
    value = static_cast<double>(Unsigned(b, TypeBytes(tag->type)));
  }
  return std::isfinite(value) ? value : 0;
}

std::string TiffStructure::Text(const TiffDirectory& directory, uint16_t id, uint64_t max_bytes) const {
  const TiffTag* tag = FindTag(directory, id);
  // Some writers store the text as BYTE or UNDEFINED.
  if (tag == nullptr || TypeBytes(tag->type) != 1 || tag->count > max_bytes) return {};
  std::string text(static_cast<size_t>(tag->count), '\0');
  if (!source_->ReadAt(tag->offset, text.data(), text.size()).ok()) return {};
  text.resize(std::strlen(text.c_str()));
  return text;
}

Result<std::vector<uint8_t>> TiffStructure::Bytes(const TiffTag& tag, uint64_t max_bytes) const {
  const uint64_t bytes = tag.count * TypeBytes(tag.type);
  if (bytes > max_bytes) {
    return Unsupported("tag " + std::to_string(tag.id) + " of '" + source_->name() + "' has " + std::to_string(bytes) +
                       " bytes; fovea reads up to " + std::to_string(max_bytes));
  }
  std::vector<uint8_t> value(static_cast<size_t>(bytes));
  FOVEA_RETURN_IF_ERROR(source_->ReadAt(tag.offset, value.data(), value.size()));
  return value;
}

}  // namespace fovea::formats
