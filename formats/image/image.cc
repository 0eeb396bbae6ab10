#include "formats/image/image.h"

#include <algorithm>
#include <new>

#include "formats/image/byte_source.h"
#include "formats/image/npy.h"
#include "formats/image/npy_image.h"
#include "formats/image/pixels.h"
#include "formats/image/raster.h"
#include "formats/image/text.h"
#include "formats/image/tiff.h"
#include "formats/image/tiff_structure.h"

namespace fovea::formats {
namespace {

constexpr int64_t kConversionBytes = int64_t{128} << 10;
constexpr int64_t kMaxSide = (int64_t{1} << 31) - 1;

Status CheckInside(const ImageInfo& info, const Region& r) {
  const auto inside = [](int64_t from, int64_t count, int64_t size) {
    return from >= 0 && count >= 0 && from <= size && count <= size - from;
  };
  if (inside(r.t, 1, info.t) && inside(r.z, 1, info.z) && inside(r.c, 1, info.c) && inside(r.y, r.height, info.y) &&
      inside(r.x, r.width, info.x)) {
    return OkStatus();
  }
  return InvalidArgument("the region of plane (t " + std::to_string(r.t) + ", z " + std::to_string(r.z) + ", c " +
                         std::to_string(r.c) + ") at (" + std::to_string(r.y) + ", " + std::to_string(r.x) + ") with " +
                         std::to_string(r.height) + " x " + std::to_string(r.width) +
                         " pixels is not inside the image");
}

Result<std::unique_ptr<ImageReader>> Open(std::unique_ptr<ByteSource> source) {
  uint8_t bytes[16] = {};
  const size_t got = source->ReadSome(0, bytes, sizeof bytes);
  const std::span<const uint8_t> head(bytes, got);
  const std::string name = source->name();
  if (got == 0) return CorruptFile("'" + name + "' is empty");
  try {
    if (IsTiff(head)) return OpenTiff(std::move(source));
    if (IsNpy(head)) return OpenNpyImage(std::move(source));
    if (IsJpeg(head)) return OpenJpeg(std::move(source));
    if (const char* format = StbFormat(head, name)) return OpenStb(std::move(source), format);
  } catch (const std::bad_alloc&) {
    return OutOfMemory("not enough memory to open '" + name + "'");
  }
  const char* hint = "";
  if (bytes[0] == 0x1f && bytes[1] == 0x8b) hint = " (it is gzip-compressed, as NIfTI files are)";
  if (bytes[0] == 'P' && bytes[1] == 'K') hint = " (it is a zip archive)";
  return Unsupported("'" + name + "' is not an image that fovea reads" + hint +
                     ": TIFF, OME-TIFF, PNG, JPEG, BMP, TGA, NPY");
}

}  // namespace

Status ImageReader::CheckRegion(const Region& region) const { return CheckInside(info_, region); }

Status ImageWriter::CheckRegion(const Region& region) const {
  return CheckInside(info_, region).Prefixed("cannot write '" + path_ + "'");
}

Result<std::unique_ptr<ImageReader>> OpenImage(const std::string& path) {
  FOVEA_ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source, OpenFileSource(path));
  return Open(std::move(source));
}

Result<std::unique_ptr<ImageReader>> OpenImageFromMemory(std::span<const uint8_t> bytes, const std::string& name) {
  return Open(MakeMemorySource(bytes, name));
}

Status ReadAsFloat(ImageReader& reader, const Region& region, float* dst, int64_t pixel_stride) {
  const DType dtype = reader.info().dtype;
  if (dtype == DType::kFloat32 && pixel_stride == 1) return reader.Read(region, dst);
  const auto row_bytes = static_cast<int64_t>(DTypeBytes(dtype)) * std::max<int64_t>(1, region.width);
  const int64_t step = std::max<int64_t>(1, kConversionBytes / row_bytes);
  try {
    std::vector<uint8_t> block;
    Region part = region;
    for (int64_t row = 0; row < region.height; row += step) {
      part.y = region.y + row;
      part.height = std::min(step, region.height - row);
      if (region.width > reader.info().x) part.height = 0;  // refused by Read below, before anything is allocated
      block.resize(static_cast<size_t>(part.height * row_bytes));
      FOVEA_RETURN_IF_ERROR(reader.Read(part, block.data()));
      ToFloat(dtype, block.data(), part.height * region.width, dst + row * region.width * pixel_stride, pixel_stride);
    }
  } catch (const std::bad_alloc&) {
    return OutOfMemory("not enough memory to convert pixels");
  }
  return OkStatus();
}

void ImageWriter::SetDisplay(std::vector<DisplayRange> ranges, std::vector<Lut> luts) {
  info_.display_ranges = std::move(ranges);
  info_.luts = std::move(luts);
}

Status ImageWriter::WriteFloat(const Region& region, const float* src, int64_t pixel_stride) {
  FOVEA_RETURN_IF_ERROR(CheckRegion(region));
  if (info_.dtype == DType::kFloat32 && pixel_stride == 1) return Write(region, src);
  const int64_t row_bytes = static_cast<int64_t>(DTypeBytes(info_.dtype)) * std::max<int64_t>(1, region.width);
  const int64_t step = std::max<int64_t>(1, kConversionBytes / row_bytes);
  try {
    std::vector<uint8_t> block;
    Region part = region;
    for (int64_t row = 0; row < region.height; row += step) {
      part.y = region.y + row;
      part.height = std::min(step, region.height - row);
      block.resize(static_cast<size_t>(part.height * row_bytes));
      FromFloat(info_.dtype, src + row * region.width * pixel_stride, pixel_stride, part.height * region.width,
                block.data());
      FOVEA_RETURN_IF_ERROR(Write(part, block.data()));
    }
  } catch (const std::bad_alloc&) {
    return OutOfMemory("not enough memory to convert pixels");
  }
  return OkStatus();
}

namespace {

enum class FileFormat { kTiff, kPng, kNpy };

Result<FileFormat> CheckOutput(const std::string& path, const ImageInfo& info) {
  int64_t bytes = 64;  // with room for 8-byte elements and tables
  for (const int64_t size : {info.t, info.z, info.c, info.y, info.x}) {
    if (size < 1 || size > kMaxSide || __builtin_mul_overflow(bytes, size, &bytes)) {
      return InvalidArgument("cannot write '" + path + "': impossible image size");
    }
  }
  const std::string lower = LowerCase(path);
  if (lower.ends_with(".tif") || lower.ends_with(".tiff") || lower.ends_with(".btf")) return FileFormat::kTiff;
  if (lower.ends_with(".png")) return FileFormat::kPng;
  if (lower.ends_with(".npy")) return FileFormat::kNpy;
  return InvalidArgument("cannot write '" + path + "': fovea writes .tif, .ome.tif, .png and .npy");
}

}  // namespace

Result<std::unique_ptr<ImageWriter>> CreateImage(const std::string& path, const ImageInfo& info,
                                                 const WriteOptions& options) {
  FOVEA_ASSIGN_OR_RETURN(const FileFormat format, CheckOutput(path, info));
  try {
    if (format == FileFormat::kTiff) return CreateTiff(path, info, options);
    if (options.pyramid || options.tile > 0) {
      return InvalidArgument("cannot write '" + path + "': only TIFF files have tiles and pyramids");
    }
    return format == FileFormat::kPng ? CreatePng(path, info, options) : CreateNpyImage(path, info, options);
  } catch (const std::bad_alloc&) {
    return OutOfMemory("not enough memory to create '" + path + "'");
  }
}

Result<int64_t> WriterBytes(const std::string& path, const ImageInfo& info, const WriteOptions& options) {
  FOVEA_ASSIGN_OR_RETURN(const FileFormat format, CheckOutput(path, info));
  const int64_t pixels = info.c * info.x, element = static_cast<int64_t>(DTypeBytes(options.dtype));
  switch (format) {
    case FileFormat::kTiff: return TiffWriterBytes(path, info, options);
    case FileFormat::kPng: return pixels * info.y * element + (int64_t{1} << 20);
    case FileFormat::kNpy: break;
  }
  return info.c > 1 ? pixels * element : 0;  // channels that are interleaved are merged, row by row
}

}  // namespace fovea::formats
