// Resizing against the formulas of resize.h, worked out by hand or for signals whose result is known exactly.
#include "fovea/resize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace fovea {
namespace {

using Values = std::vector<float>;

constexpr ResizeMethod kMethods[] = {ResizeMethod::kNearest, ResizeMethod::kLinear, ResizeMethod::kCubic,
                                     ResizeMethod::kArea};

Values Row(ResizeMethod method, const Values& row, int64_t out) {
  Values result(static_cast<size_t>(out));
  ResizePlane(method, row.data(), 1, static_cast<int64_t>(row.size()), result.data(), 1, out);
  return result;
}

Values Column(ResizeMethod method, const Values& column, int64_t out) {
  Values result(static_cast<size_t>(out));
  ResizePlane(method, column.data(), static_cast<int64_t>(column.size()), 1, result.data(), out, 1);
  return result;
}

Values Noise(size_t n, unsigned seed) {
  std::mt19937 random(seed);
  Values values(n);
  for (float& v : values) v = static_cast<float>(random() % 2000) / 7.0f - 100.0f;
  return values;
}

TEST(Resize, NearestTakesThePixelThatHoldsTheCentre) {
  const Values v = {10, 11, 12, 13, 14};
  EXPECT_EQ(Row(ResizeMethod::kNearest, v, 10), (Values{10, 10, 11, 11, 12, 12, 13, 13, 14, 14}));
  EXPECT_EQ(Row(ResizeMethod::kNearest, v, 3), (Values{10, 12, 14}));  // centres at 0.33, 2, 3.67: extents 0, 2, 4
  EXPECT_EQ(Row(ResizeMethod::kNearest, v, 1), (Values{12}));
  EXPECT_EQ(Column(ResizeMethod::kNearest, {1, 2}, 5), (Values{1, 1, 2, 2, 2}));  // centre 2 lies on the edge: right
}

TEST(Resize, LinearByHand) {
  EXPECT_EQ(Row(ResizeMethod::kLinear, {0, 8}, 4), (Values{0, 2, 6, 8}));
  EXPECT_EQ(Column(ResizeMethod::kLinear, {0, 8}, 4), (Values{0, 2, 6, 8}));
  EXPECT_EQ(Row(ResizeMethod::kLinear, {0, 4, 8, 12}, 2), (Values{2, 10}));
  EXPECT_EQ(Row(ResizeMethod::kLinear, {5}, 3), (Values{5, 5, 5}));
  // 2 x 2 to 4 x 4: products of the axes' weights.
  const Values plane = {0, 16, 32, 64};
  Values out(16);
  ResizePlane(ResizeMethod::kLinear, plane.data(), 2, 2, out.data(), 4, 4);
  EXPECT_EQ(out[0], 0);
  EXPECT_EQ(out[5], 0.75f * (0.25f * 16) + 0.25f * (0.75f * 32 + 0.25f * 64));
  EXPECT_EQ(out[15], 64);
}

TEST(Resize, CubicByHand) {
  // f = 1/4 and 3/4. Keys' weights for f = 1/4: -9/128, 111/128, 29/128, -3/128.
  const Values impulse = {0, 0, 0, 128, 0, 0, 0, 0};
  EXPECT_EQ(Row(ResizeMethod::kCubic, impulse, 16), (Values{0, 0, 0, -3, -9, 29, 111, 111, 29, -9, -3, 0, 0, 0, 0, 0}));
  // The border is repeated: the first output has s = -1/4, weights -3/128 29/128 111/128 -9/128 on v[-2] .. v[1].
  EXPECT_EQ(Row(ResizeMethod::kCubic, {0, 128, 128}, 6)[0], -9);
}

TEST(Resize, AreaByHand) {
  EXPECT_EQ(Row(ResizeMethod::kArea, {1, 3, 10, 20, 7, 8}, 3), (Values{2, 15, 7.5f}));
  EXPECT_EQ(Row(ResizeMethod::kArea, {10, 20, 40, 5, 5}, 2), (Values{20, 12}));  // (10+20+20)/2.5, (20+5+5)/2.5
  EXPECT_EQ(Row(ResizeMethod::kArea, {4, 6}, 3), (Values{4, 5, 6}));
}

// Polynomials that the kernels reproduce: constants by all, straight lines by linear, parabolas by cubic.
TEST(Resize, ReproducesPolynomials) {
  for (const int64_t in : {1, 2, 3, 7, 16, 33}) {
    for (const int64_t out : {1, 2, 5, 8, 16, 31, 100}) {
      const auto n = static_cast<size_t>(in);
      Values constant(n, 0.1f), line(n), parabola(n);
      for (size_t i = 0; i < n; ++i) {
        line[i] = static_cast<float>(i);
        parabola[i] = static_cast<float>(i * i);
      }
      for (const ResizeMethod method : kMethods) {
        EXPECT_EQ(Row(method, constant, out), Values(static_cast<size_t>(out), 0.1f)) << in << " to " << out;
      }
      const Values linear = Row(ResizeMethod::kLinear, line, out), cubic = Row(ResizeMethod::kCubic, parabola, out);
      for (int64_t o = 0; o < out; ++o) {
        const double s = (static_cast<double>(o) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5;
        const auto at = static_cast<size_t>(o);
        EXPECT_NEAR(linear[at], std::clamp(s, 0.0, static_cast<double>(in - 1)), 1e-5) << in << " to " << out;
        if (s < 1 || s > static_cast<double>(in - 2)) continue;
        EXPECT_NEAR(cubic[at], s * s, 1e-4 * (1 + s * s));
      }
    }
  }
}

TEST(Resize, AreaKeepsTheMean) {
  const Values v = Noise(97, 1);
  for (const int64_t out : {1, 2, 10, 48, 96, 97}) {
    double before = 0, after = 0;
    for (const float x : v) before += static_cast<double>(x) / 97;
    for (const float x : Row(ResizeMethod::kArea, v, out)) after += static_cast<double>(x) / static_cast<double>(out);
    EXPECT_NEAR(before, after, 1e-5) << out;
  }
}

TEST(Resize, SameSizeIsTheSameBits) {
  Values v = Noise(35, 2);
  v[3] = std::numeric_limits<float>::infinity();
  for (const ResizeMethod method : kMethods) {
    Values out(35);
    ResizePlane(method, v.data(), 5, 7, out.data(), 5, 7);
    EXPECT_EQ(out, v);
  }
}

TEST(Resize, NotANumberStaysWhereItIs) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  // Three times as large: the middle copies sit on pixel centres and read no neighbour.
  const Values out = Row(ResizeMethod::kLinear, {1, nan, 3, 4}, 12);
  const std::vector<bool> expected = {false, false, true, true, true, true, true, false, false, false, false, false};
  for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(std::isnan(out[i]), expected[i]) << i;
}

Resizer::Source SourceOf(const Values& volume, int64_t rows, int64_t cols) {
  return [&volume, rows, cols](int64_t z, int64_t y, int64_t x, int64_t height, int64_t width, float* dst) {
    for (int64_t r = 0; r < height; ++r) {
      for (int64_t c = 0; c < width; ++c) {
        if (y + r < 0 || y + r >= rows || x + c < 0 || x + c >= cols) return Internal("outside the source");
        *dst++ = volume.at(static_cast<size_t>((z * rows + y + r) * cols + x + c));
      }
    }
    return OkStatus();
  };
}

TEST(Resize, PlanesAreResizedToo) {
  const Values volume = {0, 10, 40, 50};  // two planes of one row of two
  const Resizer resizer({ResizeMethod::kLinear, 2, 4}, {}, {ResizeMethod::kLinear, 2, 2});
  Values plane(2);
  for (const auto& [z, left, right] : {std::tuple{0, 0.0f, 10.0f}, {1, 10.0f, 20.0f}, {2, 30.0f, 40.0f}}) {
    ASSERT_TRUE(resizer.Region(z, 0, 0, 1, 2, SourceOf(volume, 1, 2), plane.data()).ok());
    EXPECT_EQ(plane, (Values{left, right})) << z;
  }
}

// Bit for bit, for bands and blocks as well: 600 columns of 900 rows need several bands.
TEST(Resize, RegionsAreCropsOfTheWhole) {
  std::mt19937 random(5);
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); };
  for (const ResizeMethod method : kMethods) {
    for (const auto& [in_rows, in_cols, rows, cols] :
         {std::tuple{900, 600, 311, 1207}, {37, 41, 90, 13}, {5, 3, 1, 1}, {1, 1, 6, 4}}) {
      const Values volume = Noise(static_cast<size_t>(2 * in_rows * in_cols), 9);
      const Resizer resizer({method, 2, 3}, {method, in_rows, rows}, {method, in_cols, cols});
      Values whole(static_cast<size_t>(rows * cols));
      ASSERT_TRUE(resizer.Region(1, 0, 0, rows, cols, SourceOf(volume, in_rows, in_cols), whole.data()).ok());
      for (int round = 0; round < 6; ++round) {
        const int64_t y = below(rows), x = below(cols), h = 1 + below(rows - y), w = 1 + below(cols - x);
        Values part(static_cast<size_t>(h * w));
        ASSERT_TRUE(resizer.Region(1, y, x, h, w, SourceOf(volume, in_rows, in_cols), part.data()).ok());
        for (int64_t i = 0; i < h * w; ++i) {
          ASSERT_EQ(part[static_cast<size_t>(i)], whole[static_cast<size_t>((y + i / w) * cols + x + i % w)]);
        }
      }
      EXPECT_GT(resizer.WorkingBytes(), 0);
      EXPECT_LT(resizer.WorkingBytes(), 16 << 20);
    }
  }
}

TEST(Resize, TheSourcesFailureIsTheResult) {
  const Resizer resizer({}, {ResizeMethod::kArea, 4, 2}, {ResizeMethod::kArea, 4, 2});
  float out[4];
  const Status status = resizer.Region(
      0, 0, 0, 2, 2, [](int64_t, int64_t, int64_t, int64_t, int64_t, float*) { return IoError("gone"); }, out);
  EXPECT_EQ(status.code(), StatusCode::kIo);
}

TEST(Resize, Names) {
  EXPECT_EQ(*ParseResizeMethod("cubic"), ResizeMethod::kCubic);
  EXPECT_FALSE(ParseResizeMethod("bicubic").ok());
}

}  // namespace
}  // namespace fovea
