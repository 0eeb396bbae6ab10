// Vector rows of the reductions.
//
// Kept channels (the last axis is kept and dense): lanes are channels, each the reference's chain in double, so sums
// have the reference's bits. Otherwise the reduced elements are brought into row-major order a block at a time; lane l
// sums the elements l, l + lanes, ... of a block in double, the lanes are added in order, then the blocks.
#include <cmath>
#include <limits>

#include "kernels/reduce/reference.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/reduce/reduce.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/moments/moments-inl.h"
#include "kernels/reduce/doubles-inl.h"
#include "kernels/softmax/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

template <ReduceFn kFn>
HWY_INLINE DoubleVec Start() {
  const Doubles d;
  if constexpr (kFn == ReduceFn::kMax) return hn::Neg(hn::Inf(d));
  if constexpr (kFn == ReduceFn::kMin) return hn::Inf(d);
  if constexpr (kFn == ReduceFn::kProd) return hn::Set(d, 1.0);
  return hn::Zero(d);
}

template <ReduceFn kFn>
HWY_INLINE DoubleVec Combine(DoubleVec a, DoubleVec b) {
  if constexpr (kFn == ReduceFn::kMax) return hn::IfThenElse(hn::Or(hn::Gt(b, a), hn::IsNaN(b)), b, a);
  if constexpr (kFn == ReduceFn::kMin) return hn::IfThenElse(hn::Or(hn::Lt(b, a), hn::IsNaN(b)), b, a);
  if constexpr (kFn == ReduceFn::kProd) return hn::Mul(a, b);
  return hn::Add(a, b);
}

template <ReduceFn kFn>
HWY_INLINE DoubleVec Accumulate(DoubleVec sum, DoubleVec x) {
  if constexpr (kFn == ReduceFn::kL1) return hn::Add(sum, hn::Abs(x));
  if constexpr (kFn == ReduceFn::kSumSquare) return hn::Add(sum, hn::Mul(x, x));
  return Combine<kFn>(sum, x);
}

// The operator's last step on one sum.
double Finish(ReduceFn fn, double sum, double count) {
  switch (fn) {
    case ReduceFn::kMean: return sum / count;
    case ReduceFn::kL2: return std::sqrt(sum);
    case ReduceFn::kLogSum: return std::log(sum);
    default: return sum;
  }
}

// All reduced elements of `count` <= kReduceKept kept ones. A few reduced elements at a time are walked for all of
// them, so that memory is passed over once.
template <ReduceFn kFn>
void ReduceChannels(const Loop<1>& reduced, const float* src, int64_t src_step, int64_t count, double* totals) {
  const Doubles d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN double blocks[reference::kReduceKept + hn::MaxLanes(d)];
  for (int64_t c = 0; c < count; c += lanes) {
    hn::Store(Start<kFn>(), d, blocks + c);
    hn::Store(Start<kFn>(), d, totals + c);
  }
  const auto close_block = [&]() HWY_ATTR {
    for (int64_t c = 0; c < count; c += lanes) {
      hn::Store(Combine<kFn>(hn::Load(d, totals + c), hn::Load(d, blocks + c)), d, totals + c);
      hn::Store(Start<kFn>(), d, blocks + c);
    }
  };
  int64_t in_block = 0;
  const int64_t step = reduced.strides[0][reduced.rank - 1];
  ForEachRow(reduced, 0, reduced.units(), [&](const int64_t* at, int64_t n, int64_t) HWY_ATTR {
    const float* row = src + at[0];
    while (n > 0) {
      const int64_t take = std::min({n, int64_t{64}, reference::kReduceBlock - in_block});
      for (int64_t c = 0; c < count; c += lanes) {
        const int64_t rest = std::min(lanes, count - c);
        const float* from = row + c * src_step;
        DoubleVec sum = hn::Load(d, blocks + c);
        for (int64_t i = 0; i < take; ++i, from += step) sum = Accumulate<kFn>(sum, LoadDoubles(from, src_step, rest));
        hn::Store(sum, d, blocks + c);
      }
      row += take * step;
      n -= take;
      in_block += take;
      if (in_block == reference::kReduceBlock) {
        close_block();
        in_block = 0;
      }
    }
  });
  close_block();
}

// One block in row-major order.
template <ReduceFn kFn>
HWY_INLINE double ReduceBlock(const float* src, int64_t n) {
  const Doubles d;
  const HalfFloats half;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN double sums[hn::MaxLanes(d)];
  hn::Store(Start<kFn>(), d, sums);
  DoubleVec sum = hn::Load(d, sums);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) sum = Accumulate<kFn>(sum, hn::PromoteTo(d, hn::LoadU(half, src + i)));
  // The neutral element of Accumulate fills the rest: 0, 1, or the infinity.
  HWY_ALIGN float rest[hn::MaxLanes(half)];
  for (int64_t k = 0; k < lanes; ++k) rest[k] = i + k < n ? src[i + k] : static_cast<float>(sums[k]);
  if (i < n) sum = Accumulate<kFn>(sum, hn::PromoteTo(d, hn::LoadU(half, rest)));
  hn::Store(sum, d, sums);
  DoubleVec total = Start<kFn>();
  for (int64_t k = 0; k < lanes; ++k) total = Combine<kFn>(total, hn::Set(d, sums[k]));
  hn::Store(total, d, sums);
  return sums[0];
}

template <ReduceFn kFn>
double ReduceRowMajor(const Loop<1>& reduced, const float* src, float* buffer) {
  const Doubles d;
  HWY_ALIGN double result[hn::MaxLanes(d)];
  DoubleVec total = Start<kFn>();
  int64_t filled = 0;
  const auto flush = [&](const float* block, int64_t n)
                         HWY_ATTR { total = Combine<kFn>(total, hn::Set(d, ReduceBlock<kFn>(block, n))); };
  const int64_t step = reduced.strides[0][reduced.rank - 1];
  ForEachRow(reduced, 0, reduced.units(), [&](const int64_t* at, int64_t n, int64_t) HWY_ATTR {
    const float* from = src + at[0];
    while (n > 0) {
      // Whole blocks that lie in memory in order need not be moved.
      if (filled == 0 && step == 1 && n >= reference::kReduceBlock) {
        flush(from, reference::kReduceBlock);
        from += reference::kReduceBlock;
        n -= reference::kReduceBlock;
        continue;
      }
      const int64_t take = std::min(n, reference::kReduceBlock - filled);
      for (int64_t i = 0; i < take; ++i) buffer[filled + i] = from[i * step];
      filled += take;
      from += take * step;
      n -= take;
      if (filled == reference::kReduceBlock) {
        flush(buffer, filled);
        filled = 0;
      }
    }
  });
  if (filled > 0) flush(buffer, filled);
  hn::Store(total, d, result);
  return result[0];
}

template <ReduceFn kFn>
void ReduceWith(const ReduceLayer& layer, const ReduceArgs& args, int64_t unit_begin, int64_t unit_end, float* buffer) {
  const Loop<2> kept = reference::KeptLoop(layer.axes, args);
  const Loop<1> reduced = reference::ReducedLoop(layer.axes, args);
  const double count = static_cast<double>(reduced.rows() * reduced.inner());
  const int64_t src_step = kept.strides[0][kept.rank - 1], dst_step = kept.strides[1][kept.rank - 1];
  const bool channels = reference::KeepsChannels(layer, args);
  HWY_ALIGN double sums[reference::kReduceKept + hn::MaxLanes(Doubles())];
  reference::ForEachKept(kept, unit_begin, unit_end, [&](const int64_t* at, int64_t n) {
    const float* src = args.src.data + at[0];
    float* dst = args.dst.data + at[1];
    if (channels) {
      ReduceChannels<kFn>(reduced, src, src_step, n, sums);
    } else {
      for (int64_t i = 0; i < n; ++i) sums[i] = ReduceRowMajor<kFn>(reduced, src + i * src_step, buffer);
    }
    for (int64_t i = 0; i < n; ++i) dst[i * dst_step] = static_cast<float>(Finish(layer.fn, sums[i], count));
  });
}

// N, D, H, W, C.
ConstView ImageView(int spatial, const ConstView& src) {
  ConstView image;
  image.data = src.data;
  image.rank = 5;
  for (int a = 0; a < 5; ++a) {
    const int from = a == kN ? 0 : a - 3 + spatial;
    const bool here = a == kN || from >= 1;
    image.dims[a] = here ? src.dims[from] : 1;
    image.strides[a] = src.strides[here ? from : 0];
  }
  return image;
}

template <MomentFn kFn>
void ReducePositions(const ReduceLayer& layer, const ReduceArgs& args, int64_t unit_begin, int64_t unit_end,
                     double* cells) {
  constexpr int64_t kChannels = reference::kReduceKept;
  MomentsArgs image;
  image.src = ImageView(layer.spatial, args.src);
  for (int s = 0; s < 3; ++s) image.image[s] = image.src.dims[kD + s];
  const int64_t all = image.src.dims[kC], pieces = CeilDiv(all, kChannels);
  const int64_t count = reference::PositionCells(layer, args);
  const auto positions = static_cast<double>(image.image[0] * image.image[1] * image.image[2]);
  const int c_axis = args.dst.rank - 1;
  double totals[kChannels];
  for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
    const int64_t n = unit / pieces, begin = unit % pieces * kChannels, channels = std::min(kChannels, all - begin);
    std::fill_n(cells, count * kChannels, MomentStart(kFn));
    AddMoments<kFn>({kFn, layer.spatial}, image,
                    image.src.data + n * image.src.strides[kN] + begin * image.src.strides[kC], channels, 0,
                    image.image[1], 0, image.image[2], {cells, kChannels, 0, cells});
    FoldMoments(kFn, cells, count, kChannels, channels, totals);
    float* dst = args.dst.data + n * args.dst.strides[0] + begin * args.dst.strides[c_axis];
    for (int64_t c = 0; c < channels; ++c) {
      dst[c * args.dst.strides[c_axis]] = static_cast<float>(Finish(layer.fn, totals[c], positions));
    }
  }
}

void ReduceImage(const ReduceLayer& layer, const ReduceArgs& args, int64_t unit_begin, int64_t unit_end,
                 float* buffer) {
  double* cells = reinterpret_cast<double*>(buffer);
  if (layer.fn == ReduceFn::kMax) return ReducePositions<MomentFn::kMax>(layer, args, unit_begin, unit_end, cells);
  if (layer.fn == ReduceFn::kMin) return ReducePositions<MomentFn::kMin>(layer, args, unit_begin, unit_end, cells);
  ReducePositions<MomentFn::kSum>(layer, args, unit_begin, unit_end, cells);
}

void Reduce(const ReduceLayer& layer, const ReduceArgs& args, int64_t unit_begin, int64_t unit_end, float* buffer) {
  if (layer.spatial > 0) return ReduceImage(layer, args, unit_begin, unit_end, buffer);
  switch (layer.fn) {
    case ReduceFn::kSum:
    case ReduceFn::kMean:
    case ReduceFn::kLogSum: return ReduceWith<ReduceFn::kSum>(layer, args, unit_begin, unit_end, buffer);
    case ReduceFn::kMax: return ReduceWith<ReduceFn::kMax>(layer, args, unit_begin, unit_end, buffer);
    case ReduceFn::kMin: return ReduceWith<ReduceFn::kMin>(layer, args, unit_begin, unit_end, buffer);
    case ReduceFn::kProd: return ReduceWith<ReduceFn::kProd>(layer, args, unit_begin, unit_end, buffer);
    case ReduceFn::kL1: return ReduceWith<ReduceFn::kL1>(layer, args, unit_begin, unit_end, buffer);
    case ReduceFn::kL2:
    case ReduceFn::kSumSquare: return ReduceWith<ReduceFn::kSumSquare>(layer, args, unit_begin, unit_end, buffer);
    case ReduceFn::kLogSumExp: return reference::Reduce(layer, args, unit_begin, unit_end, buffer);
  }
}

int64_t ArgReduceScratch(const ArgReduceLayer& layer, const ReduceArgs& args) {
  return args.src.dims[layer.axis] * static_cast<int64_t>(hn::Lanes(Floats()));
}

void ArgReduce(const ArgReduceLayer& layer, const ReduceArgs& args, int64_t unit_begin, int64_t unit_end,
               float* buffer) {
  const Floats d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const Loop<2> kept = reference::KeptLoop(1u << layer.axis, args);
  const int64_t size = args.src.dims[layer.axis], axis_step = args.src.strides[layer.axis];
  const int64_t src_step = kept.strides[0][kept.rank - 1], dst_step = kept.strides[1][kept.rank - 1];
  HWY_ALIGN float positions[hn::MaxLanes(d)];
  ForEachRow(kept, unit_begin, unit_end, [&](const int64_t* at, int64_t n, int64_t) HWY_ATTR {
    for (int64_t i = 0; i < n; i += lanes) {
      const int64_t count = std::min(lanes, n - i);
      GatherLanes(args.src.data + at[0] + i * src_step, src_step, axis_step, size, count, buffer);
      Vec best = hn::Load(d, buffer), position = hn::Zero(d);
      for (int64_t k = 1; k < size; ++k) {
        const Vec x = hn::Load(d, buffer + k * lanes);
        const auto x_nan = hn::IsNaN(x), best_nan = hn::IsNaN(best);
        auto take = hn::Or(layer.max ? hn::Gt(x, best) : hn::Lt(x, best), hn::AndNot(best_nan, x_nan));
        if (layer.last) take = hn::Or(take, hn::Or(hn::Eq(x, best), hn::And(x_nan, best_nan)));
        best = hn::IfThenElse(take, x, best);
        position = hn::IfThenElse(take, hn::Set(d, static_cast<float>(k)), position);
      }
      hn::Store(position, d, positions);
      for (int64_t k = 0; k < count; ++k) args.dst.data[at[1] + (i + k) * dst_step] = positions[k];
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fovea::kernels {
namespace {

int64_t BlockScratch(const ReduceLayer& layer, const ReduceArgs& args) {
  if (layer.spatial == 0) return reference::kReduceBlock;
  return 2 * reference::kReduceKept * reference::PositionCells(layer, args);
}
int64_t Units(const ReduceLayer& layer, const ReduceArgs& args) {
  if (layer.spatial == 0) return reference::ReduceUnits(layer, args);
  return args.src.dims[0] * CeilDiv(args.src.dims[args.src.rank - 1], reference::kReduceKept);
}
constexpr auto kUnits = Units;
constexpr auto kArgUnits = reference::ArgReduceUnits;

}  // namespace

std::span<const ReduceKernel> ReduceKernels() {
  static constexpr ReduceKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    {Isa::kAvx512, "reduce/double/avx512", AcceptsAll, kUnits, BlockScratch, N_AVX3::Reduce},
#endif
#if HWY_TARGETS & HWY_AVX2
    {Isa::kAvx2, "reduce/double/avx2", AcceptsAll, kUnits, BlockScratch, N_AVX2::Reduce},
#endif
#if HWY_TARGETS & HWY_SSE4
    {Isa::kSse4, "reduce/double/sse4", AcceptsAll, kUnits, BlockScratch, N_SSE4::Reduce},
#endif
#if HWY_TARGETS & HWY_NEON
    {Isa::kNeon, "reduce/double/neon", AcceptsAll, kUnits, BlockScratch, N_NEON::Reduce},
#endif
    {Isa::kReference, "reduce/reference", AcceptsAll, kUnits, NoScratch, reference::Reduce},
  };
  return kRows;
}

std::span<const ArgReduceKernel> ArgReduceKernels() {
  static constexpr ArgReduceKernel kRows[] = {
#if HWY_TARGETS & HWY_AVX3
    {Isa::kAvx512, "arg_reduce/lanes/avx512", AcceptsAll, kArgUnits, N_AVX3::ArgReduceScratch, N_AVX3::ArgReduce},
#endif
#if HWY_TARGETS & HWY_AVX2
    {Isa::kAvx2, "arg_reduce/lanes/avx2", AcceptsAll, kArgUnits, N_AVX2::ArgReduceScratch, N_AVX2::ArgReduce},
#endif
#if HWY_TARGETS & HWY_SSE4
    {Isa::kSse4, "arg_reduce/lanes/sse4", AcceptsAll, kArgUnits, N_SSE4::ArgReduceScratch, N_SSE4::ArgReduce},
#endif
#if HWY_TARGETS & HWY_NEON
    {Isa::kNeon, "arg_reduce/lanes/neon", AcceptsAll, kArgUnits, N_NEON::ArgReduceScratch, N_NEON::ArgReduce},
#endif
    {Isa::kReference, "arg_reduce/reference", AcceptsAll, kArgUnits, NoScratch, reference::ArgReduce},
  };
  return kRows;
}

}  // namespace fovea::kernels
#endif
