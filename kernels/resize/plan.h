// How the vector rows of resize see their task: rows of pixels along the last but one axis, dense channels along the
// last, and per output pixel a short list of taps (address and weight).
#ifndef FOVEA_KERNELS_RESIZE_PLAN_H_
#define FOVEA_KERNELS_RESIZE_PLAN_H_

#include "kernels/resize/axis.h"

namespace fovea::kernels {

struct ResizeTap {
  int64_t offset;  // elements
  float weight;
};

struct ResizePixel {
  int64_t first, count;  // taps of this column in the row's table; count 0: the extrapolation value
};

struct ResizePlan {
  int rank;
  ResizeAxis axes[kMaxRank];
  int64_t width, channels;
  int64_t row_taps;     // upper bound of the taps over all axes but the last two
  int64_t column_taps;  // upper bound of the taps of one column
};

// False where the last axis is resized or not dense, or there is no other.
bool MakeResizePlan(const ResizeLayer& layer, const ResizeArgs& args, ResizePlan* plan);

int64_t ResizeRowUnits(const ResizeLayer& layer, const ResizeArgs& args);
int64_t ResizeRowScratch(const ResizeLayer& layer, const ResizeArgs& args);

// Computes the columns' table once, then calls blend(row_taps, n, pixels, column_taps, dst) for every output row.
using ResizeBlend = void (*)(const ResizeLayer& layer, const ResizePlan& plan, const float* src, int64_t src_step,
                             const ResizeTap* row_taps, int64_t rows, const ResizePixel* pixels,
                             const ResizeTap* column_taps, float* dst, int64_t dst_step);
void RunResizeRows(const ResizeLayer& layer, const ResizeArgs& args, int64_t unit_begin, int64_t unit_end,
                   float* scratch, ResizeBlend blend);

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_RESIZE_PLAN_H_
