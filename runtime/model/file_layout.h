// The first 64 bytes of a .fov file (model.fbs has the table), shared by reader, writer and tests.
#ifndef FOVEA_RUNTIME_MODEL_FILE_LAYOUT_H_
#define FOVEA_RUNTIME_MODEL_FILE_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "runtime/include/fovea/status.h"
#include "runtime/model/graph.h"

namespace fovea {

inline constexpr char kFileMagic[8] = {'F', 'O', 'V', 'E', 'A', '\r', '\n', '\x1a'};
inline constexpr uint32_t kFormatMajor = 1, kFormatMinor = 1;
inline constexpr size_t kHeaderBytes = 64;
inline constexpr size_t kWeightAlignment = 64;

struct FileHeader {
  uint32_t major = kFormatMajor, minor = kFormatMinor;
  uint64_t graph_offset = 0, graph_bytes = 0;
  uint64_t weight_offset = 0, weight_bytes = 0;
  uint64_t hash_low = 0, hash_high = 0;  // XXH3-128 of everything from kHeaderBytes on
};

// `bytes` has at least kHeaderBytes. Parsing checks nothing but the magic: false when it is another.
bool ParseHeader(std::span<const std::byte> bytes, FileHeader* header);
void StoreHeader(const FileHeader& header, std::span<std::byte, kHeaderBytes> bytes);

// The hash over chunks of a file, in order. `after_chunk` (may be null) is called with each piece of at most 4 MiB
// that has been read.
void HashContent(std::span<const std::span<const std::byte>> chunks, void (*after_chunk)(std::span<const std::byte>),
                 FileHeader* header);

// The graph section, decoded and checked as far as its own structure goes (VerifyGraph does the rest). What it
// allocates is bounded by a small multiple of the section's size.
Result<Graph> DecodeGraph(std::span<const std::byte> section);

// A name out of a file as it may stand in a message: in quotes, shortened, control characters replaced.
std::string Quoted(const std::string& name);

}  // namespace fovea

#endif  // FOVEA_RUNTIME_MODEL_FILE_LAYOUT_H_
