// The reference row of softmax.
#ifndef FOVEA_KERNELS_SOFTMAX_REFERENCE_H_
#define FOVEA_KERNELS_SOFTMAX_REFERENCE_H_

#include "kernels/loop.h"
#include "kernels/softmax/softmax.h"

namespace fovea::kernels::reference {

// The views without the softmax axis: src, dst.
inline Loop<2> SoftmaxLoop(const SoftmaxLayer& layer, const SoftmaxArgs& args) {
  int64_t dims[kMaxRank];
  for (int i = 0; i < args.dst.rank; ++i) dims[i] = i == layer.axis ? (args.dst.dims[i] > 0 ? 1 : 0) : args.dst.dims[i];
  return MakeLoop<2>(args.dst.rank, dims, {args.src.strides, args.dst.strides});
}

int64_t SoftmaxUnits(const SoftmaxLayer& layer, const SoftmaxArgs& args);
void Softmax(const SoftmaxLayer& layer, const SoftmaxArgs& args, int64_t unit_begin, int64_t unit_end, float*);

}  // namespace fovea::kernels::reference

#endif  // FOVEA_KERNELS_SOFTMAX_REFERENCE_H_
