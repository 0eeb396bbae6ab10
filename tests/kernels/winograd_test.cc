// Rows that compute convolutions by Winograd's algorithm: close to the definition within a bound that follows from the
// transforms, and the same bits for any units and for any rectangle on the row's lattice.
#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/conv/conv.h"
#include "tests/kernels/conv_testing.h"

namespace fovea::kernels::testing {
namespace {

using ConvCase = Case<ConvLayer>;

bool IsDoubled(const ConvKernel& row) { return std::string(row.name).ends_with("-doubled"); }

template <class Check>
void ForEachRow(const Check& check) {
  for (const ConvKernel& row : ConvKernels()) {
    if (!Supported(row.isa) || row.exact_order) continue;
    SCOPED_TRACE(row.name);
    check(row);
    if (::testing::Test::HasFailure()) return;
  }
}

bool Doubles(const ConvLayer& layer) { return layer.upsample[1] == 2; }

int64_t WindowOf(const ConvKernel& row) { return std::string(row.name).find("5x5") != std::string::npos ? 5 : 3; }

// |A^T|, |G| and |B^T| of F(m, r), from the Toom-Cook formulas with the points that the rows use; on doubled images, of
// three taps from the products of pairs of neighbours, of five from even outputs and differences (winograd-inl.h).
struct Magnitudes {
  int taps, m, alpha;
  std::vector<std::vector<double>> a, g, b;

  explicit Magnitudes(const ConvLayer& layer)
      : taps(static_cast<int>(layer.kernel[1])), m(Doubles(layer) && taps == 5 ? 8 : 4), alpha(taps + m - 1) {
    if (m == 8) {
      DoubledFive();
    } else if (Doubles(layer)) {
      // Of a tile p q q r r s.
      b = {{1, 0, 0, 1, 0, 0}, {0, 1, 0, 1, 0, 0}, {0, 1, 0, 1, 0, 0}, {0, 1, 0, 1, 0, 0}, {0, 1, 0, 0, 0, 1}};
      g = {{1, 0, 0}, {.5, .5, .5}, {.5, .5, .5}, {.5, .5, .5}, {0, 0, 1}};
      a = {{1, 1, 1, 0, 0}, {0, 1, 0, 1, 0}, {0, 1, 1, 0, 0}, {0, 1, 0, 1, 1}};
    } else {
      ToomCook();
    }
  }

  using Numbers = std::vector<double>;

  // Coefficients of the product over l != skip of (x - points[l]), ascending.
  static Numbers Product(const Numbers& points, size_t skip) {
    Numbers c = {1};
    for (size_t l = 0; l < points.size(); ++l) {
      if (l == skip) continue;
      Numbers next(c.size() + 1, 0.0);
      for (size_t i = 0; i < c.size(); ++i) {
        next[i + 1] += c[i];
        next[i] -= points[l] * c[i];
      }
      c = next;
    }
    return c;
  }

  static double Norm(const Numbers& points, size_t i) {
    double norm = 1;
    for (size_t l = 0; l < points.size(); ++l) norm *= l == i ? 1 : points[i] - points[l];
    return norm;
  }

  static void MakePositive(std::vector<Numbers>* matrix) {
    for (Numbers& row : *matrix) {
      for (double& v : row) v = std::fabs(v);
    }
  }

  void ToomCook() {
    const Numbers pairs = alpha == 6 ? Numbers{std::sqrt(0.5), std::sqrt(2.0)} : Numbers{1, 0.5, 2};
    Numbers points = {0};
    for (const double p : pairs) points.insert(points.end(), {p, -p});
    for (size_t i = 0; i <= points.size(); ++i) {
      b.push_back(Product(points, i));
      b.back().resize(static_cast<size_t>(alpha), 0.0);
      Numbers row;
      for (int j = 0; j < taps; ++j) {
        row.push_back(i < points.size() ? std::pow(points[i], j) / Norm(points, i) : j == taps - 1 ? 1 : 0);
      }
      g.push_back(row);
    }
    for (int k = 0; k < m; ++k) {
      Numbers row;
      for (const double p : points) row.push_back(std::pow(p, k));
      row.push_back(k == m - 1 ? 1 : 0);
      a.push_back(row);
    }
    MakePositive(&a), MakePositive(&b), MakePositive(&g);
  }

  // F(4, 3) of (w0 + w1, w2 + w3, w4) on the positions before they were doubled for the even outputs; the odd ones have
  // F(4, 2) of (w1, w3) on their differences more.
  void DoubledFive() {
    const auto add = [&](const Numbers& points, const std::vector<Numbers>& tap_of, bool difference) {
      const size_t first = b.size(), order = tap_of.size();
      for (size_t i = 0; i <= points.size(); ++i) {
        const Numbers c = Product(points, i);
        b.emplace_back(12, 0.0);
        for (size_t k = 0; k < c.size(); ++k) {
          b.back()[2 * (difference ? k + 1 : k)] += c[k];
          if (difference) b.back()[2 * k] -= c[k];
        }
        Numbers row(5, 0.0);
        for (size_t t = 0; t < order; ++t) {
          const double value =
              i < points.size() ? std::pow(points[i], t) / Norm(points, i) : (t + 1 == order ? 1.0 : 0.0);
          for (const double tap : tap_of[t]) row[static_cast<size_t>(tap)] = value;
        }
        g.push_back(row);
      }
      for (size_t o = 0; o < 8; ++o) {
        a[o].resize(b.size(), 0.0);
        if (difference && o % 2 == 0) continue;
        for (size_t i = 0; i < points.size(); ++i) a[o][first + i] = std::pow(points[i], o / 2);
        a[o].back() = o / 2 == 3 ? 1 : 0;
      }
    };
    a.resize(8);
    add({0, 1, -1, 2, -2}, {{0, 1}, {2, 3}, {4}}, false);
    add({0, -1, 2, -2}, {{1}, {3}}, true);
    MakePositive(&a), MakePositive(&b), MakePositive(&g);
  }

  // Sum of magnitudes that pass through the transforms to output (i, j) of a tile: |A^T| [(|G||g||G|^T) .
  // (|B^T||d||B|)] |A|.
  std::vector<double> Bound(const std::vector<double>& filter, const std::vector<double>& tile) const {
    const auto sandwich = [](const std::vector<std::vector<double>>& matrix, const std::vector<double>& x, size_t n) {
      const size_t rows = matrix.size();
      std::vector<double> half(rows * n, 0.0), out(rows * rows, 0.0);
      for (size_t i = 0; i < rows; ++i) {
        for (size_t j = 0; j < n; ++j) {
          for (size_t k = 0; k < n; ++k) half[i * n + j] += matrix[i][k] * x[k * n + j];
        }
      }
      for (size_t i = 0; i < rows; ++i) {
        for (size_t j = 0; j < rows; ++j) {
          for (size_t k = 0; k < n; ++k) out[i * rows + j] += half[i * n + k] * matrix[j][k];
        }
      }
      return out;
    };
    const std::vector<double> u = sandwich(g, filter, static_cast<size_t>(taps));
    const std::vector<double> v = sandwich(b, tile, static_cast<size_t>(alpha));
    std::vector<double> products(u.size());
    for (size_t i = 0; i < u.size(); ++i) products[i] = u[i] * v[i];
    return sandwich(a, products, g.size());
  }
};

// Every element against the definition in double. Roundings on the way of a term: one of U, at most 2 (alpha + 1) in
// each transform along both axes, one a product and a sum of the chain over planes and channels, bias, residual: each
// at most eps/2 of magnitudes that Bound() sums.
void CheckAgainstDefinition(const ConvKernel& row, const ConvCase& c, const Inputs<ConvLayer>& s, const Owned& dst) {
  const ConvLayer& l = c.layer;
  const Guarded packed = PackFor(row, l, s, 3);
  if (c.residual_is_dst) CopyInto(dst.view, s.residual.view);
  RunAll(row, l, ArgsOf<ConvKernel>(c, s, dst, packed.data()));
  ExpectGapsUntouched(dst);
  const Magnitudes magnitudes(l);
  const int64_t alpha = magnitudes.alpha, taps = l.kernel[1], m = magnitudes.m;
  const double roundings = static_cast<double>(2 * l.kernel[0] * l.in_channels + 8 * (alpha + 1) + 4);
  const auto source = [&](int64_t n, int64_t d, int64_t h, int64_t w, int64_t ci) {
    const int64_t(&up)[3] = l.upsample;
    if (d < 0 || d >= c.src.d * up[0] || h < 0 || h >= c.src.h * up[1] || w < 0 || w >= c.src.w * up[2]) return 0.0;
    return static_cast<double>(s.src.view.data[OffsetOf(s.src.view, n, d / up[0], h / up[1], w / up[2], ci)]);
  };
  for (int64_t n = 0; n < c.dst.n; ++n) {
    for (int64_t d = 0; d < c.dst.d; ++d) {
      for (int64_t h = 0; h < c.dst.h; h += m) {
        for (int64_t w = 0; w < c.dst.w; w += m) {
          for (int64_t co = 0; co < c.dst.c; ++co) {
            std::vector<double> bound(static_cast<size_t>(m * m)), want(bound.size());
            for (int64_t kd = 0; kd < l.kernel[0]; ++kd) {
              for (int64_t ci = 0; ci < l.in_channels; ++ci) {
                std::vector<double> tile(static_cast<size_t>(alpha * alpha)), filter(static_cast<size_t>(taps * taps));
                for (int64_t i = 0; i < alpha * alpha; ++i) {
                  tile[static_cast<size_t>(i)] =
                      source(n, d - c.pad[0] + kd, h - c.pad[1] + i / alpha, w - c.pad[2] + i % alpha, ci);
                }
                for (int64_t t = 0; t < taps * taps; ++t) {
                  filter[static_cast<size_t>(t)] = static_cast<double>(s.weights[static_cast<size_t>(
                      ((kd * taps * taps + t) * l.in_channels + ci) * l.out_channels + co)]);
                }
                for (int64_t o = 0; o < m * m; ++o) {
                  for (int64_t t = 0; t < taps * taps; ++t) {
                    want[static_cast<size_t>(o)] +=
                        filter[static_cast<size_t>(t)] *
                        tile[static_cast<size_t>((o / m + t / taps) * alpha + o % m + t % taps)];
                  }
                }
                for (double& v : tile) v = std::fabs(v);
                for (double& v : filter) v = std::fabs(v);
                const std::vector<double> more = magnitudes.Bound(filter, tile);
                for (size_t o = 0; o < bound.size(); ++o) bound[o] += more[o];
              }
            }
            for (int64_t o = 0; o < m * m; ++o) {
              const int64_t y = h + o / m, x = w + o % m;
              if (y >= c.dst.h || x >= c.dst.w) continue;
              double sum = want[static_cast<size_t>(o)] + static_cast<double>(s.bias[static_cast<size_t>(co)]);
              double magnitude = bound[static_cast<size_t>(o)] + 1;
              if (l.has_residual) {
                sum += static_cast<double>(s.residual.view.data[OffsetOf(s.residual.view, n, d, y, x, co)]);
                magnitude += 1;
              }
              const double got = static_cast<double>(dst.view.data[OffsetOf(dst.view, n, d, y, x, co)]);
              const double tolerance =
                  0.5 * roundings * std::numeric_limits<float>::epsilon() * magnitude + ActivationSlack(l.act.fn);
              ASSERT_NEAR(got, ActivateExactly(l.act, sum), tolerance)
                  << n << "," << d << "," << y << "," << x << "," << co;
            }
          }
        }
      }
    }
  }
}

// A rectangle that begins on the lattice and ends there or at the image's end, from no more of the source than its
// tiles reach.
void CheckRectangles(const ConvKernel& row, const ConvCase& c, const Inputs<ConvLayer>& s, const Owned& whole,
                     std::mt19937& random) {
  const int64_t out[3] = {c.dst.d, c.dst.h, c.dst.w}, in[3] = {c.src.d, c.src.h, c.src.w};
  const Guarded packed = PackFor(row, c.layer, s, 1);
  for (int round = 0; round < 4; ++round) {
    int64_t first[3], last[3], low[3], high[3];
    ConvArgs args = ArgsOf<ConvKernel>(c, s, whole, packed.data());
    for (int a = 0; a < 3; ++a) {
      const int64_t lattice = row.lattice[a], cells = (out[a] + lattice - 1) / lattice;
      const int64_t cell = Uniform(random, 0, cells - 1);
      first[a] = cell * lattice;
      last[a] = std::min(out[a], Uniform(random, cell + 1, cells) * lattice);
      const int64_t up = c.layer.upsample[a], reach = last[a] - c.pad[a] + c.layer.kernel[a] - 1;
      low[a] = std::clamp<int64_t>((first[a] - c.pad[a]) / up, 0, in[a] - 1);
      high[a] = std::clamp<int64_t>((reach + up - 1) / up, low[a] + 1, in[a]);
      args.pad[a] = c.pad[a] - first[a] + low[a] * up;
      args.dst_origin[a] = first[a];
    }
    const Owned src({c.src.n, high[0] - low[0], high[1] - low[1], high[2] - low[2], c.src.c}, 0, c.side);
    ForEach(src.view, [&](int64_t n, int64_t d, int64_t h, int64_t w, int64_t ch) {
      src.view.data[OffsetOf(src.view, n, d, h, w, ch)] =
          s.src.view.data[OffsetOf(s.src.view, n, d + low[0], h + low[1], w + low[2], ch)];
    });
    const Dims size = {c.dst.n, last[0] - first[0], last[1] - first[1], last[2] - first[2], c.dst.c};
    const Owned dst(size, 1, c.side), residual(size, 0, c.side), want(size, 0, c.side);
    ForEach(dst.view, [&](int64_t n, int64_t d, int64_t h, int64_t w, int64_t ch) {
      residual.view.data[OffsetOf(residual.view, n, d, h, w, ch)] =
          s.residual.view.data[OffsetOf(s.residual.view, n, d + first[0], h + first[1], w + first[2], ch)];
      want.view.data[OffsetOf(want.view, n, d, h, w, ch)] =
          whole.view.data[OffsetOf(whole.view, n, d + first[0], h + first[1], w + first[2], ch)];
    });
    args.src = src.view;
    args.dst = dst.view;
    if (c.layer.has_residual) args.residual = residual.view;
    RunAll(row, c.layer, args);
    ExpectGapsUntouched(dst);
    ExpectSameBits(dst.view, want.view, "rectangle on the lattice");
  }
}

// Without packed weights: the same bits, also unit by unit from the last to the first.
void CheckUnpacked(const ConvKernel& row, const ConvCase& c, const Inputs<ConvLayer>& s, const Owned& want) {
  ASSERT_TRUE(row.packs_when_run);
  const Owned dst(c.dst, c.dst_gap, c.side);
  ConvArgs args = ArgsOf<ConvKernel>(c, s, dst, nullptr);
  args.weights = s.weights.data();
  args.bias = s.bias.data();
  for (const bool at_once : {true, false}) {
    if (c.residual_is_dst) CopyInto(dst.view, s.residual.view);
    if (at_once) {
      RunAll(row, c.layer, args);
    } else {
      for (int64_t unit = row.units(c.layer, args); unit-- > 0;) {
        Guarded scratch(row.scratch_floats(c.layer, args), Guarded::Side::kEnd, true);
        row.run(c.layer, args, unit, unit + 1, scratch.data());
      }
    }
    ExpectGapsUntouched(dst);
    ExpectSameBits(dst.view, want.view, at_once ? "packed when run" : "packed when run, by units");
  }
}

ConvCase RandomCase(std::mt19937& random, int64_t window, bool volume, bool doubled) {
  ConvCase c;
  c.layer.kernel[1] = c.layer.kernel[2] = window;
  if (volume) c.layer.kernel[0] = 3;
  int64_t src[3] = {volume ? Uniform(random, 1, 5) : 1, Uniform(random, 1, 11), Uniform(random, 1, 21)};
  int64_t dst[3] = {1, 1, 1};
  for (int a = volume ? 0 : 1; a < 3; ++a) {
    c.pad[a] = Uniform(random, -1, c.layer.kernel[a]);
    dst[a] = std::max<int64_t>(1, src[a] + Uniform(random, -3, 3));
    if (!doubled) continue;
    c.layer.upsample[a] = 2;
    c.pad[a] = 2 * Uniform(random, -1, 1) + window / 2 % 2;
    dst[a] = std::max<int64_t>(1, 2 * src[a] + Uniform(random, -5, 5));
  }
  const int64_t channels[] = {4, 5, 8, 15, 16, 17, 20, 33};
  c.layer.in_channels = channels[Uniform(random, 0, 7)];
  c.layer.out_channels = channels[Uniform(random, 0, 7)];
  c.layer.has_residual = Uniform(random, 0, 2) == 0;
  c.residual_is_dst = c.layer.has_residual && Uniform(random, 0, 1) == 0;
  const Activation acts[] = {
      {}, {UnaryFn::kRelu}, {UnaryFn::kLeakyRelu, 0.2f}, {UnaryFn::kClip, -1, 1}, {UnaryFn::kSigmoid}};
  c.layer.act = acts[Uniform(random, 0, 4)];
  c.src = {Uniform(random, 1, 2), src[0], src[1], src[2], c.layer.in_channels};
  c.dst = {c.src.n, dst[0], dst[1], dst[2], c.layer.out_channels};
  c.src_gap = Uniform(random, 0, 3);
  c.dst_gap = Uniform(random, 0, 3);
  c.residual_gap = c.residual_is_dst ? c.dst_gap : Uniform(random, 0, 3);
  c.side = Uniform(random, 0, 1) == 0 ? Guarded::Side::kEnd : Guarded::Side::kBegin;
  return c;
}

TEST(Winograd, EveryRowOnRandomLayers) {
  int cases = 0, doubled_cases = 0;
  ForEachRow([&](const ConvKernel& row) {
    std::mt19937 random(20261121);
    for (uint32_t seed = 0; seed < 60 && !::testing::Test::HasFailure(); ++seed) {
      const bool doubled = IsDoubled(row);
      const ConvCase c = RandomCase(random, seed % 2 == 0 ? 3 : 5, seed % 6 == 4, doubled);
      if (!row.accepts(c.layer)) continue;
      SCOPED_TRACE(c.Describe() + " seed " + std::to_string(seed));
      const Inputs<ConvLayer> s(c, seed);
      const Owned dst(c.dst, c.dst_gap, c.side);
      CheckAgainstDefinition(row, c, s, dst);
      if (::testing::Test::HasFailure()) return;
      CheckUnits(row, c, s, dst, random);
      CheckRectangles(row, c, s, dst, random);
      CheckUnpacked(row, c, s, dst);
      ++cases;
      doubled_cases += doubled ? 1 : 0;
    }
  });
  if (BestIsa() != Isa::kReference) {
    EXPECT_GT(cases, 20);
    EXPECT_GT(doubled_cases, 10);
  }
}

// Wide layers: errors against the definition stay near 1e-6 of the largest output, as the choice of points promises.
TEST(Winograd, WideLayersAreAccurate) {
  ForEachRow([](const ConvKernel& row) {
    ConvCase c;
    const int64_t window = WindowOf(row);
    c.layer.kernel[1] = c.layer.kernel[2] = window;
    c.pad[1] = c.pad[2] = window / 2;
    c.layer.in_channels = 256;
    c.layer.out_channels = 40;
    const int64_t up = IsDoubled(row) ? 2 : 1, rows = 23 * up, cols = 37 * up;
    c.layer.upsample[1] = c.layer.upsample[2] = up;
    c.src = {1, 1, 23, 37, 256};
    c.dst = {1, 1, rows, cols, 40};
    ASSERT_TRUE(row.accepts(c.layer));
    const Inputs<ConvLayer> s(c, 3);
    const Owned dst(c.dst, 0, c.side);
    const Guarded packed = PackFor(row, c.layer, s, 1);
    RunAll(row, c.layer, ArgsOf<ConvKernel>(c, s, dst, packed.data()));
    CheckUnpacked(row, c, s, dst);
    double worst = 0, largest = 0;
    for (int64_t h = 0; h < rows; ++h) {
      for (int64_t w = 0; w < cols; w += 3) {
        for (int64_t co = 0; co < 40; co += 7) {
          double sum = static_cast<double>(s.bias[static_cast<size_t>(co)]);
          for (int64_t t = 0; t < window * window; ++t) {
            const int64_t y = h + t / window - window / 2, x = w + t % window - window / 2;
            if (y < 0 || y >= rows || x < 0 || x >= cols) continue;
            for (int64_t ci = 0; ci < 256; ++ci) {
              sum += static_cast<double>(s.src.view.data[OffsetOf(s.src.view, 0, 0, y / up, x / up, ci)]) *
                     static_cast<double>(s.weights[static_cast<size_t>((t * 256 + ci) * 40 + co)]);
            }
          }
          worst =
              std::max(worst, std::fabs(sum - static_cast<double>(dst.view.data[OffsetOf(dst.view, 0, 0, h, w, co)])));
          largest = std::max(largest, std::fabs(sum));
        }
      }
    }
    EXPECT_LT(worst / largest, IsDoubled(row) && window == 3 ? 5e-6 : 2e-5);
  });
}

// What is not finite reaches every output whose window sees it, and no further than the tiles that read it.
TEST(Winograd, InfinitiesStayInTheTilesThatReadThem) {
  ForEachRow([](const ConvKernel& row) {
    ConvCase c;
    const int64_t window = WindowOf(row);
    const int64_t up = IsDoubled(row) ? 2 : 1;
    c.layer.kernel[1] = c.layer.kernel[2] = window;
    c.layer.upsample[1] = c.layer.upsample[2] = up;
    c.pad[1] = c.pad[2] = window / 2;
    c.layer.in_channels = c.layer.out_channels = 16;
    c.src = {1, 1, 20, 24, 16};
    c.dst = {1, 1, 20 * up, 24 * up, 16};
    const Inputs<ConvLayer> s(c, 3);
    const Guarded packed = PackFor(row, c.layer, s, 1);
    const Owned clean(c.dst, 0, c.side), spoilt(c.dst, 0, c.side);
    RunAll(row, c.layer, ArgsOf<ConvKernel>(c, s, clean, packed.data()));
    const int64_t at_h = 9, at_w = 14;
    s.src.view.data[OffsetOf(s.src.view, 0, 0, at_h, at_w, 5)] = std::numeric_limits<float>::infinity();
    RunAll(row, c.layer, ArgsOf<ConvKernel>(c, s, spoilt, packed.data()));
    // Output o sees positions [o - window / 2, o + window / 2]; its tile of m those of [tile, tile + m - 1].
    const auto reads = [&](int64_t first, int64_t last, int64_t position) {
      return position * up + up - 1 >= first - window / 2 && position * up <= last + window / 2;
    };
    ForEach(spoilt.view, [&](int64_t, int64_t, int64_t h, int64_t w, int64_t co) {
      const float got = spoilt.view.data[OffsetOf(spoilt.view, 0, 0, h, w, co)];
      const float before = clean.view.data[OffsetOf(clean.view, 0, 0, h, w, co)];
      if (reads(h, h, at_h) && reads(w, w, at_w)) {
        EXPECT_FALSE(std::isfinite(got)) << h << "," << w;
      }
      const int64_t m = row.lattice[1], row_tile = h / m * m, col_tile = w / m * m;
      if (!reads(row_tile, row_tile + m - 1, at_h) || !reads(col_tile, col_tile + m - 1, at_w)) {
        EXPECT_EQ(std::memcmp(&got, &before, sizeof(float)), 0) << h << "," << w;
      }
    });
  });
}

}  // namespace
}  // namespace fovea::kernels::testing
