// How the pixels of one TIFF page are laid out, checked.
//
// A page is `height` rows of `width` pixels with `samples` values each, stored in chunks (strips or tiles) that are
// numbered row by row; with `separate` samples, all chunks of sample 0 come first.
#ifndef FOVEA_FORMATS_IMAGE_TIFF_PAGE_H_
#define FOVEA_FORMATS_IMAGE_TIFF_PAGE_H_

#include <cstdint>

#include "formats/image/tiff_structure.h"
#include "runtime/include/fovea/dtype.h"

namespace fovea::formats {

// Values of the specification.
enum TiffValue : uint16_t {
  kCompressionNone = 1,
  kCompressionLzw = 5,
  kCompressionJpeg = 7,
  kCompressionDeflate = 8,
  kPhotometricMinIsBlack = 1,
  kPhotometricRgb = 2,
  kPhotometricPalette = 3,
  kPhotometricSeparated = 5,
  kPhotometricYCbCr = 6,
};

struct TiffPage {
  uint64_t directory = 0;  // file offset of its IFD
  int64_t width = 0, height = 0;
  int bits = 1;  // per sample as stored
  DType dtype = DType::kUInt8;
  int64_t samples = 1;
  int photometric = 1, compression = 1, fill_order = 1;
  bool separate = false, tiled = false, reduced = false, swapped = false;
  int64_t chunk_width = 0, chunk_height = 0;
  TiffTag offsets, byte_counts;  // of the chunks; byte_counts.count is 0 when the file lacks them

  int64_t chunk_samples() const { return separate ? 1 : samples; }
  int64_t chunks_across() const { return (width + chunk_width - 1) / chunk_width; }
  int64_t chunks_down() const { return (height + chunk_height - 1) / chunk_height; }
  int64_t chunk_count() const { return chunks_across() * chunks_down() * (separate ? samples : 1); }
  int64_t chunk_row_bytes() const { return (chunk_width * chunk_samples() * bits + 7) / 8; }
  int64_t chunk_bytes() const { return chunk_row_bytes() * chunk_height; }
  int64_t page_bytes() const { return chunk_bytes() * chunk_count(); }  // strips: up to one strip too many

  // Plain bytes in the file that need no decoder.
  bool raw() const { return compression == kCompressionNone && fill_order == 1; }
  bool SameShape(const TiffPage& other) const {
    return width == other.width && height == other.height && bits == other.bits && dtype == other.dtype &&
           samples == other.samples && separate == other.separate;
  }
};

// Refuses what can't be decoded (kUnsupported) and what contradicts itself or the file's size (kCorruptFile).
Result<TiffPage> ReadTiffPage(const ByteSource& source, const TiffStructure& structure, uint64_t directory);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_TIFF_PAGE_H_
