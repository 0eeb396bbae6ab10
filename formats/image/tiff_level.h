// One resolution level of a TIFF file that is being written: the strips or tiles of all its pages.
//
// Uncompressed chunks have places that are known beforehand; compressed ones are appended as they become complete.
// A level with a smaller one below it passes every complete tile on at half its size: 2 x 2 pixels become their mean
// (of those that the image has; integers round half to even), or the first of them (`nearest`, for labels), so that the
// whole pyramid is made in the pass that writes the image.
#ifndef FOVEA_FORMATS_IMAGE_TIFF_LEVEL_H_
#define FOVEA_FORMATS_IMAGE_TIFF_LEVEL_H_

#include <map>
#include <vector>

#include "formats/image/chunk_store.h"
#include "formats/image/tiff_encode.h"

namespace fovea::formats {

struct LevelShape {
  int64_t width = 0, height = 0, pages = 1;
  int64_t chunk_width = 0, chunk_height = 0;
  bool tiled = false;  // tiles are whole everywhere, the last strip has only the rows that are left
  int64_t samples = 1, element_bytes = 1;

  int64_t across() const { return (width + chunk_width - 1) / chunk_width; }
  int64_t down() const { return (height + chunk_height - 1) / chunk_height; }
  int64_t page_chunks() const { return across() * down(); }
  int64_t row_bytes() const { return chunk_width * samples * element_bytes; }
  int64_t chunk_bytes() const { return row_bytes() * chunk_height; }
  int64_t page_bytes() const { return tiled ? chunk_bytes() * page_chunks() : row_bytes() * height; }
  int64_t chunk_rows(int64_t cy) const { return tiled ? chunk_height : InsideRows(cy); }
  int64_t InsideRows(int64_t cy) const { return std::min(chunk_height, height - cy * chunk_height); }
  int64_t InsideCols(int64_t cx) const { return std::min(chunk_width, width - cx * chunk_width); }
};

class TiffLevel {
 public:
  // What all levels of a file share. store: null when pixels go straight to their places.
  struct Body {
    OutputFile* file = nullptr;
    uint64_t* end = nullptr;  // where the next compressed chunk goes
    ChunkStore* store = nullptr;
    WriteOptions::Compression compression = WriteOptions::kNone;
    bool predicts = false;  // differences before LZW
    DType dtype = DType::kUInt8;
    bool nearest = false;
    std::string path;  // for messages
  };

  // base: of the first chunk, when uncompressed. next: the level of half the size, or null.
  TiffLevel(const LevelShape& shape, const Body* body, uint64_t base, TiffLevel* next);

  const LevelShape& shape() const { return shape_; }
  Status Write(int64_t page, int64_t sample, const Region& region, const uint8_t* src);
  // Chunks that were never completed: zeros where nothing was written.
  Status Complete();
  void AddChunks(int64_t page, IfdBuilder* ifd) const;
  int64_t TableBytes() const;
  int64_t BodyBytes() const;  // of all strips or tiles, before compression

  void Save(StateWriter* state) const;
  Status Load(StateReader* state);
  // After Load of the chunk store as well: whether it holds what the level collects.
  bool HoldsWhatIsPending() const;
  int64_t chunks() const { return static_cast<int64_t>(located_.size()); }  // where they are collected

 private:
  struct Location {
    uint64_t offset = 0;  // 0: not written yet
    uint64_t bytes = 0;
  };
  struct Pending {
    int64_t slot = 0;
    int64_t missing = 0;  // elements not yet written
  };
  // A rectangle of one chunk and where its elements are in the caller's memory.
  struct Piece {
    int64_t number, cy, cx;
    int64_t y, x, sample, height, width;  // in the chunk
    const uint8_t* src;
    int64_t src_row_bytes;
  };

  bool compressed() const { return body_.compression != WriteOptions::kNone; }
  uint64_t PlaceOf(int64_t number) const;
  void Insert(const uint8_t* src, int64_t count, int64_t sample, uint8_t* dst) const;
  // get(offset, dst, bytes), put(offset, src, bytes): of the chunk's raw bytes.
  template <class Get, class Put>
  Status Merge(const Piece& piece, const Get& get, const Put& put);
  Status WritePiece(const Piece& piece);
  Status Collect(const Piece& piece);
  Status Append(int64_t number, std::vector<uint8_t>* bytes);
  Status PassOn(int64_t number, const std::vector<uint8_t>& bytes);

  const LevelShape shape_;
  const Body& body_;
  const uint64_t base_;
  TiffLevel* const next_;
  std::vector<Location> located_;  // (page, row, column); only when chunks are collected
  std::map<int64_t, Pending> pending_;
  std::vector<uint8_t> block_;
};

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_TIFF_LEVEL_H_
