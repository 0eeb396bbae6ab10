// OME-XML: which page of which file is which plane, and the metadata fovea carries. Of several images in one file the
// first is read.
#ifndef FOVEA_FORMATS_IMAGE_OME_H_
#define FOVEA_FORMATS_IMAGE_OME_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/image/image.h"

namespace fovea::formats {

struct OmePlane {
  int32_t file = -1;  // index in OmeLayout::files; -1: the XML assigns no page to this plane
  int64_t page = 0;   // main-chain IFD number in that file
};

struct OmeLayout {
  int64_t t = 1, z = 1, c = 1;  // of pages; interleaved samples not counted
  int64_t height = 0, width = 0;
  std::string order = "czt";       // of planes, fastest first
  std::vector<std::string> files;  // files[0] is the file being read; others are names in its folder
  std::vector<OmePlane> planes;    // (t * z_count + z) * c_count + c
};

bool IsOmeXml(std::string_view description);

// The companion file that holds the XML instead ("BinaryOnly"), or empty.
std::string OmeMetadataFile(const std::string& xml);

// Fills info's calibration and channel names, and the layout. `xml` is the file's own or its companion's; `own_xml`
// tells the file's UUID; `own_name` is its file name without folder. `samples`: interleaved values per pixel of the
// pages. Messages lack the file's name: the caller puts it in front.
Result<OmeLayout> ParseOmeXml(const std::string& xml, const std::string& own_xml, const std::string& own_name,
                              int64_t samples, int64_t pages, ImageInfo* info);

// OME types: int8/16/32, uint8/16/32, float, double; others can't be written.
bool OmeSupports(DType dtype);
// For pages in the order c, z, t (c fastest); `interleaved`: channels are samples of one page.
std::string MakeOmeXml(const ImageInfo& info, const std::string& file_name, bool interleaved);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_OME_H_
