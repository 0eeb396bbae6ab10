// Images as tensors and back: what a session reads from an ImageReader and writes to an ImageWriter, rectangle by
// rectangle.
#ifndef FOVEA_TOOLS_FOVEA_IMAGE_TENSORS_H_
#define FOVEA_TOOLS_FOVEA_IMAGE_TENSORS_H_

#include <array>
#include <memory>
#include <vector>

#include "runtime/include/fovea/session.h"
#include "tools/fovea/processed_image.h"

namespace fovea::cli {

// Bytes of one block of an ImageSource or ImageSink, for images of so many columns.
int64_t BlockBytes(int64_t cols);

class ImageSource : public TensorSource {
 public:
  ImageSource(ProcessedImage* image, const Layout* layout, const TensorSpec* spec)
      : image_(image), layout_(layout), spec_(spec) {
    for (size_t a = 0; a < 3; ++a) origin_[a] = -layout->pad_before[a];
  }

  // The sample that the next reads are of. Makes ready what its steps need, which may read it once or more.
  Status Select(int64_t sample);
  Status Read(int input, const TensorRegion& region, float* dst) override;
  // The tensor's first pixel is pixel `origin` (D, H, W) of the image, instead of the layout's padding before it.
  void SetOrigin(const std::array<int64_t, 3>& origin, MirrorKind mirror) {
    origin_ = origin;
    mirror_ = mirror;
  }

  // The sample's plane `z` and channel `c` without padding, for pictures: as it is in the file when the steps keep its
  // size, otherwise after them.
  Status ReadPlane(int64_t z, int64_t c, std::vector<float>* plane);
  // Of the finite values that were read so far.
  const ValueRange& values() const { return values_; }

 private:
  ProcessedImage* image_;
  const Layout* layout_;
  const TensorSpec* spec_;
  int64_t sample_ = 0;
  std::array<int64_t, 3> origin_{0, 0, 0};
  MirrorKind mirror_ = MirrorKind::kReflect;
  ValueRange values_;
  std::vector<float> block_;
};

// Where one output of one sample goes.
class OutputTarget {
 public:
  virtual ~OutputTarget() = default;
  // rows x cols of plane z, channel c of the cropped result, tight. All channels of a place come one after another.
  virtual Status Write(int64_t z, int64_t c, int64_t y, int64_t x, int64_t rows, int64_t cols, const float* values) = 0;
};

class ImageSink : public TensorSink {
 public:
  ImageSink(const Model* model, const Layout* layout, std::vector<OutputTarget*> targets)
      : model_(model), layout_(layout), targets_(std::move(targets)), windows_(layout->outputs.size()) {
    for (size_t i = 0; i < windows_.size(); ++i) {
      for (size_t a = 0; a < 3; ++a) {
        const OutputAxis& axis = layout->outputs[i].axes[a];
        windows_[i][a] = {axis.crop, axis.crop + axis.size, 0};
      }
    }
  }
  Status Write(int output, const TensorRegion& region, const float* src) override;

  // Pixels [begin, end) of an axis (D, H, W) of the tensor go to [to, ..) of the result.
  struct Window {
    int64_t begin = 0, end = 0, to = 0;
  };
  // output: of layout->outputs. Without it, what the layout says.
  void SetWindow(size_t output, const std::array<Window, 3>& window) { windows_[output] = window; }

 private:
  const Model* model_;
  const Layout* layout_;
  std::vector<OutputTarget*> targets_;  // one an entry of layout->outputs
  std::vector<std::array<Window, 3>> windows_;
  std::vector<float> block_;
};

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_IMAGE_TENSORS_H_
