#include "kernels/conv_transpose/conv_transpose.h"

#include <algorithm>

#include "tests/kernels/conv_testing.h"

namespace fovea::kernels::testing {
namespace {

using TransposeCase = Case<ConvTransposeLayer>;
using TransposeInputs = Inputs<ConvTransposeLayer>;

// The textbook form, seen from the source: every source pixel scatters its window; those that hit the output count.
Exact Oracle(const TransposeCase& c, const TransposeInputs& s, int64_t n, int64_t od, int64_t oh, int64_t ow,
             int64_t co) {
  const ConvTransposeLayer& l = c.layer;
  const int64_t group_in = l.in_channels / l.groups;
  const int64_t first = co / (l.out_channels / l.groups) * group_in;
  const int64_t out[3] = {od, oh, ow};
  // The tap by which source position i reaches the output along axis a, or -1.
  const auto tap = [&](int a, int64_t i) {
    for (int64_t k = 0; k < l.kernel[a]; ++k) {
      if (i * l.stride[a] + k * l.dilation[a] - c.pad[a] == out[a]) return k;
    }
    return int64_t{-1};
  };
  Exact exact;
  for (int64_t d = 0; d < c.src.d; ++d) {
    if (tap(0, d) < 0) continue;
    for (int64_t h = 0; h < c.src.h; ++h) {
      if (tap(1, h) < 0) continue;
      for (int64_t w = 0; w < c.src.w; ++w) {
        if (tap(2, w) < 0) continue;
        const int64_t at = (tap(0, d) * l.kernel[1] + tap(1, h)) * l.kernel[2] + tap(2, w);
        for (int64_t ci = 0; ci < group_in; ++ci) {
          const View& v = s.src.view;
          exact.Add(static_cast<double>(v.data[OffsetOf(v, n, d, h, w, first + ci)]),
                    static_cast<double>(s.weights[static_cast<size_t>((at * group_in + ci) * l.out_channels + co)]));
        }
      }
    }
  }
  return exact;
}

void CheckEverything(const ConvTransposeKernel& row, const TransposeCase& c, uint32_t seed) {
  SCOPED_TRACE(std::string(row.name) + ": " + c.Describe() + " seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const TransposeInputs s(c, seed);
  const Owned dst(c.dst, c.dst_gap, c.side);
  CheckAgainstOracle(row, c, s, Oracle, dst);
  CheckUnits(row, c, s, dst, random);
  // Sources that can reach outputs [first, last], generously: one too many on each side changes nothing.
  const auto range_of = [&](int a, int64_t first, int64_t last, int64_t* low, int64_t* high) {
    *low = (first + c.pad[a] - (c.layer.kernel[a] - 1) * c.layer.dilation[a]) / c.layer.stride[a] - 1;
    *high = (last + c.pad[a]) / c.layer.stride[a] + 2;
  };
  const auto pad_of = [&](int a, int64_t first, int64_t low) { return c.pad[a] + first - low * c.layer.stride[a]; };
  CheckRectangle(row, c, s, dst, range_of, pad_of, random);
}

TransposeCase RandomCase(std::mt19937& random) {
  TransposeCase c;
  const bool volume = Uniform(random, 0, 3) == 0;
  int64_t src[3] = {1, 1, 1};
  int64_t dst[3] = {1, 1, 1};
  for (int a = volume ? 0 : 1; a < 3; ++a) {
    c.layer.kernel[a] = Uniform(random, 1, a == 0 ? 3 : 5);
    c.layer.stride[a] = Uniform(random, 1, 3);
    c.layer.dilation[a] = std::max<int64_t>(1, Uniform(random, -2, 3));
    src[a] = Uniform(random, 1, a == 2 ? 30 : a == 1 ? 5 : 3);
    const int64_t window = (c.layer.kernel[a] - 1) * c.layer.dilation[a] + 1;
    c.pad[a] = Uniform(random, -3, window);
    dst[a] = Uniform(random, 1, src[a] * c.layer.stride[a] + window);
  }
  c.src = {1, src[0], src[1], src[2], 1};
  c.dst = {1, dst[0], dst[1], dst[2], 1};
  RandomChannels(&c.layer, random);
  RandomPlaces(&c, random);
  return c;
}

template <class Check>
void ForEachRow(const Check& check) {
  for (const ConvTransposeKernel& row : ConvTransposeKernels()) {
    if (Supported(row.isa)) check(row);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(ConvTranspose, EveryRowOnRandomLayers) {
  ForEachRow([](const ConvTransposeKernel& row) {
    std::mt19937 random(20240608);
    for (uint32_t seed = 0; seed < 250 && !::testing::Test::HasFailure(); ++seed) {
      const TransposeCase c = RandomCase(random);
      if (row.accepts(c.layer)) CheckEverything(row, c, seed);
    }
  });
}

// The two that U-Nets and ResNets use, at every width around the register tiles of a phase.
TEST(ConvTranspose, EveryWidthOfTheUsualWindows) {
  ForEachRow([](const ConvTransposeKernel& row) {
    for (int64_t width = 1; width <= 49 && !::testing::Test::HasFailure(); ++width) {
      for (int64_t kernel : {2, 3, 4}) {
        TransposeCase c;
        for (int a = 1; a < 3; ++a) {
          c.layer.kernel[a] = kernel;
          c.layer.stride[a] = 2;
          c.pad[a] = kernel / 3;
        }
        c.layer.in_channels = c.src.c = 1 + width % 7;
        c.layer.out_channels = c.dst.c = 1 + width % 37;
        c.src.h = 1 + width % 3;
        c.src.w = width;
        c.dst.h = 2 * c.src.h - width % 2;
        c.dst.w = 2 * c.src.w;
        CheckEverything(row, c, static_cast<uint32_t>(width));
      }
    }
  });
}

// Sizes at which phases are cut into several units.
TEST(ConvTranspose, BlockedSizes) {
  for (int64_t kernel : {2, 3}) {
    ForEachRow([&](const ConvTransposeKernel& row) {
      if (row.isa == Isa::kReference) return;
      TransposeCase c;
      for (int a = 1; a < 3; ++a) {
        c.layer.kernel[a] = kernel;
        c.layer.stride[a] = 2;
        c.pad[a] = kernel / 3;
      }
      c.layer.in_channels = 96;
      c.layer.out_channels = 70;
      c.src = {1, 1, 21, 130, 96};
      c.dst = {1, 1, 42, 259, 70};
      SCOPED_TRACE(std::string(row.name) + ": " + c.Describe());
      const TransposeInputs s(c, 5);
      const Owned dst(c.dst, 0, c.side);
      const Guarded packed = PackFor(row, c.layer, s, 1);
      const ConvArgs args = ArgsOf<ConvTransposeKernel>(c, s, dst, packed.data());
      RunAll(row, c.layer, args);
      EXPECT_GT(row.units(c.layer, args), 1);
      std::mt19937 random(9);
      for (int i = 0; i < 3; ++i) CheckUnits(row, c, s, dst, random);
      for (int i = 0; i < 300; ++i) {
        const int64_t h = Uniform(random, 0, c.dst.h - 1);
        const int64_t w = Uniform(random, 0, c.dst.w - 1);
        const int64_t co = Uniform(random, 0, c.dst.c - 1);
        Exact exact = Oracle(c, s, 0, 0, h, w, co);
        exact.Add(static_cast<double>(s.bias[static_cast<size_t>(co)]), 1.0);
        EXPECT_NEAR(static_cast<double>(dst.view.data[OffsetOf(dst.view, 0, 0, h, w, co)]), exact.sum,
                    2.0 * static_cast<double>(exact.terms) * std::numeric_limits<float>::epsilon() * exact.magnitude);
      }
    });
  }
}

}  // namespace
}  // namespace fovea::kernels::testing
