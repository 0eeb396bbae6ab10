#include "tools/fovea/sized_image.h"

#include <algorithm>

namespace fovea::cli {
namespace {

class SizedImage : public formats::ImageReader {
 public:
  explicit SizedImage(formats::ImageInfo info) { info_ = std::move(info); }
  Status Read(const formats::Region&, void*) override { return Internal("a planned image has no pixels"); }
  // A row whose channels are interleaved.
  int64_t WorkingBytes(int64_t) const override {
    return info_.c > 1 ? info_.x * info_.c * static_cast<int64_t>(sizeof(float)) : 0;
  }
};

}  // namespace

Result<std::unique_ptr<formats::ImageReader>> MakeSizedImage(const Model& model, const std::vector<int64_t>& size) {
  formats::ImageInfo info;
  info.format = "NPY";
  const std::vector<int64_t> dims = model.DefaultSizes()[0];
  const std::string& axes = model.inputs()[0].axes;
  for (size_t a = 0; a < std::min(dims.size(), axes.size()); ++a) {
    if (axes[a] == 'z') info.z = dims[a];
    if (axes[a] == 'y') info.y = dims[a];
    if (axes[a] == 'x') info.x = dims[a];
    if (axes[a] == 'c') info.c = dims[a];
  }
  if (!size.empty()) {
    info.z = size[0];
    info.y = size[1];
    info.x = size[2];
  }
  info.axes = info.c > 1 ? "YXS" : "YX";
  if (info.z > 1) info.axes = "Z" + info.axes;
  return std::unique_ptr<formats::ImageReader>(std::make_unique<SizedImage>(std::move(info)));
}

}  // namespace fovea::cli
