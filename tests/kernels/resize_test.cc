#include "kernels/resize/resize.h"

#include "tests/kernels/harness.h"

namespace fovea::kernels {
namespace {

// The oracle follows the text of ONNX's Resize: a coordinate, its integer part and a ratio in (0, 1], coefficients of
// the n neighbours, borders repeated. Empty: the extrapolation value.
struct Tap {
  int64_t at;
  double weight;
};

double Coordinate(const ResizeLayer& layer, int64_t in, int64_t out, double scale, float roi_begin, float roi_end,
                  double x) {
  const double size = scale * static_cast<double>(in), n = static_cast<double>(in);
  switch (layer.coordinates) {
    case ResizeCoordinates::kHalfPixel: return (x + 0.5) / scale - 0.5;
    case ResizeCoordinates::kHalfPixelSymmetric:
      return n / 2 * (1 - static_cast<double>(out) / size) + (x + 0.5) / scale - 0.5;
    case ResizeCoordinates::kPytorchHalfPixel: return out > 1 ? (x + 0.5) / scale - 0.5 : 0;
    case ResizeCoordinates::kAlignCorners: return size == 1 ? 0 : x * (n - 1) / (size - 1);
    case ResizeCoordinates::kAsymmetric: return x / scale;
    case ResizeCoordinates::kTfCropAndResize:
      if (size == 1) return 0.5 * (roi_begin + roi_end) * (n - 1);
      return roi_begin * (n - 1) + x * (static_cast<double>(roi_end) - roi_begin) * (n - 1) / (size - 1);
    case ResizeCoordinates::kTfHalfPixelForNearest: return std::floor((x + 0.5) / scale);
  }
  return 0;
}

std::vector<Tap> OracleTaps(const ResizeLayer& layer, int64_t in, int64_t out, double scale, float roi_begin,
                            float roi_end, int64_t o) {
  if (in == out && scale == 1 && layer.coordinates != ResizeCoordinates::kTfCropAndResize) return {{o, 1}};
  const double x = Coordinate(layer, in, out, scale, roi_begin, roi_end, static_cast<double>(o));
  if (layer.coordinates == ResizeCoordinates::kTfCropAndResize && (x < 0 || x > static_cast<double>(in - 1))) return {};
  const int64_t left = static_cast<int64_t>(std::ceil(x)) - 1;
  const double ratio = x - static_cast<double>(left);
  std::vector<double> weights;
  int64_t first = left;
  const double shrink = layer.antialias ? std::min(1.0, scale) : 1;
  if (layer.mode == ResizeMode::kNearest) {
    bool right = ratio == 1;
    if (layer.rounding == ResizeRounding::kRoundPreferFloor) right = ratio > 0.5;
    if (layer.rounding == ResizeRounding::kRoundPreferCeil) right = ratio >= 0.5;
    if (layer.rounding == ResizeRounding::kCeil) right = true;
    weights = {right ? 0.0 : 1.0, right ? 1.0 : 0.0};
  } else if (layer.mode == ResizeMode::kLinear) {
    const int64_t begin = static_cast<int64_t>(std::floor(-1 / shrink)) + 1;
    first = left + begin;
    for (int64_t i = begin; i < 2 - begin; ++i) {
      weights.push_back(std::max(0.0, 1 - shrink * std::fabs(static_cast<double>(i) - ratio)));
    }
  } else {
    const int64_t begin = static_cast<int64_t>(std::floor(-2 / shrink)) + 1;
    first = left + begin;
    const double a = layer.cubic_a;
    for (int64_t i = begin; i < 2 - begin; ++i) {
      const double t = shrink * std::fabs(static_cast<double>(i) - ratio);
      weights.push_back(t <= 1  ? (a + 2) * t * t * t - (a + 3) * t * t + 1
                        : t < 2 ? a * t * t * t - 5 * a * t * t + 8 * a * t - 4 * a
                                : 0);
    }
  }
  double sum = 0;
  std::vector<Tap> taps;
  for (size_t i = 0; i < weights.size(); ++i) {
    const int64_t at = first + static_cast<int64_t>(i);
    const bool outside = at < 0 || at >= in;
    const double weight = outside && layer.exclude_outside ? 0 : weights[i];
    taps.push_back({std::clamp<int64_t>(at, 0, in - 1), weight});
    sum += weight;
  }
  const bool normalise = layer.exclude_outside || (layer.antialias && layer.mode != ResizeMode::kNearest);
  for (Tap& tap : taps) tap.weight /= normalise ? sum : 1;
  return taps;
}

struct Case {
  ResizeLayer layer;
  std::vector<int64_t> in, out;
  std::vector<double> scale;
  std::vector<float> roi_begin, roi_end;
};

Case RandomCase(Random& random, int64_t channels, bool resize_last) {
  Case c;
  c.layer.mode = static_cast<ResizeMode>(random.Int(0, 2));
  c.layer.coordinates = static_cast<ResizeCoordinates>(random.Int(0, 5));
  if (c.layer.mode == ResizeMode::kNearest && random.Int(0, 5) == 0) {
    c.layer.coordinates = ResizeCoordinates::kTfHalfPixelForNearest;
  }
  c.layer.rounding = static_cast<ResizeRounding>(random.Int(0, 3));
  c.layer.cubic_a = random.Coin() ? -0.75f : -0.5f;
  c.layer.antialias = c.layer.mode != ResizeMode::kNearest && random.Coin();
  c.layer.exclude_outside = c.layer.mode == ResizeMode::kCubic && random.Coin();
  c.layer.extrapolation_value = 7.5f;
  const int64_t rank = random.Int(3, 5);
  for (int64_t i = 0; i < rank; ++i) {
    const bool resized = i == rank - 1 ? resize_last : i > 0 && random.Int(0, 4) > 0;
    const int64_t in = i == rank - 1 ? channels : random.Int(1, 7);
    int64_t out = in;
    double scale = 1;
    if (resized) {
      const int64_t kind = random.Int(0, 2);
      out = kind == 0 ? in * random.Int(1, 4) : random.Int(1, 12);
      scale = static_cast<double>(out) / static_cast<double>(in);
      if (kind == 2) {  // a prescribed factor of float, the size rounded down from it
        scale = static_cast<double>(random.Float(0.3f, 3.0f));
        out = std::max<int64_t>(1, static_cast<int64_t>(scale * static_cast<double>(in)));
      }
    }
    c.in.push_back(in);
    c.out.push_back(out);
    c.scale.push_back(scale);
    c.roi_begin.push_back(resized ? random.Float(-0.2f, 0.6f) : 0);
    c.roi_end.push_back(resized ? random.Float(0.5f, 1.2f) : 1);
  }
  return c;
}

ResizeArgs MakeArgs(const Case& c, const ConstView& src, const View& dst) {
  ResizeArgs args{src, dst};
  for (int i = 0; i < src.rank; ++i) {
    const size_t k = static_cast<size_t>(i);
    args.in_size[i] = c.in[k];
    args.out_size[i] = c.out[k];
    args.scale[i] = c.scale[k];
    args.roi_begin[i] = c.roi_begin[k];
    args.roi_end[i] = c.roi_end[k];
  }
  return args;
}

// Value and sum of |weight x|, or false for the extrapolation value.
bool Oracle(const Case& c, const Tensor& src, const int64_t* o, double* value, double* magnitude, double* taps) {
  std::vector<Tap> sums = {{0, 1}};
  for (size_t axis = 0; axis < c.in.size(); ++axis) {
    const std::vector<Tap> taps1 =
        OracleTaps(c.layer, c.in[axis], c.out[axis], c.scale[axis], c.roi_begin[axis], c.roi_end[axis], o[axis]);
    std::vector<Tap> next;
    for (const Tap& a : sums) {
      for (const Tap& b : taps1) {
        if (b.weight != 0) next.push_back({a.at + b.at * src.view().strides[axis], a.weight * b.weight});
      }
    }
    sums = next;
  }
  *value = *magnitude = 0;
  for (const Tap& t : sums) {
    *value += t.weight * src.view().data[t.at];
    *magnitude += std::fabs(t.weight * src.view().data[t.at]);
  }
  *taps = static_cast<double>(sums.size());
  return !sums.empty();
}

// The oracle divides by the scale as it is, the kernel by the exact quotient where there is one: where the two leave
// different sides of a tie (or of an integer), both are right.
bool OnAnEdge(const Case& c, const int64_t* o) {
  for (size_t axis = 0; axis < c.in.size(); ++axis) {
    const double x = Coordinate(c.layer, c.in[axis], c.out[axis], c.scale[axis], c.roi_begin[axis], c.roi_end[axis],
                                static_cast<double>(o[axis]));
    const double away = std::fabs(2 * x - std::round(2 * x));
    if (away != 0 && away < 1e-12) return true;
    if (c.layer.coordinates == ResizeCoordinates::kTfCropAndResize &&
        (std::fabs(x) < 1e-12 || std::fabs(x - static_cast<double>(c.in[axis] - 1)) < 1e-12)) {
      return true;
    }
    if (c.layer.coordinates == ResizeCoordinates::kTfHalfPixelForNearest) {
      const double q = (static_cast<double>(o[axis]) + 0.5) / c.scale[axis];
      if (std::fabs(q - std::round(q)) < 1e-12) return true;
    }
  }
  return false;
}

void CheckCase(const ResizeKernel& row, const Case& c, Random& random) {
  Tensor src(c.in, random.Int(0, 1) * 3), dst(c.out, random.Int(0, 1) * 2);
  src.Fill(random, -1, 1);
  RunRow(row, c.layer, MakeArgs(c, src.cview(), dst.view()), random);
  ASSERT_TRUE(dst.Intact());
  const int rank = dst.view().rank;
  int64_t at[kMaxRank];
  const auto index = [&](const View& view, int64_t i) {
    for (int axis = rank - 1; axis >= 0; --axis) {
      at[axis] = i % view.dims[axis];
      i /= view.dims[axis];
    }
  };
  for (int64_t i = 0; i < dst.size(); ++i) {
    index(dst.view(), i);
    if (OnAnEdge(c, at)) continue;
    double want, magnitude, taps;
    if (!Oracle(c, src, at, &want, &magnitude, &taps)) {
      ASSERT_EQ(dst[i], c.layer.extrapolation_value) << i;
      continue;
    }
    // Weights (a float each way and their product) and each addition round once.
    ASSERT_NEAR(dst[i], want, 6e-8 * (taps + 4) * magnitude)
        << i << " mode " << static_cast<int>(c.layer.mode) << " coordinates " << static_cast<int>(c.layer.coordinates);
  }

  // A rectangle of the output from a view of just the support.
  std::vector<int64_t> begin, dims, src_begin, src_dims;
  for (int axis = 0; axis < rank; ++axis) {
    const size_t k = static_cast<size_t>(axis);
    begin.push_back(random.Int(0, c.out[k] - 1));
    dims.push_back(random.Int(1, c.out[k] - begin[k]));
    const ResizeSupport support = ResizeAxisSupport(c.layer, c.in[k], c.out[k], c.scale[k], c.roi_begin[k],
                                                    c.roi_end[k], begin[k], begin[k] + dims[k]);
    ASSERT_LE(0, support.begin);
    ASSERT_LE(support.end, c.in[k]);
    src_begin.push_back(support.begin);
    src_dims.push_back(support.end - support.begin);
  }
  // A copy of the support with canaries around, so that a read outside of it shows.
  Tensor from(src_dims, 1), part(dims, 1);
  const View source = SubView(src.view(), src_begin, src_dims);
  for (int64_t i = 0; i < from.size(); ++i) {
    index(from.view(), i);
    int64_t offset = 0;
    for (int axis = 0; axis < rank; ++axis) offset += at[axis] * source.strides[axis];
    from[i] = source.data[offset];
  }
  ResizeArgs args = MakeArgs(c, from.cview(), part.view());
  for (int axis = 0; axis < rank; ++axis) {
    args.src_origin[axis] = src_begin[static_cast<size_t>(axis)];
    args.dst_origin[axis] = begin[static_cast<size_t>(axis)];
  }
  RunRow(row, c.layer, args, random);
  ASSERT_TRUE(part.Intact());
  const View whole = SubView(dst.view(), begin, dims);
  for (int64_t i = 0; i < part.size(); ++i) {
    index(part.view(), i);
    int64_t offset = 0;
    for (int axis = 0; axis < rank; ++axis) offset += at[axis] * whole.strides[axis];
    ASSERT_TRUE(SameBits(part[i], whole.data[offset])) << i;
  }
}

TEST(Resize, AgainstDoubleAndCutsOfTheOutput) {
  Random random(1);
  for (int round = 0; round < 150; ++round) {
    const Case c = RandomCase(random, 1 + round % 35, round % 8 == 7);
    ForEachKernel(ResizeKernels(), [&](const ResizeKernel& row) { CheckCase(row, c, random); });
    if (HasFatalFailure()) return;
  }
}

void ExpectResized(const ResizeLayer& layer, const std::vector<float>& in, const std::vector<float>& want) {
  Random random(3);
  Case c;
  c.layer = layer;
  const int64_t from = static_cast<int64_t>(in.size()), to = static_cast<int64_t>(want.size());
  c.in = {from, 1};
  c.out = {to, 1};
  c.scale = {static_cast<double>(to) / static_cast<double>(from), 1};
  c.roi_begin = {0, 0};
  c.roi_end = {1, 1};
  Tensor src(c.in), dst(c.out);
  for (int64_t i = 0; i < from; ++i) src[i] = in[static_cast<size_t>(i)];
  ForEachKernel(ResizeKernels(), [&](const ResizeKernel& row) {
    RunRow(row, layer, MakeArgs(c, src.cview(), dst.view()), random);
    for (int64_t i = 0; i < to; ++i) EXPECT_FLOAT_EQ(dst[i], want[static_cast<size_t>(i)]) << i;
  });
}

// Worked by hand from the formulas.
TEST(Resize, ByHand) {
  ResizeLayer layer;
  layer.coordinates = ResizeCoordinates::kAsymmetric;
  layer.rounding = ResizeRounding::kFloor;
  ExpectResized(layer, {1, 2}, {1, 1, 1, 2, 2, 2});
  // 7 * 6 / 14 = 3 exactly: the seventh output reads the third input, though 7 / (14 / 6) rounds below 3.
  ExpectResized(layer, {0, 1, 2, 3, 4, 5}, {0, 0, 0, 1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 5});
  layer.coordinates = ResizeCoordinates::kAlignCorners;
  layer.rounding = ResizeRounding::kRoundPreferCeil;
  ExpectResized(layer, {1, 2}, {1, 2, 2});  // 0, 0.5, 1: halves go up, as in TensorFlow
  layer.rounding = ResizeRounding::kRoundPreferFloor;
  ExpectResized(layer, {1, 2}, {1, 1, 2});
  layer.mode = ResizeMode::kLinear;
  layer.coordinates = ResizeCoordinates::kHalfPixel;
  ExpectResized(layer, {1, 3}, {1, 1.5f, 2.5f, 3});
  layer.coordinates = ResizeCoordinates::kAsymmetric;
  ExpectResized(layer, {1, 3}, {1, 2, 3, 3});
  layer.coordinates = ResizeCoordinates::kHalfPixel;
  layer.antialias = true;
  ExpectResized(layer, {1, 2, 3, 4}, {1.625f, 3.375f});  // weights 1, 3, 3, 1 over 8, the border repeated
}

// An infinity is copied where a position is hit exactly, and does not leak as 0 x infinity.
TEST(Resize, InfinityStaysWhereItIs) {
  ResizeLayer layer;
  layer.mode = ResizeMode::kLinear;
  layer.coordinates = ResizeCoordinates::kAlignCorners;
  ExpectResized(layer, {1, kInf, 3}, {1, kInf, kInf, kInf, 3});
}

}  // namespace
}  // namespace fovea::kernels
