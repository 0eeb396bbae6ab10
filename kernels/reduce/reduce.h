// Reductions over sets of axes, and the position of the extreme along one axis.
//
// Order of summation: the reduced elements in row-major order of the view, cut into blocks of fixed size whose sums are
// added in order, so that the result depends neither on the number of threads nor on strides. Over the positions of an
// image (ReduceLayer::spatial) the vector rows sum in the order of kernels/moments, which parts of an image can keep.
#ifndef FOVEA_KERNELS_REDUCE_REDUCE_H_
#define FOVEA_KERNELS_REDUCE_REDUCE_H_

#include "kernels/kernel.h"
#include "kernels/view.h"

namespace fovea::kernels {

// Stored in .fov files: append only. Empty sets give the neutral element (max -inf, min +inf, sum 0, prod 1, mean NaN).
enum class ReduceFn : uint8_t {
  kSum = 0,
  kMean = 1,
  kMax = 2,
  kMin = 3,
  kProd = 4,
  kL1 = 5,
  kL2 = 6,
  kSumSquare = 7,
  kLogSum = 8,
  kLogSumExp = 9
};

struct ReduceLayer {
  ReduceFn fn = ReduceFn::kSum;
  uint32_t axes = 0;  // bit i: axis i of src is reduced
  int spatial = 0;    // > 0: axes are just these of N, [D,] [H,] W, C, so many, and fn is kSum, kMean, kMax or kMin
};
struct ReduceArgs {
  ConstView src;
  View dst;  // src's rank, reduced axes of size 1
};
struct ArgReduceLayer {
  bool max = true;
  int axis = 0;
  bool last = false;  // of equal extremes take the last, not the first
};
// dst: src's rank with size 1 at the axis; positions as floats.
using ReduceKernel = Kernel<ReduceLayer, ReduceArgs>;
using ArgReduceKernel = Kernel<ArgReduceLayer, ReduceArgs>;
std::span<const ReduceKernel> ReduceKernels();
std::span<const ArgReduceKernel> ArgReduceKernels();

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_REDUCE_REDUCE_H_
