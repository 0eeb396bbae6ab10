#include "formats/image/tiff_tags.h"

#include <utility>

#include "formats/image/imagej.h"
#include "formats/image/ome.h"
#include "formats/image/text.h"
#include "formats/image/tiff_structure.h"

namespace fovea::formats {

bool HasColourMap(const ImageInfo& info, const TiffFlavour& flavour) {
  return flavour.imagej && !flavour.interleaved && info.luts.size() == 1;
}

void AddResolution(const ImageInfo& info, const TiffFlavour& flavour, IfdBuilder* ifd) {
  const PixelSize& size = info.pixel_size;
  if (!(size.x > 0) || !(size.y > 0) || size.unit.empty()) return;
  double scale = 1;
  uint16_t unit = size.unit == "inch" ? 2 : size.unit == "cm" ? 3 : 1;
  if (!flavour.imagej && unit == 1 && MetresPer(size.unit) > 0) {  // without ImageJ's text only cm and inch can be told
    scale = MetresPer(size.unit) / 0.01;
    unit = 3;
  }
  ifd->AddRational(kTagXResolution, 1 / (size.x * scale));
  ifd->AddRational(kTagYResolution, 1 / (size.y * scale));
  ifd->AddShort(kTagResolutionUnit, unit);
}

void AddDescription(const ImageInfo& info, const TiffFlavour& flavour, IfdBuilder* ifd) {
  if (flavour.ome) {
    ifd->AddText(kTagImageDescription, MakeOmeXml(info, flavour.file_name, flavour.interleaved));
  } else if (flavour.imagej) {
    ifd->AddText(kTagImageDescription, MakeImageJText(info, flavour.interleaved));
    const ImageJItems items = MakeImageJItems(info);
    if (!items.bytes.empty()) {
      ifd->AddLongs(kTagImageJCounts, items.counts);
      ifd->AddBytes(kTagImageJMetadata, items.bytes);
    }
  } else {
    // Types that ImageJ lacks: shape and axes as tifffile writes them.
    std::string shape;
    std::string axes;
    for (const auto& [letter, count] : {std::pair{'T', info.t}, {'Z', info.z}, {'C', info.c}}) {
      if (count == 1) continue;
      shape += std::to_string(count) + ", ";
      axes.push_back(letter);
    }
    ifd->AddText(kTagImageDescription, "{\"shape\": [" + shape + std::to_string(info.y) + ", " +
                                           std::to_string(info.x) + "], \"axes\": \"" + axes + "YX\"}");
  }
  ifd->AddText(kTagSoftware, info.software.empty() ? "fovea" : info.software);
  ifd->AddText(kTagDateTime, info.date);
}

}  // namespace fovea::formats
