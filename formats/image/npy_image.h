// NPY arrays as images. Internal to formats/image.
//
// Reading: axes of length 1 are dropped in front (down to 2 axes, or 3 when the last has at most 4 entries) and behind
// (down to 3); what is left is YX, ZYX or YXS (last axis at most 4), ZCYX or ZYXS, TZCYX or TZYXS.
// Writing: T, Z and C axes longer than 1, then YX; TZYXS when info.axes ends with S.
#ifndef FOVEA_FORMATS_IMAGE_NPY_IMAGE_H_
#define FOVEA_FORMATS_IMAGE_NPY_IMAGE_H_

#include <memory>
#include <string>

#include "formats/image/byte_source.h"
#include "formats/image/image.h"

namespace fovea::formats {

Result<std::unique_ptr<ImageReader>> OpenNpyImage(std::unique_ptr<ByteSource> source);
Result<std::unique_ptr<ImageWriter>> CreateNpyImage(const std::string& path, const ImageInfo& info,
                                                    const WriteOptions& options);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_NPY_IMAGE_H_
