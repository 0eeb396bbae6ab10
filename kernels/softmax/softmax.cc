// Vector rows of softmax: lanes are positions, each a chain along the axis in order (maximum, sum of exponentials).
#include "kernels/softmax/reference.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/softmax/softmax.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/elementwise/math-inl.h"
#include "kernels/softmax/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

int64_t SoftmaxScratch(const SoftmaxLayer& layer, const SoftmaxArgs& args) {
  return args.dst.dims[layer.axis] * static_cast<int64_t>(hn::Lanes(Floats()));
}

HWY_INLINE void SoftmaxLanes(bool log, int64_t size, float* buffer) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  Vec max = hn::Load(d, buffer);
  for (int64_t k = 1; k < size; ++k) max = hn::Max(hn::Load(d, buffer + k * lanes), max);
  Vec sum = hn::Zero(d);
  for (int64_t k = 0; k < size; ++k) {
    const Vec shifted = hn::Sub(hn::Load(d, buffer + k * lanes), max);
    const Vec e = VecExp(d, shifted);
    sum = hn::Add(sum, e);
    hn::Store(log ? shifted : e, d, buffer + k * lanes);
  }
  const Vec log_sum = log ? VecLog(d, sum) : sum;
  for (int64_t k = 0; k < size; ++k) {
    const Vec x = hn::Load(d, buffer + k * lanes);
    hn::Store(log ? hn::Sub(x, log_sum) : hn::Div(x, sum), d, buffer + k * lanes);
  }
}

void Softmax(const SoftmaxLayer& layer, const SoftmaxArgs& args, int64_t unit_begin, int64_t unit_end, float* buffer) {
  const Loop<2> loop = reference::SoftmaxLoop(layer, args);
  const int64_t size = args.dst.dims[layer.axis];
  const int64_t src_axis = args.src.strides[layer.axis], dst_axis = args.dst.strides[layer.axis];
  const int64_t src_step = loop.strides[0][loop.rank - 1], dst_step = loop.strides[1][loop.rank - 1];
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  ForEachRow(loop, unit_begin, unit_end, [&](const int64_t* at, int64_t n, int64_t) HWY_ATTR {
    for (int64_t i = 0; i < n; i += lanes) {
      const int64_t count = std::min(lanes, n - i);
      GatherLanes(args.src.data + at[0] + i * src_step, src_step, src_axis, size, count, buffer);
      SoftmaxLanes(layer.log, size, buffer);
      ScatterLanes(buffer, dst_step, dst_axis, size, count, args.dst.data + at[1] + i * dst_step);
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::kernels {

std::span<const SoftmaxKernel> SoftmaxKernels() {
  static constexpr SoftmaxKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    {Isa::kAvx512, "softmax/lanes/avx512", AcceptsAll, reference::SoftmaxUnits, N_AVX3::SoftmaxScratch,
     N_AVX3::Softmax},
#endif
#if HWY_TARGETS & HWY_AVX2
    {Isa::kAvx2, "softmax/lanes/avx2", AcceptsAll, reference::SoftmaxUnits, N_AVX2::SoftmaxScratch, N_AVX2::Softmax},
#endif
#if HWY_TARGETS & HWY_SSE4
    {Isa::kSse4, "softmax/lanes/sse4", AcceptsAll, reference::SoftmaxUnits, N_SSE4::SoftmaxScratch, N_SSE4::Softmax},
#endif
#if HWY_TARGETS & HWY_NEON
    {Isa::kNeon, "softmax/lanes/neon", AcceptsAll, reference::SoftmaxUnits, N_NEON::SoftmaxScratch, N_NEON::Softmax},
#endif
    {Isa::kReference, "softmax/reference", AcceptsAll, reference::SoftmaxUnits, NoScratch, reference::Softmax},
  };
  return kRows;
}

}  // namespace fovea::kernels
#endif
