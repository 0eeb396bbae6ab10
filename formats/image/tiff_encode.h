// The writing side of TIFF's bytes: compression of one strip or tile, and serialisation of a directory.
#ifndef FOVEA_FORMATS_IMAGE_TIFF_ENCODE_H_
#define FOVEA_FORMATS_IMAGE_TIFF_ENCODE_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/image/image.h"

namespace fovea::formats {

std::vector<uint8_t> EncodeLzw(std::span<const uint8_t> bytes);  // TIFF's variant: most significant bit first
Result<std::vector<uint8_t>> EncodeDeflate(std::span<const uint8_t> bytes);

// Predictor 2 in place: each sample becomes its difference to the same sample of the pixel before. 8 and 16 bits.
void DifferenceRows(uint8_t* bytes, int64_t rows, int64_t width, int64_t samples, size_t sample_bytes);

// Collects the tags of one IFD in host byte order and places it in the file.
class IfdBuilder {
 public:
  explicit IfdBuilder(bool big_tiff) : big_tiff_(big_tiff) {}

  void AddShort(uint16_t id, uint16_t value) { AddShorts(id, {value}); }
  void AddShorts(uint16_t id, const std::vector<uint16_t>& values);
  void AddLong(uint16_t id, uint32_t value) { AddLongs(id, {value}); }
  void AddLongs(uint16_t id, const std::vector<uint32_t>& values);
  void AddOffsets(uint16_t id, const std::vector<uint64_t>& values);  // LONG, or LONG8 in BigTIFF
  void AddSubIfds(uint16_t id, const std::vector<uint64_t>& values);  // IFD, or IFD8 in BigTIFF
  void AddText(uint16_t id, const std::string& text);                 // nothing when empty
  void AddBytes(uint16_t id, const std::vector<uint8_t>& bytes);
  void AddRational(uint16_t id, double value);

  // The directory and its values for file position `start`, padded to an even length; followed by the next directory
  // right behind, or by none. Tags must have been added in any order, each once.
  std::vector<uint8_t> Serialize(uint64_t start, bool last) const;

 private:
  struct Entry {
    uint16_t id, type;
    uint64_t count;
    std::vector<uint8_t> bytes;
  };
  template <class T>
  void Add(uint16_t id, uint16_t type, const std::vector<T>& values);

  bool big_tiff_;
  std::vector<Entry> entries_;
};

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_TIFF_ENCODE_H_
