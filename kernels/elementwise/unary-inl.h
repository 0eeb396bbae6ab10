// One row of a function of one input, for one instruction set at a time.
#if defined(FOVEA_KERNELS_ELEMENTWISE_UNARY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_ELEMENTWISE_UNARY_INL_H_
#undef FOVEA_KERNELS_ELEMENTWISE_UNARY_INL_H_
#else
#define FOVEA_KERNELS_ELEMENTWISE_UNARY_INL_H_
#endif

#include <algorithm>

#include "kernels/elementwise/math-inl.h"
#include "kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

using UnaryRowFn = void (*)(const Activation& act, const float* src, int64_t src_step, float* dst, int64_t dst_step,
                            int64_t n);

// dst[i dst_step] = act(src[i src_step]) for i < n; src may be dst.
template <UnaryFn kFn>
HWY_NOINLINE void UnaryRow(const Activation& act, const float* src, int64_t src_step, float* dst, int64_t dst_step,
                           int64_t n) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  if (src_step == 1 && dst_step == 1) {
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) hn::StoreU(VecUnary<kFn>(d, act, hn::LoadU(d, src + i)), d, dst + i);
    if (i < n) StoreFirst(VecUnary<kFn>(d, act, LoadFirst(src + i, n - i)), dst + i, n - i);
    return;
  }
  HWY_ALIGN float buffer[hn::MaxLanes(d)] = {};
  for (int64_t i = 0; i < n; i += lanes) {
    const int64_t count = std::min(lanes, n - i);
    for (int64_t k = 0; k < count; ++k) buffer[k] = src[(i + k) * src_step];
    hn::Store(VecUnary<kFn>(d, act, hn::Load(d, buffer)), d, buffer);
    for (int64_t k = 0; k < count; ++k) dst[(i + k) * dst_step] = buffer[k];
  }
}

inline UnaryRowFn PickUnaryRow(UnaryFn fn) {
  return DispatchUnary(fn, []<UnaryFn kFn>() -> UnaryRowFn { return &UnaryRow<kFn>; });
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
