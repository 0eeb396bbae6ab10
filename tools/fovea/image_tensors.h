// Images as tensors and back: what a session reads from an ImageReader and writes to an ImageWriter, rectangle by
// rectangle.
#ifndef FOVEA_TOOLS_FOVEA_IMAGE_TENSORS_H_
#define FOVEA_TOOLS_FOVEA_IMAGE_TENSORS_H_

#include <memory>
#include <vector>

#include "formats/image/image.h"
#include "runtime/include/fovea/process.h"
#include "runtime/include/fovea/session.h"
#include "tools/fovea/layout.h"

namespace fovea::cli {

// Which image of the series a sample is. c: the channel when channels are iterated, otherwise the first one.
struct SampleIndex {
  int64_t t = 0, z = 0, c = 0;
};

class ImageSource : public TensorSource {
 public:
  ImageSource(formats::ImageReader* reader, const Layout* layout, const TensorSpec* spec)
      : reader_(reader), layout_(layout), spec_(spec) {}

  // The sample that the next reads are of. Computes its normalisation (reads it once when the step needs statistics).
  Status Select(const SampleIndex& sample, const NormalizationStep& step);
  Status Read(int input, const TensorRegion& region, float* dst) override;

  // Row `y` range of the sample's plane `z` and channel `c` without padding or normalisation, for pictures.
  Status ReadPlane(int64_t z, int64_t c, std::vector<float>* plane);

 private:
  formats::Region PlaneRegion(int64_t z, int64_t c) const;

  formats::ImageReader* reader_;
  const Layout* layout_;
  const TensorSpec* spec_;
  SampleIndex sample_;
  Normalization normalization_;
  std::vector<float> block_;
};

// Where one output of one sample goes.
class OutputTarget {
 public:
  virtual ~OutputTarget() = default;
  // rows x cols of plane z, channel c of the cropped result, tight.
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
