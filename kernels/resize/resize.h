// Resize by interpolation along any axes: ONNX Resize (opset 19) and, through it, Upsample and TensorFlow's Resize*
// operators.
#ifndef FOVEA_KERNELS_RESIZE_RESIZE_H_
#define FOVEA_KERNELS_RESIZE_RESIZE_H_

#include "kernels/kernel.h"
#include "kernels/view.h"

namespace fovea::kernels {

// All four are stored in .fov files: append only.
enum class ResizeMode : uint8_t { kNearest = 0, kLinear = 1, kCubic = 2 };
enum class ResizeCoordinates : uint8_t {
  kHalfPixel = 0,
  kHalfPixelSymmetric = 1,
  kPytorchHalfPixel = 2,
  kAlignCorners = 3,
  kAsymmetric = 4,
  kTfCropAndResize = 5,
  kTfHalfPixelForNearest = 6,  // floor((x + 0.5) / scale), TensorFlow's nearest with half_pixel_centers
};
enum class ResizeRounding : uint8_t { kRoundPreferFloor = 0, kRoundPreferCeil = 1, kFloor = 2, kCeil = 3 };

struct ResizeLayer {
  ResizeMode mode = ResizeMode::kNearest;
  ResizeCoordinates coordinates = ResizeCoordinates::kHalfPixel;
  ResizeRounding rounding = ResizeRounding::kRoundPreferFloor;
  float cubic_a = -0.75f;
  bool exclude_outside = false;
  bool antialias = false;
  float extrapolation_value = 0;  // kTfCropAndResize: outside the image
};

struct ResizeArgs {
  ConstView src;  // any rank
  View dst;       // same rank
  // Per axis of the views. Coordinates are computed in the whole image (in_size, out_size, position origin + index), so
  // that a tile gives the bits of the whole. scale is out/in, or what the model prescribes where out was rounded from
  // it.
  int64_t in_size[kMaxRank] = {}, out_size[kMaxRank] = {};
  int64_t src_origin[kMaxRank] = {}, dst_origin[kMaxRank] = {};
  double scale[kMaxRank] = {};
  float roi_begin[kMaxRank] = {}, roi_end[kMaxRank] = {};  // kTfCropAndResize, fractions of the input
};

using ResizeKernel = Kernel<ResizeLayer, ResizeArgs>;
std::span<const ResizeKernel> ResizeKernels();

// Source positions [begin, end) of the whole image that output positions [out_begin, out_end) of one axis read: the
// real support, already clamped to the image. What the planner's regions and receptive fields are computed from.
struct ResizeSupport {
  int64_t begin, end;
};
ResizeSupport ResizeAxisSupport(const ResizeLayer& layer, int64_t in_size, int64_t out_size, double scale,
                                float roi_begin, float roi_end, int64_t out_begin, int64_t out_end);

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_RESIZE_RESIZE_H_
