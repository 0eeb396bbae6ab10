// Vector rows of the functions of one input.
#include "kernels/elementwise/reference.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise/unary.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/elementwise/unary-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

void Unary(const Activation& f, const UnaryArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const Loop<2> loop = reference::UnaryLoop(args);
  const int last = loop.rank - 1;
  const UnaryRowFn row = PickUnaryRow(f.fn);
  ForEachRow(loop, unit_begin, unit_end, [&](const int64_t* at, int64_t n, int64_t) {
    row(f, args.src.data + at[0], loop.strides[0][last], args.dst.data + at[1], loop.strides[1][last], n);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::kernels {

std::span<const UnaryKernel> UnaryKernels() {
  static constexpr UnaryKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    {Isa::kAvx512, "unary/vector/avx512", AcceptsAll, reference::UnaryUnits, NoScratch, N_AVX3::Unary},
#endif
#if HWY_TARGETS & HWY_AVX2
    {Isa::kAvx2, "unary/vector/avx2", AcceptsAll, reference::UnaryUnits, NoScratch, N_AVX2::Unary},
#endif
#if HWY_TARGETS & HWY_SSE4
    {Isa::kSse4, "unary/vector/sse4", AcceptsAll, reference::UnaryUnits, NoScratch, N_SSE4::Unary},
#endif
#if HWY_TARGETS & HWY_NEON
    {Isa::kNeon, "unary/vector/neon", AcceptsAll, reference::UnaryUnits, NoScratch, N_NEON::Unary},
#endif
    {Isa::kReference, "unary/reference", AcceptsAll, reference::UnaryUnits, NoScratch, reference::Unary},
  };
  return kRows;
}

}  // namespace fovea::kernels
#endif
