// TIFF images: plain, ImageJ and OME, classic and BigTIFF. Internal to formats/image; callers use image.h.
#ifndef FOVEA_FORMATS_IMAGE_TIFF_H_
#define FOVEA_FORMATS_IMAGE_TIFF_H_

#include <memory>
#include <string>

#include "formats/image/byte_source.h"
#include "formats/image/image.h"

namespace fovea::formats {

// `format`: the name to report instead, for other formats that are wrapped into a TIFF.
Result<std::unique_ptr<ImageReader>> OpenTiff(std::unique_ptr<ByteSource> source, const char* format = nullptr);
Result<std::unique_ptr<ImageWriter>> CreateTiff(const std::string& path, const ImageInfo& info,
                                                const WriteOptions& options);
// As WriterBytes.
Result<int64_t> TiffWriterBytes(const std::string& path, const ImageInfo& info, const WriteOptions& options);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_TIFF_H_
