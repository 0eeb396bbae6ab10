// Elementwise operators: one input, two inputs with broadcasting, and selection.
//
// Formulas are ONNX's (https://onnx.ai/onnx/operators/), operator of the same name, unless said otherwise. Vector rows
// compute every element by the same instruction sequence wherever it lies in a row, so results do not depend on tiling.
#ifndef FOVEA_KERNELS_ELEMENTWISE_ELEMENTWISE_H_
#define FOVEA_KERNELS_ELEMENTWISE_ELEMENTWISE_H_

#include "kernels/kernel.h"
#include "kernels/view.h"

namespace fovea::kernels {

// Stored in .fov files: append only.
enum class UnaryFn : uint8_t {
  kIdentity = 0,
  kRelu = 1,
  kLeakyRelu = 2,  // x < 0 ? alpha x : x
  kElu = 3,        // x < 0 ? alpha (exp(x) - 1) : x
  kSelu = 4,       // beta (x < 0 ? alpha (exp(x) - 1) : x); alpha and beta (gamma) given
  kCelu = 5,       // max(0, x) + min(0, alpha (exp(x / alpha) - 1))
  kSigmoid = 6,
  kHardSigmoid = 7,  // clamp(alpha x + beta, 0, 1)
  kHardSwish = 8,    // x clamp(x / 6 + 0.5, 0, 1)
  kTanh = 9,
  kSoftplus = 10,  // log(1 + exp(x)), without overflow
  kSoftsign = 11,  // x / (1 + |x|)
  kMish = 12,      // x tanh(softplus(x))
  kGelu = 13,      // 0.5 x (1 + erf(x / sqrt 2))
  kGeluTanh = 14,  // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
  kClip = 15,      // min(max(x, alpha), beta): alpha > beta gives beta; NaN stays NaN
  kAbs = 16,
  kNeg = 17,
  kSqrt = 18,
  kExp = 19,
  kLog = 20,
  kErf = 21,
  kFloor = 22,
  kCeil = 23,
  kRound = 24,  // half to even
  kReciprocal = 25,
  kSign = 26,
  kNot = 27,  // x == 0 ? 1 : 0
  kTrunc = 28,
  kSilu = 29,  // x sigmoid(alpha x); alpha 1 is SiLU/Swish
  kSin = 30,
  kCos = 31,
  kRsqrt = 32,
  kThresholdedRelu = 33,  // x > alpha ? x : 0
  kIsNan = 34,
  kSquare = 35,
};
inline constexpr int kUnaryFnCount = 36;
const char* UnaryFnName(UnaryFn fn);  // lower case, e.g. "leaky_relu"

// Stored in .fov files: append only.
enum class BinaryFn : uint8_t {
  kAdd = 0,
  kSub = 1,
  kMul = 2,
  kDiv = 3,
  kPow = 4,
  kMin = 5,  // NaN if either is NaN, like numpy.minimum
  kMax = 6,
  kMod = 7,    // sign of the divisor, like numpy.mod
  kFmod = 8,   // sign of the dividend, like C fmod
  kEqual = 9,  // comparisons and logic give 1 or 0
  kLess = 10,
  kLessOrEqual = 11,
  kGreater = 12,
  kGreaterOrEqual = 13,
  kAnd = 14,
  kOr = 15,
  kXor = 16,
  kPRelu = 17,  // a < 0 ? b a : a
  kSquaredDifference = 18,
  kNotEqual = 19,
};
inline constexpr int kBinaryFnCount = 20;
const char* BinaryFnName(BinaryFn fn);

// A function of one value with its parameters: an operator of its own, or fused behind a convolution.
struct Activation {
  UnaryFn fn = UnaryFn::kIdentity;
  float alpha = 0;
  float beta = 0;
  bool operator==(const Activation&) const = default;
};

struct UnaryArgs {
  ConstView src;  // same dims as dst, any rank and strides; may be dst itself (in place)
  View dst;
};
struct BinaryLayer {
  BinaryFn fn;
  Activation act;  // applied to the result
};
struct BinaryArgs {
  ConstView a, b;  // dims of dst, broadcast axes with stride 0; either may be dst itself where its strides equal dst's
  View dst;
};
struct SelectLayer {};
struct SelectArgs {
  ConstView condition, a, b;  // dims of dst; condition != 0 ? a : b
  View dst;
};

using UnaryKernel = Kernel<Activation, UnaryArgs>;
using BinaryKernel = Kernel<BinaryLayer, BinaryArgs>;
using SelectKernel = Kernel<SelectLayer, SelectArgs>;
std::span<const UnaryKernel> UnaryKernels();
std::span<const BinaryKernel> BinaryKernels();
std::span<const SelectKernel> SelectKernels();

// The reference arithmetic on single values: constant folding, tests and the reference rows share it.
float ApplyUnary(const Activation& f, float x);
float ApplyBinary(BinaryFn fn, float a, float b);

}  // namespace fovea::kernels

#endif  // FOVEA_KERNELS_ELEMENTWISE_ELEMENTWISE_H_
