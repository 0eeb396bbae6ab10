// Moments: sums and extremes of each channel over the positions of an image that comes in parts.
//
// The order of summation depends on the image alone, not on its parts, so that norms and means have the same bits
// however an image is tiled. The image is cut into cells of kMomentCell positions along every spatial axis but the
// first of the tensor (planes: columns, volumes: rows and columns). A cell's positions are one chain in double, in
// row-major order; when the image is complete the cells of a channel are added in row-major order (FoldMoments).
//
// Parts may end anywhere along the first axis, and must come in order there; along the others they begin and end
// between cells or with the image.
#ifndef FOVEA_KERNELS_MOMENTS_MOMENTS_H_
#define FOVEA_KERNELS_MOMENTS_MOMENTS_H_

#include "kernels/kernel.h"
#include "kernels/view.h"

namespace fovea::kernels {

inline constexpr int64_t kMomentCell = 32;

enum class MomentFn : uint8_t {
  kSquares,  // sum of x - k and of (x - k)^2, k the channel's first value, see normalize.h
  kSum,
  kMax,  // NaN if any is
  kMin,
};

struct MomentsLayer {
  MomentFn fn = MomentFn::kSum;
  int spatial = 2;  // axes of the image: 1 (W), 2 (H, W) or 3 (D, H, W)
};

struct MomentsArgs {
  ConstView src;                  // rank 5, a part of the image
  int64_t origin[3] = {0, 0, 0};  // where it begins, D, H, W
  int64_t image[3] = {1, 1, 1};   // D, H, W
  const double* first = nullptr;  // kSquares: k, [channels, padded] for each sample, first_stride apart
  int64_t first_stride = 0;
  double* state = nullptr;  // [N][cells][fields][channels, padded]
};

// One unit is one cell of one sample.
using MomentsKernel = Kernel<MomentsLayer, MomentsArgs>;
std::span<const MomentsKernel> MomentsKernels();  // there is no reference row

// Channels in `state`, so that whole vectors can be written.
constexpr int64_t MomentChannels(int64_t channels) { return (channels + 15) / 16 * 16; }
constexpr int64_t MomentFields(MomentFn fn) { return fn == MomentFn::kSquares ? 2 : 1; }
// Cells of an image along H and W.
constexpr int64_t MomentRowCells(int spatial, int64_t rows) {
  return spatial > 2 ? (rows + kMomentCell - 1) / kMomentCell : 1;
}
constexpr int64_t MomentColumnCells(int spatial, int64_t columns) {
  return spatial > 1 ? (columns + kMomentCell - 1) / kMomentCell : 1;
}

// What a chain begins with.
double MomentStart(MomentFn fn);
// cells: `count` of them, cell_stride apart; adds up `channels` of one field, in the order of the cells. `to` may be
// the first cell.
void FoldMoments(MomentFn fn, const double* cells, int64_t count, int64_t cell_stride, int64_t channels, double* to);

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_MOMENTS_MOMENTS_H_
