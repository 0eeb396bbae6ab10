#include "formats/image/tiff_decoder.h"

#include <tiffio.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace fovea::formats {
namespace {

constexpr int64_t kBlockBytes = int64_t{256} << 10;     // plain rows are read in blocks of about this size
constexpr int64_t kWholeStripBytes = int64_t{4} << 20;  // larger strips are decoded row by row

}  // namespace

// One libtiff handle over the source, with what it said last.
struct TiffDecoder::LibTiff {
  const ByteSource* source = nullptr;
  TIFF* tiff = nullptr;
  uint64_t position = 0;
  uint64_t directory = 0;
  std::string error;  // the first one: later ones are consequences

  ~LibTiff() {
    if (tiff != nullptr) TIFFClose(tiff);
  }

  static std::string Format(const char* format, va_list args) {
    char text[512];
    std::vsnprintf(text, sizeof text, format, args);
    for (char* c = text; *c != '\0'; ++c) {
      if (static_cast<unsigned char>(*c) < 32) *c = ' ';
    }
    return text;
  }
  static int OnError(TIFF*, void* user, const char*, const char* format, va_list args) {
    auto* self = static_cast<LibTiff*>(user);
    if (self->error.empty()) self->error = Format(format, args);
    return 1;
  }
  static int OnWarning(TIFF*, void* user, const char*, const char* format, va_list args) {
    auto* self = static_cast<LibTiff*>(user);
    // libjpeg fills the rest of a cut picture with grey and only warns.
    const std::string text = Format(format, args);
    if (self->error.empty() && text.find("Premature end") != std::string::npos) self->error = text;
    return 1;
  }
  static tmsize_t ReadProc(thandle_t handle, void* dst, tmsize_t n) {
    auto* self = static_cast<LibTiff*>(handle);
    const size_t got = self->source->ReadSome(self->position, dst, static_cast<size_t>(n));
    self->position += got;
    return static_cast<tmsize_t>(got);
  }
  static tmsize_t WriteProc(thandle_t, void*, tmsize_t) { return 0; }
  static toff_t SeekProc(thandle_t handle, toff_t offset, int whence) {
    auto* self = static_cast<LibTiff*>(handle);
    if (whence == SEEK_CUR) offset += self->position;
    if (whence == SEEK_END) offset += self->source->size();
    self->position = offset;
    return offset;
  }
  static int CloseProc(thandle_t) { return 0; }
  static toff_t SizeProc(thandle_t handle) { return static_cast<LibTiff*>(handle)->source->size(); }
};

TiffDecoder::TiffDecoder(const ByteSource* source, const TiffStructure* structure)
    : source_(source), structure_(structure) {}
TiffDecoder::~TiffDecoder() = default;

Status TiffDecoder::LibraryError(const std::string& what) {
  const std::string reason = lib_->error.empty() ? "" : ": " + lib_->error;
  lib_->error.clear();
  lib_->directory = 0;  // the handle's state is unknown now
  window_ = Window();
  return CorruptFile("'" + source_->name() + "': " + what + reason);
}

Status TiffDecoder::SelectPage(const TiffPage& page) {
  if (lib_ == nullptr) {
    lib_ = std::make_unique<LibTiff>();
    lib_->source = source_;
    TIFFOpenOptions* options = TIFFOpenOptionsAlloc();
    if (options == nullptr) return OutOfMemory("not enough memory to open '" + source_->name() + "'");
    TIFFOpenOptionsSetErrorHandlerExtR(options, LibTiff::OnError, lib_.get());
    TIFFOpenOptionsSetWarningHandlerExtR(options, LibTiff::OnWarning, lib_.get());
    // Compressed bytes are bounded by the file; a decoded chunk by CheckSizes.
    const uint64_t limit = std::min<uint64_t>(4 * source_->size() + (uint64_t{64} << 20), uint64_t{1} << 40);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, static_cast<tmsize_t>(limit));
    // h: no first page yet, m: no mapping, c: strips as they are, O: positions on demand.
    lib_->tiff = TIFFClientOpenExt(source_->name().c_str(), "rhmcO", lib_.get(), LibTiff::ReadProc, LibTiff::WriteProc,
                                   LibTiff::SeekProc, LibTiff::CloseProc, LibTiff::SizeProc, nullptr, nullptr, options);
    TIFFOpenOptionsFree(options);
    if (lib_->tiff == nullptr) {
      const Status status = LibraryError("cannot be decoded");
      lib_.reset();
      return status;
    }
  }
  if (lib_->directory == page.directory) return OkStatus();
  lib_->error.clear();
  if (TIFFSetSubDirectory(lib_->tiff, page.directory) == 0) return LibraryError("a page cannot be decoded");
  if (page.compression == kCompressionJpeg && page.photometric == kPhotometricYCbCr) {
    TIFFSetField(lib_->tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  }
  // libtiff repairs some headers by guessing. Its buffers must be the ones that were planned for here.
  uint32_t width = 0, height = 0;
  TIFFGetField(lib_->tiff, TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(lib_->tiff, TIFFTAG_IMAGELENGTH, &height);
  const bool tiled = TIFFIsTiled(lib_->tiff) != 0;
  uint32_t rows_per_strip = 0;
  bool agrees =
      width == static_cast<uint64_t>(page.width) && height == static_cast<uint64_t>(page.height) && tiled == page.tiled;
  if (agrees && tiled) {
    agrees = TIFFTileSize64(lib_->tiff) == static_cast<uint64_t>(page.chunk_bytes()) &&
             TIFFNumberOfTiles(lib_->tiff) == static_cast<uint64_t>(page.chunk_count());
  } else if (agrees) {
    TIFFGetFieldDefaulted(lib_->tiff, TIFFTAG_ROWSPERSTRIP, &rows_per_strip);
    agrees = TIFFScanlineSize64(lib_->tiff) == static_cast<uint64_t>(page.chunk_row_bytes()) &&
             std::min(rows_per_strip, height) == static_cast<uint64_t>(page.chunk_height);
  }
  if (!agrees) return LibraryError("has a header that contradicts itself");
  lib_->directory = page.directory;
  lib_->error.clear();
  return OkStatus();
}

// Position of a chunk; `absent`: a chunk that the writer left out because it is empty (offset and length 0).
Result<uint64_t> TiffDecoder::ChunkOffset(const TiffPage& page, int64_t number, bool* absent) const {
  const uint64_t index = static_cast<uint64_t>(number);
  FOVEA_ASSIGN_OR_RETURN(const uint64_t offset, structure_->Integer(page.offsets, index));
  *absent = false;
  if (offset == 0 && index < page.byte_counts.count) {
    FOVEA_ASSIGN_OR_RETURN(const uint64_t bytes, structure_->Integer(page.byte_counts, index));
    *absent = bytes == 0;
  }
  if (offset >= source_->size()) {
    return CorruptFile("'" + source_->name() + "' is cut short: strip or tile " + std::to_string(number) +
                       " lies at byte " + std::to_string(offset) + " of " + std::to_string(source_->size()));
  }
  return offset;
}

Status TiffDecoder::ReadRawChunk(const TiffPage& page, uint64_t offset, int64_t row_bytes, int64_t sample, int64_t y,
                                 int64_t x, int64_t height, int64_t width, uint8_t* dst, int64_t dst_row_bytes) {
  const int64_t pixel_bits = page.chunk_samples() * page.bits;
  const int64_t aligned_x = x & ~int64_t{7};  // so that the first pixel begins on a byte
  const int64_t first_byte = aligned_x * pixel_bits / 8;
  const int64_t end_byte = std::min(row_bytes, ((x + width) * pixel_bits + 7) / 8);
  const bool whole_rows = 2 * (end_byte - first_byte) > row_bytes;
  const int64_t step = whole_rows ? std::max<int64_t>(1, kBlockBytes / row_bytes) : 1;
  for (int64_t row = 0; row < height; row += step) {
    const int64_t rows = std::min(step, height - row);
    const int64_t begin = (y + row) * row_bytes + (whole_rows ? 0 : first_byte);
    const int64_t bytes = whole_rows ? (rows - 1) * row_bytes + end_byte : end_byte - first_byte;
    scratch_.resize(static_cast<size_t>(bytes));
    FOVEA_RETURN_IF_ERROR(source_->ReadAt(offset + static_cast<uint64_t>(begin), scratch_.data(), scratch_.size()));
    for (int64_t i = 0; i < rows; ++i) {
      UnpackRow(page, page.swapped, scratch_.data() + i * row_bytes, whole_rows ? x : x - aligned_x, width, sample,
                dst + (row + i) * dst_row_bytes);
    }
  }
  return OkStatus();
}

Result<const uint8_t*> TiffDecoder::DecodedChunk(const TiffPage& page, int64_t number, int64_t rows) {
  const std::pair<uint64_t, int64_t> key(page.directory, number);
  if (const auto found = cached_.find(key); found != cached_.end()) {
    cache_.splice(cache_.begin(), cache_, found->second);
    return const_cast<const uint8_t*>(cache_.front().bytes.data());
  }
  const int64_t bytes = page.chunk_row_bytes() * rows;
  while (!cache_.empty() && cache_bytes_ + bytes > cache_limit_) {
    cache_bytes_ -= static_cast<int64_t>(cache_.back().bytes.size());
    cached_.erase(cache_.back().key);
    cache_.pop_back();
  }
  std::vector<uint8_t> decoded(static_cast<size_t>(bytes));
  FOVEA_RETURN_IF_ERROR(SelectPage(page));
  window_.directory = 0;  // libtiff leaves the window's place
  const auto index = static_cast<uint32_t>(number);
  const tmsize_t got = page.tiled ? TIFFReadEncodedTile(lib_->tiff, index, decoded.data(), bytes)
                                  : TIFFReadEncodedStrip(lib_->tiff, index, decoded.data(), bytes);
  if (got != bytes || !lib_->error.empty()) {
    return LibraryError((page.tiled ? "tile " : "strip ") + std::to_string(number) + " cannot be decoded");
  }
  cache_.push_front({key, std::move(decoded)});
  cached_[key] = cache_.begin();
  cache_bytes_ += bytes;
  return const_cast<const uint8_t*>(cache_.front().bytes.data());
}

Status TiffDecoder::DecodeWindow(const TiffPage& page, int64_t sample, int64_t y, int64_t height) {
  const int64_t row_bytes = page.chunk_row_bytes();
  const int64_t strip_start = y / page.chunk_height * page.chunk_height;
  const bool usable = window_.directory == page.directory && window_.sample == sample && y >= window_.first &&
                      strip_start <= window_.next;
  if (!usable) {
    // Decoders only go forwards: begin again at the strip's first row, with a fresh decoder.
    if (lib_ != nullptr) lib_->directory = 0;
    window_ = Window{page.directory, sample, strip_start, strip_start, {}};
  }
  FOVEA_RETURN_IF_ERROR(SelectPage(page));
  const auto decode = [&](uint8_t* row) {
    const auto number = static_cast<uint32_t>(window_.next);
    if (TIFFReadScanline(lib_->tiff, row, number, static_cast<uint16_t>(sample)) == 1 && lib_->error.empty()) {
      ++window_.next;
      return OkStatus();
    }
    return LibraryError("row " + std::to_string(number) + " cannot be decoded");
  };
  // Forget the rows above the request, skip to it, then decode down to its end.
  const int64_t kept_from = std::min(y, window_.next);
  window_.rows.erase(window_.rows.begin(), window_.rows.begin() + (kept_from - window_.first) * row_bytes);
  window_.first = kept_from;
  scratch_.resize(static_cast<size_t>(row_bytes));
  while (window_.next < y) {
    FOVEA_RETURN_IF_ERROR(decode(scratch_.data()));
    window_.first = window_.next;
  }
  const int64_t end = std::max(window_.next, y + height);
  window_.rows.resize(static_cast<size_t>((end - window_.first) * row_bytes));
  while (window_.next < end) {
    FOVEA_RETURN_IF_ERROR(decode(window_.rows.data() + (window_.next - window_.first) * row_bytes));
  }
  return OkStatus();
}

Status TiffDecoder::Read(const TiffPage& page, int64_t sample, int64_t y, int64_t x, int64_t height, int64_t width,
                         void* dst) {
  auto* out = static_cast<uint8_t*>(dst);
  const int64_t element_bytes = static_cast<int64_t>(DTypeBytes(page.dtype));
  const int64_t dst_row_bytes = width * element_bytes;
  const bool windowed = !page.raw() && !page.tiled && page.chunk_bytes() > kWholeStripBytes;
  const int64_t across = page.chunks_across();
  const int64_t base = page.separate ? sample * across * page.chunks_down() : 0;
  if (windowed) {
    const int64_t decoder_sample = page.separate ? sample : 0;
    FOVEA_RETURN_IF_ERROR(DecodeWindow(page, decoder_sample, y, height));
    for (int64_t row = 0; row < height; ++row) {
      UnpackRow(page, false, window_.rows.data() + (y + row - window_.first) * page.chunk_row_bytes(), x, width, sample,
                out + row * dst_row_bytes);
    }
    return OkStatus();
  }
  for (int64_t chunk_y = y / page.chunk_height; chunk_y * page.chunk_height < y + height; ++chunk_y) {
    const int64_t top = chunk_y * page.chunk_height;
    const int64_t y0 = std::max(y, top), y1 = std::min(y + height, top + page.chunk_height);
    for (int64_t chunk_x = x / page.chunk_width; chunk_x * page.chunk_width < x + width; ++chunk_x) {
      const int64_t left = chunk_x * page.chunk_width;
      const int64_t x0 = std::max(x, left), x1 = std::min(x + width, left + page.chunk_width);
      uint8_t* corner = out + (y0 - y) * dst_row_bytes + (x0 - x) * element_bytes;
      const int64_t number = base + chunk_y * across + chunk_x;
      bool absent = false;
      FOVEA_ASSIGN_OR_RETURN(const uint64_t offset, ChunkOffset(page, number, &absent));
      if (absent) {
        for (int64_t row = y0; row < y1; ++row) {
          std::memset(corner + (row - y0) * dst_row_bytes, 0, static_cast<size_t>((x1 - x0) * element_bytes));
        }
      } else if (page.raw()) {
        FOVEA_RETURN_IF_ERROR(ReadRawChunk(page, offset, page.chunk_row_bytes(), sample, y0 - top, x0 - left, y1 - y0,
                                           x1 - x0, corner, dst_row_bytes));
      } else {
        const int64_t rows = page.tiled ? page.chunk_height : std::min(page.chunk_height, page.height - top);
        FOVEA_ASSIGN_OR_RETURN(const uint8_t* const decoded, DecodedChunk(page, number, rows));
        for (int64_t row = y0; row < y1; ++row) {
          UnpackRow(page, false, decoded + (row - top) * page.chunk_row_bytes(), x0 - left, x1 - x0, sample,
                    corner + (row - y0) * dst_row_bytes);
        }
      }
    }
  }
  return OkStatus();
}

Status TiffDecoder::ReadPlain(const TiffPage& page, uint64_t offset, int64_t sample, int64_t y, int64_t x,
                              int64_t height, int64_t width, void* dst) {
  const int64_t row_bytes = (page.width * page.chunk_samples() * page.bits + 7) / 8;
  if (page.separate) offset += static_cast<uint64_t>(sample * row_bytes * page.height);
  return ReadRawChunk(page, offset, row_bytes, sample, y, x, height, width, static_cast<uint8_t*>(dst),
                      width * static_cast<int64_t>(DTypeBytes(page.dtype)));
}

int64_t TiffDecoder::WorkingBytes(const TiffPage& page, int64_t pages, int64_t band_rows) const {
  const int64_t row_bytes = page.chunk_row_bytes();
  if (page.raw()) return std::max(kBlockBytes, row_bytes);
  // libtiff's handle, decoder state, and its tables of positions.
  const int64_t library = (int64_t{384} << 10) + 16 * page.chunk_count();
  if (!page.tiled && page.chunk_bytes() > kWholeStripBytes) {
    uint64_t compressed = 0;  // libtiff takes in a whole strip
    for (uint64_t i = 0; i < page.byte_counts.count; ++i) {
      const Result<uint64_t> bytes = structure_->Integer(page.byte_counts, i);
      if (bytes.ok()) compressed = std::max(compressed, std::min(*bytes, source_->size()));
    }
    return library + static_cast<int64_t>(compressed) + 2 * (band_rows + 1) * row_bytes;
  }
  // The cache, and one chunk's compressed bytes (at most slightly more than decoded).
  const int64_t cached = std::min(std::max(cache_limit_, page.chunk_bytes()), pages * page.page_bytes());
  return library + cached + page.chunk_bytes() * 5 / 4;
}

}  // namespace fovea::formats
