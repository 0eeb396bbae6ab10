// Pictures that are not microscope formats: PNG, BMP and TGA through stb_image, JPEG through libtiff's decoder
// (the same libjpeg as everybody's, row by row), and our own PNG writer (8 and 16 bits). Internal to formats/image.
#ifndef FOVEA_FORMATS_IMAGE_RASTER_H_
#define FOVEA_FORMATS_IMAGE_RASTER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "formats/image/byte_source.h"
#include "formats/image/image.h"

namespace fovea::formats {

bool IsPng(std::span<const uint8_t> first_bytes);
bool IsJpeg(std::span<const uint8_t> first_bytes);
// What stb_image is asked to decode: PNG, BMP, and TGA, which has no signature, by its name. nullptr: none of
// them.
const char* StbFormat(std::span<const uint8_t> first_bytes, const std::string& name);

// Decoded as a whole on the first Read. Palettes become colours, 1-, 2- and 4-bit grey is stretched to 8 bits.
Result<std::unique_ptr<ImageReader>> OpenStb(std::unique_ptr<ByteSource> source, const char* format);
Result<std::unique_ptr<ImageReader>> OpenJpeg(std::unique_ptr<ByteSource> source);

// uint8 or uint16, one plane of 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA) channels. Holds the whole image.
Result<std::unique_ptr<ImageWriter>> CreatePng(const std::string& path, const ImageInfo& info,
                                               const WriteOptions& options);

// `pixels`: height rows of width pixels of `channels` interleaved values, 8 or 16 bits, tight, host byte order.
Status WritePng(const std::string& path, const void* pixels, int64_t height, int64_t width, int64_t channels,
                int64_t bits);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_RASTER_H_
