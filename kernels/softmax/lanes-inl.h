// Values of several positions side by side in lanes, for operators that reduce along one axis per position (softmax,
// arg-max over channels): every position is one lane's chain along the axis, so its result does not depend on its
// neighbours.
#if defined(FOVEA_KERNELS_SOFTMAX_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_SOFTMAX_LANES_INL_H_
#undef FOVEA_KERNELS_SOFTMAX_LANES_INL_H_
#else
#define FOVEA_KERNELS_SOFTMAX_LANES_INL_H_
#endif

#include "kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

// buffer[k][lane] = src[lane position_step + k axis_step] for k < size and lane < count; other lanes are 0.
HWY_INLINE void GatherLanes(const float* src, int64_t position_step, int64_t axis_step, int64_t size, int64_t count,
                            float* HWY_RESTRICT buffer) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  if (position_step == 1) {
    for (int64_t k = 0; k < size; ++k) {
      const float* from = src + k * axis_step;
      hn::Store(count == lanes ? hn::LoadU(d, from) : LoadFirst(from, count), d, buffer + k * lanes);
    }
    return;
  }
  for (int64_t k = 0; k < size; ++k) {
    for (int64_t lane = 0; lane < count; ++lane) {
      buffer[k * lanes + lane] = src[lane * position_step + k * axis_step];
    }
    for (int64_t lane = count; lane < lanes; ++lane) buffer[k * lanes + lane] = 0;
  }
}

HWY_INLINE void ScatterLanes(const float* HWY_RESTRICT buffer, int64_t position_step, int64_t axis_step, int64_t size,
                             int64_t count, float* dst) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  for (int64_t k = 0; k < size; ++k) {
    for (int64_t lane = 0; lane < count; ++lane) {
      dst[lane * position_step + k * axis_step] = buffer[k * lanes + lane];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
