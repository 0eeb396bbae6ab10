// What a TIFF file says about its image beyond the pixels: which page is which plane, calibration, names, tables.
#ifndef FOVEA_FORMATS_IMAGE_TIFF_METADATA_H_
#define FOVEA_FORMATS_IMAGE_TIFF_METADATA_H_

#include <cstdint>
#include <string>
#include <vector>

#include "formats/image/image.h"
#include "formats/image/tiff_page.h"

namespace fovea::formats {

struct TiffPlane {
  int32_t file = 0;  // index in TiffStack::files
  int64_t page = 0;  // directory number in that file
};

struct TiffStack {
  TiffPage first;                  // layout that all pages share
  std::vector<std::string> files;  // paths; files[0] is the opened one
  std::vector<TiffPlane> planes;   // pages in the order (t, z, c), c without the samples of a page
  bool contiguous = false;         // planes follow the first page's pixels without directories of their own
  uint64_t contiguous_offset = 0;
};

// Reads everything but pixels. On success info->axes, sizes, dtype and format are set.
Result<TiffStack> ReadTiffStack(const ByteSource& source, const TiffStructure& structure, ImageInfo* info);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_TIFF_METADATA_H_
