// Operand: a tensor, or the part of it that is in memory, as a step sees it; and the views that kernels take of it.
#ifndef FOVEA_RUNTIME_EXEC_OPERAND_H_
#define FOVEA_RUNTIME_EXEC_OPERAND_H_

#include <cstdint>

#include "kernels/kernels.h"
#include "runtime/model/ops.h"
#include "runtime/plan/regions.h"

namespace fovea::exec {

struct Operand {
  float* data = nullptr;  // element region.axis[..].begin; null: the optional input is absent. Inputs are only read.
  size_t rank = 0;
  int64_t dims[kMaxTensorRank] = {};  // of the whole tensor
  plan::Region region;                // the part in memory
  int64_t strides[kMaxTensorRank] = {};

  int64_t begin(size_t axis) const { return region.axis[axis].begin; }
  int64_t size(size_t axis) const { return region.axis[axis].size(); }
};

// Row-major and tight over `region`.
inline Operand TightOperand(float* data, const plan::Dims& dims, const plan::Region& region) {
  Operand operand;
  operand.data = data;
  operand.rank = dims.size();
  operand.region = region;
  int64_t stride = 1;
  for (size_t a = dims.size(); a-- > 0;) {
    operand.dims[a] = dims[a];
    operand.strides[a] = stride;
    stride *= region.axis[a].size();
  }
  return operand;
}

inline void AddAxis(int64_t size, int64_t stride, kernels::View* view) {
  view->dims[view->rank] = size;
  view->strides[view->rank++] = stride;
}

// The part in memory, axis by axis.
inline kernels::View AsView(const Operand& operand) {
  kernels::View view;
  view.data = operand.data;
  for (size_t a = 0; a < operand.rank; ++a) AddAxis(operand.size(a), operand.strides[a], &view);
  return view;
}

// N, D, H, W, C from a tensor with axes N, [D,] [H,] W, C.
inline kernels::View AsSpatial(const Operand& operand) {
  kernels::View view;
  view.data = operand.data;
  AddAxis(operand.size(0), operand.strides[0], &view);
  for (int s = 0; s < 3; ++s) {
    const int axis = plan::SpatialAxis(s, static_cast<int>(operand.rank));
    const size_t a = static_cast<size_t>(axis);
    // The stride of an axis that is not there is never walked; it nests as a real one would.
    if (axis < 1) {
      AddAxis(1, operand.strides[0], &view);
    } else {
      AddAxis(operand.size(a), operand.strides[a], &view);
    }
  }
  AddAxis(operand.size(operand.rank - 1), operand.strides[operand.rank - 1], &view);
  return view;
}

// The elements of `in` that belong to `out`'s region under numpy's broadcasting: out's dims, stride 0 where `in`
// repeats.
inline kernels::View AsBroadcast(const Operand& in, const Operand& out) {
  kernels::View view;
  view.data = in.data;
  for (size_t a = 0; a < out.rank; ++a) {
    const bool here = a + in.rank >= out.rank;
    const size_t from = a + in.rank - out.rank;
    if (!here || (in.dims[from] == 1 && out.dims[a] != 1)) {
      AddAxis(out.size(a), 0, &view);
      continue;
    }
    view.data += (out.begin(a) - in.begin(from)) * in.strides[from];
    AddAxis(out.size(a), in.strides[from], &view);
  }
  return view;
}

}  // namespace fovea::exec

#endif  // FOVEA_RUNTIME_EXEC_OPERAND_H_
