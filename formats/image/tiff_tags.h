// The tags that carry metadata in the TIFF files fovea writes.
#ifndef FOVEA_FORMATS_IMAGE_TIFF_TAGS_H_
#define FOVEA_FORMATS_IMAGE_TIFF_TAGS_H_

#include <string>

#include "formats/image/image.h"
#include "formats/image/tiff_encode.h"

namespace fovea::formats {

struct TiffFlavour {
  bool ome = false, imagej = false;  // neither: plain, with shape and axes as tifffile writes them
  bool interleaved = false;          // channels are samples of one page
  std::string file_name;             // without folder
};

// One table for the whole image, in an ImageJ file: ImageJ reads it from TIFF's colour map, whatever the type. Several
// tables are items of its metadata.
bool HasColourMap(const ImageInfo& info, const TiffFlavour& flavour);

// Pixel size, on every page. Nothing when the image is uncalibrated.
void AddResolution(const ImageInfo& info, const TiffFlavour& flavour, IfdBuilder* ifd);
// ImageDescription, ImageJ's items, software and date, on the first page.
void AddDescription(const ImageInfo& info, const TiffFlavour& flavour, IfdBuilder* ifd);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_TIFF_TAGS_H_
