// The skeleton of a TIFF or BigTIFF file: header, chain of directories (IFDs), tag values by position. Reads only what
// is asked for; libtiff is used for decoding alone, so that metadata of hostile files passes through checks written
// here.
#ifndef FOVEA_FORMATS_IMAGE_TIFF_STRUCTURE_H_
#define FOVEA_FORMATS_IMAGE_TIFF_STRUCTURE_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/image/byte_source.h"
#include "runtime/include/fovea/status.h"

namespace fovea::formats {

// Tag numbers of the TIFF 6.0 specification and of ImageJ.
enum TiffTagId : uint16_t {
  kTagNewSubfileType = 254,
  kTagImageWidth = 256,
  kTagImageLength = 257,
  kTagBitsPerSample = 258,
  kTagCompression = 259,
  kTagPhotometric = 262,
  kTagFillOrder = 266,
  kTagImageDescription = 270,
  kTagStripOffsets = 273,
  kTagSamplesPerPixel = 277,
  kTagRowsPerStrip = 278,
  kTagStripByteCounts = 279,
  kTagXResolution = 282,
  kTagYResolution = 283,
  kTagPlanarConfig = 284,
  kTagResolutionUnit = 296,
  kTagSoftware = 305,
  kTagDateTime = 306,
  kTagPredictor = 317,
  kTagColorMap = 320,
  kTagTileWidth = 322,
  kTagTileLength = 323,
  kTagTileOffsets = 324,
  kTagTileByteCounts = 325,
  kTagSubIfds = 330,
  kTagExtraSamples = 338,
  kTagSampleFormat = 339,
  kTagYCbCrSubsampling = 530,
  kTagImageDepth = 32997,
  kTagImageJCounts = 50838,
  kTagImageJMetadata = 50839,
};

// Value types of the specification.
enum TiffType : uint16_t {
  kTiffByte = 1,
  kTiffAscii = 2,
  kTiffShort = 3,
  kTiffLong = 4,
  kTiffRational = 5,
  kTiffIfd = 13,
  kTiffLong8 = 16,
  kTiffIfd8 = 18,
};

struct TiffTag {
  uint16_t id = 0, type = 0;
  uint64_t count = 0;
  uint64_t offset = 0;  // of the first value byte in the file; the whole array is known to lie inside the file
};

using TiffDirectory = std::vector<TiffTag>;
const TiffTag* FindTag(const TiffDirectory& directory, uint16_t id);

bool IsTiff(std::span<const uint8_t> first_bytes);

class TiffStructure {
 public:
  // Reads the header and walks the chain; a chain that loops or leaves the file is kCorruptFile.
  static Result<TiffStructure> Open(const ByteSource* source);

  bool big_endian() const { return big_endian_; }
  bool swapped() const;  // in the other byte order than the host's
  const std::vector<uint64_t>& directory_offsets() const { return directories_; }
  Result<TiffDirectory> ReadDirectory(uint64_t offset) const;

  // Element `index` of an integer array. kCorruptFile when it is not an integer or out of range.
  Result<uint64_t> Integer(const TiffTag& tag, uint64_t index) const;
  // The same with a default for an absent tag.
  Result<uint64_t> IntegerOr(const TiffDirectory& directory, uint16_t id, uint64_t otherwise) const;
  // A rational or floating-point value; 0 when absent or not a number.
  double Real(const TiffDirectory& directory, uint16_t id) const;
  // Text up to the first NUL; empty when absent or longer than `max_bytes`.
  std::string Text(const TiffDirectory& directory, uint16_t id, uint64_t max_bytes = 1 << 26) const;
  // All value bytes as stored.
  Result<std::vector<uint8_t>> Bytes(const TiffTag& tag, uint64_t max_bytes) const;

 private:
  uint64_t Unsigned(const uint8_t* at, size_t bytes) const;

  const ByteSource* source_ = nullptr;
  bool big_endian_ = false, big_tiff_ = false;
  std::vector<uint64_t> directories_;
};

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_TIFF_STRUCTURE_H_
