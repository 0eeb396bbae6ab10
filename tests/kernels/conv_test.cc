#include "kernels/conv/conv.h"

#include <algorithm>

#include "tests/kernels/conv_testing.h"

namespace fovea::kernels::testing {
namespace {

using ConvCase = Case<ConvLayer>;

// The definition in conv.h, window by window.
Exact Oracle(const ConvCase& c, const Inputs<ConvLayer>& s, int64_t n, int64_t od, int64_t oh, int64_t ow, int64_t co) {
  const ConvLayer& l = c.layer;
  const int64_t group_in = l.in_channels / l.groups;
  const int64_t first = co / (l.out_channels / l.groups) * group_in;
  Exact exact;
  size_t weight = static_cast<size_t>(co);
  for (int64_t kd = 0; kd < l.kernel[0]; ++kd) {
    for (int64_t kh = 0; kh < l.kernel[1]; ++kh) {
      for (int64_t kw = 0; kw < l.kernel[2]; ++kw) {
        const int64_t d = od * l.stride[0] - c.pad[0] + kd * l.dilation[0];
        const int64_t h = oh * l.stride[1] - c.pad[1] + kh * l.dilation[1];
        const int64_t w = ow * l.stride[2] - c.pad[2] + kw * l.dilation[2];
        const bool inside = d >= 0 && d < c.src.d && h >= 0 && h < c.src.h && w >= 0 && w < c.src.w;
        for (int64_t ci = 0; ci < group_in; ++ci, weight += static_cast<size_t>(l.out_channels)) {
          if (!inside) continue;
          const View& v = s.src.view;
          exact.Add(static_cast<double>(v.data[OffsetOf(v, n, d, h, w, first + ci)]),
                    static_cast<double>(s.weights[weight]));
        }
      }
    }
  }
  return exact;
}

void CheckEverything(const ConvKernel& row, const ConvCase& c, uint32_t seed) {
  SCOPED_TRACE(std::string(row.name) + ": " + c.Describe() + " seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const Inputs<ConvLayer> s(c, seed);
  const Owned dst(c.dst, c.dst_gap, c.side);
  CheckAgainstOracle(row, c, s, Oracle, dst);
  CheckUnits(row, c, s, dst, random);
  const auto range_of = [&](int a, int64_t first, int64_t last, int64_t* low, int64_t* high) {
    *low = first * c.layer.stride[a] - c.pad[a];
    *high = last * c.layer.stride[a] - c.pad[a] + (c.layer.kernel[a] - 1) * c.layer.dilation[a] + 1;
  };
  const auto pad_of = [&](int a, int64_t first, int64_t low) { return c.pad[a] - first * c.layer.stride[a] + low; };
  CheckRectangle(row, c, s, dst, range_of, pad_of, random);
}

ConvCase RandomCase(std::mt19937& random) {
  ConvCase c;
  const bool volume = Uniform(random, 0, 3) == 0;
  int64_t src[3] = {1, 1, 1};
  int64_t dst[3] = {1, 1, 1};
  for (int a = volume ? 0 : 1; a < 3; ++a) {
    c.layer.kernel[a] = Uniform(random, 1, a == 0 ? 3 : 5);
    c.layer.stride[a] = std::max<int64_t>(1, Uniform(random, -2, 3));
    c.layer.dilation[a] = std::max<int64_t>(1, Uniform(random, -2, 3));
    src[a] = Uniform(random, 1, a == 2 ? 30 : a == 1 ? 7 : 4);
    const int64_t window = (c.layer.kernel[a] - 1) * c.layer.dilation[a] + 1;
    c.pad[a] = Uniform(random, -2, window);
    dst[a] = Uniform(random, 1, std::max<int64_t>(1, (src[a] + 2 * window) / c.layer.stride[a]));
  }
  c.src = {1, src[0], src[1], src[2], 1};
  c.dst = {1, dst[0], dst[1], dst[2], 1};
  RandomChannels(&c.layer, random);
  c.layer.has_residual = Uniform(random, 0, 2) == 0;
  c.residual_is_dst = c.layer.has_residual && Uniform(random, 0, 1) == 0;
  RandomPlaces(&c, random);
  return c;
}

// Rows that keep to the contract's order; the others (Winograd) have tests of their own.
template <class Check>
void ForEachRow(const Check& check) {
  for (const ConvKernel& row : ConvKernels()) {
    if (Supported(row.isa) && row.exact_order) check(row);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(Conv, EveryRowOnRandomLayers) {
  ForEachRow([](const ConvKernel& row) {
    std::mt19937 random(20240607);
    for (uint32_t seed = 0; seed < 250 && !::testing::Test::HasFailure(); ++seed) {
      const ConvCase c = RandomCase(random);
      if (row.accepts(c.layer)) CheckEverything(row, c, seed);
    }
  });
}

// 3x3 "same" at every width around the register tiles and every channel count around the vectors.
TEST(Conv, EveryWidthAndChannelCount) {
  ForEachRow([](const ConvKernel& row) {
    for (int64_t width = 1; width <= 49 && !::testing::Test::HasFailure(); ++width) {
      for (int64_t out : {1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 65}) {
        ConvCase c;
        for (int a = 1; a < 3; ++a) {
          c.layer.kernel[a] = 3;
          c.pad[a] = 1;
        }
        c.layer.in_channels = c.src.c = 1 + width % 5;
        c.layer.out_channels = c.dst.c = out;
        c.src.h = c.dst.h = 1 + width % 3;
        c.src.w = c.dst.w = width;
        c.dst_gap = width % 2;
        if (row.accepts(c.layer)) CheckEverything(row, c, static_cast<uint32_t>(width));
      }
    }
  });
}

// 1x1 on dense views, whose rows are joined, and on views that can't be joined.
TEST(Conv, PointwiseJoinsRows) {
  ForEachRow([](const ConvKernel& row) {
    for (uint32_t seed = 0; seed < 24; ++seed) {
      std::mt19937 random(seed);
      ConvCase c;
      c.layer.in_channels = c.src.c = Uniform(random, 1, 33);
      c.layer.out_channels = c.dst.c = Uniform(random, 1, 40);
      c.layer.has_residual = seed % 3 == 0;
      c.residual_is_dst = seed % 6 == 0;
      c.src = c.dst = {1 + seed % 2, 1 + seed % 3, 3, Uniform(random, 1, 29), 1};
      c.src.c = c.layer.in_channels;
      c.dst.c = c.layer.out_channels;
      c.src_gap = seed % 4 == 1 ? 2 : 0;
      c.dst_gap = seed % 4 == 2 ? 2 : 0;
      if (row.accepts(c.layer)) CheckEverything(row, c, seed);
    }
  });
}

// Sizes at which the blocking cuts rows into segments and channels into splits.
TEST(Conv, BlockedSizes) {
  struct Size {
    int64_t in, out, rows, cols, kernel;
  };
  for (const Size& size :
       {Size{64, 96, 20, 300, 3}, Size{200, 160, 9, 33, 3}, Size{1, 16, 4, 9000, 3}, Size{40, 70, 30, 40, 1}}) {
    ForEachRow([&](const ConvKernel& row) {
      if (row.isa == Isa::kReference) return;  // the oracle already takes its time
      ConvCase c;
      for (int a = 1; a < 3; ++a) {
        c.layer.kernel[a] = size.kernel;
        c.pad[a] = size.kernel / 2;
      }
      c.layer.in_channels = size.in;
      c.layer.out_channels = size.out;
      c.src = {1, 1, size.rows, size.cols, size.in};
      c.dst = {1, 1, size.rows, size.cols, size.out};
      if (!row.accepts(c.layer)) return;
      SCOPED_TRACE(std::string(row.name) + ": " + c.Describe());
      const Inputs<ConvLayer> s(c, 5);
      const Owned dst(c.dst, 0, c.side);
      const Guarded packed = PackFor(row, c.layer, s, 1);
      const ConvArgs args = ArgsOf<ConvKernel>(c, s, dst, packed.data());
      RunAll(row, c.layer, args);
      EXPECT_GT(row.units(c.layer, args), 1);
      std::mt19937 random(9);
      for (int i = 0; i < 4; ++i) CheckUnits(row, c, s, dst, random);
      for (int i = 0; i < 300; ++i) {  // a sample of elements against the oracle
        const int64_t h = Uniform(random, 0, size.rows - 1);
        const int64_t w = Uniform(random, 0, size.cols - 1);
        const int64_t co = Uniform(random, 0, size.out - 1);
        Exact exact = Oracle(c, s, 0, 0, h, w, co);
        exact.Add(static_cast<double>(s.bias[static_cast<size_t>(co)]), 1.0);
        EXPECT_NEAR(static_cast<double>(dst.view.data[OffsetOf(dst.view, 0, 0, h, w, co)]), exact.sum,
                    2.0 * static_cast<double>(exact.terms) * std::numeric_limits<float>::epsilon() * exact.magnitude);
      }
    });
  }
}

// Panels of weights larger than the cache are done in several passes, between which the chains rest: the bits of one
// chain.
TEST(Conv, WeightsLargerThanTheCache) {
  for (const bool volume : {false, true}) {
    ForEachRow([&](const ConvKernel& row) {
      if (row.isa == Isa::kReference) return;
      ConvCase c;
      for (int a = volume ? 0 : 1; a < 3; ++a) {
        c.layer.kernel[a] = volume ? 3 : 5;
        c.pad[a] = 1;
      }
      c.layer.in_channels = volume ? 900 : 1500;
      c.layer.out_channels = 19;
      c.layer.has_residual = c.residual_is_dst = true;
      c.layer.act = {UnaryFn::kRelu};
      c.src = {1, volume ? 3 : 1, 4, 31, c.layer.in_channels};
      c.dst = {1, volume ? 3 : 1, 3, 27, c.layer.out_channels};
      if (!row.accepts(c.layer)) return;
      CheckEverything(row, c, volume ? 1 : 2);
    });
  }
}

TEST(Conv, NoBiasIsZero) {
  ForEachRow([](const ConvKernel& row) {
    ConvLayer layer;
    layer.in_channels = layer.out_channels = 3;
    if (!row.accepts(layer)) return;
    const std::vector<float> weights(9, 1.0f);
    Guarded packed(row.packed_floats(layer), Guarded::Side::kEnd, true);
    row.pack(layer, weights.data(), nullptr, packed.data(), 0, 1);
    const Owned src({1, 1, 1, 2, 3}, 0, Guarded::Side::kEnd);
    const Owned dst({1, 1, 1, 2, 3}, 0, Guarded::Side::kEnd);
    for (int i = 0; i < 6; ++i) src.view.data[i] = static_cast<float>(i);
    ConvArgs args;
    args.src = src.view;
    args.dst = dst.view;
    args.packed = packed.data();
    RunAll(row, layer, args);
    for (int i = 0; i < 6; ++i) EXPECT_EQ(dst.view.data[i], i < 3 ? 3.0f : 12.0f) << row.name;
  });
}

TEST(Conv, TableIsOrderedAndEndsWithTheReference) {
  const std::span<const ConvKernel> rows = ConvKernels();
  ASSERT_FALSE(rows.empty());
  EXPECT_EQ(rows.back().isa, Isa::kReference);
  for (size_t i = 1; i < rows.size(); ++i) EXPECT_GE(rows[i - 1].isa, rows[i].isa);
  for (const ConvKernel& row : rows) {
    if (row.isa == Isa::kReference) continue;
    EXPECT_NE(std::string(row.name).find(IsaName(row.isa)), std::string::npos) << row.name;
  }
}

}  // namespace
}  // namespace fovea::kernels::testing
