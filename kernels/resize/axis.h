// One axis of a resize: which source positions an output position reads, and with which weights.
//
// Formulas: ONNX Resize (opset 19) and its reference implementation, in double as there, so that ties of the nearest
// roundings fall alike. Where scale is exactly out/in, coordinates are computed as one quotient of integers: that gives
// the true tie where out / in itself is not representable.
#ifndef FOVEA_KERNELS_RESIZE_AXIS_H_
#define FOVEA_KERNELS_RESIZE_AXIS_H_

#include "kernels/resize/resize.h"

namespace fovea::kernels {

struct ResizeAxis {
  ResizeMode mode;
  ResizeCoordinates coordinates;
  ResizeRounding rounding;
  bool exclude_outside;
  double cubic_a;
  int64_t in_size, out_size;
  double scale;
  double stretch;  // min(scale, 1) with antialias, else 1: what the filter's argument is multiplied by
  double roi_begin, roi_end;
  bool identity;
};
ResizeAxis MakeResizeAxis(const ResizeLayer& layer, int64_t in_size, int64_t out_size, double scale, float roi_begin,
                          float roi_end);
ResizeAxis MakeResizeAxis(const ResizeLayer& layer, const ResizeArgs& args, int axis);

// Taps [0, count) of one output position. Positions are of the whole image and may lie outside it before clamping.
struct ResizeTaps {
  int64_t first = 0;
  int64_t count = 1;
  double centre = 0;     // source coordinate of the output position
  double norm = 1;       // divides the weights
  bool outside = false;  // kTfCropAndResize: the extrapolation value
};
ResizeTaps MakeResizeTaps(const ResizeAxis& axis, int64_t o);

// Weight of tap k; taps of weight 0 are not read.
double ResizeWeight(const ResizeAxis& axis, const ResizeTaps& taps, int64_t k);
// Source position of tap k: the image continues with its border's value.
inline int64_t ResizeSource(const ResizeAxis& axis, const ResizeTaps& taps, int64_t k) {
  const int64_t at = taps.first + k;
  return at < 0 ? 0 : at >= axis.in_size ? axis.in_size - 1 : at;
}

namespace reference {

int64_t ResizeUnits(const ResizeLayer&, const ResizeArgs& args);
void Resize(const ResizeLayer& layer, const ResizeArgs& args, int64_t unit_begin, int64_t unit_end, float*);

}  // namespace reference
}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_RESIZE_AXIS_H_
