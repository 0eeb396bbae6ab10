#include "kernels/resize/axis.h"

#include <algorithm>
#include <cmath>

namespace fovea::kernels {
namespace {

// Size of the resized image before it was rounded to out_size.
double ExactOutSize(const ResizeAxis& axis) {
  const double size = axis.scale * static_cast<double>(axis.in_size);
  const double out = static_cast<double>(axis.out_size);
  return std::fabs(size - out) <= 1e-9 * out ? out : size;
}

// numerator / scale
double Unscale(const ResizeAxis& axis, double numerator) {
  const double in = static_cast<double>(axis.in_size);
  const double out = static_cast<double>(axis.out_size);
  return axis.scale == out / in ? numerator * in / out : numerator / axis.scale;
}

double SourceCoordinate(const ResizeAxis& axis, int64_t o) {
  const double x = static_cast<double>(o);
  const double in = static_cast<double>(axis.in_size);
  const double size = ExactOutSize(axis);
  switch (axis.coordinates) {
    case ResizeCoordinates::kHalfPixel: return Unscale(axis, x + 0.5) - 0.5;
    case ResizeCoordinates::kHalfPixelSymmetric: {
      const double adjustment = static_cast<double>(axis.out_size) / size;
      return in / 2 * (1 - adjustment) + Unscale(axis, x + 0.5) - 0.5;
    }
    case ResizeCoordinates::kPytorchHalfPixel: return axis.out_size > 1 ? Unscale(axis, x + 0.5) - 0.5 : 0;
    case ResizeCoordinates::kAlignCorners: return size == 1 ? 0 : x * (in - 1) / (size - 1);
    case ResizeCoordinates::kAsymmetric: return Unscale(axis, x);
    case ResizeCoordinates::kTfCropAndResize: {
      const double extent = axis.roi_end - axis.roi_begin;
      const double at = size == 1 ? extent * (in - 1) / 2 : x * extent * (in - 1) / (size - 1);
      return at + axis.roi_begin * (in - 1);
    }
    case ResizeCoordinates::kTfHalfPixelForNearest: {
      const double at = Unscale(axis, x + 0.5);
      return axis.mode == ResizeMode::kNearest ? std::floor(at) : at;
    }
  }
  return x;
}

int64_t RoundNearest(ResizeRounding rounding, double x) {
  const double below = std::floor(x);
  const double ratio = x - below;
  bool up = false;
  switch (rounding) {
    case ResizeRounding::kRoundPreferFloor: up = ratio > 0.5; break;
    case ResizeRounding::kRoundPreferCeil: up = ratio >= 0.5; break;
    case ResizeRounding::kFloor: break;
    case ResizeRounding::kCeil: up = ratio > 0; break;
  }
  return static_cast<int64_t>(below) + (up ? 1 : 0);
}

// The filter at distance x (of source pixels, after stretching).
double Filter(const ResizeAxis& axis, double x) {
  x = std::fabs(x);
  if (axis.mode == ResizeMode::kLinear) return x < 1 ? 1 - x : 0;
  const double a = axis.cubic_a;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

double RawWeight(const ResizeAxis& axis, const ResizeTaps& taps, int64_t k) {
  const int64_t at = taps.first + k;
  if (axis.exclude_outside && (at < 0 || at >= axis.in_size)) return 0;
  return Filter(axis, (static_cast<double>(at) - taps.centre) * axis.stretch);
}

}  // namespace

ResizeAxis MakeResizeAxis(const ResizeLayer& layer, int64_t in_size, int64_t out_size, double scale, float roi_begin,
                          float roi_end) {
  const bool whole = layer.coordinates != ResizeCoordinates::kTfCropAndResize || roi_end == roi_begin ||
                     (roi_begin == 0 && roi_end == 1);
  const bool antialias = layer.antialias && layer.mode != ResizeMode::kNearest;
  return {layer.mode,
          layer.coordinates,
          layer.rounding,
          layer.exclude_outside && layer.mode != ResizeMode::kNearest,
          layer.cubic_a,
          in_size,
          out_size,
          scale,
          antialias ? std::min(scale, 1.0) : 1.0,
          roi_begin,
          roi_end,
          in_size == out_size && scale == 1 && whole};
}

ResizeAxis MakeResizeAxis(const ResizeLayer& layer, const ResizeArgs& args, int axis) {
  return MakeResizeAxis(layer, args.in_size[axis], args.out_size[axis], args.scale[axis], args.roi_begin[axis],
                        args.roi_end[axis]);
}

ResizeTaps MakeResizeTaps(const ResizeAxis& axis, int64_t o) {
  ResizeTaps taps;
  if (axis.identity) {
    taps.first = o;
    taps.centre = static_cast<double>(o);
    return taps;
  }
  taps.centre = SourceCoordinate(axis, o);
  if (axis.coordinates == ResizeCoordinates::kTfCropAndResize &&
      !(taps.centre >= 0 && taps.centre <= static_cast<double>(axis.in_size - 1))) {
    taps.outside = true;
    taps.count = 0;
    return taps;
  }
  if (axis.mode == ResizeMode::kNearest) {
    taps.first = RoundNearest(axis.rounding, taps.centre);
    return taps;
  }
  // The filter's support is (-radius, radius); a tap at its very end weighs 0.
  const double radius = (axis.mode == ResizeMode::kLinear ? 1 : 2) / axis.stretch;
  taps.first = static_cast<int64_t>(std::floor(taps.centre - radius)) + 1;
  taps.count = std::max<int64_t>(1, static_cast<int64_t>(std::ceil(taps.centre + radius)) - taps.first);
  if (axis.stretch < 1 || axis.exclude_outside) {
    taps.norm = 0;
    for (int64_t k = 0; k < taps.count; ++k) taps.norm += RawWeight(axis, taps, k);
  }
  return taps;
}

double ResizeWeight(const ResizeAxis& axis, const ResizeTaps& taps, int64_t k) {
  if (axis.identity || axis.mode == ResizeMode::kNearest) return 1;
  return RawWeight(axis, taps, k) / taps.norm;
}

ResizeSupport ResizeAxisSupport(const ResizeLayer& layer, int64_t in_size, int64_t out_size, double scale,
                                float roi_begin, float roi_end, int64_t out_begin, int64_t out_end) {
  const ResizeAxis axis = MakeResizeAxis(layer, in_size, out_size, scale, roi_begin, roi_end);
  ResizeSupport support = {in_size, 0};
  for (int64_t o = out_begin; o < out_end; ++o) {
    const ResizeTaps taps = MakeResizeTaps(axis, o);
    for (int64_t k = 0; k < taps.count; ++k) {
      if (ResizeWeight(axis, taps, k) == 0) continue;
      const int64_t at = ResizeSource(axis, taps, k);
      support.begin = std::min(support.begin, at);
      support.end = std::max(support.end, at + 1);
    }
  }
  // Nothing but extrapolation: one element keeps the regions of a plan from becoming empty.
  if (support.begin >= support.end) return {0, std::min<int64_t>(1, in_size)};
  return support;
}

}  // namespace fovea::kernels
