#include "formats/image/tiff_page.h"

#include <tiffio.h>

#include <algorithm>
#include <string>

namespace fovea::formats {
namespace {

constexpr int64_t kMaxSide = (int64_t{1} << 31) - 1;
constexpr int64_t kMaxSamples = 4096;
constexpr int64_t kMaxChunkBytes = int64_t{1} << 29;  // one tile, or one row of a strip, must be held in memory
constexpr int64_t kFreeBytes = int64_t{1} << 20;      // sizes below this need no justification by the file's size

// The most bytes that one stored byte can decode to. Beyond that a header lies about its size.
int64_t MaxExpansion(int compression) {
  switch (compression) {
    case kCompressionNone: return 1;
    case COMPRESSION_PACKBITS: return 128;
    case COMPRESSION_LZW: return 4096;  // a 12-bit code stands for a string of at most 4096 bytes
    case COMPRESSION_ADOBE_DEFLATE: return 1040;
    case COMPRESSION_DEFLATE: return 1040;  // 258 bytes in 2 bits
    default: return 65536;
  }
}

std::string CompressionName(int compression) {
  switch (compression) {
    case 6: return "old-style JPEG (TIFF compression 6)";
    case 33003:
    case 33004:
    case 33005:
    case 34712: return "JPEG 2000 (TIFF compression " + std::to_string(compression) + ")";
    case 22610:
    case 34934:
    case 48124: return "JPEG XR (TIFF compression " + std::to_string(compression) + ")";
    default: return "TIFF compression " + std::to_string(compression);
  }
}

// The type that holds a stored sample, or a failure that says what the samples are.
Result<DType> SampleType(int bits, uint64_t format) {
  switch (format) {
    case SAMPLEFORMAT_UINT:
    case SAMPLEFORMAT_VOID:
      if (bits >= 1 && bits <= 8) return DType::kUInt8;
      if (bits > 8 && bits <= 16) return DType::kUInt16;
      if (bits > 16 && bits <= 32) return DType::kUInt32;
      if (bits == 64) return DType::kUInt64;
      return Unsupported(std::to_string(bits) + "-bit integers");
    case SAMPLEFORMAT_INT:
      if (bits == 8) return DType::kInt8;
      if (bits == 16) return DType::kInt16;
      if (bits == 32) return DType::kInt32;
      if (bits == 64) return DType::kInt64;
      return Unsupported(std::to_string(bits) + "-bit signed integers");
    case SAMPLEFORMAT_IEEEFP:
      if (bits == 16) return DType::kFloat16;
      if (bits == 32) return DType::kFloat32;
      if (bits == 64) return DType::kFloat64;
      return Unsupported(std::to_string(bits) + "-bit floating-point numbers");
    case SAMPLEFORMAT_COMPLEXINT:
    case SAMPLEFORMAT_COMPLEXIEEEFP: return Unsupported("complex numbers");
    default: return Unsupported("samples of format " + std::to_string(format));
  }
}

// Every sample must have the same value of an array tag: 8,8,8.
Result<uint64_t> CommonValue(const TiffStructure& structure, const TiffDirectory& directory, uint16_t id,
                             int64_t samples, uint64_t otherwise, const char* what) {
  const TiffTag* tag = FindTag(directory, id);
  if (tag == nullptr) return otherwise;
  FOVEA_ASSIGN_OR_RETURN(const uint64_t first, structure.Integer(*tag, 0));
  const uint64_t count = std::min(tag->count, static_cast<uint64_t>(samples));
  for (uint64_t i = 1; i < count; ++i) {
    FOVEA_ASSIGN_OR_RETURN(const uint64_t value, structure.Integer(*tag, i));
    if (value != first) return Unsupported(std::string("samples of different ") + what);
  }
  return first;
}

Status ReadLayout(const TiffStructure& structure, const TiffDirectory& directory, TiffPage* page) {
  const TiffTag* tile_width = FindTag(directory, kTagTileWidth);
  const TiffTag* tile_length = FindTag(directory, kTagTileLength);
  const TiffTag* offsets = FindTag(directory, kTagTileOffsets);
  page->tiled = tile_width != nullptr && tile_length != nullptr;
  uint64_t chunk_width = static_cast<uint64_t>(page->width), chunk_height = 0;
  if (page->tiled) {
    FOVEA_ASSIGN_OR_RETURN(chunk_width, structure.Integer(*tile_width, 0));
    FOVEA_ASSIGN_OR_RETURN(chunk_height, structure.Integer(*tile_length, 0));
    // libtiff, too, accepts tile positions under the strip tags.
    if (offsets == nullptr) offsets = FindTag(directory, kTagStripOffsets);
  } else {
    FOVEA_ASSIGN_OR_RETURN(chunk_height, structure.IntegerOr(directory, kTagRowsPerStrip, 0xffffffffu));
    chunk_height = std::min(chunk_height, static_cast<uint64_t>(page->height));
    offsets = FindTag(directory, kTagStripOffsets);
  }
  if (chunk_width < 1 || chunk_height < 1 || chunk_width > kMaxSide || chunk_height > kMaxSide) {
    return CorruptFile("strips or tiles of impossible size");
  }
  page->chunk_width = static_cast<int64_t>(chunk_width);
  page->chunk_height = static_cast<int64_t>(chunk_height);
  if (offsets == nullptr) return CorruptFile("no readable positions of its strips or tiles");
  page->offsets = *offsets;
  const TiffTag* counts = FindTag(directory, page->tiled ? kTagTileByteCounts : kTagStripByteCounts);
  if (counts == nullptr && page->tiled) counts = FindTag(directory, kTagStripByteCounts);
  if (counts != nullptr) page->byte_counts = *counts;
  return OkStatus();
}

Status CheckSizes(const ByteSource& source, const TiffPage& page) {
  // Fits easily: side < 2^31, samples <= 2^12, bits <= 2^6 give a row below 2^46 bytes.
  const int64_t held = page.tiled ? page.chunk_height : 1;
  int64_t held_bytes = 0, rows_bytes = 0;
  if (__builtin_mul_overflow(page.chunk_row_bytes(), held, &held_bytes) || held_bytes > kMaxChunkBytes) {
    return Unsupported(page.tiled ? "tiles of more than 512 MB" : "rows of more than 512 MB");
  }
  int64_t chunks = 0;
  if (__builtin_mul_overflow(page.chunks_across() * page.chunks_down(), page.separate ? page.samples : 1, &chunks) ||
      __builtin_mul_overflow(page.chunk_row_bytes() * page.chunk_height, chunks, &rows_bytes)) {
    return CorruptFile("an impossible size");
  }
  if (page.offsets.count < static_cast<uint64_t>(chunks)) {
    return CorruptFile("positions for " + std::to_string(page.offsets.count) + " of its " + std::to_string(chunks) +
                       " strips or tiles");
  }
  const int64_t stored = static_cast<int64_t>(std::min(source.size(), uint64_t{1} << 46));
  const int64_t allowed = stored * MaxExpansion(page.compression) + (page.compression == 1 ? 0 : kFreeBytes);
  // Strips: the last one may be short. Uncompressed tiles may be left out where they are empty, but not be larger than
  // the file.
  const int64_t needed =
      page.tiled ? held_bytes : page.chunk_row_bytes() * page.height * (page.separate ? page.samples : 1);
  if (needed > allowed || (page.compression != 1 && rows_bytes / 16 > allowed)) {
    return CorruptFile(std::to_string(page.width) + " x " + std::to_string(page.height) + " pixels, which needs " +
                       std::to_string(needed) + " bytes, but the whole file has only " + std::to_string(source.size()));
  }
  return OkStatus();
}

Result<TiffPage> ReadPage(const ByteSource& source, const TiffStructure& structure, uint64_t offset) {
  FOVEA_ASSIGN_OR_RETURN(const TiffDirectory directory, structure.ReadDirectory(offset));
  const auto get = [&](uint16_t id, uint64_t otherwise) { return structure.IntegerOr(directory, id, otherwise); };
  TiffPage page;
  page.directory = offset;
  page.swapped = structure.swapped();
  FOVEA_ASSIGN_OR_RETURN(const uint64_t width, get(kTagImageWidth, 0));
  FOVEA_ASSIGN_OR_RETURN(const uint64_t height, get(kTagImageLength, 0));
  FOVEA_ASSIGN_OR_RETURN(const uint64_t samples, get(kTagSamplesPerPixel, 1));
  FOVEA_ASSIGN_OR_RETURN(const uint64_t depth, get(kTagImageDepth, 1));
  if (width < 1 || height < 1 || width > kMaxSide || height > kMaxSide) {
    return CorruptFile("an impossible size of " + std::to_string(width) + " x " + std::to_string(height));
  }
  if (samples < 1 || samples > kMaxSamples) return Unsupported(std::to_string(samples) + " samples per pixel");
  if (depth != 1) return Unsupported("volumes inside one page (ImageDepth)");
  page.width = static_cast<int64_t>(width);
  page.height = static_cast<int64_t>(height);
  page.samples = static_cast<int64_t>(samples);
  FOVEA_ASSIGN_OR_RETURN(const uint64_t bits,
                         CommonValue(structure, directory, kTagBitsPerSample, page.samples, 1, "bit depths"));
  FOVEA_ASSIGN_OR_RETURN(const uint64_t format,
                         CommonValue(structure, directory, kTagSampleFormat, page.samples, 1, "number formats"));
  page.bits = static_cast<int>(std::min<uint64_t>(bits, 1024));
  FOVEA_ASSIGN_OR_RETURN(page.dtype, SampleType(page.bits, format));
  FOVEA_ASSIGN_OR_RETURN(const uint64_t compression, get(kTagCompression, 1));
  FOVEA_ASSIGN_OR_RETURN(const uint64_t photometric, get(kTagPhotometric, 1));
  FOVEA_ASSIGN_OR_RETURN(const uint64_t planar, get(kTagPlanarConfig, 1));
  FOVEA_ASSIGN_OR_RETURN(const uint64_t fill_order, get(kTagFillOrder, 1));
  FOVEA_ASSIGN_OR_RETURN(const uint64_t subfile, get(kTagNewSubfileType, 0));
  page.compression = static_cast<int>(std::min<uint64_t>(compression, 65535));
  page.photometric = static_cast<int>(std::min<uint64_t>(photometric, 65535));
  page.fill_order = fill_order == 2 ? 2 : 1;
  page.separate = planar == 2 && page.samples > 1;
  page.reduced = (subfile & 1) != 0;
  if (page.compression == COMPRESSION_OJPEG || TIFFIsCODECConfigured(static_cast<uint16_t>(page.compression)) == 0) {
    return Unsupported(CompressionName(page.compression));
  }
  if (page.compression == kCompressionNone || page.compression == COMPRESSION_PACKBITS) {
    FOVEA_ASSIGN_OR_RETURN(const uint64_t predictor, get(kTagPredictor, 1));
    // libtiff ignores it, others undo it: the pixels would depend on the reader.
    if (predictor != 1) return Unsupported("a predictor without a compression that has one");
  }
  if (page.photometric == kPhotometricYCbCr && page.compression != kCompressionJpeg) {
    const TiffTag* subsampling = FindTag(directory, kTagYCbCrSubsampling);
    for (uint64_t i = 0; i < 2; ++i) {
      uint64_t factor = 2;  // the specification's default
      if (subsampling != nullptr) {
        FOVEA_ASSIGN_OR_RETURN(factor, structure.Integer(*subsampling, i));
      }
      if (factor != 1) return Unsupported("subsampled YCbCr colour outside JPEG");
    }
  }
  FOVEA_RETURN_IF_ERROR(ReadLayout(structure, directory, &page));
  FOVEA_RETURN_IF_ERROR(CheckSizes(source, page));
  return page;
}

}  // namespace

Result<TiffPage> ReadTiffPage(const ByteSource& source, const TiffStructure& structure, uint64_t directory) {
  auto page = ReadPage(source, structure, directory);
  if (page.ok()) return page;
  if (page.status().message().starts_with("'") || page.status().message().starts_with("tag ")) return page.status();
  const char* verb = page.status().code() == StatusCode::kUnsupported ? "' uses " : "' has ";
  const char* tail = page.status().code() == StatusCode::kUnsupported ? ", which fovea does not read" : "";
  return Status(page.status().code(), "'" + source.name() + verb + page.status().message() + tail);
}

}  // namespace fovea::formats
