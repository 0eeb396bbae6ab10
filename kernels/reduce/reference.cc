#include "kernels/reduce/reference.h"

#include <cmath>
#include <limits>

namespace fovea::kernels::reference {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// Sum (or product) of term(x) over the reduced elements, in blocks.
template <class Term>
double BlockSum(const Loop<1>& loop, const float* src, double neutral, Term&& combine) {
  double total = neutral, block = neutral;
  int64_t in_block = 0;
  const int last = loop.rank - 1;
  ForEachRow(loop, 0, loop.units(), [&](const int64_t* at, int64_t n, int64_t) {
    for (int64_t i = 0; i < n; ++i) {
      block = combine(block, static_cast<double>(src[at[0] + i * loop.strides[0][last]]));
      if (++in_block == kReduceBlock) {
        total = neutral == 1 ? total * block : total + block;
        block = neutral;
        in_block = 0;
      }
    }
  });
  return neutral == 1 ? total * block : total + block;
}

template <class Better>
double Extreme(const Loop<1>& loop, const float* src, double start, Better&& better) {
  double best = start;
  const int last = loop.rank - 1;
  ForEachRow(loop, 0, loop.units(), [&](const int64_t* at, int64_t n, int64_t) {
    for (int64_t i = 0; i < n; ++i) {
      const double x = src[at[0] + i * loop.strides[0][last]];
      if (better(x, best) || std::isnan(x)) best = x;
    }
  });
  return best;
}

double ReduceOne(ReduceFn fn, const Loop<1>& loop, const float* src) {
  const auto sum = [](double s, double x) { return s + x; };
  const auto square = [](double s, double x) { return s + x * x; };
  switch (fn) {
    case ReduceFn::kSum: return BlockSum(loop, src, 0, sum);
    case ReduceFn::kMean: return BlockSum(loop, src, 0, sum) / static_cast<double>(loop.rows() * loop.inner());
    case ReduceFn::kMax: return Extreme(loop, src, -kInf, [](double x, double best) { return x > best; });
    case ReduceFn::kMin: return Extreme(loop, src, kInf, [](double x, double best) { return x < best; });
    case ReduceFn::kProd: return BlockSum(loop, src, 1, [](double s, double x) { return s * x; });
    case ReduceFn::kL1: return BlockSum(loop, src, 0, [](double s, double x) { return s + std::fabs(x); });
    case ReduceFn::kL2: return std::sqrt(BlockSum(loop, src, 0, square));
    case ReduceFn::kSumSquare: return BlockSum(loop, src, 0, square);
    case ReduceFn::kLogSum: return std::log(BlockSum(loop, src, 0, sum));
    case ReduceFn::kLogSumExp: {
      const double max = Extreme(loop, src, -kInf, [](double x, double best) { return x > best; });
      if (std::isinf(max)) return max;
      return max + std::log(BlockSum(loop, src, 0, [max](double s, double x) { return s + std::exp(x - max); }));
    }
  }
  return 0;
}

}  // namespace

Loop<2> KeptLoop(uint32_t axes, const ReduceArgs& args) {
  int64_t dims[kMaxRank];
  for (int i = 0; i < args.src.rank; ++i) dims[i] = (axes >> i & 1) ? 1 : args.src.dims[i];
  return MakeLoop<2>(args.src.rank, dims, {args.src.strides, args.dst.strides});
}

Loop<1> ReducedLoop(uint32_t axes, const ReduceArgs& args) {
  int64_t dims[kMaxRank];
  for (int i = 0; i < args.src.rank; ++i) dims[i] = (axes >> i & 1) ? args.src.dims[i] : 1;
  return MakeLoop<1>(args.src.rank, dims, {args.src.strides});
}

int64_t ReduceUnits(const ReduceLayer& layer, const ReduceArgs& args) {
  const Loop<2> kept = KeptLoop(layer.axes, args);
  return kept.rows() * CeilDiv(kept.inner(), kReduceKept);
}

void Reduce(const ReduceLayer& layer, const ReduceArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const Loop<2> kept = KeptLoop(layer.axes, args);
  const Loop<1> reduced = ReducedLoop(layer.axes, args);
  const int64_t src_step = kept.strides[0][kept.rank - 1], dst_step = kept.strides[1][kept.rank - 1];
  ForEachKept(kept, unit_begin, unit_end, [&](const int64_t* at, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      const double sum = ReduceOne(layer.fn, reduced, args.src.data + at[0] + i * src_step);
      args.dst.data[at[1] + i * dst_step] = static_cast<float>(sum);
    }
  });
}

int64_t ArgReduceUnits(const ArgReduceLayer& layer, const ReduceArgs& args) {
  return KeptLoop(1u << layer.axis, args).units();
}

// A NaN is the extreme, like in numpy.
void ArgReduce(const ArgReduceLayer& layer, const ReduceArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const Loop<2> kept = KeptLoop(1u << layer.axis, args);
  const int64_t size = args.src.dims[layer.axis];
  const int64_t step = args.src.strides[layer.axis];
  ForEachRow(kept, unit_begin, unit_end, [&](const int64_t* at, int64_t n, int64_t) {
    for (int64_t i = 0; i < n; ++i) {
      const float* src = args.src.data + at[0] + i * kept.strides[0][kept.rank - 1];
      int64_t best = 0;
      for (int64_t k = 1; k < size; ++k) {
        const float x = src[k * step], y = src[best * step];
        const bool better = layer.max ? x > y : x < y;
        const bool same = x == y || (std::isnan(x) && std::isnan(y));
        if (better || (std::isnan(x) && !std::isnan(y)) || (layer.last && same)) best = k;
      }
      args.dst.data[at[1] + i * kept.strides[1][kept.rank - 1]] = static_cast<float>(best);
    }
  });
}

}  // namespace fovea::kernels::reference
