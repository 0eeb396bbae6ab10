#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>

#include "formats/image/output_file.h"
#include "formats/image/pixels.h"
#include "formats/image/raster.h"
#include "formats/image/state_bytes.h"

namespace fovea::formats {
namespace {

constexpr int64_t kMaxSide = (int64_t{1} << 31) - 1;

void PutBig32(uint8_t* at, uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

class PngFile {
 public:
  Status Open(const std::string& path) {
    // A temporary name that the next run finds: what a killed one leaves is written over.
    FOVEA_RETURN_IF_ERROR(file_.CreateResumable(path, false));
    static constexpr uint8_t kSignature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    return Append(kSignature, sizeof kSignature);
  }

  Status Chunk(const char* type, const uint8_t* data, size_t n) {
    uint8_t head[8], tail[4];
    PutBig32(head, static_cast<uint32_t>(n));
    std::memcpy(head + 4, type, 4);
    uLong crc = crc32(0, head + 4, 4);
    if (n > 0) crc = crc32(crc, data, static_cast<uInt>(n));
    PutBig32(tail, static_cast<uint32_t>(crc));
    FOVEA_RETURN_IF_ERROR(Append(head, sizeof head));
    FOVEA_RETURN_IF_ERROR(Append(data, n));
    return Append(tail, sizeof tail);
  }

  Status Commit() { return file_.Commit(); }

 private:
  Status Append(const uint8_t* data, size_t n) {
    FOVEA_RETURN_IF_ERROR(file_.WriteAt(end_, data, n));
    end_ += n;
    return OkStatus();
  }

  OutputFile file_;
  uint64_t end_ = 0;
};

// Deflates rows into IDAT chunks.
class RowCompressor {
 public:
  explicit RowCompressor(PngFile* png) : png_(png) { ready_ = deflateInit(&stream_, 6) == Z_OK; }
  ~RowCompressor() {
    if (ready_) deflateEnd(&stream_);
  }
  RowCompressor(const RowCompressor&) = delete;
  RowCompressor& operator=(const RowCompressor&) = delete;

  Status Put(uint8_t* data, size_t n, bool last) {
    if (!ready_) return OutOfMemory("not enough memory to compress the output");
    stream_.next_in = data;
    stream_.avail_in = static_cast<uInt>(n);
    while (true) {
      stream_.next_out = buffer_.data();
      stream_.avail_out = static_cast<uInt>(buffer_.size());
      const int result = deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);
      const size_t made = buffer_.size() - stream_.avail_out;
      if (made > 0) FOVEA_RETURN_IF_ERROR(png_->Chunk("IDAT", buffer_.data(), made));
      if (result == Z_STREAM_END || (!last && stream_.avail_in == 0 && stream_.avail_out > 0)) return OkStatus();
      if (result != Z_OK && result != Z_BUF_ERROR) return Internal("the output cannot be compressed");
    }
  }

 private:
  PngFile* png_;
  z_stream stream_{};
  bool ready_ = false;
  std::array<uint8_t, size_t{1} << 16> buffer_;
};

class PngWriter final : public ImageWriter {
 public:
  Status Open(const std::string& path, const ImageInfo& info, const WriteOptions& options) {
    path_ = path;
    info_ = info;
    info_.dtype = options.dtype;
    info_.format = "PNG";
    info_.axes = info.c > 1 ? "YXS" : "YX";
    const std::string cannot = "cannot write '" + path + "': PNG ";
    if (options.dtype != DType::kUInt8 && options.dtype != DType::kUInt16) {
      return Unsupported(cannot + "holds uint8 and uint16, not " + DTypeName(options.dtype) +
                         "; choose one of these (--dtype), or use .tif or .npy");
    }
    if (info.t != 1 || info.z != 1 || info.c > 4) {
      return Unsupported(cannot + "holds one plane of 1 to 4 channels; use .tif");
    }
    if (info.plane_count() * info.y * info.x > (int64_t{1} << 32)) {
      return Unsupported(cannot + "files of this size are not useful; use .tif");
    }
    // The folder must be writable before the work, not after it.
    OutputFile probe;
    FOVEA_RETURN_IF_ERROR(probe.Create(path));
    element_bytes_ = DTypeBytes(options.dtype);
    pixels_.resize(static_cast<size_t>(info.c * info.y * info.x) * element_bytes_);
    changed_ = {info_.y, 0};
    if (options.resume_state.empty()) {
      std::remove(OutputFile::PartName(SavedName()).c_str());  // of an interrupted run that is not gone on with
      return OkStatus();
    }
    return Load(options.resume_state);
  }

  Status Write(const Region& region, const void* src) override {
    FOVEA_RETURN_IF_ERROR(CheckRegion(region));
    const auto* from = static_cast<const uint8_t*>(src);
    changed_ = {std::min(changed_.begin, region.y), std::max(changed_.end, region.y + region.height)};
    for (int64_t row = 0; row < region.height; ++row) {
      for (int64_t col = 0; col < region.width; ++col, from += element_bytes_) {
        const int64_t to = ((region.y + row) * info_.x + region.x + col) * info_.c + region.c;
        std::memcpy(&pixels_[static_cast<size_t>(to) * element_bytes_], from, element_bytes_);
      }
    }
    return OkStatus();
  }

  Status Finish() override {
    FOVEA_RETURN_IF_ERROR(
        WritePng(path_, pixels_.data(), info_.y, info_.x, info_.c, static_cast<int64_t>(8 * element_bytes_)));
    KeepUnfinished(false);
    return OkStatus();
  }

  int64_t WorkingBytes(int64_t) const override { return static_cast<int64_t>(pixels_.size()) + (int64_t{1} << 19); }

  // The pixels so far, beside the output: "folder/.name.pixels.part". Those of earlier records are written over with
  // themselves, so that the last record is true at any moment.
  Result<std::vector<uint8_t>> Checkpoint() override {
    const Status saved = Save();
    // A disk without room for it is no reason to end the run, which can't be gone on with then.
    if (!saved.ok()) return Unsupported(saved.message());
    StateWriter state;
    state.Put(pixels_.size());
    return state.Take();
  }

  void KeepUnfinished(bool keep) override {
    keep_ = keep;
    if (saved_.is_open()) saved_.Keep(keep);
  }

 private:
  std::string SavedName() const { return path_ + ".pixels"; }
  uint64_t RowBytes() const { return static_cast<uint64_t>(info_.x * info_.c) * element_bytes_; }

  Status Save() {
    if (!saved_.is_open()) {
      FOVEA_RETURN_IF_ERROR(saved_.CreateResumable(SavedName(), false));
      saved_.Keep(keep_);
      FOVEA_RETURN_IF_ERROR(saved_.Resize(pixels_.size()));
    }
    if (changed_.begin < changed_.end) {
      const uint64_t at = static_cast<uint64_t>(changed_.begin) * RowBytes();
      const uint64_t bytes = static_cast<uint64_t>(changed_.end - changed_.begin) * RowBytes();
      FOVEA_RETURN_IF_ERROR(saved_.WriteAt(at, pixels_.data() + at, bytes));
    }
    FOVEA_RETURN_IF_ERROR(saved_.Sync());
    changed_ = {info_.y, 0};
    return OkStatus();
  }

  Status Load(const std::vector<uint8_t>& state) {
    StateReader reader(state);
    const std::string name = OutputFile::PartName(SavedName());
    const Status damaged = CorruptFile(name + ": has not the size that it had");
    if (reader.Get() != pixels_.size() || !reader.ok() || !reader.at_end()) return damaged;
    FOVEA_RETURN_IF_ERROR(saved_.CreateResumable(SavedName(), true));
    saved_.Keep(true);
    keep_ = true;
    std::error_code error;
    if (std::filesystem::file_size(name, error) != pixels_.size()) return damaged;
    for (int64_t y = 0; y < info_.y; ++y) {
      const uint64_t at = static_cast<uint64_t>(y) * RowBytes();
      FOVEA_RETURN_IF_ERROR(saved_.ReadAt(at, pixels_.data() + at, RowBytes()));
    }
    return OkStatus();
  }

  struct Rows {
    int64_t begin, end;
  };
  size_t element_bytes_ = 1;
  std::vector<uint8_t> pixels_;
  Rows changed_{0, 0};  // since they were saved
  OutputFile saved_;
  bool keep_ = false;
};

}  // namespace

Status WritePng(const std::string& path, const void* pixels, int64_t height, int64_t width, int64_t channels,
                int64_t bits) {
  static constexpr uint8_t kColourType[] = {0, 0, 4, 2, 6};  // by channels: grey, grey+alpha, RGB, RGBA
  if (height < 1 || width < 1 || height > kMaxSide || width > kMaxSide || channels < 1 || channels > 4 ||
      (bits != 8 && bits != 16)) {
    return InvalidArgument("cannot write '" + path + "': not a size that PNG has");
  }
  PngFile png;
  FOVEA_RETURN_IF_ERROR(png.Open(path));
  uint8_t header[13] = {};
  PutBig32(header, static_cast<uint32_t>(width));
  PutBig32(header + 4, static_cast<uint32_t>(height));
  header[8] = static_cast<uint8_t>(bits);
  header[9] = kColourType[channels];
  FOVEA_RETURN_IF_ERROR(png.Chunk("IHDR", header, sizeof header));

  const size_t sample_bytes = static_cast<size_t>(bits / 8);
  const size_t pixel_bytes = static_cast<size_t>(channels) * sample_bytes;
  const size_t row_bytes = static_cast<size_t>(width) * pixel_bytes;
  // Filter 2 (difference to the row above) suits pictures and needs no choice.
  std::vector<uint8_t> above(row_bytes, 0), row(row_bytes), filtered(row_bytes + 1);
  filtered[0] = 2;
  RowCompressor compressor(&png);
  for (int64_t y = 0; y < height; ++y) {
    std::memcpy(row.data(), static_cast<const uint8_t*>(pixels) + static_cast<size_t>(y) * row_bytes, row_bytes);
    if (std::endian::native == std::endian::little) SwapBytes(row.data(), sample_bytes, row_bytes / sample_bytes);
    for (size_t i = 0; i < row_bytes; ++i) filtered[i + 1] = static_cast<uint8_t>(row[i] - above[i]);
    std::swap(above, row);
    FOVEA_RETURN_IF_ERROR(compressor.Put(filtered.data(), filtered.size(), y + 1 == height));
  }
  FOVEA_RETURN_IF_ERROR(png.Chunk("IEND", nullptr, 0));
  return png.Commit();
}

Result<std::unique_ptr<ImageWriter>> CreatePng(const std::string& path, const ImageInfo& info,
                                               const WriteOptions& options) {
  auto writer = std::make_unique<PngWriter>();
  FOVEA_RETURN_IF_ERROR(writer->Open(path, info, options));
  return std::unique_ptr<ImageWriter>(std::move(writer));
}

}  // namespace fovea::formats
