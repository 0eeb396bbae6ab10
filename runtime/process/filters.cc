// Steps that look around each pixel of a plane: Gaussian blur, background subtraction, opening, closing and their kind.
#include <algorithm>
#include <cmath>

#include "runtime/process/gaussian.h"
#include "runtime/process/rolling_ball.h"
#include "runtime/process/stage.h"

namespace fovea::process {
namespace {

class BlurStage : public BufferStage {
 public:
  BlurStage(const SampleShape& in, const GaussianKernel& plane, const GaussianKernel& depth, bool subtract)
      : BufferStage(in), plane_(plane), depth_(depth), subtract_(subtract) {}

 protected:
  int64_t ScratchBytes() const override {
    const int64_t lines = std::max(in_.rows, std::max(in_.cols, in_.planes)) * 16;
    return lines + (subtract_ ? in_.planes * plane_pixels() * 4 : 0);
  }
  Status Work(float* sample) override {
    const int64_t volume = in_.planes * plane_pixels();
    std::vector<float> original;
    for (int64_t c = 0; c < in_.channels; ++c) {
      float* const at = sample + c * volume;
      if (subtract_) original.assign(at, at + volume);
      for (int64_t z = 0; z < in_.planes; ++z) BlurPlane(plane_, at + z * plane_pixels(), in_.rows, in_.cols);
      if (!depth_.empty()) BlurAxis(depth_, at, plane_pixels(), in_.planes, plane_pixels(), 1);
      if (!subtract_) continue;
      for (int64_t i = 0; i < volume; ++i) at[i] = original[static_cast<size_t>(i)] - at[i];
    }
    return OkStatus();
  }

 private:
  GaussianKernel plane_, depth_;
  bool subtract_;
};

StageResult MakeBlur(Arguments& arguments, const StageContext& context, bool subtract) {
  if (!arguments.Has("sigma")) arguments.Fail("sigma=PIXELS is missing");
  const double sigma = arguments.Number("sigma", 1, 0, 10000), sigma_z = arguments.Number("sigma_z", 0, 0, 10000);
  const bool dij1 = context.options->compatibility == Compatibility::kDij1;
  const bool imagej = arguments.Choice("kernel", {"sampled", "imagej"}, dij1 ? 1 : 0) == 1;
  FOVEA_RETURN_IF_ERROR(arguments.status());
  const auto kernel = [imagej](double s) { return imagej ? ImageJKernel(s) : SampledKernel(s); };
  return std::unique_ptr<Stage>(std::make_unique<BlurStage>(context.in, kernel(sigma), kernel(sigma_z), subtract));
}

StageResult MakeGaussianBlur(Arguments& arguments, const StageContext& context) {
  return MakeBlur(arguments, context, false);
}

class RollingBallStage : public BufferStage {
 public:
  RollingBallStage(const SampleShape& in, double radius, bool light, bool smooth)
      : BufferStage(in), ball_(MakeRollingBall(radius)), light_(light), smooth_(smooth) {}

 protected:
  int64_t ScratchBytes() const override { return RollingBallBytes(ball_, in_.rows, in_.cols); }
  Status Work(float* sample) override {
    for (int64_t i = 0; i < in_.channels * in_.planes; ++i) {
      SubtractBackground(ball_, light_, smooth_, sample + i * plane_pixels(), in_.rows, in_.cols);
    }
    return OkStatus();
  }

 private:
  RollingBall ball_;
  bool light_, smooth_;
};

StageResult MakeSubtractBackground(Arguments& arguments, const StageContext& context) {
  if (!arguments.Has("radius")) {
    if (arguments.Has("sigma")) return MakeBlur(arguments, context, true);
    arguments.Fail("radius=PIXELS (rolling ball) or sigma=PIXELS (blurred image) is missing");
  }
  const double radius = arguments.Number("radius", 50, 1, 10000);
  const bool light = arguments.Choice("background", {"dark", "light"}, 0) == 1;
  const bool smooth = arguments.Boolean("smooth", true);
  FOVEA_RETURN_IF_ERROR(arguments.status());
  return std::unique_ptr<Stage>(std::make_unique<RollingBallStage>(context.in, radius, light, smooth));
}

constexpr StepRow kRows[] = {
    {"gaussian_blur", "gaussian_blur(sigma, sigma_z=0, kernel=sampled)",
     "Gaussian blur of each plane (with sigma_z: of the volume); border pixels are repeated outwards. kernel: sampled, "
     "exp(-i^2 / (2 sigma^2)) up to the distance floor(4 sigma + 1/2), sum 1 (scipy.ndimage.gaussian_filter, "
     "mode=nearest); imagej, ImageJ's kernel for float images (accuracy 2e-4, polynomial tail).",
     MakeGaussianBlur},
    {"subtract_background", "subtract_background(radius, background=dark, smooth=true) or subtract_background(sigma)",
     "radius: ImageJ's rolling ball (Sternberg 1983; image shrunk for radii over 10, the 3x3 smoothing of its dialogue "
     "on). sigma: minus the image blurred by gaussian_blur(sigma).",
     MakeSubtractBackground},
};

}  // namespace

std::span<const StepRow> FilterSteps() { return kRows; }

}  // namespace fovea::process
