// ResizeNearestNeighbor, ResizeBilinear, ResizeBicubic: output position to input position is
//
//   align_corners        o (in - 1) / (out - 1)
//   half_pixel_centers   (o + 0.5) in / out - 0.5
//   neither              o in / out
//
// (tensorflow/core/util/image_resizer_state.h and kernels/image/resize_*_op.cc). Nearest rounds the first half up and
// takes the floor of the others, the second without its - 0.5. Cubic coefficients are a = -0.75, with
// half_pixel_centers a = -0.5 and weights renormalised at the border; TensorFlow's table of 1024 steps is not imitated.
#include "converter/tensorflow/common.h"
#include "converter/tensorflow/importers.h"

namespace fovea::converter::tf {
namespace {

using kernels::ResizeCoordinates;
using kernels::ResizeMode;
using kernels::ResizeRounding;

Status Resize(NodeContext& c, ResizeMode mode) {
  const bool align = c.Bool("align_corners", false), half = c.Bool("half_pixel_centers", false);
  if (align && half) return CorruptFile("both align_corners and half_pixel_centers");
  FOVEA_ASSIGN_OR_RETURN(const Dims sizes, c.SizesAt(1));
  if (sizes.size() != 2) return CorruptFile("a size of the wrong length");
  return Spatial(c, 0, 2, [&](ValueId x) -> Result<ValueId> {
    ResizeParams p;
    p.mode = mode;
    p.sizes = c.b.dims(x);
    p.sizes[1] = sizes[0];
    p.sizes[2] = sizes[1];
    p.coordinates = align  ? ResizeCoordinates::kAlignCorners
                    : half ? ResizeCoordinates::kHalfPixel
                           : ResizeCoordinates::kAsymmetric;
    if (mode == ResizeMode::kNearest) {
      if (half) p.coordinates = ResizeCoordinates::kTfHalfPixelForNearest;
      p.rounding = align ? ResizeRounding::kRoundPreferCeil : ResizeRounding::kFloor;
    }
    if (mode == ResizeMode::kCubic) {
      p.cubic_a = half ? -0.5f : -0.75f;
      p.exclude_outside = half;
    }
    const DType type = mode == ResizeMode::kNearest ? c.b.value(x).dtype : DType::kFloat32;
    return c.b.Add(std::move(p), {x}, type);
  });
}

Status Nearest(NodeContext& c) { return Resize(c, ResizeMode::kNearest); }
Status Bilinear(NodeContext& c) { return Resize(c, ResizeMode::kLinear); }
Status Bicubic(NodeContext& c) { return Resize(c, ResizeMode::kCubic); }

constexpr OpRow kOps[] = {{"ResizeNearestNeighbor", Nearest}, {"ResizeBilinear", Bilinear}, {"ResizeBicubic", Bicubic}};

}  // namespace

std::span<const OpRow> ResizeOps() { return kOps; }

}  // namespace fovea::converter::tf
