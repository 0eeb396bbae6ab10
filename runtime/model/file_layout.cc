#include "runtime/model/file_layout.h"

#include <algorithm>
#include <cstring>

#define XXH_INLINE_ALL  // header only: no library to link
#include <xxhash.h>

namespace fovea {
namespace {

template <class T>
T LoadLittle(const std::byte* at) {
  T value = 0;
  for (size_t i = sizeof(T); i > 0; --i) value = static_cast<T>(value << 8 | std::to_integer<T>(at[i - 1]));
  return value;
}
template <class T>
void StoreLittle(T value, std::byte* at) {
  for (size_t i = 0; i < sizeof(T); ++i) at[i] = static_cast<std::byte>(value >> (8 * i) & 0xff);
}

}  // namespace

bool ParseHeader(std::span<const std::byte> bytes, FileHeader* header) {
  if (std::memcmp(bytes.data(), kFileMagic, sizeof(kFileMagic)) != 0) return false;
  const std::byte* const p = bytes.data();
  header->major = LoadLittle<uint32_t>(p + 8);
  header->minor = LoadLittle<uint32_t>(p + 12);
  header->graph_offset = LoadLittle<uint64_t>(p + 16);
  header->graph_bytes = LoadLittle<uint64_t>(p + 24);
  header->weight_offset = LoadLittle<uint64_t>(p + 32);
  header->weight_bytes = LoadLittle<uint64_t>(p + 40);
  header->hash_low = LoadLittle<uint64_t>(p + 48);
  header->hash_high = LoadLittle<uint64_t>(p + 56);
  return true;
}

void StoreHeader(const FileHeader& header, std::span<std::byte, kHeaderBytes> bytes) {
  std::byte* const p = bytes.data();
  std::memcpy(p, kFileMagic, sizeof(kFileMagic));
  StoreLittle(header.major, p + 8);
  StoreLittle(header.minor, p + 12);
  StoreLittle(header.graph_offset, p + 16);
  StoreLittle(header.graph_bytes, p + 24);
  StoreLittle(header.weight_offset, p + 32);
  StoreLittle(header.weight_bytes, p + 40);
  StoreLittle(header.hash_low, p + 48);
  StoreLittle(header.hash_high, p + 56);
}

void HashContent(std::span<const std::span<const std::byte>> chunks, void (*after_chunk)(std::span<const std::byte>),
                 FileHeader* header) {
  constexpr size_t kPieceBytes = size_t{4} << 20;
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_128bits_reset(&state);
  for (std::span<const std::byte> chunk : chunks) {
    while (!chunk.empty()) {
      const auto piece = chunk.first(std::min(chunk.size(), kPieceBytes));
      XXH3_128bits_update(&state, piece.data(), piece.size());
      if (after_chunk != nullptr) after_chunk(piece);
      chunk = chunk.subspan(piece.size());
    }
  }
  const XXH128_hash_t hash = XXH3_128bits_digest(&state);
  header->hash_low = hash.low64;
  header->hash_high = hash.high64;
}

std::string Quoted(const std::string& name) {
  constexpr size_t kLongest = 120;
  std::string text = "'";
  for (const char c : name.substr(0, kLongest)) text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return text + (name.size() > kLongest ? "...'" : "'");
}

}  // namespace fovea
