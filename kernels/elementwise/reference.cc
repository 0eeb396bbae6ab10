// The definition of every elementwise function. Transcendental functions are evaluated in double and rounded once.
#include "kernels/elementwise/reference.h"

#include <cmath>

namespace fovea::kernels {
namespace {

double Softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

double Sigmoid(double x) {
  if (x >= 0) return 1 / (1 + std::exp(-x));
  const double e = std::exp(x);
  return e / (1 + e);
}

// x f(x) where f goes to 0 at -infinity faster than x grows: the product there is 0, not NaN.
double Gated(double x, double gate) { return gate == 0 && std::isinf(x) ? 0 : x * gate; }

}  // namespace

const char* UnaryFnName(UnaryFn fn) {
  static constexpr const char* kNames[kUnaryFnCount] = {"identity",   "relu",
                                                        "leaky_relu", "elu",
                                                        "selu",       "celu",
                                                        "sigmoid",    "hard_sigmoid",
                                                        "hard_swish", "tanh",
                                                        "softplus",   "softsign",
                                                        "mish",       "gelu",
                                                        "gelu_tanh",  "clip",
                                                        "abs",        "neg",
                                                        "sqrt",       "exp",
                                                        "log",        "erf",
                                                        "floor",      "ceil",
                                                        "round",      "reciprocal",
                                                        "sign",       "not",
                                                        "trunc",      "silu",
                                                        "sin",        "cos",
                                                        "rsqrt",      "thresholded_relu",
                                                        "is_nan",     "square"};
  return kNames[static_cast<int>(fn)];
}

const char* BinaryFnName(BinaryFn fn) {
  static constexpr const char* kNames[kBinaryFnCount] = {"add",
                                                         "sub",
                                                         "mul",
                                                         "div",
                                                         "pow",
                                                         "min",
                                                         "max",
                                                         "mod",
                                                         "fmod",
                                                         "equal",
                                                         "less",
                                                         "less_or_equal",
                                                         "greater",
                                                         "greater_or_equal",
                                                         "and",
                                                         "or",
                                                         "xor",
                                                         "prelu",
                                                         "squared_difference",
                                                         "not_equal"};
  return kNames[static_cast<int>(fn)];
}

float ApplyUnary(const Activation& f, float x) {
  const double v = x;
  const double alpha = f.alpha;
  switch (f.fn) {
    case UnaryFn::kIdentity: return x;
    case UnaryFn::kRelu: return x < 0 ? 0.0f : x;
    case UnaryFn::kLeakyRelu: return x < 0 ? f.alpha * x : x;
    case UnaryFn::kElu: return x < 0 ? static_cast<float>(alpha * std::expm1(v)) : x;
    case UnaryFn::kSelu: return x < 0 ? static_cast<float>(f.beta * (alpha * std::expm1(v))) : f.beta * x;
    case UnaryFn::kCelu: return x < 0 ? static_cast<float>(alpha * std::expm1(v / alpha)) : x;
    case UnaryFn::kSigmoid: return static_cast<float>(Sigmoid(v));
    case UnaryFn::kHardSigmoid: {
      const float y = f.alpha * x + f.beta;
      return y < 0 ? 0.0f : y > 1 ? 1.0f : y;
    }
    case UnaryFn::kHardSwish: {
      const double gate = v / 6 + 0.5;
      return static_cast<float>(Gated(v, gate < 0 ? 0 : gate > 1 ? 1 : gate));
    }
    case UnaryFn::kTanh: return static_cast<float>(std::tanh(v));
    case UnaryFn::kSoftplus: return static_cast<float>(Softplus(v));
    case UnaryFn::kSoftsign: return std::isinf(x) ? std::copysign(1.0f, x) : static_cast<float>(v / (1 + std::fabs(v)));
    case UnaryFn::kMish: return static_cast<float>(Gated(v, std::tanh(Softplus(v))));
    case UnaryFn::kGelu: return static_cast<float>(Gated(v, 0.5 * std::erfc(-v * 0.70710678118654752440)));
    case UnaryFn::kGeluTanh:
      // 0.5 (1 + tanh(u)) = sigmoid(2 u), without the cancellation.
      return static_cast<float>(Gated(v, Sigmoid(2 * 0.79788456080286535588 * (v + 0.044715 * v * v * v))));
    case UnaryFn::kClip: {
      const float low = x < f.alpha ? f.alpha : x;
      return low > f.beta ? f.beta : low;
    }
    case UnaryFn::kAbs: return std::fabs(x);
    case UnaryFn::kNeg: return -x;
    case UnaryFn::kSqrt: return std::sqrt(x);
    case UnaryFn::kExp: return static_cast<float>(std::exp(v));
    case UnaryFn::kLog: return static_cast<float>(std::log(v));
    case UnaryFn::kErf: return static_cast<float>(std::erf(v));
    case UnaryFn::kFloor: return std::floor(x);
    case UnaryFn::kCeil: return std::ceil(x);
    case UnaryFn::kRound: return std::nearbyint(x);
    case UnaryFn::kReciprocal: return 1 / x;
    case UnaryFn::kSign: return x > 0 ? 1.0f : x < 0 ? -1.0f : x;
    case UnaryFn::kNot: return x == 0 ? 1.0f : 0.0f;
    case UnaryFn::kTrunc: return std::trunc(x);
    case UnaryFn::kSilu: return static_cast<float>(Gated(v, Sigmoid(alpha * v)));
    case UnaryFn::kSin: return static_cast<float>(std::sin(v));
    case UnaryFn::kCos: return static_cast<float>(std::cos(v));
    case UnaryFn::kRsqrt: return static_cast<float>(1 / std::sqrt(v));
    case UnaryFn::kThresholdedRelu: return x > f.alpha || std::isnan(x) ? x : 0.0f;
    case UnaryFn::kIsNan: return std::isnan(x) ? 1.0f : 0.0f;
    case UnaryFn::kSquare: return x * x;
  }
  return x;
}

float ApplyBinary(BinaryFn fn, float a, float b) {
  switch (fn) {
    case BinaryFn::kAdd: return a + b;
    case BinaryFn::kSub: return a - b;
    case BinaryFn::kMul: return a * b;
    case BinaryFn::kDiv: return a / b;
    case BinaryFn::kPow: return std::pow(a, b);
    case BinaryFn::kMin: return std::isnan(a) || a < b ? a : b;
    case BinaryFn::kMax: return std::isnan(a) || a > b ? a : b;
    case BinaryFn::kMod: {
      const float r = std::fmod(a, b);
      if (r == 0) return std::copysign(0.0f, b);
      return (r < 0) != (b < 0) ? r + b : r;
    }
    case BinaryFn::kFmod: return std::fmod(a, b);
    case BinaryFn::kEqual: return a == b ? 1.0f : 0.0f;
    case BinaryFn::kLess: return a < b ? 1.0f : 0.0f;
    case BinaryFn::kLessOrEqual: return a <= b ? 1.0f : 0.0f;
    case BinaryFn::kGreater: return a > b ? 1.0f : 0.0f;
    case BinaryFn::kGreaterOrEqual: return a >= b ? 1.0f : 0.0f;
    case BinaryFn::kAnd: return a != 0 && b != 0 ? 1.0f : 0.0f;
    case BinaryFn::kOr: return a != 0 || b != 0 ? 1.0f : 0.0f;
    case BinaryFn::kXor: return (a != 0) != (b != 0) ? 1.0f : 0.0f;
    case BinaryFn::kPRelu: return a < 0 ? b * a : a;
    case BinaryFn::kSquaredDifference: return (a - b) * (a - b);
    case BinaryFn::kNotEqual: return a != b ? 1.0f : 0.0f;
  }
  return a;
}

namespace reference {

Loop<2> UnaryLoop(const UnaryArgs& args) {
  return MakeLoop<2>(args.dst.rank, args.dst.dims, {args.src.strides, args.dst.strides});
}

Loop<3> BinaryLoop(const BinaryArgs& args) {
  return MakeLoop<3>(args.dst.rank, args.dst.dims, {args.a.strides, args.b.strides, args.dst.strides});
}

Loop<4> SelectLoop(const SelectArgs& args) {
  return MakeLoop<4>(args.dst.rank, args.dst.dims,
                     {args.condition.strides, args.a.strides, args.b.strides, args.dst.strides});
}

int64_t UnaryUnits(const Activation&, const UnaryArgs& args) { return UnaryLoop(args).units(); }
int64_t BinaryUnits(const BinaryLayer&, const BinaryArgs& args) { return BinaryLoop(args).units(); }
int64_t SelectUnits(const SelectLayer&, const SelectArgs& args) { return SelectLoop(args).units(); }

void Unary(const Activation& f, const UnaryArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const Loop<2> loop = UnaryLoop(args);
  const int last = loop.rank - 1;
  ForEachRow(loop, unit_begin, unit_end, [&](const int64_t* at, int64_t n, int64_t) {
    for (int64_t i = 0; i < n; ++i) {
      args.dst.data[at[1] + i * loop.strides[1][last]] =
          ApplyUnary(f, args.src.data[at[0] + i * loop.strides[0][last]]);
    }
  });
}

void Binary(const BinaryLayer& layer, const BinaryArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const Loop<3> loop = BinaryLoop(args);
  const int last = loop.rank - 1;
  ForEachRow(loop, unit_begin, unit_end, [&](const int64_t* at, int64_t n, int64_t) {
    for (int64_t i = 0; i < n; ++i) {
      const float a = args.a.data[at[0] + i * loop.strides[0][last]];
      const float b = args.b.data[at[1] + i * loop.strides[1][last]];
      args.dst.data[at[2] + i * loop.strides[2][last]] = ApplyUnary(layer.act, ApplyBinary(layer.fn, a, b));
    }
  });
}

void Select(const SelectLayer&, const SelectArgs& args, int64_t unit_begin, int64_t unit_end, float*) {
  const Loop<4> loop = SelectLoop(args);
  const int last = loop.rank - 1;
  ForEachRow(loop, unit_begin, unit_end, [&](const int64_t* at, int64_t n, int64_t) {
    for (int64_t i = 0; i < n; ++i) {
      const float a = args.a.data[at[1] + i * loop.strides[1][last]];
      const float b = args.b.data[at[2] + i * loop.strides[2][last]];
      const bool take_a = args.condition.data[at[0] + i * loop.strides[0][last]] != 0;
      args.dst.data[at[3] + i * loop.strides[3][last]] = take_a ? a : b;
    }
  });
}

}  // namespace reference
}  // namespace fovea::kernels
