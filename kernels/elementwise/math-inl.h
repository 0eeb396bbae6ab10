// Elementary functions and activations on vectors of floats, for one instruction set at a time: fused epilogues and the
// elementwise rows use the same ones.
//
// Every function is a fixed sequence of lane-wise operations, so a value's result depends on the value alone. Errors
// against the exact function (tests/kernels/elementwise_test.cc measures them over the whole range): exp, log, sigmoid,
// tanh, erf, softplus, expm1 at most 4 units in the last place. NaN gives NaN, infinities their limits. All polynomials
// are truncated series, except erfc's (see there); truncation errors are stated beside them.
#if defined(FOVEA_KERNELS_ELEMENTWISE_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_ELEMENTWISE_MATH_INL_H_
#undef FOVEA_KERNELS_ELEMENTWISE_MATH_INL_H_
#else
#define FOVEA_KERNELS_ELEMENTWISE_MATH_INL_H_
#endif

#include <hwy/highway.h>

#include "kernels/elementwise/elementwise.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// c0 + x (c1 + x (c2 + ...))
template <class D, class V>
HWY_INLINE V VecPolynomial(D d, V, float c) {
  return hn::Set(d, c);
}
template <class D, class V, class... Rest>
HWY_INLINE V VecPolynomial(D d, V x, float c, Rest... rest) {
  return hn::MulAdd(VecPolynomial(d, x, rest...), x, hn::Set(d, c));
}

// 2^n for n in [-126, 127].
template <class D, class VI>
HWY_INLINE hn::Vec<D> VecPow2(D d, VI n) {
  const hn::Rebind<int32_t, D> di;
  return hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(n, hn::Set(di, 127))));
}

// x + low = n ln 2 + r with |r| <= ln(2) / 2 (and a little). ln 2 is split so that n times its high part (15 bits) is
// exact without fused multiply-add.
template <class D, class V, class VI>
HWY_INLINE V VecReduceLn2(D d, V x, V low, VI* n) {
  const V whole = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504f)));
  *n = hn::ConvertTo(hn::Rebind<int32_t, D>(), whole);
  const V r = hn::NegMulAdd(whole, hn::Set(d, 0.693145751953125f), x);
  return hn::Add(hn::NegMulAdd(whole, hn::Set(d, 1.428606765330187e-6f), r), low);
}

// exp(r) - 1 = r + r^2 (1/2! + r/3! + ... + r^5/7!); the next term is below 6e-9 of exp(r).
template <class D, class V>
HWY_INLINE V VecExpm1Reduced(D d, V r) {
  const V p = VecPolynomial(d, r, 0.5f, 1.0f / 6, 1.0f / 24, 1.0f / 120, 1.0f / 720, 1.0f / 5040);
  return hn::MulAdd(p, hn::Mul(r, r), r);
}

// exp(x + low), |low| much smaller than 1. The scaling by 2^n is done in two steps, so that results below the smallest
// normal number are right too.
template <class D, class V>
HWY_INLINE V VecExpSum(D d, V x, V low) {
  // Beyond these bounds the result is infinite or 0 in any case; a NaN passes both comparisons.
  x = hn::IfThenElse(hn::Gt(x, hn::Set(d, 89.0f)), hn::Set(d, 89.0f), x);
  x = hn::IfThenElse(hn::Lt(x, hn::Set(d, -104.0f)), hn::Set(d, -104.0f), x);
  hn::Vec<hn::Rebind<int32_t, D>> n;
  const V r = VecReduceLn2(d, x, low, &n);
  const V y = hn::Add(VecExpm1Reduced(d, r), hn::Set(d, 1.0f));
  const auto half = hn::ShiftRight<1>(n);
  return hn::Mul(hn::Mul(y, VecPow2(d, half)), VecPow2(d, hn::Sub(n, half)));
}

template <class D, class V>
HWY_INLINE V VecExp(D d, V x) {
  return VecExpSum(d, x, hn::Zero(d));
}

// exp(x) - 1 for x <= 80 (larger values are taken as 80).
template <class D, class V>
HWY_INLINE V VecExpm1(D d, V x) {
  x = hn::IfThenElse(hn::Gt(x, hn::Set(d, 80.0f)), hn::Set(d, 80.0f), x);
  x = hn::IfThenElse(hn::Lt(x, hn::Set(d, -80.0f)), hn::Set(d, -80.0f), x);
  hn::Vec<hn::Rebind<int32_t, D>> n;
  const V r = VecReduceLn2(d, x, hn::Zero(d), &n);
  const V scale = VecPow2(d, n);
  return hn::MulAdd(scale, VecExpm1Reduced(d, r), hn::Sub(scale, hn::Set(d, 1.0f)));
}

// 2 atanh(s) / s = 2 (1 + s^2/3 + s^4/5 + ...) as far as s^8: for |s| <= 0.172 the next term is below 4e-9.
template <class D, class V>
HWY_INLINE V VecAtanhSeries(D d, V s2) {
  return VecPolynomial(d, s2, 2.0f, 2.0f / 3, 2.0f / 5, 2.0f / 7, 2.0f / 9);
}

// x = 2^e m with m in [sqrt(1/2), sqrt(2)): log x = e ln 2 + 2 atanh((m - 1) / (m + 1)).
template <class D, class V>
HWY_INLINE V VecLog(D d, V x) {
  const hn::Rebind<int32_t, D> di;
  const auto subnormal = hn::Lt(x, hn::Set(d, 1.17549435e-38f));
  const V normal = hn::IfThenElse(subnormal, hn::Mul(x, hn::Set(d, 33554432.0f)), x);
  // Subtracting the bits of sqrt(1/2) moves the binade's border to it.
  const auto bits = hn::BitCast(di, normal);
  const auto above = hn::Sub(bits, hn::Set(di, 0x3F3504F3));
  const V exponent =
      hn::Sub(hn::ConvertTo(d, hn::ShiftRight<23>(above)), hn::IfThenElseZero(subnormal, hn::Set(d, 25.0f)));
  const V m = hn::BitCast(d, hn::Add(hn::And(above, hn::Set(di, 0x007FFFFF)), hn::Set(di, 0x3F3504F3)));
  const V f = hn::Sub(m, hn::Set(d, 1.0f));
  const V s = hn::Div(f, hn::Add(m, hn::Set(d, 1.0f)));
  const V low = hn::MulAdd(exponent, hn::Set(d, 1.428606765330187e-6f), hn::Mul(s, VecAtanhSeries(d, hn::Mul(s, s))));
  V y = hn::MulAdd(exponent, hn::Set(d, 0.693145751953125f), low);
  const V infinity = hn::Inf(d);
  y = hn::IfThenElse(hn::Eq(x, infinity), x, y);
  y = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Neg(infinity), y);
  return hn::IfThenElse(hn::Ge(x, hn::Zero(d)), y, hn::NaN(d));
}

// log(1 + x) = 2 atanh(x / (2 + x)) for x in [0, 1]: s <= 1/3, the series as far as s^14; the next term is below 2e-9.
template <class D, class V>
HWY_INLINE V VecLog1pUnit(D d, V x) {
  const V s = hn::Div(x, hn::Add(x, hn::Set(d, 2.0f)));
  const V p =
      VecPolynomial(d, hn::Mul(s, s), 2.0f, 2.0f / 3, 2.0f / 5, 2.0f / 7, 2.0f / 9, 2.0f / 11, 2.0f / 13, 2.0f / 15);
  return hn::Mul(s, p);
}

// x gate, and 0 where the gate has closed (x may be infinite there).
template <class D, class V>
HWY_INLINE V VecGated(D d, V x, V gate) {
  return hn::IfThenZeroElse(hn::Eq(gate, hn::Zero(d)), hn::Mul(x, gate));
}

// With e = exp(-|x|): 1 / (1 + e) for x >= 0, e / (1 + e) below.
template <class D, class V>
HWY_INLINE V VecSigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V e = VecExp(d, hn::Neg(hn::Abs(x)));
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
}

// With y = exp(2 |x|) - 1: y / (y + 2). From |x| = 10 on the result is 1 to within half a unit.
template <class D, class V>
HWY_INLINE V VecTanh(D d, V x) {
  const V abs = hn::Abs(x);
  const V bounded = hn::IfThenElse(hn::Gt(abs, hn::Set(d, 10.0f)), hn::Set(d, 10.0f), abs);
  const V y = VecExpm1(d, hn::Add(bounded, bounded));
  return hn::CopySign(hn::Div(y, hn::Add(y, hn::Set(d, 2.0f))), x);
}

// max(x, 0) + log(1 + exp(-|x|))
template <class D, class V>
HWY_INLINE V VecSoftplus(D d, V x) {
  const V tail = VecLog1pUnit(d, VecExp(d, hn::Neg(hn::Abs(x))));
  return hn::Add(hn::IfThenElseZero(hn::Gt(x, hn::Zero(d)), x), tail);
}

// tanh(log(1 + exp(x))) is a fraction in e = exp(-|x|): (1 + 2e) / (1 + 2e + 2e^2) for x >= 0, e(e + 2) / (e(e + 2) +
// 2) below.
template <class D, class V>
HWY_INLINE V VecMish(D d, V x) {
  const V two = hn::Set(d, 2.0f);
  const V e = VecExp(d, hn::Neg(hn::Abs(x)));
  const auto negative = hn::Lt(x, hn::Zero(d));
  const V top = hn::IfThenElse(negative, hn::Mul(e, hn::Add(e, two)), hn::MulAdd(e, two, hn::Set(d, 1.0f)));
  const V rest = hn::IfThenElse(negative, two, hn::Mul(two, hn::Mul(e, e)));
  return VecGated(d, x, hn::Div(top, hn::Add(top, rest)));
}

// erfc(z) / exp(-z^2) for z >= 0: (1 + 2z) exp(z^2) erfc(z) lies between 1 and 1.29 and is smooth in
// q = (z - 2) / (z + 2). The polynomial interpolates it at the 10 Chebyshev nodes of q in [-1, 0.68] (z up to 10.5,
// where erfc ends); relative error 3.4e-8, coefficients rounded to float included. (The substitution is due to
// M. M. Shepherd and J. G. Laframboise, Mathematics of Computation 36, 1981.)
template <class D, class V>
HWY_INLINE V VecErfcScaled(D d, V z) {
  const V two = hn::Set(d, 2.0f);
  const V q = hn::Div(hn::Sub(z, two), hn::Add(z, two));
  const V p = VecPolynomial(d, q, 1.27697837f, -0.0927639827f, -0.166030467f, 0.164055616f, -0.0542132221f,
                            -0.00806387421f, 0.00865846965f, 0.00133004459f, -0.00125541387f, -0.000420062308f);
  return hn::Div(p, hn::MulAdd(z, two, hn::Set(d, 1.0f)));
}

// exp(-k z^2) for k = 1 or 1/2 and z in [0, 15]. The square is taken of a part of 12 bits, exactly; the rest goes to
// the exponential's low part, or a rounding of z^2 would become an error of many units.
template <class D, class V>
HWY_INLINE V VecGauss(D d, V z, float k) {
  const hn::Rebind<int32_t, D> di;
  const V high = hn::BitCast(d, hn::And(hn::BitCast(di, z), hn::Set(di, ~0xFFF)));
  const V minus_k = hn::Set(d, -k);
  const V low = hn::Mul(minus_k, hn::Mul(hn::Sub(z, high), hn::Add(z, high)));
  return VecExpSum(d, hn::Mul(minus_k, hn::Mul(high, high)), low);
}

// |x| < 1: 2/sqrt(pi) sum of (-1)^n x^(2n+1) / (n! (2n+1)) for n <= 10, next term below 2e-9 of it. Beyond: 1 - erfc.
template <class D, class V>
HWY_INLINE V VecErf(D d, V x) {
  constexpr double k = 1.12837916709551257390;
  const V abs = hn::Abs(x);
  const V series =
      hn::Mul(abs, VecPolynomial(d, hn::Mul(abs, abs), static_cast<float>(k), static_cast<float>(-k / 3),
                                 static_cast<float>(k / (2 * 5)), static_cast<float>(-k / (6 * 7)),
                                 static_cast<float>(k / (24 * 9)), static_cast<float>(-k / (120 * 11)),
                                 static_cast<float>(k / (720 * 13)), static_cast<float>(-k / (5040 * 15)),
                                 static_cast<float>(k / (40320.0 * 17)), static_cast<float>(-k / (362880.0 * 19)),
                                 static_cast<float>(k / (3628800.0 * 21))));
  // erfc(4) is below a quarter unit of 1.
  const V z = hn::IfThenElse(hn::Gt(abs, hn::Set(d, 4.5f)), hn::Set(d, 4.5f), abs);
  const V far = hn::NegMulAdd(VecGauss(d, z, 1.0f), VecErfcScaled(d, z), hn::Set(d, 1.0f));
  return hn::CopySign(hn::IfThenElse(hn::Lt(abs, hn::Set(d, 1.0f)), series, far), x);
}

// x Phi(x) with Phi(-a) = erfc(a / sqrt 2) / 2: relative accuracy on the negative side too.
template <class D, class V>
HWY_INLINE V VecGelu(D d, V x) {
  const V abs = hn::Abs(x);
  const V a = hn::IfThenElse(hn::Gt(abs, hn::Set(d, 15.0f)), hn::Set(d, 15.0f), abs);
  const V scaled = VecErfcScaled(d, hn::Mul(a, hn::Set(d, 0.707106781f)));
  const V tail = hn::Mul(hn::Mul(hn::Set(d, 0.5f), scaled), VecGauss(d, a, 0.5f));
  const V phi = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(hn::Set(d, 1.0f), tail));
  return VecGated(d, x, phi);
}

// 0.5 (1 + tanh(u)) = sigmoid(2u)
template <class D, class V>
HWY_INLINE V VecGeluTanh(D d, V x) {
  const V inner = hn::MulAdd(hn::Mul(hn::Mul(x, x), hn::Set(d, 0.0713548163f)), x, hn::Mul(x, hn::Set(d, 1.59576912f)));
  return VecGated(d, x, VecSigmoid(d, inner));
}

// Functions of which no network spends its time: lane by lane through the reference.
template <class D, class V>
HWY_NOINLINE V VecByLane(D d, const Activation& act, hn::VecArg<V> x) {
  HWY_ALIGN float lanes[hn::MaxLanes(d)];
  hn::Store(x, d, lanes);
  for (size_t i = 0; i < hn::Lanes(d); ++i) lanes[i] = ApplyUnary(act, lanes[i]);
  return hn::Load(d, lanes);
}

template <UnaryFn kFn, class D, class V>
HWY_INLINE V VecUnary(D d, [[maybe_unused]] const Activation& act, V x) {
  const V zero = hn::Zero(d);
  [[maybe_unused]] const V one = hn::Set(d, 1.0f);
  if constexpr (kFn == UnaryFn::kIdentity) return x;
  if constexpr (kFn == UnaryFn::kRelu) return hn::IfThenZeroElse(hn::Lt(x, zero), x);
  if constexpr (kFn == UnaryFn::kLeakyRelu) {
    return hn::IfThenElse(hn::Lt(x, zero), hn::Mul(x, hn::Set(d, act.alpha)), x);
  }
  if constexpr (kFn == UnaryFn::kElu) {
    return hn::IfThenElse(hn::Lt(x, zero), hn::Mul(hn::Set(d, act.alpha), VecExpm1(d, x)), x);
  }
  if constexpr (kFn == UnaryFn::kSelu) {
    const V y = hn::IfThenElse(hn::Lt(x, zero), hn::Mul(hn::Set(d, act.alpha), VecExpm1(d, x)), x);
    return hn::Mul(hn::Set(d, act.beta), y);
  }
  if constexpr (kFn == UnaryFn::kCelu) {
    const V alpha = hn::Set(d, act.alpha);
    return hn::IfThenElse(hn::Lt(x, zero), hn::Mul(alpha, VecExpm1(d, hn::Div(x, alpha))), x);
  }
  if constexpr (kFn == UnaryFn::kSigmoid) return VecSigmoid(d, x);
  if constexpr (kFn == UnaryFn::kHardSigmoid) {
    const V y = hn::MulAdd(x, hn::Set(d, act.alpha), hn::Set(d, act.beta));
    return hn::IfThenElse(hn::Gt(y, one), one, hn::IfThenZeroElse(hn::Lt(y, zero), y));
  }
  if constexpr (kFn == UnaryFn::kHardSwish) {
    const V gate = hn::MulAdd(x, hn::Set(d, 1.0f / 6), hn::Set(d, 0.5f));
    return VecGated(d, x, hn::IfThenElse(hn::Gt(gate, one), one, hn::IfThenZeroElse(hn::Lt(gate, zero), gate)));
  }
  if constexpr (kFn == UnaryFn::kTanh) return VecTanh(d, x);
  if constexpr (kFn == UnaryFn::kSoftplus) return VecSoftplus(d, x);
  if constexpr (kFn == UnaryFn::kSoftsign) {
    const V y = hn::Div(x, hn::Add(one, hn::Abs(x)));
    return hn::IfThenElse(hn::Eq(hn::Abs(x), hn::Inf(d)), hn::CopySign(one, x), y);
  }
  if constexpr (kFn == UnaryFn::kMish) return VecMish(d, x);
  if constexpr (kFn == UnaryFn::kGelu) return VecGelu(d, x);
  if constexpr (kFn == UnaryFn::kGeluTanh) return VecGeluTanh(d, x);
  if constexpr (kFn == UnaryFn::kClip) {
    const V low = hn::Set(d, act.alpha), high = hn::Set(d, act.beta);
    const V y = hn::IfThenElse(hn::Lt(x, low), low, x);
    return hn::IfThenElse(hn::Gt(y, high), high, y);
  }
  if constexpr (kFn == UnaryFn::kAbs) return hn::Abs(x);
  if constexpr (kFn == UnaryFn::kNeg) return hn::Neg(x);
  if constexpr (kFn == UnaryFn::kSqrt) return hn::Sqrt(x);
  if constexpr (kFn == UnaryFn::kExp) return VecExp(d, x);
  if constexpr (kFn == UnaryFn::kLog) return VecLog(d, x);
  if constexpr (kFn == UnaryFn::kErf) return VecErf(d, x);
  if constexpr (kFn == UnaryFn::kFloor) return hn::Floor(x);
  if constexpr (kFn == UnaryFn::kCeil) return hn::Ceil(x);
  if constexpr (kFn == UnaryFn::kRound) return hn::Round(x);
  if constexpr (kFn == UnaryFn::kReciprocal) return hn::Div(one, x);
  if constexpr (kFn == UnaryFn::kSign) {
    const V negative = hn::IfThenElse(hn::Lt(x, zero), hn::Neg(one), x);
    return hn::IfThenElse(hn::Gt(x, zero), one, negative);
  }
  if constexpr (kFn == UnaryFn::kNot) return hn::IfThenElseZero(hn::Eq(x, zero), one);
  if constexpr (kFn == UnaryFn::kTrunc) return hn::Trunc(x);
  if constexpr (kFn == UnaryFn::kSilu) return VecGated(d, x, VecSigmoid(d, hn::Mul(x, hn::Set(d, act.alpha))));
  if constexpr (kFn == UnaryFn::kSin || kFn == UnaryFn::kCos) return VecByLane<D, V>(d, act, x);
  if constexpr (kFn == UnaryFn::kRsqrt) return hn::Div(one, hn::Sqrt(x));
  if constexpr (kFn == UnaryFn::kThresholdedRelu) {
    return hn::IfThenZeroElse(hn::Le(x, hn::Set(d, act.alpha)), x);
  }
  if constexpr (kFn == UnaryFn::kIsNan) return hn::IfThenElseZero(hn::IsNaN(x), one);
  if constexpr (kFn == UnaryFn::kSquare) return hn::Mul(x, x);
}

// Calls fn.template operator()<kFn>() for the function that is named at run time.
template <class Fn>
HWY_INLINE auto DispatchUnary(UnaryFn name, Fn&& fn) {
#define FOVEA_UNARY_CASE(kName) \
  case UnaryFn::kName: return fn.template operator()<UnaryFn::kName>()
  switch (name) {
    FOVEA_UNARY_CASE(kIdentity);
    FOVEA_UNARY_CASE(kRelu);
    FOVEA_UNARY_CASE(kLeakyRelu);
    FOVEA_UNARY_CASE(kElu);
    FOVEA_UNARY_CASE(kSelu);
    FOVEA_UNARY_CASE(kCelu);
    FOVEA_UNARY_CASE(kSigmoid);
    FOVEA_UNARY_CASE(kHardSigmoid);
    FOVEA_UNARY_CASE(kHardSwish);
    FOVEA_UNARY_CASE(kTanh);
    FOVEA_UNARY_CASE(kSoftplus);
    FOVEA_UNARY_CASE(kSoftsign);
    FOVEA_UNARY_CASE(kMish);
    FOVEA_UNARY_CASE(kGelu);
    FOVEA_UNARY_CASE(kGeluTanh);
    FOVEA_UNARY_CASE(kClip);
    FOVEA_UNARY_CASE(kAbs);
    FOVEA_UNARY_CASE(kNeg);
    FOVEA_UNARY_CASE(kSqrt);
    FOVEA_UNARY_CASE(kExp);
    FOVEA_UNARY_CASE(kLog);
    FOVEA_UNARY_CASE(kErf);
    FOVEA_UNARY_CASE(kFloor);
    FOVEA_UNARY_CASE(kCeil);
    FOVEA_UNARY_CASE(kRound);
    FOVEA_UNARY_CASE(kReciprocal);
    FOVEA_UNARY_CASE(kSign);
    FOVEA_UNARY_CASE(kNot);
    FOVEA_UNARY_CASE(kTrunc);
    FOVEA_UNARY_CASE(kSilu);
    FOVEA_UNARY_CASE(kSin);
    FOVEA_UNARY_CASE(kCos);
    FOVEA_UNARY_CASE(kRsqrt);
    FOVEA_UNARY_CASE(kThresholdedRelu);
    FOVEA_UNARY_CASE(kIsNan);
    FOVEA_UNARY_CASE(kSquare);
  }
#undef FOVEA_UNARY_CASE
  return fn.template operator()<UnaryFn::kIdentity>();
}

template <class D, class V>
HWY_NOINLINE V VecActivateOther(D d, const Activation& act, hn::VecArg<V> x) {
  return DispatchUnary(act.fn, [&]<UnaryFn kFn>() HWY_ATTR { return VecUnary<kFn>(d, act, static_cast<V>(x)); });
}

// act of x, for fused epilogues: the branch on the function is the same for all elements of a layer.
template <class D, class V>
HWY_INLINE V VecActivate(D d, const Activation& act, V x) {
  if (act.fn == UnaryFn::kIdentity) return x;
  if (act.fn == UnaryFn::kRelu) return VecUnary<UnaryFn::kRelu>(d, act, x);
  return VecActivateOther<D, V>(d, act, x);
}

}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
