// ImageJ's metadata in TIFF files: the "ImageJ=" text in ImageDescription and the binary items of tags 50838 (byte
// counts) and 50839 (items: Info text, slice labels, display ranges, look-up tables, regions of interest ...).
#ifndef FOVEA_FORMATS_IMAGE_IMAGEJ_H_
#define FOVEA_FORMATS_IMAGE_IMAGEJ_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/image/image.h"

namespace fovea::formats {

// How an ImageJ stack's planes follow each other in the file.
struct ImageJLayout {
  int64_t images = 1;           // pages, or contiguous planes after the first page's
  int64_t t = 1, z = 1, c = 1;  // of pages, interleaved samples not counted; t*z*c == images
  std::string order = "czt";    // fastest first
};

bool IsImageJText(std::string_view description);

// Parses the text into `info` (calibration, ranges, properties) and the layout. `samples`: interleaved values per
// pixel, `pages`: pages of the file. Nonsense is ignored, so that the pixels stay readable; sizes are made consistent.
ImageJLayout ParseImageJText(std::string_view description, int64_t samples, int64_t pages, ImageInfo* info);

// Parses tag 50839 into `info`, after ParseImageJText. Items whose sizes contradict `counts` are ignored.
void ParseImageJItems(std::span<const uint8_t> items, const std::vector<uint64_t>& counts, bool big_endian,
                      ImageInfo* info);

// The text and the items for `info`, items in host byte order; `interleaved`: channels are samples of one page. The
// items are empty when there is nothing to say.
std::string MakeImageJText(const ImageInfo& info, bool interleaved);
struct ImageJItems {
  std::vector<uint32_t> counts;
  std::vector<uint8_t> bytes;
};
ImageJItems MakeImageJItems(const ImageInfo& info);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_IMAGEJ_H_
