// TIFF writer. Pixels go to the file as they come; directories are written at the end, so that strips of any plane may
// be completed in any order and the choice between classic TIFF and BigTIFF follows from the true size.
#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <new>

#include "formats/image/ome.h"
#include "formats/image/output_file.h"
#include "formats/image/text.h"
#include "formats/image/tiff.h"
#include "formats/image/tiff_encode.h"
#include "formats/image/tiff_page.h"
#include "formats/image/tiff_tags.h"

namespace fovea::formats {
namespace {

constexpr uint64_t kHeaderBytes = 16;  // BigTIFF's; a classic header leaves 8 of them unused
constexpr int64_t kStripBytes = int64_t{256} << 10;
constexpr int64_t kBlockBytes = int64_t{256} << 10;

bool ImageJSupports(DType dtype) {
  return dtype == DType::kUInt8 || dtype == DType::kUInt16 || dtype == DType::kInt16 || dtype == DType::kInt32 ||
         dtype == DType::kUInt32 || dtype == DType::kFloat32 || dtype == DType::kFloat64;
}

class TiffWriter final : public ImageWriter {
 public:
  Status Open(const std::string& path, const ImageInfo& info, const WriteOptions& options) {
    path_ = path;
    info_ = info;
    options_ = options;
    // TIFF has no bool of a byte; 0 and 1 are.
    info_.dtype = options.dtype == DType::kBool ? DType::kUInt8 : options.dtype;
    const size_t slash = path.rfind('/');
    flavour_.file_name = slash == std::string::npos ? path : path.substr(slash + 1);
    const std::string lower = LowerCase(path);
    flavour_.ome = lower.ends_with(".ome.tif") || lower.ends_with(".ome.tiff");
    if (flavour_.ome && !OmeSupports(info_.dtype)) {
      return Unsupported("cannot write '" + path + "': OME-TIFF has no " + DTypeName(info_.dtype));
    }
    flavour_.imagej = !flavour_.ome && ImageJSupports(info_.dtype);
    // Colour pictures stay interleaved. ImageJ knows RGB of 8 bits in stacks and of 16 bits as a single page.
    const bool single = info_.t * info_.z == 1;
    flavour_.interleaved =
        info_.c == 3 && info_.axes.ends_with("YXS") &&
        (info_.dtype == DType::kUInt8 || (info_.dtype == DType::kUInt16 && (single || flavour_.ome)));
    samples_ = flavour_.interleaved ? info_.c : 1;
    element_bytes_ = static_cast<int64_t>(DTypeBytes(info_.dtype));
    info_.format = flavour_.ome ? "OME-TIFF" : flavour_.imagej ? "ImageJ TIFF" : "TIFF";
    std::string axes;
    for (const auto& [letter, count] :
         {std::pair{'T', info_.t}, {'Z', info_.z}, {'C', flavour_.interleaved ? 1 : info_.c}}) {
      if (count > 1) axes.push_back(letter);
    }
    info_.axes = axes + (flavour_.interleaved ? "YXS" : "YX");

    if (options.tile < 0 || options.tile % 16 != 0 || options.tile > 65536 || options.rows_per_strip < 0) {
      return InvalidArgument("cannot write '" + path + "': tiles must have a multiple of 16 pixels");
    }
    const int64_t image_row_bytes = info_.x * samples_ * element_bytes_;
    if (options.tile > 0) {
      chunk_width_ = chunk_height_ = options.tile;
    } else {
      chunk_width_ = info_.x;
      chunk_height_ = options.rows_per_strip > 0
                          ? options.rows_per_strip
                          : std::max<int64_t>(1, kStripBytes / std::max<int64_t>(1, image_row_bytes));
      chunk_height_ = std::min(chunk_height_, info_.y);
    }
    across_ = (info_.x + chunk_width_ - 1) / chunk_width_;
    down_ = (info_.y + chunk_height_ - 1) / chunk_height_;
    row_bytes_ = chunk_width_ * samples_ * element_bytes_;
    pages_ = info_.plane_count() / samples_;
    page_bytes_ = options.tile > 0 ? row_bytes_ * chunk_height_ * across_ * down_ : row_bytes_ * info_.y;
    if (pages_ * across_ * down_ > (int64_t{1} << 28)) {
      return InvalidArgument("cannot write '" + path + "': too many strips or tiles");
    }
    FOVEA_RETURN_IF_ERROR(file_.Create(path));
    end_ = kHeaderBytes;
    if (compressed()) {
      located_.resize(static_cast<size_t>(pages_ * across_ * down_));
    } else {
      end_ += static_cast<uint64_t>(page_bytes_ * pages_);
    }
    return OkStatus();
  }

  Status Write(const Region& region, const void* src) override {
    FOVEA_RETURN_IF_ERROR(CheckRegion(region));
    try {
      return WriteChecked(region, static_cast<const uint8_t*>(src));
    } catch (const std::bad_alloc&) {
      return OutOfMemory("not enough memory to write '" + path_ + "'");
    }
  }

  Status Finish() override {
    if (finished_) return InvalidArgument("'" + path_ + "' is already complete");
    finished_ = true;
    try {
      return WriteDirectories();
    } catch (const std::bad_alloc&) {
      return OutOfMemory("not enough memory to complete '" + path_ + "'");
    }
  }

  int64_t band_alignment() const override { return compressed() ? chunk_height_ : 1; }

  int64_t WorkingBytes(int64_t band_rows) const override {
    const int64_t tables = 3 * static_cast<int64_t>(sizeof(Location)) * pages_ * across_ * down_;
    if (!compressed()) return kBlockBytes + row_bytes_ + tables;
    // An aligned band of one plane completes its chunks one by one; samples wait for each other. Plus encoder output.
    const int64_t chunk = row_bytes_ * chunk_height_;
    const int64_t waiting = flavour_.interleaved ? (band_rows / chunk_height_ + 2) * across_ : across_ + 1;
    return tables + chunk * (waiting + 2) + (int64_t{512} << 10);
  }

 private:
  struct Location {
    uint64_t offset = 0;
    uint64_t bytes = 0;
  };
  struct Pending {
    std::vector<uint8_t> bytes;
    int64_t missing = 0;  // elements not yet written
  };

  bool compressed() const { return options_.compression != WriteOptions::kNone; }
  int64_t ChunkRows(int64_t chunk_y) const {
    return options_.tile > 0 ? chunk_height_ : std::min(chunk_height_, info_.y - chunk_y * chunk_height_);
  }

  Status WriteChecked(const Region& region, const uint8_t* src) {
    if (finished_) return InvalidArgument("'" + path_ + "' is already complete");
    const int64_t page = (region.t * info_.z + region.z) * (info_.c / samples_) + region.c / samples_;
    const int64_t sample = region.c % samples_;
    if (!compressed() && options_.tile == 0) {
      const uint64_t base = kHeaderBytes + static_cast<uint64_t>(page * page_bytes_);
      return Place(base, region.y, region.x, sample, region.height, region.width, src, region.width * element_bytes_);
    }
    for (int64_t cy = region.y / chunk_height_; cy * chunk_height_ < region.y + region.height; ++cy) {
      const int64_t top = cy * chunk_height_;
      const int64_t y0 = std::max(region.y, top), y1 = std::min(region.y + region.height, top + chunk_height_);
      for (int64_t cx = region.x / chunk_width_; cx * chunk_width_ < region.x + region.width; ++cx) {
        const int64_t left = cx * chunk_width_;
        const int64_t x0 = std::max(region.x, left), x1 = std::min(region.x + region.width, left + chunk_width_);
        const uint8_t* corner = src + ((y0 - region.y) * region.width + (x0 - region.x)) * element_bytes_;
        const int64_t number = (page * down_ + cy) * across_ + cx;
        if (compressed()) {
          FOVEA_RETURN_IF_ERROR(Collect(number, cy, cx, y0 - top, x0 - left, sample, y1 - y0, x1 - x0, corner,
                                        region.width * element_bytes_));
        } else {
          const uint64_t base = kHeaderBytes + static_cast<uint64_t>(number * chunk_height_ * row_bytes_);
          FOVEA_RETURN_IF_ERROR(
              Place(base, y0 - top, x0 - left, sample, y1 - y0, x1 - x0, corner, region.width * element_bytes_));
        }
      }
    }
    return OkStatus();
  }

  // Puts the values of one sample into rows of pixels; `dst` is the pixel of the first value.
  void Insert(const uint8_t* src, int64_t count, int64_t sample, uint8_t* dst) const {
    const auto bytes = static_cast<size_t>(element_bytes_);
    if (samples_ == 1) {
      std::memcpy(dst, src, static_cast<size_t>(count) * bytes);
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      std::memcpy(dst + (i * samples_ + sample) * element_bytes_, src + i * element_bytes_, bytes);
    }
  }

  // Straight into the file, at rows of row_bytes_ from `base` on.
  Status Place(uint64_t base, int64_t y, int64_t x, int64_t sample, int64_t height, int64_t width, const uint8_t* src,
               int64_t src_row_bytes) {
    const int64_t pixel_bytes = samples_ * element_bytes_;
    const bool full_rows = width * pixel_bytes == row_bytes_;
    if (full_rows && samples_ == 1 && src_row_bytes == row_bytes_) {
      return file_.WriteAt(base + static_cast<uint64_t>(y * row_bytes_), src, static_cast<size_t>(height * row_bytes_));
    }
    const int64_t step = full_rows ? std::max<int64_t>(1, kBlockBytes / row_bytes_) : 1;
    for (int64_t row = 0; row < height; row += step) {
      const int64_t rows = std::min(step, height - row);
      const int64_t span = full_rows ? rows * row_bytes_ : width * pixel_bytes;
      block_.resize(static_cast<size_t>(span));
      const uint64_t at = base + static_cast<uint64_t>((y + row) * row_bytes_ + x * pixel_bytes);
      // Samples of one pixel come in separate calls: keep those that are there.
      if (samples_ > 1) FOVEA_RETURN_IF_ERROR(file_.ReadAt(at, block_.data(), block_.size()));
      for (int64_t i = 0; i < rows; ++i) {
        Insert(src + (row + i) * src_row_bytes, width, sample, block_.data() + i * row_bytes_);
      }
      FOVEA_RETURN_IF_ERROR(file_.WriteAt(at, block_.data(), block_.size()));
    }
    return OkStatus();
  }

  // Into a strip or tile that is compressed once all its pixels are there.
  Status Collect(int64_t number, int64_t cy, int64_t cx, int64_t y, int64_t x, int64_t sample, int64_t height,
                 int64_t width, const uint8_t* src, int64_t src_row_bytes) {
    Pending& pending = pending_[number];
    if (pending.bytes.empty()) {
      if (located_[static_cast<size_t>(number)].offset != 0) {
        pending_.erase(number);
        return InvalidArgument("pixels of '" + path_ + "' were written twice");
      }
      pending.bytes.resize(static_cast<size_t>(ChunkRows(cy) * row_bytes_));
      const int64_t inside_rows = std::min(chunk_height_, info_.y - cy * chunk_height_);
      const int64_t inside_width = std::min(chunk_width_, info_.x - cx * chunk_width_);
      pending.missing = inside_rows * inside_width * samples_;
    }
    for (int64_t row = 0; row < height; ++row) {
      Insert(src + row * src_row_bytes, width, sample,
             pending.bytes.data() + (y + row) * row_bytes_ + x * samples_ * element_bytes_);
    }
    pending.missing -= height * width;
    if (pending.missing > 0) return OkStatus();
    const Status status = Append(number, &pending.bytes);
    pending_.erase(number);
    return status;
  }

  bool predicts() const {
    // ImageJ undoes differences after LZW only, and of whole numbers only.
    return options_.compression == WriteOptions::kLzw && element_bytes_ <= 2 && !IsFloat(info_.dtype);
  }

  Status Append(int64_t number, std::vector<uint8_t>* bytes) {
    if (predicts()) {
      DifferenceRows(bytes->data(), static_cast<int64_t>(bytes->size()) / row_bytes_, chunk_width_, samples_,
                     static_cast<size_t>(element_bytes_));
    }
    std::vector<uint8_t> encoded;
    if (options_.compression == WriteOptions::kLzw) {
      encoded = EncodeLzw(*bytes);
    } else {
      FOVEA_ASSIGN_OR_RETURN(encoded, EncodeDeflate(*bytes));
    }
    FOVEA_RETURN_IF_ERROR(file_.WriteAt(end_, encoded.data(), encoded.size()));
    located_[static_cast<size_t>(number)] = {end_, encoded.size()};
    end_ += encoded.size() + (encoded.size() & 1);
    return OkStatus();
  }

  // Chunks that were never completed: zeros where nothing was written.
  Status CompleteChunks() {
    for (auto& [number, pending] : pending_) FOVEA_RETURN_IF_ERROR(Append(number, &pending.bytes));
    pending_.clear();
    for (size_t i = 0; i < located_.size(); ++i) {
      if (located_[i].offset != 0) continue;
      const int64_t cy = static_cast<int64_t>(i) / across_ % down_;
      std::vector<uint8_t> zeros(static_cast<size_t>(ChunkRows(cy) * row_bytes_));
      FOVEA_RETURN_IF_ERROR(Append(static_cast<int64_t>(i), &zeros));
    }
    return OkStatus();
  }

  void AddChunks(int64_t page, IfdBuilder* ifd) const {
    const int64_t chunks = across_ * down_;
    std::vector<uint64_t> offsets, counts;
    for (int64_t i = 0; i < chunks; ++i) {
      Location location;
      if (compressed()) {
        location = located_[static_cast<size_t>(page * chunks + i)];
      } else {
        location.offset = kHeaderBytes + static_cast<uint64_t>(page * page_bytes_ + i * chunk_height_ * row_bytes_);
        location.bytes = static_cast<uint64_t>(ChunkRows(i / across_) * row_bytes_);
      }
      offsets.push_back(location.offset);
      counts.push_back(location.bytes);
    }
    const bool tiled = options_.tile > 0;
    if (tiled) {
      ifd->AddLong(kTagTileWidth, static_cast<uint32_t>(chunk_width_));
      ifd->AddLong(kTagTileLength, static_cast<uint32_t>(chunk_height_));
    } else {
      ifd->AddLong(kTagRowsPerStrip, static_cast<uint32_t>(chunk_height_));
    }
    ifd->AddOffsets(tiled ? kTagTileOffsets : kTagStripOffsets, offsets);
    ifd->AddOffsets(tiled ? kTagTileByteCounts : kTagStripByteCounts, counts);
  }

  void AddPixelTags(IfdBuilder* ifd) const {
    ifd->AddLong(kTagNewSubfileType, 0);
    ifd->AddLong(kTagImageWidth, static_cast<uint32_t>(info_.x));
    ifd->AddLong(kTagImageLength, static_cast<uint32_t>(info_.y));
    const auto samples = static_cast<size_t>(samples_);
    ifd->AddShorts(kTagBitsPerSample, std::vector<uint16_t>(samples, static_cast<uint16_t>(8 * element_bytes_)));
    const uint16_t compression = options_.compression == WriteOptions::kLzw       ? kCompressionLzw
                                 : options_.compression == WriteOptions::kDeflate ? kCompressionDeflate
                                                                                  : kCompressionNone;
    ifd->AddShort(kTagCompression, compression);
    if (predicts()) ifd->AddShort(kTagPredictor, 2);
    ifd->AddShort(kTagSamplesPerPixel, static_cast<uint16_t>(samples_));
    ifd->AddShort(kTagPlanarConfig, 1);
    const bool is_signed = info_.dtype == DType::kInt8 || info_.dtype == DType::kInt16 ||
                           info_.dtype == DType::kInt32 || info_.dtype == DType::kInt64;
    const uint16_t format = IsFloat(info_.dtype) ? 3 : is_signed ? 2 : 1;
    ifd->AddShorts(kTagSampleFormat, std::vector<uint16_t>(samples, format));
    // A lone table is TIFF's colour map, for ImageJ of wider types, too; values stay indices.
    if (HasColourMap(info_, flavour_)) {
      std::vector<uint16_t> map(info_.luts[0].size());
      for (size_t i = 0; i < map.size(); ++i) map[i] = static_cast<uint16_t>(info_.luts[0][i] * 257);
      ifd->AddShorts(kTagColorMap, map);
    }
    const bool palette = HasColourMap(info_, flavour_) && info_.dtype == DType::kUInt8;
    ifd->AddShort(kTagPhotometric, palette                ? kPhotometricPalette
                                   : flavour_.interleaved ? kPhotometricRgb
                                                          : kPhotometricMinIsBlack);
  }

  Status WriteDirectories() {
    if (compressed()) FOVEA_RETURN_IF_ERROR(CompleteChunks());
    end_ += end_ & 1;
    // Generous: tags, colour map, positions, and the texts of the first page.
    uint64_t directories = static_cast<uint64_t>(pages_) * (4096 + 8 * static_cast<uint64_t>(across_ * down_));
    directories += 1024 * static_cast<uint64_t>(info_.slice_labels.size()) + (uint64_t{4} << 20);
    for (const ImageJBlock& block : info_.imagej_blocks) directories += block.bytes.size();
    directories += 4 * info_.notes.size() + info_.description.size();
    const bool big = options_.force_bigtiff || end_ + directories > 0xffffffffu;
    const uint64_t first = end_;
    for (int64_t page = 0; page < pages_; ++page) {
      IfdBuilder ifd(big);
      AddPixelTags(&ifd);
      AddChunks(page, &ifd);
      AddResolution(info_, flavour_, &ifd);
      if (page == 0) AddDescription(info_, flavour_, &ifd);
      const std::vector<uint8_t> bytes = ifd.Serialize(end_, page + 1 == pages_);
      FOVEA_RETURN_IF_ERROR(file_.WriteAt(end_, bytes.data(), bytes.size()));
      end_ += bytes.size();
    }
    uint8_t header[kHeaderBytes] = {};
    const char order = std::endian::native == std::endian::little ? 'I' : 'M';
    header[0] = header[1] = static_cast<uint8_t>(order);
    const uint16_t magic = big ? 43 : 42, offset_bytes = 8;
    const auto first32 = static_cast<uint32_t>(first);
    std::memcpy(header + 2, &magic, 2);
    if (big) {
      std::memcpy(header + 4, &offset_bytes, 2);
      std::memcpy(header + 8, &first, 8);
    } else {
      std::memcpy(header + 4, &first32, 4);
    }
    FOVEA_RETURN_IF_ERROR(file_.WriteAt(0, header, sizeof header));
    return file_.Commit();
  }

  OutputFile file_;
  WriteOptions options_;
  TiffFlavour flavour_;
  bool finished_ = false;
  int64_t samples_ = 1, element_bytes_ = 1;
  int64_t chunk_width_ = 0, chunk_height_ = 0, across_ = 0, down_ = 0;
  int64_t row_bytes_ = 0;  // of a strip or tile
  int64_t pages_ = 0, page_bytes_ = 0;
  uint64_t end_ = 0;
  std::vector<Location> located_;  // compressed chunks, (page, row, column); offset 0 = not written yet
  std::map<int64_t, Pending> pending_;
  std::vector<uint8_t> block_;
};

}  // namespace

Result<std::unique_ptr<ImageWriter>> CreateTiff(const std::string& path, const ImageInfo& info,
                                                const WriteOptions& options) {
  auto writer = std::make_unique<TiffWriter>();
  FOVEA_RETURN_IF_ERROR(writer->Open(path, info, options));
  return std::unique_ptr<ImageWriter>(std::move(writer));
}

}  // namespace fovea::formats
