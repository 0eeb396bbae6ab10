// Winograd's minimal filtering F(m, r) along rows and columns (Lavin & Gray, arXiv:1509.09308), vectorised over
// channels.
//
// With alpha = m + r - 1 points p = 0, +-a, +-b, ..., infinity, the Toom-Cook form is
//   y = A^T [(G g) . (B^T d)],  A^T[k][i] = p_i^k,  G[i][j] = p_i^j / N_i,  N_i = prod over l != i of (p_i - p_l),
//   row i of B^T = coefficients of prod over l != i of (x - p_l), last row: of prod over all finite l.
// Points come in pairs +-p, whose rows of B^T are E + O and E - O with the even and the odd part of one polynomial:
// that is how the transforms below are written. B^T depends on alpha alone, so F(4,3) and F(2,5) share it, as do F(6,3)
// and F(4,5).
#if defined(FOVEA_KERNELS_CONV_WINOGRAD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FOVEA_KERNELS_CONV_WINOGRAD_INL_H_
#undef FOVEA_KERNELS_CONV_WINOGRAD_INL_H_
#else
#define FOVEA_KERNELS_CONV_WINOGRAD_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <utility>

#include "kernels/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fovea::kernels {
namespace HWY_NAMESPACE {
namespace winograd {

// The positive points of the pairs; 0 and infinity are always there. Chosen for the smallest rounding error of F(m, r)
// on normally distributed data with 64 channels, float32 against float64, largest error over largest output: alpha 6:
// (sqrt 1/2, sqrt 2) 1.0e-6, (1, 2) 3.7e-6, (1, 1/2) 5.5e-6, (3/4, 3/2) 1.2e-6; alpha 8: (1, 1/2, 2) 7.0e-6, (1/2, 1,
// 3/2) 8.0e-6, (0.6, 1, 1.67) 6.8e-6 but twice the mean error, (3/8, 3/4, 3/2) 4.4e-5.
template <int kAlpha>
struct Points;
template <>
struct Points<4> {
  static constexpr double kPair[] = {1};
};
template <>
struct Points<6> {
  static constexpr double kPair[] = {0.70710678118654752, 1.41421356237309505};
};
template <>
struct Points<8> {
  static constexpr double kPair[] = {1, 0.5, 2};
};

constexpr double Power(double x, int n) { return n == 0 ? 1.0 : x * Power(x, n - 1); }

// x <- B^T x for one line of alpha vectors, the points being those of P.
template <int kAlpha, class P = Points<kAlpha>>
HWY_INLINE void TransformInput(const Vec* HWY_RESTRICT x, Vec* HWY_RESTRICT y) {
  const Floats d;
  const auto c = [d](double value) HWY_ATTR { return hn::Set(d, static_cast<float>(value)); };
  if constexpr (kAlpha == 4) {
    y[0] = hn::Sub(x[2], x[0]);
    y[1] = hn::Add(x[2], x[1]);
    y[2] = hn::Sub(x[2], x[1]);
    y[3] = hn::Sub(x[3], x[1]);
  } else if constexpr (kAlpha == 6) {
    constexpr double a = P::kPair[0], b = P::kPair[1];
    constexpr double s1 = a * a + b * b, s2 = a * a * b * b;
    y[0] = hn::MulAdd(c(s2), x[0], hn::NegMulAdd(c(s1), x[2], x[4]));
    y[5] = hn::MulAdd(c(s2), x[1], hn::NegMulAdd(c(s1), x[3], x[5]));
    const Vec even_a = hn::NegMulAdd(c(b * b), x[2], x[4]), odd_a = hn::NegMulAdd(c(b * b), x[1], x[3]);
    const Vec even_b = hn::NegMulAdd(c(a * a), x[2], x[4]), odd_b = hn::NegMulAdd(c(a * a), x[1], x[3]);
    y[1] = a == 1 ? hn::Add(even_a, odd_a) : hn::MulAdd(c(a), odd_a, even_a);
    y[2] = a == 1 ? hn::Sub(even_a, odd_a) : hn::NegMulAdd(c(a), odd_a, even_a);
    y[3] = hn::MulAdd(c(b), odd_b, even_b);
    y[4] = hn::NegMulAdd(c(b), odd_b, even_b);
  } else {
    static_assert(kAlpha == 8);
    constexpr double p[3] = {Points<8>::kPair[0] * Points<8>::kPair[0], Points<8>::kPair[1] * Points<8>::kPair[1],
                             Points<8>::kPair[2] * Points<8>::kPair[2]};
    constexpr double s1 = p[0] + p[1] + p[2], s2 = p[0] * p[1] + p[0] * p[2] + p[1] * p[2], s3 = p[0] * p[1] * p[2];
    y[0] = hn::NegMulAdd(c(s3), x[0], hn::MulAdd(c(s2), x[2], hn::NegMulAdd(c(s1), x[4], x[6])));
    y[7] = hn::NegMulAdd(c(s3), x[1], hn::MulAdd(c(s2), x[3], hn::NegMulAdd(c(s1), x[5], x[7])));
    const auto pair = [&]<int i>() HWY_ATTR {
      constexpr double sum = s1 - p[i], product = s3 / p[i];
      const Vec even = hn::MulAdd(c(product), x[2], hn::NegMulAdd(c(sum), x[4], x[6]));
      const Vec odd = hn::MulAdd(c(product), x[1], hn::NegMulAdd(c(sum), x[3], x[5]));
      y[1 + 2 * i] = hn::MulAdd(c(Points<8>::kPair[i]), odd, even);
      y[2 + 2 * i] = hn::NegMulAdd(c(Points<8>::kPair[i]), odd, even);
    };
    pair.template operator()<0>();
    pair.template operator()<1>();
    pair.template operator()<2>();
  }
}

// y <- A^T x for one line: alpha vectors to m.
template <int kAlpha, int kM>
HWY_INLINE void TransformOutput(const Vec* HWY_RESTRICT x, Vec* HWY_RESTRICT y) {
  const Floats d;
  constexpr int kPairs = (kAlpha - 2) / 2;
  Vec sum[kPairs], difference[kPairs];
  for (int i = 0; i < kPairs; ++i) {
    sum[i] = hn::Add(x[1 + 2 * i], x[2 + 2 * i]);
    difference[i] = hn::Sub(x[1 + 2 * i], x[2 + 2 * i]);
  }
  const auto row = [&]<int k>() HWY_ATTR {
    const Vec* terms = k % 2 == 0 ? sum : difference;
    Vec value = k == 0 ? hn::Add(x[0], terms[0])
                       : hn::Mul(hn::Set(d, static_cast<float>(Power(Points<kAlpha>::kPair[0], k))), terms[0]);
    if constexpr (k > 0 && Points<kAlpha>::kPair[0] == 1) value = terms[0];
    if constexpr (kPairs > 1) {
      constexpr double p = Power(Points<kAlpha>::kPair[kPairs > 1 ? 1 : 0], k);
      value = k == 0 ? hn::Add(value, terms[1]) : hn::MulAdd(hn::Set(d, static_cast<float>(p)), terms[1], value);
    }
    if constexpr (kPairs > 2) {
      constexpr double p = Power(Points<kAlpha>::kPair[kPairs > 2 ? 2 : 0], k);
      value = k == 0 ? hn::Add(value, terms[2]) : hn::MulAdd(hn::Set(d, static_cast<float>(p)), terms[2], value);
    }
    if constexpr (k == kM - 1) value = hn::Add(value, x[kAlpha - 1]);
    y[k] = value;
  };
  [&]<int... k>(std::integer_sequence<int, k...>) HWY_ATTR { (row.template operator()<k>(), ...); }
  (std::make_integer_sequence<int, kM>());
}

template <int kRows, int kColumns>
using Matrix = std::array<std::array<double, kColumns>, kRows>;

// How an algorithm goes along one axis: m outputs of a tile from `kInputs` source positions, which begin `kStep` apart
// from tile to tile. They are transformed to `kValues` values; each of the `kFactors` products multiplies value
// ValueOf(factor) by a transformed filter (rows of the filter matrix).
template <int kAlpha, int kWindow>
struct Plain {
  static constexpr int kTaps = kWindow, kM = kAlpha - kTaps + 1;
  static constexpr int kInputs = kAlpha, kStep = kM, kValues = kAlpha, kFactors = kAlpha, kUpsample = 1;
  static constexpr int ValueOf(int factor) { return factor; }
  static HWY_INLINE void Input(const Vec* HWY_RESTRICT x, Vec* HWY_RESTRICT y) { TransformInput<kAlpha>(x, y); }
  static HWY_INLINE void Output(const Vec* HWY_RESTRICT x, Vec* HWY_RESTRICT y) { TransformOutput<kAlpha, kM>(x, y); }
  // G of the formula above.
  static constexpr Matrix<kFactors, kTaps> Filters() {
    Matrix<kFactors, kTaps> g = {};
    double points[kAlpha - 1] = {0};
    for (int i = 0; i < (kAlpha - 2) / 2; ++i) {
      points[1 + 2 * i] = Points<kAlpha>::kPair[i];
      points[2 + 2 * i] = -Points<kAlpha>::kPair[i];
    }
    for (int i = 0; i < kAlpha - 1; ++i) {
      double norm = 1;
      for (int l = 0; l < kAlpha - 1; ++l) {
        if (l != i) norm *= points[i] - points[l];
      }
      for (int j = 0; j < kTaps; ++j) g[i][j] = Power(points[i], j) / norm;
    }
    g[kAlpha - 1][kTaps - 1] = 1;
    return g;
  }
};

// Three taps on an image whose positions were doubled: a tile of 4 outputs sees p q q r r s. With w = w0 + w1 + w2,
//   y0 = w0 p + (w1 + w2) q   y1 = (w0 + w1) q + w2 r   y2 = w0 q + (w1 + w2) r   y3 = (w0 + w1) r + w2 s
// are five products instead of F(4, 3)'s six, all coefficients being 1, -1 and 1/2 (F(4, 3) with the points 0, 1, -1,
// i, -i and infinity, where one position vanishes and two have the same value):
//   m0 = (r - p) w0   m1 = (r + q) w/2   m2 = (r - q) (w0 - w1 - w2)/2   m3 = (r - q) (w0 + w1 - w2)/2   m4 = (s - q)
//   w2 y0 = m1 + m2 - m0   y1 = m1 - m3   y2 = m1 - m2   y3 = m1 + m3 + m4
struct Upsampled {
  static constexpr int kTaps = 3, kM = 4, kInputs = 4, kStep = 2, kValues = 4, kFactors = 5, kUpsample = 2;
  static constexpr int ValueOf(int factor) { return factor < 3 ? factor : factor - 1; }
  static HWY_INLINE void Input(const Vec* HWY_RESTRICT x, Vec* HWY_RESTRICT y) { TransformInput<4>(x, y); }
  static HWY_INLINE void Output(const Vec* HWY_RESTRICT x, Vec* HWY_RESTRICT y) {
    y[0] = hn::Sub(hn::Add(x[1], x[2]), x[0]);
    y[1] = hn::Sub(x[1], x[3]);
    y[2] = hn::Sub(x[1], x[2]);
    y[3] = hn::Add(hn::Add(x[1], x[3]), x[4]);
  }
  static constexpr Matrix<kFactors, kTaps> Filters() {
    return {{{1, 0, 0}, {.5, .5, .5}, {.5, -.5, -.5}, {.5, .5, -.5}, {0, 0, 1}}};
  }
};

// Five taps on an image whose positions were doubled. Even and odd outputs have filters of three taps on the same
// positions, e = (w0 + w1, w2 + w3, w4) and o = (w0, w1 + w2, w3 + w4), and what they differ by is a filter of two taps
// on differences of neighbours: sum of (o - e)[k] x[i + k] = w1 (x[i+1] - x[i]) + w3 (x[i+2] - x[i+1]). So F(4, 3)
// gives four even outputs, and F(4, 2) on the differences what the odd ones add to them. With the points 0, 1, -1, 2,
// -2, infinity for the first and all but 1 for the second, the difference, the factor (x - 1), completes its
// polynomials to those of the first: the six values serve all 11 products, for 8 outputs. Largest error over largest
// output, 64 channels: 4.4e-6 for the pair (1, 2); 3.8e-6 but a larger mean error for (1, 3/2).
struct UpsampledFive {
  static constexpr int kTaps = 5, kM = 8, kInputs = 6, kStep = 4, kValues = 6, kFactors = 11, kUpsample = 2;
  struct Pairs {
    static constexpr double kPair[] = {1, 2};
  };
  // The products of the differences have the values of 0, -1, 2, -2 and infinity.
  static constexpr int ValueOf(int factor) { return factor <= 6 ? factor % 6 : factor - 5; }
  static HWY_INLINE void Input(const Vec* HWY_RESTRICT x, Vec* HWY_RESTRICT y) { TransformInput<6, Pairs>(x, y); }
  static HWY_INLINE void Output(const Vec* HWY_RESTRICT x, Vec* HWY_RESTRICT y) {
    const Floats d;
    const Vec two = hn::Set(d, 2.0f), four = hn::Set(d, 4.0f), eight = hn::Set(d, 8.0f);
    const Vec sum = hn::Add(x[1], x[2]), difference = hn::Sub(x[1], x[2]);
    const Vec sum2 = hn::Add(x[3], x[4]), difference2 = hn::Sub(x[3], x[4]);
    y[0] = hn::Add(hn::Add(x[0], sum), sum2);
    y[2] = hn::MulAdd(two, difference2, difference);
    y[4] = hn::MulAdd(four, sum2, sum);
    y[6] = hn::Add(hn::MulAdd(eight, difference2, difference), x[5]);
    const Vec more = hn::Add(x[8], x[9]), less = hn::Sub(x[8], x[9]);
    y[1] = hn::Add(y[0], hn::Add(hn::Add(x[6], x[7]), more));
    y[3] = hn::Add(y[2], hn::MulSub(two, less, x[7]));
    y[5] = hn::Add(y[4], hn::MulAdd(four, more, x[7]));
    y[7] = hn::Add(y[6], hn::Add(hn::MulSub(eight, less, x[7]), x[10]));
  }
  static constexpr Matrix<kFactors, kTaps> Filters() {
    Matrix<kFactors, kTaps> g = {};
    constexpr double kPoints[] = {0, 1, -1, 2, -2};
    for (int i = 0; i < 5; ++i) {
      double norm = 1, norm_without_one = 1;
      for (int l = 0; l < 5; ++l) {
        if (l == i) continue;
        norm *= kPoints[i] - kPoints[l];
        if (l != 1) norm_without_one *= kPoints[i] - kPoints[l];
      }
      const double p = kPoints[i];
      g[i][0] = g[i][1] = 1 / norm;
      g[i][2] = g[i][3] = p / norm;
      g[i][4] = p * p / norm;
      if (i == 1) continue;
      const int factor = i == 0 ? 6 : 5 + i;
      g[factor][1] = 1 / norm_without_one;
      g[factor][3] = p / norm_without_one;
    }
    g[5][4] = g[10][3] = 1;
    return g;
  }
};

}  // namespace winograd
}  // namespace HWY_NAMESPACE
}  // namespace fovea::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard of this target
