// Any bytes through the image readers: information, then up to one plane under a size cap.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "formats/image/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using fovea::formats::ImageInfo;
  auto reader = fovea::formats::OpenImageFromMemory({data, size}, "fuzz");
  if (!reader.ok()) return 0;
  const ImageInfo& info = (*reader)->info();
  constexpr int64_t kMaxPixels = int64_t{1} << 20;
  const int64_t width = std::min(info.x, kMaxPixels);
  const int64_t height = std::clamp<int64_t>(kMaxPixels / width, 1, info.y);
  std::vector<float> pixels(static_cast<size_t>(width * height));
  const fovea::formats::Region region{info.t - 1,     info.z - 1, info.c - 1, info.y - height,
                                      info.x - width, height,     width};
  static_cast<void>(fovea::formats::ReadAsFloat(**reader, region, pixels.data(), 1).ok());
  return 0;
}
