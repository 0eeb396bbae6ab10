#include "converter/ir/size_ratio.h"

#include <array>
#include <cmath>

#include "converter/ir/symbolic.h"

namespace fovea::ir {
namespace {

using kernels::BinaryFn;
using kernels::UnaryFn;

constexpr double kMaxExact = 9007199254740992.0;  // 2^53

bool IsIntegral(double x) { return std::fabs(x) < kMaxExact && std::floor(x) == x; }

SizeRatio Integer(DimExpr x) { return {std::move(x), 1, 1}; }

// Moves the factor into numerator and denominator where it is a short fraction (2, 1/2, 1/3, 0.7 = 7/10), and cancels
// equal terms.
SizeRatio Normalise(SizeRatio x) {
  const double inverse = 1 / x.factor;
  if (IsIntegral(x.factor)) {
    x.numerator = x.numerator * static_cast<int64_t>(x.factor);
    x.factor = 1;
  } else if (inverse != 0 && IsIntegral(inverse) && 1 / inverse == x.factor) {
    x.denominator = x.denominator * static_cast<int64_t>(inverse);
    x.factor = 1;
  } else {
    for (int64_t power : {10, 100, 1000, 10000}) {
      const double decimal = std::round(x.factor * static_cast<double>(power));
      if (x.factor == 1 || !IsIntegral(decimal) || decimal / static_cast<double>(power) != x.factor) continue;
      x.numerator = x.numerator * static_cast<int64_t>(decimal);
      x.denominator = x.denominator * power;
      x.factor = 1;
    }
  }
  if (x.denominator == DimExpr(1)) return x;
  if (x.numerator == x.denominator) {
    x.numerator = 1;
    x.denominator = 1;
  } else if (x.denominator.IsConst() && x.denominator.Const() != 0) {
    // A product of the divisor: floor(n / d) without remainder for every input means d q == n.
    const DimExpr quotient = FloorDiv(x.numerator, x.denominator);
    if (quotient * x.denominator == x.numerator) {
      x.numerator = quotient;
      x.denominator = 1;
    }
  }
  return x;
}

std::optional<SizeRatio> Inverse(const SizeRatio& x) {
  if (x.factor == 0 || x.numerator == DimExpr(0)) return std::nullopt;
  return Normalise({x.denominator, 1 / x.factor, x.numerator});
}

SizeRatio Multiply(SizeRatio a, SizeRatio b) {
  if (a.numerator == b.denominator) {
    a.numerator = 1;
    b.denominator = 1;
  }
  if (b.numerator == a.denominator) {
    b.numerator = 1;
    a.denominator = 1;
  }
  return Normalise({a.numerator * b.numerator, a.factor * b.factor, a.denominator * b.denominator});
}

std::optional<SizeRatio> Sum(const SizeRatio& a, const SizeRatio& b, int sign) {
  const DimExpr s = sign;
  if (a.factor == b.factor && a.denominator == b.denominator) {
    return Normalise({a.numerator + s * b.numerator, a.factor, a.denominator});
  }
  if (a.factor == 1 && b.factor == 1) {
    return Normalise({a.numerator * b.denominator + s * b.numerator * a.denominator, 1, a.denominator * b.denominator});
  }
  const std::optional<double> x = ConstRatio(a), y = ConstRatio(b);
  if (x && y) return RatioOf(*x + sign * *y);
  return std::nullopt;
}

std::optional<SizeRatio> Floor(const SizeRatio& x) {
  if (IsInteger(x)) return x;
  if (const std::optional<double> c = ConstRatio(x)) return RatioOf(std::floor(*c));
  if (x.factor == 1) return Integer(FloorDiv(x.numerator, x.denominator));
  if (x.denominator == DimExpr(1)) return Integer(ScaleFloor(x.numerator, x.factor));
  return std::nullopt;
}

std::optional<SizeRatio> Ceil(const SizeRatio& x) {
  if (x.factor == 1) return Integer(CeilDiv(x.numerator, x.denominator));
  const std::optional<SizeRatio> floor = Floor({x.numerator, -x.factor, x.denominator});
  if (!floor) return std::nullopt;
  return Integer(DimExpr(0) - floor->numerator);
}

// Sign of a ratio; denominators of sizes are positive or rejected.
std::optional<int> Sign(const Graph& graph, const SizeRatio& x) {
  const std::optional<int> n = SampleSign(graph, x.numerator), d = SampleSign(graph, x.denominator);
  if (!n || !d) return std::nullopt;
  return *n * *d * (x.factor < 0 ? -1 : 1);
}

std::optional<SizeRatio> IntegerQuotient(const Graph& graph, const DimExpr& a, const DimExpr& b) {
  if (b == DimExpr(0)) return std::nullopt;
  if (a.IsConst() && b.IsConst()) return Integer(a.Const() / b.Const());
  const std::optional<int> sa = SampleSign(graph, a), sb = SampleSign(graph, b);
  if (!sa || !sb || *sb == 0) return std::nullopt;
  const DimExpr quotient = FloorDiv(DimExpr(*sa < 0 ? -1 : 1) * a, DimExpr(*sb) * b);
  return Integer(DimExpr((*sa < 0 ? -1 : 1) * *sb) * quotient);
}

std::optional<SizeRatio> Compare(BinaryFn fn, const SizeRatio& a, const SizeRatio& b) {
  if (const auto x = ConstRatio(a), y = ConstRatio(b); x && y) {
    return RatioOf(kernels::ApplyBinary(fn, static_cast<float>(*x), static_cast<float>(*y)));
  }
  if (!IsInteger(a) || !IsInteger(b)) return std::nullopt;
  const DimExpr &x = a.numerator, &y = b.numerator;
  switch (fn) {
    case BinaryFn::kEqual: return Integer(IsEqual(x, y));
    case BinaryFn::kNotEqual: return Integer(1 - IsEqual(x, y));
    case BinaryFn::kLessOrEqual: return Integer(IsEqual(Min(x, y), x));
    case BinaryFn::kGreaterOrEqual: return Integer(IsEqual(Max(x, y), x));
    case BinaryFn::kLess: return Integer(1 - IsEqual(Max(x, y), x));
    case BinaryFn::kGreater: return Integer(1 - IsEqual(Min(x, y), x));
    default: return std::nullopt;
  }
}

}  // namespace

SizeRatio RatioOf(double constant) {
  if (IsIntegral(constant)) return Integer(static_cast<int64_t>(constant));
  return Normalise({1, constant, 1});
}

std::optional<double> ConstRatio(const SizeRatio& x) {
  if (!x.numerator.IsConst() || !x.denominator.IsConst() || x.denominator.Const() == 0) return std::nullopt;
  return static_cast<double>(x.numerator.Const()) * x.factor / static_cast<double>(x.denominator.Const());
}

std::optional<int> SampleSign(const Graph& graph, const DimExpr& x) {
  if (x.IsConst()) return x.Const() < 0 ? -1 : x.Const() > 0;
  std::optional<int> sign;
  for (const int64_t base : std::array<int64_t, 4>{16, 97, 512, 4099}) {
    std::vector<std::vector<int64_t>> dims;
    std::vector<std::vector<double>> elements;
    for (const Port& port : graph.inputs) {
      const size_t rank = graph.values[static_cast<size_t>(port.value)].dims.size();
      std::vector<int64_t> sizes;
      for (size_t axis = 0; axis < rank; ++axis) sizes.push_back(base + static_cast<int64_t>(5 * axis));
      dims.push_back(std::move(sizes));
      elements.emplace_back(static_cast<size_t>(kMaxSizeElements), static_cast<double>(base));
    }
    const Result<int64_t> value = x.Evaluate({dims, elements});
    if (!value.ok()) return std::nullopt;
    const int s = *value < 0 ? -1 : *value > 0;
    if (!sign || *sign == 0) sign = s;
    if (s != 0 && s != *sign) return std::nullopt;
  }
  return *sign == 0 ? 1 : *sign;
}

std::optional<SizeRatio> Truncate(const Graph& graph, const SizeRatio& x) {
  if (IsInteger(x)) return x;
  if (const std::optional<double> c = ConstRatio(x)) return RatioOf(std::trunc(*c));
  const std::optional<int> sign = Sign(graph, x);
  if (!sign) return std::nullopt;
  return *sign >= 0 ? Floor(x) : Ceil(x);
}

std::optional<SizeRatio> IsNotZero(const SizeRatio& x) {
  if (const std::optional<double> c = ConstRatio(x)) return RatioOf(*c != 0 ? 1 : 0);
  return Integer(1 - IsEqual(x.numerator, 0));
}

std::optional<SizeRatio> ApplyUnary(const Graph& graph, const kernels::Activation& fn, const SizeRatio& x) {
  switch (fn.fn) {
    case UnaryFn::kIdentity: return x;
    case UnaryFn::kNeg: return Normalise({DimExpr(0) - x.numerator, x.factor, x.denominator});
    case UnaryFn::kFloor: return Floor(x);
    case UnaryFn::kCeil: return Ceil(x);
    case UnaryFn::kTrunc: return Truncate(graph, x);
    case UnaryFn::kRound: return IsInteger(x) ? std::optional(x) : std::nullopt;
    case UnaryFn::kReciprocal: return Inverse(x);
    case UnaryFn::kSquare: return Multiply(x, x);
    case UnaryFn::kAbs: {
      const std::optional<int> sign = Sign(graph, x);
      if (!sign) return IsInteger(x) ? std::optional(Integer(Max(x.numerator, 0 - x.numerator))) : std::nullopt;
      return *sign < 0 ? SizeRatio{DimExpr(0) - x.numerator, x.factor, x.denominator} : x;
    }
    case UnaryFn::kRelu: return IsInteger(x) ? std::optional(Integer(Max(x.numerator, 0))) : std::nullopt;
    case UnaryFn::kClip: {
      if (!IsInteger(x) || !IsIntegral(fn.alpha) || !IsIntegral(fn.beta)) return std::nullopt;
      return Integer(Min(Max(x.numerator, static_cast<int64_t>(fn.alpha)), static_cast<int64_t>(fn.beta)));
    }
    case UnaryFn::kNot: {
      const std::optional<SizeRatio> set = IsNotZero(x);
      return set ? std::optional(Integer(1 - set->numerator)) : std::nullopt;
    }
    case UnaryFn::kSign: {
      const std::optional<double> c = ConstRatio(x);
      return c ? std::optional(RatioOf(*c < 0 ? -1 : *c > 0)) : std::nullopt;
    }
    default: return std::nullopt;
  }
}

std::optional<SizeRatio> ApplyBinary(const Graph& graph, BinaryFn fn, const SizeRatio& a, const SizeRatio& b,
                                     bool integers) {
  const bool both = IsInteger(a) && IsInteger(b);
  switch (fn) {
    case BinaryFn::kAdd: return Sum(a, b, 1);
    case BinaryFn::kSub: return Sum(a, b, -1);
    case BinaryFn::kMul: return Multiply(a, b);
    case BinaryFn::kDiv: {
      if (integers) return both ? IntegerQuotient(graph, a.numerator, b.numerator) : std::nullopt;
      const std::optional<SizeRatio> inverse = Inverse(b);
      return inverse ? std::optional(Multiply(a, *inverse)) : std::nullopt;
    }
    case BinaryFn::kMin:
    case BinaryFn::kMax: {
      const auto x = ConstRatio(a), y = ConstRatio(b);
      if (x && y) return (*x < *y) == (fn == BinaryFn::kMin) ? a : b;
      if (!both) return std::nullopt;
      return Integer(fn == BinaryFn::kMin ? Min(a.numerator, b.numerator) : Max(a.numerator, b.numerator));
    }
    case BinaryFn::kMod:
    case BinaryFn::kFmod: {
      if (!both || b.numerator == DimExpr(0)) return std::nullopt;
      if (a.numerator.IsConst() && b.numerator.IsConst() && fn == BinaryFn::kFmod) {
        return Integer(a.numerator.Const() % b.numerator.Const());
      }
      const std::optional<int> sa = SampleSign(graph, a.numerator), sb = SampleSign(graph, b.numerator);
      if (fn == BinaryFn::kFmod && (sa.value_or(-1) < 0 || sb.value_or(-1) < 0)) return std::nullopt;
      return Integer(Mod(a.numerator, b.numerator));
    }
    case BinaryFn::kPow: {
      const std::optional<double> y = ConstRatio(b);
      if (y == 2.0) return Multiply(a, a);
      if (y == 1.0) return a;
      const std::optional<double> x = ConstRatio(a);
      if (x && y && !integers) return RatioOf(std::pow(*x, *y));
      return std::nullopt;
    }
    case BinaryFn::kAnd:
    case BinaryFn::kOr:
    case BinaryFn::kXor: {
      const auto x = IsNotZero(a), y = IsNotZero(b);
      if (!x || !y) return std::nullopt;
      if (fn == BinaryFn::kAnd) return Integer(x->numerator * y->numerator);
      if (fn == BinaryFn::kOr) return Integer(Max(x->numerator, y->numerator));
      return Integer(1 - IsEqual(x->numerator, y->numerator));
    }
    default: return Compare(fn, a, b);
  }
}

SizeRatio ApplySelect(const SizeRatio& condition, const SizeRatio& a, const SizeRatio& b) {
  if (const std::optional<double> c = ConstRatio(condition)) return *c != 0 ? a : b;
  const DimExpr set = 1 - IsEqual(condition.numerator, 0);
  return Integer(b.numerator + set * (a.numerator - b.numerator));
}

}  // namespace fovea::ir
