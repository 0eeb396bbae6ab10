// An image file as a network is to see it: its samples, after the steps before the network.
#ifndef FOVEA_TOOLS_FOVEA_PROCESSED_IMAGE_H_
#define FOVEA_TOOLS_FOVEA_PROCESSED_IMAGE_H_

#include <memory>

#include "formats/image/image.h"
#include "runtime/include/fovea/process.h"
#include "tools/fovea/layout.h"
#include "tools/fovea/run_options.h"

namespace fovea::cli {

// Which image of the series a sample is. c: the channel when channels are iterated, otherwise the first one.
struct SampleIndex {
  int64_t t = 0, z = 0, c = 0;
};

// The samples as they are in the file, in the order of its planes: t, z, c.
class SampleReader : public SampleSource {
 public:
  SampleReader(formats::ImageReader* reader, const Layout& layout);
  Status Read(const SampleRegion& region, float* dst) override;

  const SampleShape& shape() const { return shape_; }
  SampleIndex index(int64_t sample) const;

 private:
  formats::ImageReader* reader_;
  bool network_3d_, iterate_channels_;
  int64_t first_channel_;
  SampleShape shape_;
};

class ProcessedImage {
 public:
  // Matches image and network and makes the steps. `reader` is kept.
  static Result<std::unique_ptr<ProcessedImage>> Make(formats::ImageReader* reader, const Model& model,
                                                      const RunOptions& options);

  // As the network sees it: sizes, channels and calibration after the steps.
  const formats::ImageInfo& info() const { return info_; }
  Layout& layout() { return layout_; }
  const StepChain& chain() const { return chain_; }
  int64_t samples() const { return original_->shape().samples; }
  SampleIndex index(int64_t sample) const { return original_->index(sample); }

  // Makes a sample ready; source() then reads it.
  Status Select(int64_t sample) {
    current_.sample = sample;
    return chain_.Prepare(sample);
  }
  // The steps after the network, for output `out`; they may refer to the image's pixels.
  Result<StepChain> OutputChain(const Model& model, const RunOptions& options, const OutputLayout& out);
  SampleSource* source() { return chain_.result(); }
  // The file's own pixels.
  SampleReader* original() { return original_.get(); }

 private:
  // The selected sample, as sample 0.
  class Current : public SampleSource {
   public:
    Status Read(const SampleRegion& region, float* dst) override;
    SampleReader* reader = nullptr;
    int64_t sample = 0;
  };

  formats::ImageInfo info_;
  Layout layout_;
  std::unique_ptr<SampleReader> original_;
  Current current_;
  StepChain chain_;
};

// Whether result pixel (z, y, x) belongs to another place than source pixel (z, y, x).
bool MovesPixels(const StepChain& chain);

// What one run of the network returns, cropped.
SampleShape ShapeOfOutput(const Layout& layout, const OutputLayout& out);

// `info` after the steps of `chain` on samples of shape `before`: sizes and calibration; names that no longer fit are
// removed.
formats::ImageInfo InfoAfterSteps(const formats::ImageInfo& info, const SampleShape& before, const StepChain& chain);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_PROCESSED_IMAGE_H_
