// Microscope images in and out: one reader and one writer interface over TIFF (plain, ImageJ, OME), PNG, JPEG, BMP,
// TGA and NPY.
//
// An image is a grid of planes (t, z, c), t slowest; a plane is `y` rows of `x` pixels, row-major. Interleaved samples
// (RGB) count as channels. Readers decode only the strips or tiles a region needs and never hold the whole image where
// the format allows that; WorkingBytes() says what they do hold. Pixel values are those stored in the file: palette
// indices, min-is-white and integer ranges are not reinterpreted.
//
// Errors: one sentence that names the file. kNotFound and kIo for what the operating system refuses, kCorruptFile for
// bytes that contradict the format, kUnsupported for a feature that fovea does not read. Sizes, offsets and counts are
// checked before anything is allocated. Nothing throws. Readers and writers are not thread-safe; use one per thread.
#ifndef FOVEA_FORMATS_IMAGE_IMAGE_H_
#define FOVEA_FORMATS_IMAGE_IMAGE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/include/fovea/dtype.h"
#include "runtime/include/fovea/status.h"

namespace fovea::formats {

// Physical extent of a pixel. 0 = not known.
struct PixelSize {
  double y = 0, x = 0, z = 0;  // in `unit` per pixel (z: per slice)
  std::string unit;            // "µm", "nm", "mm", "cm", "inch", ...; empty = uncalibrated
  double frame_interval_s = 0;
  // Pixel coordinates of the calibrated zero point: physical = (index - origin) * size. Crops shift it.
  double origin_y_px = 0, origin_x_px = 0, origin_z_px = 0;
};

struct DisplayRange {
  double min = 0, max = 0;
};

// 256 red, then 256 green, then 256 blue values.
using Lut = std::array<uint8_t, 768>;

// An ImageJ metadata item that fovea carries along unread: regions of interest, overlays, properties.
struct ImageJBlock {
  uint32_t type = 0;           // four characters, first in the high byte: 'roi '
  std::vector<uint8_t> bytes;  // text items as UTF-16 in host byte order
};

inline constexpr uint32_t kImageJRoi = 0x726f6920, kImageJOverlay = 0x6f766572;  // 'roi ', 'over'

struct ImageInfo {
  DType dtype = DType::kFloat32;
  int64_t t = 1, z = 1, c = 1, y = 0, x = 0;
  std::string axes;  // what the file really has, in file order: "YX", "ZCYX", "YXS" (S: interleaved samples, in c);
                     // Q or I: a stack of pages whose meaning the file does not tell, counted in z
  PixelSize pixel_size;
  std::vector<std::string> channel_names;    // c entries, or none
  std::vector<std::string> slice_labels;     // t*z*c entries in plane order, or none
  std::vector<Lut> luts;                     // one for each channel, or one for all, or none
  std::vector<DisplayRange> display_ranges;  // one for each channel, or one for all, or none
  std::string notes;                         // ImageJ's "Info" text
  std::string description;                   // the file's description as stored (ImageJ text, OME-XML, free text)
  std::vector<std::pair<std::string, std::string>> properties;  // further ImageJ keys in file order: "mode", "cf", ...
  std::vector<ImageJBlock> imagej_blocks;
  std::string software, date;
  std::string format;                 // "TIFF", "ImageJ TIFF", "OME-TIFF", "PNG", "JPEG", "NPY", ...
  std::vector<std::string> warnings;  // of a file that is read otherwise than its metadata say; a sentence each
  int64_t ignored_pages = 0;  // pages of another size or type (thumbnails, masks) that are not part of the image

  int64_t plane_count() const { return t * z * c; }
  int64_t plane_index(int64_t ti, int64_t zi, int64_t ci) const { return (ti * z + zi) * c + ci; }
};

// A rectangle of one plane. All values in pixels or indices, from 0.
struct Region {
  int64_t t = 0, z = 0, c = 0;
  int64_t y = 0, x = 0, height = 0, width = 0;
};

class ImageReader {
 public:
  virtual ~ImageReader() = default;
  ImageReader(const ImageReader&) = delete;
  ImageReader& operator=(const ImageReader&) = delete;

  const ImageInfo& info() const { return info_; }

  // Writes height*width elements of info().dtype to `dst`, row-major and tight. Regions in any order are correct; fast
  // is: downwards, and all channels of a band before the next band (large compressed strips decode only forwards).
  virtual Status Read(const Region& region, void* dst) = 0;

  // Bytes that the reader holds at most while bands of `band_rows` rows are read. An estimate from above.
  virtual int64_t WorkingBytes(int64_t band_rows) const = 0;

  // Upper limit for decoded strips and tiles kept for reuse (default 16 MiB; at least one is always kept).
  virtual void SetCacheBytes(int64_t) {}
  // A cache of so many bytes decodes every strip or tile once while bands are read downwards; more serves little.
  virtual int64_t UsefulCacheBytes() const { return 0; }

 protected:
  ImageReader() = default;
  Status CheckRegion(const Region& region) const;
  ImageInfo info_;
};

// Opens by content, not by extension.
Result<std::unique_ptr<ImageReader>> OpenImage(const std::string& path);

// The same over bytes that the caller keeps alive. `name` stands for the path in messages; companion files are refused.
Result<std::unique_ptr<ImageReader>> OpenImageFromMemory(std::span<const uint8_t> bytes, const std::string& name);

// Any element type to float: the stored value, rounded to the nearest float, never rescaled. Element i of the region
// (row-major) lands in dst[i * pixel_stride], so that channels can be interleaved.
Status ReadAsFloat(ImageReader& reader, const Region& region, float* dst, int64_t pixel_stride);

struct WriteOptions {
  enum Compression { kNone, kDeflate, kLzw };

  DType dtype = DType::kFloat32;  // of the file
  Compression compression = kNone;
  int64_t rows_per_strip = 0;  // TIFF; 0 = about 256 KiB a strip
  int64_t tile = 0;  // TIFF; square tiles of this size, a multiple of 16; 0 = strips, or tiles of 512 pixels in
                     // files over 4 GB and with a pyramid
  bool force_bigtiff = false;    // TIFF; otherwise BigTIFF only when the file grows over 4 GB
  bool pyramid = false;          // TIFF; each plane also at half its size, a quarter, ... down to one tile (SubIFDs)
  bool pyramid_nearest = false;  // of 2 x 2 pixels the first instead of the mean: for labels
  // The unfinished file can be gone on with by another process. resume_state: of its last Checkpoint.
  bool resumable = false;
  std::vector<uint8_t> resume_state = {};
};

// Where rows may be written: any region, in any order, each pixel once. What is held in memory:
//   TIFF uncompressed, NPY   nothing; pixels go to their place in the file at once
//   TIFF compressed          strips (tiles) that are begun but not complete: the first 8 MiB, further ones wait in a
//   or with a pyramid        scratch file. Fast are bands that begin and end at multiples of band_alignment() rows
//   PNG                      the whole image
class ImageWriter {
 public:
  virtual ~ImageWriter() = default;  // without Finish: the temporary file is removed
  ImageWriter(const ImageWriter&) = delete;
  ImageWriter& operator=(const ImageWriter&) = delete;

  const ImageInfo& info() const { return info_; }  // as written: dtype of the file

  // Element i of the region (row-major) comes from src[i * pixel_stride]. Integers round half to even and saturate;
  // NaN becomes 0.
  virtual Status WriteFloat(const Region& region, const float* src, int64_t pixel_stride);

  // The same from elements of info().dtype, row-major and tight.
  virtual Status Write(const Region& region, const void* src) = 0;

  // What is known only once the pixels are: ranges and tables as in ImageInfo. Before Finish; formats that have no
  // place for them leave them out.
  void SetDisplay(std::vector<DisplayRange> ranges, std::vector<Lut> luts);

  // Completes the file and renames it to its final name. Parts never written read as 0.
  virtual Status Finish() = 0;

  // Makes sure that what was written survives a power cut, and returns what WriteOptions::resume_state needs to go on
  // from here. kUnsupported for formats and options that can't.
  virtual Result<std::vector<uint8_t>> Checkpoint() {
    return Unsupported("'" + path_ + "': this format can't be gone on with");
  }
  // Whether the destructor leaves the unfinished file for a later process.
  virtual void KeepUnfinished(bool) {}

  virtual int64_t band_alignment() const { return 1; }
  virtual int64_t WorkingBytes(int64_t band_rows) const = 0;

 protected:
  ImageWriter() = default;
  Status CheckRegion(const Region& region) const;
  ImageInfo info_;
  std::string path_;
};

// Format by extension: .ome.tif(f), .tif, .tiff, .btf, .png, .npy. Writes to a temporary file in the same folder.
// Of `info` the sizes and metadata count; its dtype is replaced by options.dtype. Interleaved when info.axes ends with
// S and c is 2 to 4.
Result<std::unique_ptr<ImageWriter>> CreateImage(const std::string& path, const ImageInfo& info,
                                                 const WriteOptions& options);

// What CreateImage's writer would hold at most, without creating anything. Errors as CreateImage.
Result<int64_t> WriterBytes(const std::string& path, const ImageInfo& info, const WriteOptions& options);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_IMAGE_H_
