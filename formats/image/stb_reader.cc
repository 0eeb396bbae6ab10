#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "formats/image/raster.h"
#include "formats/image/text.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_NO_GIF
#define STBI_NO_PSD
#define STBI_NO_PIC
#define STBI_NO_PNM  // its numbers overflow (found by fuzzing)
#define STBI_NO_JPEG
#include <stb/stb_image.h>

namespace fovea::formats {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;
constexpr int64_t kMaxPixelBytes = int64_t{1} << 31;

uint32_t Big32(const uint8_t* at) {
  return static_cast<uint32_t>(at[0]) << 24 | static_cast<uint32_t>(at[1]) << 16 | static_cast<uint32_t>(at[2]) << 8 |
         at[3];
}

// stb_image trusts chunk lengths when it allocates, so they are checked here, and with them that nothing is cut off.
Status CheckPng(const std::vector<uint8_t>& file, const std::string& name) {
  static constexpr int64_t kChannels[] = {1, 0, 3, 1, 2, 0, 4};  // by colour type
  if (file.size() < 33 || std::memcmp(&file[12], "IHDR", 4) != 0 || Big32(&file[8]) != 13) {
    return CorruptFile("'" + name + "' is not a complete PNG file");
  }
  const uint8_t depth = file[24], colour = file[25];
  if (colour > 6 || kChannels[colour] == 0 || depth > 16) return CorruptFile("'" + name + "' has a broken PNG header");
  const int64_t row_bits = int64_t{Big32(&file[16])} * kChannels[colour] * depth;
  const int64_t row_bytes = (row_bits + 7) / 8 + 1;
  int64_t bytes = 0;
  if (__builtin_mul_overflow(row_bytes, int64_t{Big32(&file[20])}, &bytes) ||
      bytes / 1040 > static_cast<int64_t>(file.size())) {  // Deflate's limit
    return CorruptFile("'" + name + "' claims a size that its few bytes cannot hold");
  }
  for (size_t at = 8; at + 12 <= file.size();) {
    const uint32_t length = Big32(&file[at]);
    if (length > file.size() - at - 12) break;
    if (std::memcmp(&file[at + 4], "IEND", 4) == 0) return OkStatus();
    at += length + 12;
  }
  return CorruptFile("'" + name + "' is cut short: its PNG data do not end");
}

class StbReader final : public ImageReader {
 public:
  Status Open(std::unique_ptr<ByteSource> source, const char* format) {
    source_ = std::move(source);
    info_.format = format;
    std::vector<uint8_t> file;
    FOVEA_RETURN_IF_ERROR(Load(&file));
    if (IsPng(file)) FOVEA_RETURN_IF_ERROR(CheckPng(file, source_->name()));
    int width = 0, height = 0, channels = 0;
    const int length = static_cast<int>(file.size());
    if (stbi_info_from_memory(file.data(), length, &width, &height, &channels) == 0) return Failure();
    const bool deep = stbi_is_16_bit_from_memory(file.data(), length) != 0;
    info_.dtype = deep ? DType::kUInt16 : DType::kUInt8;
    info_.y = height;
    info_.x = width;
    info_.c = channels;
    info_.axes = channels > 1 ? "YXS" : "YX";
    int64_t bytes = 0;
    if (width < 1 || height < 1 || channels < 1 ||
        __builtin_mul_overflow(int64_t{width} * channels * (deep ? 2 : 1), int64_t{height}, &bytes) ||
        bytes > kMaxPixelBytes) {
      return Unsupported("'" + source_->name() + "' has more than 2 GB of pixels; use TIFF for images of this size");
    }
    // PNG is checked above; BMP stores every pixel, TGA repeats one at most 128 times.
    if (!IsPng(file) && bytes / (4 * 128) > static_cast<int64_t>(file.size())) {
      return CorruptFile("'" + source_->name() + "' claims a size that its few bytes cannot hold");
    }
    return OkStatus();
  }

  Status Read(const Region& region, void* dst) override {
    FOVEA_RETURN_IF_ERROR(CheckRegion(region));
    if (pixels_ == nullptr) FOVEA_RETURN_IF_ERROR(Decode());
    const size_t bytes = DTypeBytes(info_.dtype);
    auto* to = static_cast<uint8_t*>(dst);
    for (int64_t row = 0; row < region.height; ++row) {
      for (int64_t col = 0; col < region.width; ++col, to += bytes) {
        const int64_t from = ((region.y + row) * info_.x + region.x + col) * info_.c + region.c;
        std::memcpy(to, pixels_.get() + static_cast<size_t>(from) * bytes, bytes);
      }
    }
    return OkStatus();
  }

  // While it decodes: the file, its inflated rows, and the pixels.
  int64_t WorkingBytes(int64_t) const override {
    const int64_t pixels = info_.y * info_.x * info_.c * static_cast<int64_t>(DTypeBytes(info_.dtype));
    return static_cast<int64_t>(source_->size()) + 3 * pixels;
  }

 private:
  struct Free {
    void operator()(uint8_t* p) const { stbi_image_free(p); }
  };

  Status Load(std::vector<uint8_t>* file) {
    if (source_->size() > kMaxFileBytes) return Unsupported("'" + source_->name() + "' has more than 1 GB");
    file->resize(static_cast<size_t>(source_->size()));
    return source_->ReadAt(0, file->data(), file->size());
  }

  Status Failure() const {
    return CorruptFile("'" + source_->name() + "' cannot be read as " + info_.format + ": " + stbi_failure_reason());
  }

  Status Decode() {
    std::vector<uint8_t> file;
    FOVEA_RETURN_IF_ERROR(Load(&file));
    int width = 0, height = 0, channels = 0;
    const int length = static_cast<int>(file.size());
    if (info_.dtype == DType::kUInt16) {
      pixels_.reset(reinterpret_cast<uint8_t*>(
          stbi_load_16_from_memory(file.data(), length, &width, &height, &channels, static_cast<int>(info_.c))));
    } else {
      pixels_.reset(stbi_load_from_memory(file.data(), length, &width, &height, &channels, static_cast<int>(info_.c)));
    }
    if (pixels_ == nullptr) return Failure();
    if (width != info_.x || height != info_.y) {
      pixels_.reset();
      return CorruptFile("'" + source_->name() + "' changed while it was read");
    }
    return OkStatus();
  }

  std::unique_ptr<ByteSource> source_;
  std::unique_ptr<uint8_t, Free> pixels_;
};

}  // namespace

bool IsPng(std::span<const uint8_t> b) {
  return b.size() >= 8 && b[0] == 0x89 && b[1] == 'P' && b[2] == 'N' && b[3] == 'G' && b[4] == '\r' && b[5] == '\n';
}

const char* StbFormat(std::span<const uint8_t> b, const std::string& name) {
  if (IsPng(b)) return "PNG";
  if (b.size() >= 2 && b[0] == 'B' && b[1] == 'M') return "BMP";
  const std::string lower = LowerCase(name);
  return lower.ends_with(".tga") ? "TGA" : nullptr;
}

Result<std::unique_ptr<ImageReader>> OpenStb(std::unique_ptr<ByteSource> source, const char* format) {
  auto reader = std::make_unique<StbReader>();
  FOVEA_RETURN_IF_ERROR(reader->Open(std::move(source), format));
  return std::unique_ptr<ImageReader>(std::move(reader));
}

}  // namespace fovea::formats
