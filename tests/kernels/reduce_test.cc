#include "kernels/reduce/reduce.h"

#include "tests/kernels/harness.h"

namespace fovea::kernels {
namespace {

// The reduced elements of one output, and the formula on them in long double.
long double Oracle(ReduceFn fn, const std::vector<float>& x) {
  long double sum = 0, square = 0, absolute = 0, product = 1, high = -kInf, low = kInf;
  bool nan = false;
  for (const float v : x) {
    const long double value = v;
    nan = nan || std::isnan(v);
    sum += value;
    square += value * value;
    absolute += std::fabs(value);
    product *= value;
    high = std::max(high, value);
    low = std::min(low, value);
  }
  switch (fn) {
    case ReduceFn::kSum: return sum;
    case ReduceFn::kMean: return sum / static_cast<long double>(x.size());
    case ReduceFn::kMax: return nan ? static_cast<long double>(kNan) : high;
    case ReduceFn::kMin: return nan ? static_cast<long double>(kNan) : low;
    case ReduceFn::kProd: return product;
    case ReduceFn::kL1: return absolute;
    case ReduceFn::kL2: return std::sqrt(square);
    case ReduceFn::kSumSquare: return square;
    case ReduceFn::kLogSum: return std::log(sum);
    case ReduceFn::kLogSumExp: {
      long double exponentials = 0;
      for (const float v : x) exponentials += std::exp(static_cast<long double>(v) - high);
      return high + std::log(exponentials);
    }
  }
  return 0;
}

struct Shape {
  std::vector<int64_t> src, dst;
  uint32_t axes;
};
Shape RandomShape(Random& random, int64_t last) {
  const int rank = static_cast<int>(random.Int(1, 5));
  Shape s{{}, {}, static_cast<uint32_t>(random.Int(1, (1 << rank) - 1))};
  for (int i = 0; i < rank; ++i) {
    s.src.push_back(i == rank - 1 ? last : random.Int(1, i == 0 ? 3 : 9));
    s.dst.push_back((s.axes >> i & 1) ? 1 : s.src.back());
  }
  return s;
}

void CheckReduce(const ReduceKernel& row, const ReduceLayer& layer, const Tensor& src, const std::vector<int64_t>& dims,
                 Random& random) {
  Tensor dst(dims, random.Int(0, 1) * 2);
  RunRow(row, layer, ReduceArgs{src.cview(), dst.view()}, random);
  ASSERT_TRUE(dst.Intact());
  std::vector<std::vector<float>> sets(static_cast<size_t>(dst.size()));
  for (int64_t i = 0; i < src.size(); ++i) {
    int64_t rest = i, to = 0, step = 1;
    for (int axis = src.view().rank - 1; axis >= 0; --axis) {
      const int64_t at = rest % src.view().dims[axis];
      rest /= src.view().dims[axis];
      if (dst.view().dims[axis] > 1) to += at * step;
      step *= dst.view().dims[axis];
    }
    sets[static_cast<size_t>(to)].push_back(src[i]);
  }
  for (int64_t i = 0; i < dst.size(); ++i) {
    const double want = static_cast<double>(Oracle(layer.fn, sets[static_cast<size_t>(i)]));
    // Sums in double of up to a million terms that may cancel: 1e6 * 2^-53 of the sum of magnitudes; then one rounding.
    const double slack =
        layer.fn == ReduceFn::kSum || layer.fn == ReduceFn::kMean || layer.fn == ReduceFn::kLogSum ? 1e-10 : 0;
    ASSERT_TRUE(UlpError(dst[i], want) <= 0.501 || std::fabs(dst[i] - want) <= slack)
        << "fn " << static_cast<int>(layer.fn) << ": " << dst[i] << ", exact " << want;
  }
}

TEST(Reduce, AllFunctionsAndAxes) {
  Random random(1);
  for (int round = 0; round < 400; ++round) {
    const Shape shape = RandomShape(random, 1 + round % 70);
    const ReduceLayer layer{static_cast<ReduceFn>(round % 10), shape.axes};
    Tensor src(shape.src, random.Int(0, 1) * 3);
    src.Fill(random, layer.fn == ReduceFn::kLogSum ? 0.1f : -1.5f, 1.5f);
    if ((layer.fn == ReduceFn::kMax || layer.fn == ReduceFn::kMin) && random.Coin()) {
      src[random.Int(0, src.size() - 1)] = kNan;
    }
    ForEachKernel(ReduceKernels(), [&](const ReduceKernel& row) { CheckReduce(row, layer, src, shape.dst, random); });
    if (HasFatalFailure()) return;
  }
}

// Many blocks, by channels and over everything, with a mean far from 0 (where sums in float would lose digits).
TEST(Reduce, ManyBlocks) {
  Random random(2);
  Tensor src({1, 1, 130, 101, 5});
  src.Fill(random, 1000, 1001);
  for (const uint32_t axes : {0b01100u, 0b11100u, 0b01000u, 0b10000u, 0b11111u}) {
    std::vector<int64_t> dims = {1, 1, 130, 101, 5};
    for (size_t i = 0; i < 5; ++i) dims[i] = (axes >> i & 1) ? 1 : dims[i];
    for (const ReduceFn fn : {ReduceFn::kMean, ReduceFn::kSum, ReduceFn::kMax, ReduceFn::kL2}) {
      ForEachKernel(ReduceKernels(), [&](const ReduceKernel& row) {
        CheckReduce(row, ReduceLayer{fn, axes}, src, dims, random);
      });
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Reduce, EmptySets) {
  Random random(3);
  const std::pair<ReduceFn, float> cases[] = {{ReduceFn::kSum, 0.0f}, {ReduceFn::kMean, kNan}, {ReduceFn::kMax, -kInf},
                                              {ReduceFn::kMin, kInf}, {ReduceFn::kProd, 1.0f}, {ReduceFn::kL1, 0.0f},
                                              {ReduceFn::kL2, 0.0f}};
  for (const auto& [fn, want] : cases) {
    ForEachKernel(ReduceKernels(), [&](const ReduceKernel& row) {
      Tensor src({2, 0, 3}), dst({2, 1, 3});
      RunRow(row, ReduceLayer{fn, 2}, ReduceArgs{src.cview(), dst.view()}, random);
      for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(UlpError(dst[i], want), 0) << static_cast<int>(fn) << ": " << dst[i];
    });
  }
}

TEST(ArgReduce, FirstAndLastOfEquals) {
  Random random(4);
  for (int round = 0; round < 200; ++round) {
    const int rank = static_cast<int>(random.Int(1, 4));
    std::vector<int64_t> dims;
    for (int i = 0; i < rank; ++i) dims.push_back(random.Int(1, 20));
    const ArgReduceLayer layer{random.Coin(), static_cast<int>(random.Int(0, rank - 1)), random.Coin()};
    std::vector<int64_t> dst_dims = dims;
    dst_dims[static_cast<size_t>(layer.axis)] = 1;
    Tensor src(dims, random.Int(0, 2));
    for (int64_t i = 0; i < src.size(); ++i) {
      src[i] = random.Int(0, 40) == 0 ? kNan : static_cast<float>(random.Int(-3, 3));
    }
    ForEachKernel(ArgReduceKernels(), [&](const ArgReduceKernel& row) {
      Tensor dst(dst_dims, random.Int(0, 2));
      RunRow(row, layer, ReduceArgs{src.cview(), dst.view()}, random);
      ASSERT_TRUE(dst.Intact());
      for (int64_t i = 0; i < dst.size(); ++i) {
        int64_t rest = i, at = 0;
        for (int axis = rank - 1; axis >= 0; --axis) {
          at += rest % dst.view().dims[axis] * src.view().strides[axis];
          rest /= dst.view().dims[axis];
        }
        // NaN ranks above everything (below, for the minimum), like in numpy.
        const auto rank_of = [&](int64_t k) {
          const float x = src.view().data[at + k * src.view().strides[layer.axis]];
          return std::isnan(x) ? 1e9 : layer.max ? static_cast<double>(x) : -static_cast<double>(x);
        };
        int64_t want = 0;
        for (int64_t k = 1; k < src.view().dims[layer.axis]; ++k) {
          if (layer.last ? rank_of(k) >= rank_of(want) : rank_of(k) > rank_of(want)) want = k;
        }
        ASSERT_EQ(dst[i], static_cast<float>(want)) << i;
      }
    });
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace fovea::kernels
