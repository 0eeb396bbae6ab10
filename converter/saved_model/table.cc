#include "converter/saved_model/table.h"

#include <snappy.h>

#include <cstdint>
#include <functional>
#include <span>

#include "converter/saved_model/crc32c.h"

namespace fovea::converter {

namespace {

constexpr size_t kFooterBytes = 48;
constexpr uint64_t kMagic = 0xdb4775248b80fb57u;
constexpr size_t kTrailerBytes = 5;       // type and checksum
constexpr uint64_t kMaxGrowth = 64;       // of all entries over the file
constexpr uint64_t kSnappyMaxRatio = 32;  // three bytes make at most 64

struct Handle {
  uint64_t offset = 0, size = 0;
};

uint64_t LittleEndian(std::string_view bytes) {
  uint64_t v = 0;
  for (size_t i = bytes.size(); i-- > 0;) v = (v << 8) | static_cast<uint8_t>(bytes[i]);
  return v;
}

bool TakeHandle(std::string_view* bytes, Handle* handle) {
  return TakeVarint(bytes, &handle->offset) && TakeVarint(bytes, &handle->size);
}

Status Damaged(const std::string& what) { return CorruptFile("damaged index of the variables: " + what); }

// A block's contents, unpacked into *storage where it is packed.
Result<std::string_view> ReadBlock(std::string_view file, const Handle& handle, std::string* storage) {
  const size_t end = file.size() - kFooterBytes;
  if (handle.offset > end || handle.size > end - handle.offset || kTrailerBytes > end - handle.offset - handle.size) {
    return Damaged("a block lies outside the file");
  }
  const std::string_view block = file.substr(handle.offset, handle.size);
  const std::string_view checked = file.substr(handle.offset, handle.size + 1);
  const uint64_t stored = LittleEndian(file.substr(handle.offset + handle.size + 1, 4));
  if (MaskCrc32c(Crc32c(std::as_bytes(std::span(checked)))) != stored) return Damaged("wrong checksum");
  const char type = checked.back();
  if (type == 0) return block;
  if (type != 1) return Damaged("unknown compression");
  size_t bytes = 0;
  if (!snappy::GetUncompressedLength(block.data(), block.size(), &bytes) || bytes > kSnappyMaxRatio * block.size()) {
    return Damaged("a block that does not unpack");
  }
  storage->resize(bytes);
  if (!snappy::RawUncompress(block.data(), block.size(), storage->data())) {
    return Damaged("a block that does not unpack");
  }
  return std::string_view(*storage);
}

// Calls `visit` for each entry: shared and unshared length of the key, length of the value, rest of the key, value.
// The restart points at the end serve searching only.
Status VisitBlock(std::string_view block,
                  const std::function<Status(const std::string& key, std::string_view value)>& visit) {
  if (block.size() < 4) return Damaged("a block too short");
  const uint64_t restarts = LittleEndian(block.substr(block.size() - 4));
  if (restarts > (block.size() - 4) / 4) return Damaged("a block with more restarts than room");
  block.remove_suffix(4 + 4 * restarts);
  std::string key;
  while (!block.empty()) {
    uint64_t shared = 0, unshared = 0, length = 0;
    if (!TakeVarint(&block, &shared) || !TakeVarint(&block, &unshared) || !TakeVarint(&block, &length) ||
        shared > key.size() || unshared > block.size() || length > block.size() - unshared) {
      return Damaged("an entry that does not fit its block");
    }
    key.resize(shared);
    key += block.substr(0, unshared);
    FOVEA_RETURN_IF_ERROR(visit(key, block.substr(unshared, length)));
    block.remove_prefix(unshared + length);
  }
  return OkStatus();
}

}  // namespace

bool TakeVarint(std::string_view* bytes, uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 70 && !bytes->empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes->front());
    bytes->remove_prefix(1);
    if (shift == 63 && byte > 1) return false;
    *value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

Result<std::map<std::string, std::string>> ReadTable(std::string_view file) {
  if (file.size() < kFooterBytes || LittleEndian(file.substr(file.size() - 8)) != kMagic) {
    return CorruptFile("not an index of variables, or cut off");
  }
  std::string_view footer = file.substr(file.size() - kFooterBytes, kFooterBytes - 8);
  Handle unused, index;
  if (!TakeHandle(&footer, &unused) || !TakeHandle(&footer, &index)) return Damaged("its footer");

  std::map<std::string, std::string> entries;
  uint64_t total = 0;
  const uint64_t most = kMaxGrowth * file.size();
  const auto add = [&](const std::string& key, std::string_view value) -> Status {
    total += key.size() + value.size();
    if (total > most) return Damaged("it unpacks to more than " + std::to_string(most) + " bytes");
    if (!entries.empty() && key <= entries.rbegin()->first) return Damaged("its keys are out of order");
    entries.emplace_hint(entries.end(), key, value);
    return OkStatus();
  };
  uint64_t unpacked = 0;
  const auto read_block = [&](const std::string&, std::string_view value) -> Status {
    Handle handle;
    if (!TakeHandle(&value, &handle)) return Damaged("a block's position");
    std::string storage;
    FOVEA_ASSIGN_OR_RETURN(const std::string_view block, ReadBlock(file, handle, &storage));
    // Handles that all name one block would have it read without end.
    unpacked += block.size() + kTrailerBytes;
    if (unpacked > most) return Damaged("it unpacks to more than " + std::to_string(most) + " bytes");
    return VisitBlock(block, add);
  };
  std::string storage;
  FOVEA_ASSIGN_OR_RETURN(const std::string_view block, ReadBlock(file, index, &storage));
  FOVEA_RETURN_IF_ERROR(VisitBlock(block, read_block));
  return entries;
}

}  // namespace fovea::converter
