// Images as tensors and back: what a session reads from an ImageReader and writes to an ImageWriter, rectangle by
// rectangle.
#ifndef FOVEA_TOOLS_FOVEA_IMAGE_TENSORS_H_
#define FOVEA_TOOLS_FOVEA_IMAGE_TENSORS_H_

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
      : image_(image), layout_(layout), spec_(spec) {}

  // The sample that the next reads are of. Makes ready what its steps need, which may read it once or more.
  Status Select(int64_t sample);
  Status Read(int input, const TensorRegion& region, float* dst) override;

  // The sample's plane `z` and channel `c` without padding, for pictures: as it is in the file when the steps keep its
  // size, otherwise after them.
  Status ReadPlane(int64_t z, int64_t c, std::vector<float>* plane);

 private:
  ProcessedImage* image_;
  const Layout* layout_;
  const TensorSpec* spec_;
  int64_t sample_ = 0;
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
      : model_(model), layout_(layout), targets_(std::move(targets)) {}
  Status Write(int output, const TensorRegion& region, const float* src) override;

 private:
  const Model* model_;
  const Layout* layout_;
  std::vector<OutputTarget*> targets_;  // one an entry of layout->outputs
  std::vector<float> block_;
};

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_IMAGE_TENSORS_H_
