// Pixels of TIFF pages: plain bytes are read straight from the file, the rest is decoded by libtiff, strip by strip or
// tile by tile. libtiff never prints; what it complains about becomes the Status.
#ifndef FOVEA_FORMATS_IMAGE_TIFF_DECODER_H_
#define FOVEA_FORMATS_IMAGE_TIFF_DECODER_H_

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "formats/image/byte_source.h"
#include "formats/image/tiff_page.h"

struct tiff;  // libtiff's TIFF

namespace fovea::formats {

class TiffDecoder {
 public:
  TiffDecoder(const ByteSource* source, const TiffStructure* structure);
  ~TiffDecoder();
  TiffDecoder(const TiffDecoder&) = delete;
  TiffDecoder& operator=(const TiffDecoder&) = delete;

  // The rectangle of one sample, as page.dtype in host byte order, row-major and tight. The rectangle is inside the
  // page.
  Status Read(const TiffPage& page, int64_t sample, int64_t y, int64_t x, int64_t height, int64_t width, void* dst);

  // The same for a plane that lies at `offset` as plain rows without a directory of its own, laid out like `page`.
  Status ReadPlain(const TiffPage& page, uint64_t offset, int64_t sample, int64_t y, int64_t x, int64_t height,
                   int64_t width, void* dst);

  void set_cache_bytes(int64_t bytes) { cache_limit_ = bytes; }
  // pages: of the image, all like `page`.
  int64_t WorkingBytes(const TiffPage& page, int64_t pages, int64_t band_rows) const;

 private:
  struct Chunk {
    std::pair<uint64_t, int64_t> key;  // directory, chunk number
    std::vector<uint8_t> bytes;
  };
  // Rows of the page that were last decoded from large strips, which are too big to hold as a whole.
  struct Window {
    uint64_t directory = 0;
    int64_t sample = -1, first = 0, next = 0;  // rows [first, next) are in `rows`; libtiff stands before row `next`
    std::vector<uint8_t> rows;
  };

  Status ReadRawChunk(const TiffPage& page, uint64_t offset, int64_t row_bytes, int64_t sample, int64_t y, int64_t x,
                      int64_t height, int64_t width, uint8_t* dst, int64_t dst_row_bytes);
  Status SelectPage(const TiffPage& page);
  Result<const uint8_t*> DecodedChunk(const TiffPage& page, int64_t number, int64_t rows);
  Status DecodeWindow(const TiffPage& page, int64_t sample, int64_t y, int64_t height);
  Status LibraryError(const std::string& what);
  Result<uint64_t> ChunkOffset(const TiffPage& page, int64_t number, bool* absent) const;

  const ByteSource* source_;
  const TiffStructure* structure_;
  struct LibTiff;
  std::unique_ptr<LibTiff> lib_;
  std::list<Chunk> cache_;  // most recently used first
  std::map<std::pair<uint64_t, int64_t>, std::list<Chunk>::iterator> cached_;
  int64_t cache_bytes_ = 0;
  int64_t cache_limit_ = int64_t{16} << 20;
  Window window_;
  std::vector<uint8_t> scratch_;
};

// From `row`, packed samples of `page` (see chunk_samples) in its bit depth, takes `count` values of sample `sample`
// beginning with pixel `first`. Depths below 8 bits widen to 8, 9..15 to 16, 17..31 to 32, values unchanged.
// `swapped`: multi-byte samples are in the other byte order.
void UnpackRow(const TiffPage& page, bool swapped, const uint8_t* row, int64_t first, int64_t count, int64_t sample,
               uint8_t* dst);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_TIFF_DECODER_H_
