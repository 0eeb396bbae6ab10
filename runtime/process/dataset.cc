// Statistics of several images together: each step of the data set is measured on all of them, after the steps in front
// of it, which go by what was measured before.
#include "runtime/process/stage.h"

namespace fovea {
namespace {

using process::ImageSeries;

using OpenImage = std::function<Status(int64_t, DatasetImage*)>;

class OpenedSeries : public ImageSeries {
 public:
  // before: the steps in front of the one that measures; options.dataset: their statistics.
  OpenedSeries(std::span<const Step> before, int64_t images, const OpenImage& open, const StepOptions& options)
      : before_(before), images_(images), open_(open), options_(options) {}

  Status ForEach(Pixels pixels, const std::string& reference, const Visit& visit) const override {
    for (int64_t i = 0; i < images_; ++i) {
      DatasetImage image;
      FOVEA_RETURN_IF_ERROR(open_(i, &image));
      if (pixels == Pixels::kReference) {
        SampleShape shape;
        SampleSource* const source = options_.reference ? options_.reference(reference, &shape) : nullptr;
        if (source == nullptr)
          return Unsupported("the reference tensor '" + reference + "' is not the network's image");
        FOVEA_RETURN_IF_ERROR(visit(source, shape, nullptr));
      } else if (pixels == Pixels::kOrigin) {
        FOVEA_RETURN_IF_ERROR(visit(image.source, image.shape, nullptr));
      } else {
        FOVEA_ASSIGN_OR_RETURN(StepChain chain, StepChain::Create(before_, image.shape, options_));
        chain.Connect(image.source);
        FOVEA_RETURN_IF_ERROR(
            visit(chain.result(), chain.shape(), [&chain](int64_t sample) { return chain.Prepare(sample); }));
      }
    }
    return OkStatus();
  }

 private:
  std::span<const Step> before_;
  int64_t images_;
  const OpenImage& open_;
  const StepOptions& options_;
};

}  // namespace

Result<DatasetStatistics> MeasureDataset(std::span<const Step> steps, int64_t images, const OpenImage& open,
                                         const StepOptions& options) {
  DatasetStatistics statistics;
  statistics.images = images;
  StepOptions with_earlier = options;
  with_earlier.dataset = &statistics;
  for (size_t i = 0; i < steps.size(); ++i) {
    // What a stage is like depends on the image; the first one stands for all.
    DatasetImage image;
    FOVEA_RETURN_IF_ERROR(open(0, &image));
    const OpenedSeries series(steps.first(i), images, open, with_earlier);
    FOVEA_ASSIGN_OR_RETURN(const StepChain before, StepChain::Create(steps.first(i), image.shape, with_earlier));
    FOVEA_ASSIGN_OR_RETURN(const std::unique_ptr<process::Stage> stage,
                           process::MakeStage(steps[i], before.shape(), with_earlier));
    statistics.constants.emplace_back();
    if (!stage->takes_dataset_statistics()) continue;
    auto constants = stage->MeasureDataset(series);
    if (!constants.ok()) return constants.status();
    statistics.constants.back() = *std::move(constants);
  }
  return statistics;
}

}  // namespace fovea
