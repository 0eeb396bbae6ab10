#include "kernels/elementwise/elementwise.h"

#include <map>
#include <string>

#include "tests/kernels/harness.h"

namespace fovea::kernels {
namespace {

long double SigmoidExact(long double x) { return 1 / (1 + std::exp(-x)); }
long double SoftplusExact(long double x) { return std::max(x, 0.0L) + std::log1p(std::exp(-std::fabs(x))); }
// x g, 0 in the limit where g goes to 0.
long double Limit(long double x, long double gate) { return gate == 0 ? 0 : x * gate; }

// The formulas of elementwise.h in long double.
long double Exact(const Activation& f, float value) {
  const long double x = value, a = f.alpha, b = f.beta;
  switch (f.fn) {
    case UnaryFn::kIdentity: return x;
    case UnaryFn::kRelu: return x < 0 ? 0 : x;
    case UnaryFn::kLeakyRelu: return x < 0 ? a * x : x;
    case UnaryFn::kElu: return x < 0 ? a * std::expm1(x) : x;
    case UnaryFn::kSelu: return b * (x < 0 ? a * std::expm1(x) : x);
    case UnaryFn::kCelu: return x < 0 ? a * std::expm1(x / a) : x;
    case UnaryFn::kSigmoid: return SigmoidExact(x);
    case UnaryFn::kHardSigmoid: return a * x + b > 1 ? 1 : a * x + b < 0 ? 0 : a * x + b;
    case UnaryFn::kHardSwish: return x <= -3 ? 0 : x >= 3 ? x : x * (x / 6 + 0.5L);
    case UnaryFn::kTanh: return std::tanh(x);
    case UnaryFn::kSoftplus: return SoftplusExact(x);
    case UnaryFn::kSoftsign: return std::isinf(x) ? std::copysign(1.0L, x) : x / (1 + std::fabs(x));
    case UnaryFn::kMish: return Limit(x, std::tanh(SoftplusExact(x)));
    case UnaryFn::kGelu: return Limit(x, 0.5L * std::erfc(-x / std::sqrt(2.0L)));
    case UnaryFn::kGeluTanh:
      return Limit(x, SigmoidExact(2 * std::sqrt(2 / 3.14159265358979323846L) * (x + 0.044715L * x * x * x)));
    case UnaryFn::kClip: return std::isnan(x) ? x : std::min(std::max(x, a), b);
    case UnaryFn::kAbs: return std::fabs(x);
    case UnaryFn::kNeg: return -x;
    case UnaryFn::kSqrt: return std::sqrt(x);
    case UnaryFn::kExp: return std::exp(x);
    case UnaryFn::kLog: return std::log(x);
    case UnaryFn::kErf: return std::erf(x);
    case UnaryFn::kFloor: return std::floor(x);
    case UnaryFn::kCeil: return std::ceil(x);
    case UnaryFn::kRound: return std::isinf(x) ? x : x - std::remainder(x, 1.0L);
    case UnaryFn::kReciprocal: return 1 / x;
    case UnaryFn::kSign: return x > 0 ? 1 : x < 0 ? -1 : x;
    case UnaryFn::kNot: return x == 0;
    case UnaryFn::kTrunc: return std::trunc(x);
    case UnaryFn::kSilu: return Limit(x, SigmoidExact(a * x));
    case UnaryFn::kSin: return std::sin(x);
    case UnaryFn::kCos: return std::cos(x);
    case UnaryFn::kRsqrt: return 1 / std::sqrt(x);
    case UnaryFn::kThresholdedRelu: return x <= a ? 0 : x;
    case UnaryFn::kIsNan: return std::isnan(x);
    case UnaryFn::kSquare: return x * x;
  }
  return 0;
}

Activation WithParameters(UnaryFn fn) {
  switch (fn) {
    case UnaryFn::kLeakyRelu: return {fn, 0.1f, 0};
    case UnaryFn::kElu: return {fn, 1.0f, 0};
    case UnaryFn::kSelu: return {fn, 1.67326319f, 1.05070102f};
    case UnaryFn::kCelu: return {fn, 0.7f, 0};
    case UnaryFn::kHardSigmoid: return {fn, 0.2f, 0.5f};
    case UnaryFn::kClip: return {fn, -0.25f, 6.0f};
    case UnaryFn::kSilu: return {fn, 1.0f, 0};
    case UnaryFn::kThresholdedRelu: return {fn, 0.3f, 0};
    default: return {fn, 0, 0};
  }
}

// Allowed error at x: units in the last place of the result, and an absolute part.
struct Bound {
  double ulp;
  double absolute;
};
Bound UnaryBound(const Activation& f, double x) {
  constexpr double kEps = 5.9604644775390625e-8;  // 2^-24, half a unit of 1
  switch (f.fn) {
    case UnaryFn::kExp:
    case UnaryFn::kLog:
    case UnaryFn::kErf:
    case UnaryFn::kTanh:
    case UnaryFn::kSigmoid:
    case UnaryFn::kSoftplus:
    case UnaryFn::kElu: return {4, 0};
    case UnaryFn::kSelu:
      return {5, 0};  // one or two products more
    // The argument x / alpha is rounded: half a unit of it, relative error |x / alpha| eps of the exponential.
    case UnaryFn::kCelu: return {6, std::fabs(x / f.alpha) * 1e-45};
    // A gate to 4 or 5 units, times x; one of subnormal size has lost bits, times |x|.
    case UnaryFn::kMish:
    case UnaryFn::kSilu: return {6, std::fabs(x) * 1.5e-45};
    case UnaryFn::kGelu: return {8, std::fabs(x) * 1.5e-45};
    // The exponent's relative error of about 3 eps becomes an absolute one.
    case UnaryFn::kGeluTanh: return {8 + 6 * std::fabs(1.6 * (x + 0.0447 * x * x * x)), std::fabs(x) * 1.5e-45};
    // Products and a sum of float against the exact value: eps of each intermediate.
    case UnaryFn::kHardSigmoid: return {1, 3 * kEps};
    case UnaryFn::kHardSwish: return {2, 4 * kEps * std::fabs(x)};
    case UnaryFn::kSoftsign: return {2, 0};
    case UnaryFn::kRsqrt: return {2, 0};
    default: return {0.5, 0};
  }
}

std::vector<float> Inputs(UnaryFn fn) {
  std::vector<float> inputs = {0.0f,   -0.0f,   1.0f,    -1.0f,   0.5f,        -0.5f,   1.5f,  2.5f,   -2.5f, 3.0f,
                               -3.0f,  6.0f,    1e-45f,  -1e-45f, 1e-38f,      -1e-38f, 1e38f, -1e38f, 88.5f, 88.8f,
                               -87.5f, -103.5f, -103.9f, -104.1f, 16777216.0f, 0.3f,    kInf,  -kInf,  kNan};
  // Every magnitude: 30 values a binade, both signs.
  for (int e = -149; e <= 127; ++e) {
    for (int i = 0; i < 30; ++i) {
      const float x = std::ldexp(1 + static_cast<float>(i * 37 % 100) / 100, e);
      inputs.push_back(x);
      inputs.push_back(-x);
    }
  }
  // Densely where the functions bend.
  for (int i = -60000; i <= 60000; ++i) inputs.push_back(static_cast<float>(i) * (1.0f / 3001));
  if (fn == UnaryFn::kLog) {
    for (int i = -20000; i <= 20000; ++i) inputs.push_back(1 + static_cast<float>(i) * 5e-7f);
  }
  if (fn == UnaryFn::kExp) {
    for (int i = 0; i <= 60000; ++i) inputs.push_back(static_cast<float>(i) * (193.0f / 60000) - 104);
  }
  return inputs;
}

TEST(Unary, AllFunctionsOverTheWholeRange) {
  Random random(1);
  for (int k = 0; k < kUnaryFnCount; ++k) {
    const Activation f = WithParameters(static_cast<UnaryFn>(k));
    const std::vector<float> inputs = Inputs(f.fn);
    Tensor src({static_cast<int64_t>(inputs.size())});
    for (int64_t i = 0; i < src.size(); ++i) src[i] = inputs[static_cast<size_t>(i)];
    ForEachKernel(UnaryKernels(), [&](const UnaryKernel& row) {
      Tensor dst({src.size()});
      RunRow(row, f, UnaryArgs{src.cview(), dst.view()}, random);
      EXPECT_TRUE(dst.Intact());
      double worst = 0;
      for (int64_t i = 0; i < src.size(); ++i) {
        const double want = static_cast<double>(Exact(f, src[i]));
        const Bound bound = UnaryBound(f, src[i]);
        const double ulp = UlpError(dst[i], want);
        if (std::fabs(dst[i] - want) > bound.absolute && std::isfinite(ulp)) worst = std::max(worst, ulp);
        if (ulp > bound.ulp && !(std::fabs(dst[i] - want) <= bound.absolute)) {
          ADD_FAILURE() << UnaryFnName(f.fn) << "(" << src[i] << ") = " << dst[i] << ", exact " << want << ": " << ulp
                        << " units";
          break;
        }
      }
      RecordProperty(std::string(row.name) + "/" + UnaryFnName(f.fn), std::to_string(worst));
    });
  }
}

// Every element by the same instructions wherever it lies: rows of every length around the vectors', strided and in
// place, give the bits of one long row.
TEST(Unary, PositionDoesNotMatter) {
  Random random(2);
  for (int k = 0; k < kUnaryFnCount; ++k) {
    const Activation f = WithParameters(static_cast<UnaryFn>(k));
    ForEachKernel(UnaryKernels(), [&](const UnaryKernel& row) {
      for (int64_t channels = 1; channels <= 33; ++channels) {
        Tensor src({2, 3, channels}, random.Int(0, 5)), flat({2 * 3 * channels + 40}), dst({2, 3, channels}, 3);
        src.Fill(random, -4, 4);
        flat.Fill(random, -4, 4);
        const int64_t shift = random.Int(0, 40);
        for (int64_t i = 0; i < src.size(); ++i) flat[i + shift] = src[i];
        RunRow(row, f, UnaryArgs{flat.cview(), flat.view()}, random);
        RunRow(row, f, UnaryArgs{src.cview(), dst.view()}, random);
        ASSERT_TRUE(dst.Intact() && flat.Intact() && src.Intact());
        for (int64_t i = 0; i < src.size(); ++i) ASSERT_TRUE(SameBits(dst[i], flat[i + shift])) << UnaryFnName(f.fn);
        RunRow(row, f, UnaryArgs{src.cview(), src.view()}, random);
        ASSERT_TRUE(SameBits(src, dst) && src.Intact());
        // Transposed: the last axis has a stride.
        Tensor from({channels, 5}), to({channels, 5});
        from.Fill(random, -4, 4);
        ConstView columns = SwapAxes(from.cview(), 0, 1);
        View out = SwapAxes(to.view(), 0, 1);
        columns.dims[0] = out.dims[0] = 3;  // not all columns, so that the axes can't be merged
        RunRow(row, f, UnaryArgs{columns, out}, random);
        RunRow(row, f, UnaryArgs{from.cview(), from.view()}, random);
        for (int64_t i = 0; i < channels * 5; ++i) {
          ASSERT_TRUE(i % 5 >= 3 || SameBits(to[i], from[i])) << UnaryFnName(f.fn);
        }
        ASSERT_TRUE(to.Intact());
      }
    });
  }
}

float ExactBinary(BinaryFn fn, float x, float y) {
  const double a = x, b = y;
  const bool nan = std::isnan(a) || std::isnan(b);
  switch (fn) {
    case BinaryFn::kAdd: return static_cast<float>(a + b);
    case BinaryFn::kSub: return static_cast<float>(a - b);
    case BinaryFn::kMul: return static_cast<float>(a * b);
    case BinaryFn::kDiv: return static_cast<float>(a / b);
    case BinaryFn::kPow: return static_cast<float>(std::pow(a, b));
    case BinaryFn::kMin: return nan ? kNan : static_cast<float>(std::min(a, b));
    case BinaryFn::kMax: return nan ? kNan : static_cast<float>(std::max(a, b));
    case BinaryFn::kMod: return static_cast<float>(a - std::floor(a / b) * b);
    case BinaryFn::kFmod: return static_cast<float>(a - std::trunc(a / b) * b);
    case BinaryFn::kEqual: return a == b;
    case BinaryFn::kLess: return a < b;
    case BinaryFn::kLessOrEqual: return a <= b;
    case BinaryFn::kGreater: return a > b;
    case BinaryFn::kGreaterOrEqual: return a >= b;
    case BinaryFn::kAnd: return a != 0 && b != 0;
    case BinaryFn::kOr: return a != 0 || b != 0;
    case BinaryFn::kXor: return (a != 0) != (b != 0);
    case BinaryFn::kPRelu: return static_cast<float>(a < 0 ? a * b : a);
    case BinaryFn::kSquaredDifference: {
      const float difference = static_cast<float>(a - b);
      return difference * difference;
    }
    case BinaryFn::kNotEqual: return a != b;
  }
  return 0;
}

// Small integers and halves are exact in all but pow; specials come in for min, max and comparisons.
float BinaryInput(Random& random, BinaryFn fn) {
  const bool special = fn != BinaryFn::kMod && fn != BinaryFn::kFmod && fn != BinaryFn::kPow;
  if (special && random.Int(0, 9) == 0) {
    const float specials[] = {kNan, kInf, -kInf, 0.0f, 1.0f};
    return specials[random.Int(0, 4)];
  }
  const float x = static_cast<float>(random.Int(-8, 8)) * 0.5f;
  return special || x != 0 ? x : 1.5f;
}

void CheckBinary(const BinaryKernel& row, const BinaryLayer& layer, const Tensor& a, const Tensor& b, Random& random) {
  std::vector<int64_t> dims;
  ConstView view_a = a.cview(), view_b = b.cview();
  for (int i = 0; i < view_a.rank; ++i) {
    dims.push_back(std::max(view_a.dims[i], view_b.dims[i]));
    for (ConstView* v : {&view_a, &view_b}) {
      if (v->dims[i] != dims.back()) v->strides[i] = 0;
      v->dims[i] = dims.back();
    }
  }
  Tensor dst(dims, random.Int(0, 1) * random.Int(1, 4));
  RunRow(row, layer, BinaryArgs{view_a, view_b, dst.view()}, random);
  ASSERT_TRUE(dst.Intact());
  for (int64_t i = 0; i < dst.size(); ++i) {
    int64_t at_a = 0, at_b = 0, rest = i;
    for (int axis = view_a.rank - 1; axis >= 0; --axis) {
      at_a += rest % dims[static_cast<size_t>(axis)] * view_a.strides[axis];
      at_b += rest % dims[static_cast<size_t>(axis)] * view_b.strides[axis];
      rest /= dims[static_cast<size_t>(axis)];
    }
    const float x = view_a.data[at_a], y = view_b.data[at_b];
    float want = ExactBinary(layer.fn, x, y);
    if (layer.act.fn == UnaryFn::kRelu && want < 0) want = 0;
    // pow is the C library's, to one unit; the rest is correctly rounded.
    ASSERT_LE(UlpError(dst[i], want), layer.fn == BinaryFn::kPow ? 1 : 0)
        << BinaryFnName(layer.fn) << "(" << x << ", " << y << ") = " << dst[i] << ", exact " << want;
  }
}

TEST(Binary, BroadcastPatterns) {
  Random random(3);
  for (int k = 0; k < kBinaryFnCount; ++k) {
    for (const UnaryFn act : {UnaryFn::kIdentity, UnaryFn::kRelu}) {
      const BinaryLayer layer = {static_cast<BinaryFn>(k), {act, 0, 0}};
      ForEachKernel(BinaryKernels(), [&](const BinaryKernel& row) {
        if (!row.accepts(layer)) return;
        for (int64_t c = 1; c <= 33; ++c) {
          const int64_t h = random.Int(1, 3), w = random.Int(1, 40);
          const std::vector<std::vector<int64_t>> shapes = {{h, w, c}, {1, 1, c}, {1, 1, 1},
                                                            {h, w, 1}, {h, 1, c}, {1, w, c}};
          std::vector<int64_t> shape_a = shapes[0];
          std::vector<int64_t> shape_b = shapes[static_cast<size_t>(random.Int(0, 5))];
          if (random.Coin()) std::swap(shape_a, shape_b);
          Tensor a(shape_a, random.Int(0, 1) * 3), b(shape_b, random.Int(0, 1) * 2);
          for (int64_t i = 0; i < a.size(); ++i) a[i] = BinaryInput(random, layer.fn);
          for (int64_t i = 0; i < b.size(); ++i) b[i] = BinaryInput(random, layer.fn);
          CheckBinary(row, layer, a, b, random);
          if (testing::Test::HasFatalFailure()) return;
        }
      });
    }
  }
}

TEST(Binary, LongRowsAndInPlace) {
  Random random(4);
  const BinaryLayer layer = {BinaryFn::kAdd, {UnaryFn::kLeakyRelu, 0.5f, 0}};
  ForEachKernel(BinaryKernels(), [&](const BinaryKernel& row) {
    Tensor a({30005}), b({30005});
    a.Fill(random, -1, 1);
    b.Fill(random, -1, 1);
    const Tensor before = a;
    RunRow(row, layer, BinaryArgs{a.cview(), b.cview(), a.view()}, random);
    ASSERT_TRUE(a.Intact());
    for (int64_t i = 0; i < a.size(); ++i) {
      const float sum = before[i] + b[i];
      ASSERT_EQ(a[i], sum < 0 ? 0.5f * sum : sum);
    }
  });
}

TEST(Select, TakesAWhereTheConditionHolds) {
  Random random(5);
  ForEachKernel(SelectKernels(), [&](const SelectKernel& row) {
    for (int64_t c = 1; c <= 33; ++c) {
      Tensor condition({4, c}, random.Int(0, 2)), a({4, c}, random.Int(0, 2)), b({4, 1}), dst({4, c}, 1);
      condition.Fill(random, -1, 1);
      for (int64_t i = 0; i < condition.size(); i += 2) condition[i] = i % 4 == 0 ? 0.0f : -0.0f;
      if (c > 2) condition[1] = kNan;
      a.Fill(random, -1, 1);
      b.Fill(random, -1, 1);
      ConstView wide = b.cview();
      wide.dims[1] = c;
      wide.strides[1] = 0;
      const ConstView second = random.Coin() ? wide : a.cview();
      RunRow(row, SelectLayer{}, SelectArgs{condition.cview(), wide, second, dst.view()}, random);
      ASSERT_TRUE(dst.Intact());
      for (int64_t i = 0; i < dst.size(); ++i) {
        ASSERT_EQ(dst[i], condition[i] != 0 ? b[i / c] : second.strides[1] == 0 ? b[i / c] : a[i]);
      }
    }
  });
}

}  // namespace
}  // namespace fovea::kernels
