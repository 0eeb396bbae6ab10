// Vector rows of the functions of two inputs, and of selection.
//
// A row of the loop has step 1, or step 0 (a value for the whole row), in either input; other steps go through a small
// buffer. Where an input repeats one short row (a value per channel), several copies of it are laid side by side first,
// so that vectors are full however few the channels are.
#include "kernels/elementwise/reference.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise/binary.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/elementwise/unary-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

template <BinaryFn kFn>
HWY_INLINE Vec VecBinary(Vec a, Vec b) {
  const Floats d;
  const Vec zero = hn::Zero(d);
  const Vec one = hn::Set(d, 1.0f);
  if constexpr (kFn == BinaryFn::kAdd) return hn::Add(a, b);
  if constexpr (kFn == BinaryFn::kSub) return hn::Sub(a, b);
  if constexpr (kFn == BinaryFn::kMul) return hn::Mul(a, b);
  if constexpr (kFn == BinaryFn::kDiv) return hn::Div(a, b);
  if constexpr (kFn == BinaryFn::kMin) return hn::IfThenElse(hn::Or(hn::IsNaN(a), hn::Lt(a, b)), a, b);
  if constexpr (kFn == BinaryFn::kMax) return hn::IfThenElse(hn::Or(hn::IsNaN(a), hn::Gt(a, b)), a, b);
  if constexpr (kFn == BinaryFn::kEqual) return hn::IfThenElseZero(hn::Eq(a, b), one);
  if constexpr (kFn == BinaryFn::kNotEqual) return hn::IfThenZeroElse(hn::Eq(a, b), one);
  if constexpr (kFn == BinaryFn::kLess) return hn::IfThenElseZero(hn::Lt(a, b), one);
  if constexpr (kFn == BinaryFn::kLessOrEqual) return hn::IfThenElseZero(hn::Le(a, b), one);
  if constexpr (kFn == BinaryFn::kGreater) return hn::IfThenElseZero(hn::Gt(a, b), one);
  if constexpr (kFn == BinaryFn::kGreaterOrEqual) return hn::IfThenElseZero(hn::Ge(a, b), one);
  if constexpr (kFn == BinaryFn::kAnd) {
    return hn::IfThenZeroElse(hn::Or(hn::Eq(a, zero), hn::Eq(b, zero)), one);
  }
  if constexpr (kFn == BinaryFn::kOr) return hn::IfThenZeroElse(hn::And(hn::Eq(a, zero), hn::Eq(b, zero)), one);
  if constexpr (kFn == BinaryFn::kXor) return hn::IfThenElseZero(hn::Xor(hn::Eq(a, zero), hn::Eq(b, zero)), one);
  if constexpr (kFn == BinaryFn::kPRelu) return hn::IfThenElse(hn::Lt(a, zero), hn::Mul(b, a), a);
  if constexpr (kFn == BinaryFn::kSquaredDifference) {
    const Vec difference = hn::Sub(a, b);
    return hn::Mul(difference, difference);
  }
}

// n elements at a, stepping by 0 or 1.
template <int kStep>
HWY_INLINE Vec LoadStep(const float* a, int64_t i) {
  return kStep == 0 ? hn::Set(Floats(), *a) : hn::LoadU(Floats(), a + i);
}
template <int kStep>
HWY_INLINE Vec LoadStepFirst(const float* a, int64_t i, int64_t n) {
  return kStep == 0 ? hn::Set(Floats(), *a) : LoadFirst(a + i, n);
}

template <BinaryFn kFn, int kStepA, int kStepB>
HWY_INLINE void BinaryDense(const float* a, const float* b, float* dst, int64_t n) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(VecBinary<kFn>(LoadStep<kStepA>(a, i), LoadStep<kStepB>(b, i)), d, dst + i);
  }
  if (i < n) {
    StoreFirst(VecBinary<kFn>(LoadStepFirst<kStepA>(a, i, n - i), LoadStepFirst<kStepB>(b, i, n - i)), dst + i, n - i);
  }
}

struct Steps {
  int64_t a, b, dst;
};
using BinaryRowFn = void (*)(const float* a, const float* b, float* dst, Steps steps, int64_t n);

template <BinaryFn kFn>
HWY_NOINLINE void BinaryRow(const float* a, const float* b, float* dst, Steps steps, int64_t n) {
  if (steps.dst == 1 && steps.a == 1 && steps.b == 1) return BinaryDense<kFn, 1, 1>(a, b, dst, n);
  if (steps.dst == 1 && steps.a == 1 && steps.b == 0) return BinaryDense<kFn, 1, 0>(a, b, dst, n);
  if (steps.dst == 1 && steps.a == 0 && steps.b == 1) return BinaryDense<kFn, 0, 1>(a, b, dst, n);
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN float from_a[hn::MaxLanes(d)] = {}, from_b[hn::MaxLanes(d)] = {};
  for (int64_t i = 0; i < n; i += lanes) {
    const int64_t count = std::min(lanes, n - i);
    for (int64_t k = 0; k < count; ++k) {
      from_a[k] = a[(i + k) * steps.a];
      from_b[k] = b[(i + k) * steps.b];
    }
    hn::Store(VecBinary<kFn>(hn::Load(d, from_a), hn::Load(d, from_b)), d, from_a);
    for (int64_t k = 0; k < count; ++k) dst[(i + k) * steps.dst] = from_a[k];
  }
}

inline BinaryRowFn PickBinaryRow(BinaryFn fn) {
#define FOVEA_BINARY_CASE(kName) \
  case BinaryFn::kName: return &BinaryRow<BinaryFn::kName>
  switch (fn) {
    FOVEA_BINARY_CASE(kAdd);
    FOVEA_BINARY_CASE(kSub);
    FOVEA_BINARY_CASE(kMul);
    FOVEA_BINARY_CASE(kDiv);
    FOVEA_BINARY_CASE(kMin);
    FOVEA_BINARY_CASE(kMax);
    FOVEA_BINARY_CASE(kEqual);
    FOVEA_BINARY_CASE(kNotEqual);
    FOVEA_BINARY_CASE(kLess);
    FOVEA_BINARY_CASE(kLessOrEqual);
    FOVEA_BINARY_CASE(kGreater);
    FOVEA_BINARY_CASE(kGreaterOrEqual);
    FOVEA_BINARY_CASE(kAnd);
    FOVEA_BINARY_CASE(kOr);
    FOVEA_BINARY_CASE(kXor);
    FOVEA_BINARY_CASE(kPRelu);
    FOVEA_BINARY_CASE(kSquaredDifference);
    case BinaryFn::kPow:
    case BinaryFn::kMod:
    case BinaryFn::kFmod: break;
  }
#undef FOVEA_BINARY_CASE
  return nullptr;
}

// The room for copies of a repeated short row.
inline constexpr int64_t kRepeated = 2048;

// Which input (0: a, 1: b) repeats one short row while the other and dst run on without a gap; -1: none.
inline int RepeatedInput(const Loop<3>& loop) {
  if (loop.rank < 2 || loop.inner() * static_cast<int64_t>(hn::Lanes(Floats())) > kRepeated) return -1;
  const int row = loop.rank - 2, last = loop.rank - 1;
  const auto dense = [&](int v) { return loop.strides[v][last] == 1 && loop.strides[v][row] == loop.inner(); };
  const auto repeats = [&](int v) { return loop.strides[v][last] == 1 && loop.strides[v][row] == 0; };
  if (!dense(2)) return -1;
  return dense(0) && repeats(1) ? 1 : dense(1) && repeats(0) ? 0 : -1;
}

void Binary(const BinaryLayer& layer, const BinaryArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const Loop<3> loop = reference::BinaryLoop(args);
  const int last = loop.rank - 1;
  const BinaryRowFn row = PickBinaryRow(layer.fn);
  const UnaryRowFn act = layer.act.fn == UnaryFn::kIdentity ? nullptr : PickUnaryRow(layer.act.fn);
  const int repeated = RepeatedInput(loop);
  if (repeated < 0) {
    const Steps steps = {loop.strides[0][last], loop.strides[1][last], loop.strides[2][last]};
    ForEachRow(loop, unit_begin, unit_end, [&](const int64_t* at, int64_t n, int64_t) {
      float* dst = args.dst.data + at[2];
      row(args.a.data + at[0], args.b.data + at[1], dst, steps, n);
      if (act != nullptr) act(layer.act, dst, steps.dst, dst, steps.dst, n);
    });
    return;
  }
  float copies[kRepeated];
  const int64_t inner = loop.inner();
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  const int64_t count = kRepeated / (inner * lanes) * lanes;  // full vectors
  const int64_t end = std::min(loop.rows(), unit_end * loop.rows_per_unit());
  const int64_t run = loop.dims[loop.rank - 2];
  for (int64_t i = unit_begin * loop.rows_per_unit(); i < end;) {
    int64_t at[3];
    RowOffsets(loop, i, at);
    const float* repeat = repeated == 1 ? args.b.data + at[1] : args.a.data + at[0];
    for (int64_t k = 0; k < count * inner; ++k) copies[k] = repeat[k % inner];
    const int64_t run_end = std::min(end, i - i % run + run);
    while (i < run_end) {
      const int64_t n = std::min(count, run_end - i) * inner;
      float* dst = args.dst.data + at[2];
      row(repeated == 0 ? copies : args.a.data + at[0], repeated == 1 ? copies : args.b.data + at[1], dst, {1, 1, 1},
          n);
      if (act != nullptr) act(layer.act, dst, 1, dst, 1, n);
      at[repeated == 1 ? 0 : 1] += n;
      at[2] += n;
      i += n / inner;
    }
  }
}

void Select(const SelectLayer&, const SelectArgs& args, int64_t unit_begin, int64_t unit_end, float* scratch) {
  const Loop<4> loop = reference::SelectLoop(args);
  const int last = loop.rank - 1;
  for (int v = 0; v < 4; ++v) {
    if (loop.strides[v][last] != 1) return reference::Select({}, args, unit_begin, unit_end, scratch);
  }
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  ForEachRow(loop, unit_begin, unit_end, [&](const int64_t* at, int64_t n, int64_t) HWY_ATTR {
    const float* condition = args.condition.data + at[0];
    const float* a = args.a.data + at[1];
    const float* b = args.b.data + at[2];
    float* dst = args.dst.data + at[3];
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
      const auto take_b = hn::Eq(hn::LoadU(d, condition + i), hn::Zero(d));
      hn::StoreU(hn::IfThenElse(take_b, hn::LoadU(d, b + i), hn::LoadU(d, a + i)), d, dst + i);
    }
    for (; i < n; ++i) dst[i] = condition[i] != 0 ? a[i] : b[i];
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::kernels {
namespace {

bool AcceptsBinary(const BinaryLayer& layer) {
  return layer.fn != BinaryFn::kPow && layer.fn != BinaryFn::kMod && layer.fn != BinaryFn::kFmod;
}

}  // namespace

std::span<const BinaryKernel> BinaryKernels() {
  static constexpr BinaryKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    {Isa::kAvx512, "binary/vector/avx512", AcceptsBinary, reference::BinaryUnits, NoScratch, N_AVX3::Binary},
#endif
#if HWY_TARGETS & HWY_AVX2
    {Isa::kAvx2, "binary/vector/avx2", AcceptsBinary, reference::BinaryUnits, NoScratch, N_AVX2::Binary},
#endif
#if HWY_TARGETS & HWY_SSE4
    {Isa::kSse4, "binary/vector/sse4", AcceptsBinary, reference::BinaryUnits, NoScratch, N_SSE4::Binary},
#endif
#if HWY_TARGETS & HWY_NEON
    {Isa::kNeon, "binary/vector/neon", AcceptsBinary, reference::BinaryUnits, NoScratch, N_NEON::Binary},
#endif
    {Isa::kReference, "binary/reference", AcceptsAll, reference::BinaryUnits, NoScratch, reference::Binary},
  };
  return kRows;
}

std::span<const SelectKernel> SelectKernels() {
  static constexpr SelectKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    {Isa::kAvx512, "select/vector/avx512", AcceptsAll, reference::SelectUnits, NoScratch, N_AVX3::Select},
#endif
#if HWY_TARGETS & HWY_AVX2
    {Isa::kAvx2, "select/vector/avx2", AcceptsAll, reference::SelectUnits, NoScratch, N_AVX2::Select},
#endif
#if HWY_TARGETS & HWY_SSE4
    {Isa::kSse4, "select/vector/sse4", AcceptsAll, reference::SelectUnits, NoScratch, N_SSE4::Select},
#endif
#if HWY_TARGETS & HWY_NEON
    {Isa::kNeon, "select/vector/neon", AcceptsAll, reference::SelectUnits, NoScratch, N_NEON::Select},
#endif
    {Isa::kReference, "select/reference", AcceptsAll, reference::SelectUnits, NoScratch, reference::Select},
  };
  return kRows;
}

}  // namespace fovea::kernels
#endif
