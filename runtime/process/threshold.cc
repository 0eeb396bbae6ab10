// The step threshold: by a number, or by a method that looks at the whole sample.
#include <cstdio>

#include "runtime/process/auto_threshold.h"

namespace fovea::process {
namespace {

class ThresholdStage : public MapStage {
 public:
  ThresholdStage(const SampleShape& in, double value, double high) : MapStage(in), lower_(value), high_(high) {}
  PixelKind Kind(PixelKind) const override { return PixelKind::kMask; }

 protected:
  void Map(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t count, float* pixels) const override {
    const float high = static_cast<float>(high_);
    for (int64_t i = 0; i < count; ++i) pixels[i] = static_cast<double>(pixels[i]) > lower_ ? high : 0.0f;
  }

 private:
  double lower_, high_;
};

class AutoThresholdStage : public MapStage {
 public:
  AutoThresholdStage(const SampleShape& in, ThresholdMethod method, bool light, bool dataset, double high,
                     const StepOptions& options)
      : MapStage(in), method_(method), light_(light), dataset_(dataset), high_(high), options_(options) {}
  bool is_pointwise() const override { return false; }
  PixelKind Kind(PixelKind) const override { return PixelKind::kMask; }
  int64_t ScratchBytes() const override { return StatisticsBytes(); }

  // As ImageJ: 256 classes between the smallest and the largest value; the objects' classes are those above the
  // threshold (below and with it, when light is background), and their border is a value again.
  Status Prepare(int64_t sample, const Select& select) override {
    if (dataset_ && ready_) return OkStatus();
    PixelSet pixels = AllPixels();
    pixels.source = upstream_;
    pixels.first_sample = dataset_ ? 0 : sample;
    pixels.samples = dataset_ ? in_.samples : 1;
    pixels.select = select;
    FOVEA_RETURN_IF_ERROR(Measure(pixels));
    return dataset_ && in_.samples > 1 ? select(sample) : OkStatus();
  }

  bool takes_dataset_statistics() const override { return dataset_; }
  Result<std::vector<double>> MeasureDataset(const ImageSeries& images) override {
    PixelSet pixels = AllPixels();
    pixels.series = &images;
    FOVEA_RETURN_IF_ERROR(Measure(pixels));
    return std::vector<double>{border_};
  }
  bool UseDataset(const std::vector<double>& constants) override {
    if (constants.size() != 1) return false;
    border_ = constants[0];
    ready_ = true;
    return true;
  }

  std::string Decision() const override {
    char text[64];
    std::snprintf(text, sizeof(text), "threshold: %s %.6g", light_ ? "up to" : "from", border_);
    return text;
  }

 protected:
  PixelSet AllPixels() const {
    PixelSet pixels;
    pixels.shape = in_;
    pixels.channels = in_.channels;
    pixels.planes = in_.planes;
    pixels.cancelled = options_.cancelled;
    return pixels;
  }

  Status Measure(const PixelSet& pixels) {
    FOVEA_ASSIGN_OR_RETURN(const Extremes range, MeasureExtremes(pixels));
    FOVEA_ASSIGN_OR_RETURN(const Histogram histogram, MeasureHistogram(pixels, range.min, range.max));
    const int threshold = AutoThreshold(method_, histogram);
    const int border = light_ ? threshold : threshold + 1 > 255 ? 255 : threshold + 1;
    border_ = range.max > range.min ? range.min + border / 255.0 * (range.max - range.min) : range.min;
    ready_ = true;
    return OkStatus();
  }

  void Map(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t count, float* pixels) const override {
    const float high = static_cast<float>(high_);
    for (int64_t i = 0; i < count; ++i) {
      const double value = static_cast<double>(pixels[i]);
      pixels[i] = (light_ ? value <= border_ : value >= border_) ? high : 0.0f;
    }
  }

 private:
  ThresholdMethod method_;
  bool light_, dataset_;
  double high_;
  StepOptions options_;
  double border_ = 0;
  bool ready_ = false;
};

StageResult MakeThreshold(Arguments& arguments, const StageContext& context) {
  const double high = arguments.Number("high", 255);
  if (arguments.Has("value")) {
    if (arguments.Has("method")) arguments.Fail("give a value or a method, not both");
    const double value = arguments.Number("value", 0);
    FOVEA_RETURN_IF_ERROR(arguments.status());
    return std::unique_ptr<Stage>(std::make_unique<ThresholdStage>(context.in, value, high));
  }
  if (!arguments.Has("method"))
    arguments.Fail("value=NUMBER or method=NAME (otsu, li, triangle, default, ...) is missing");
  const int method = arguments.Choice("method", ThresholdMethodNames(), 0);
  const bool light = arguments.Choice("background", {"dark", "light"}, 0) == 1;
  const bool dataset = arguments.Choice("mode", {"per_sample", "per_dataset"}, 0) == 1;
  FOVEA_RETURN_IF_ERROR(arguments.status());
  return std::unique_ptr<Stage>(std::make_unique<AutoThresholdStage>(context.in, static_cast<ThresholdMethod>(method),
                                                                     light, dataset, high, *context.options));
}

constexpr StepRow kRows[] = {
    {"threshold", "threshold(value, high=255) or threshold(method, background=dark, mode=per_sample, high=255)",
     "high where x > value, else 0. method: the value is found in the histogram of the sample (per_dataset: of all "
     "samples of all files of the run) in 256 classes from its smallest to its largest value, as ImageJ does with "
     "float images: "
     "default, huang, ij_isodata, intermodes, isodata, li, max_entropy, mean, min_error, minimum, moments, otsu, "
     "percentile, renyi_entropy, shanbhag, triangle, yen; objects are brighter (background=dark) or darker than it.",
     MakeThreshold},
};

}  // namespace

std::span<const StepRow> ThresholdSteps() { return kRows; }

}  // namespace fovea::process
