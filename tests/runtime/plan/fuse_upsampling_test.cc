// Doubled images that become part of a convolution: which do, that the results are those of the reference, and that
// tiles, bands and threads still give the bits of the whole image.
#include "runtime/plan/fuse_upsampling.h"

#include <gtest/gtest.h>

#include "tests/support/tolerance.h"

namespace fovea {
namespace {

using kernels::ResizeCoordinates;
using kernels::ResizeMode;
using kernels::ResizeRounding;
using test::NetBuilder;
using test::RunSession;
using test::Tensors;

struct Upsampling {
  ResizeMode mode = ResizeMode::kNearest;
  ResizeCoordinates coordinates = ResizeCoordinates::kAsymmetric;
  ResizeRounding rounding = ResizeRounding::kFloor;
  int64_t factor = 2;
};

int Resized(NetBuilder& net, int x, const Upsampling& how) {
  ResizeParams p;
  p.mode = how.mode;
  p.coordinates = how.coordinates;
  p.rounding = how.rounding;
  p.sizes = net.dims(x);
  for (size_t a = 1; a + 1 < p.sizes.size(); ++a) p.sizes[a] = p.sizes[a] * how.factor;
  return net.Add(p, {x});
}

const std::vector<int64_t> kImage = {1, 11, 9, 3};

// An image of 24 channels is made, doubled and convolved.
NetBuilder Doubling(const Upsampling& how, const std::vector<int64_t>& image = kImage, int window = 3) {
  NetBuilder net(5);
  const int x = net.Input(image.size() == 5 ? "bzyxc" : "byxc", {image.begin(), image.end()});
  const int y = Resized(net, net.Conv(x, 24, 3, 1, 1, 1, {kernels::UnaryFn::kRelu}), how);
  net.Output(net.Conv(y, 20, window, 1, 1, 1, {kernels::UnaryFn::kRelu}));
  return net;
}

bool Fused(const NetBuilder& net, const std::vector<int64_t>& image = kImage, SessionOptions options = {}) {
  const auto model = net.Build();
  EXPECT_TRUE(model.ok()) << model.status().message();
  const auto session = Session::Create(*model, {image}, options);
  EXPECT_TRUE(session.ok()) << session.status().message();
  bool resizes = false;
  for (const StepProfile& step : session->Profile()) resizes |= step.kind == "resize";
  return !resizes;
}

// Equal to the reference executor, which knows nothing of fusing, and the same bits however it is run.
void CheckResults(const NetBuilder& net, const std::vector<int64_t>& image) {
  auto model = net.Build();
  const Tensors inputs = test::RandomTensors({image}, 9);
  auto reference = Session::Create(*model, {image}, {.executor = Executor::kReference});
  ASSERT_TRUE(reference.ok()) << reference.status().message();
  const Tensors expected = RunSession(*reference, inputs);
  const double tolerance = test::Tolerance(net, expected);
  for (const std::string& isa : test::IsaNames()) {
    auto whole = Session::Create(*model, {image}, {.isa = isa, .band_rows = -1});
    ASSERT_TRUE(whole.ok()) << whole.status().message();
    const Tensors got = RunSession(*whole, inputs);
    for (size_t i = 0; i < got[0].size(); ++i) ASSERT_NEAR(got[0][i], expected[0][i], tolerance) << isa << " " << i;
    for (int64_t tile : {2, 5, 8, 13}) {
      auto tiled = Session::Create(*model, {image}, {.threads = 2, .isa = isa, .tile = {tile, tile, tile + 4}});
      ASSERT_TRUE(tiled.ok()) << tiled.status().message();
      ASSERT_EQ(test::FirstDifference(RunSession(*tiled, inputs), got), "") << isa << " tiles of " << tile;
      auto banded = Session::Create(*model, {image}, {.threads = 2, .isa = isa, .band_rows = tile});
      ASSERT_EQ(test::FirstDifference(RunSession(*banded, inputs), got), "") << isa << " bands of " << tile;
    }
  }
}

TEST(FuseUpsampling, EverySpellingOfNearest) {
  using C = ResizeCoordinates;
  using R = ResizeRounding;
  for (C coordinates : {C::kHalfPixel, C::kHalfPixelSymmetric, C::kPytorchHalfPixel, C::kAlignCorners, C::kAsymmetric,
                        C::kTfHalfPixelForNearest}) {
    for (R rounding : {R::kRoundPreferFloor, R::kRoundPreferCeil, R::kFloor, R::kCeil}) {
      SCOPED_TRACE(static_cast<int>(coordinates) * 10 + static_cast<int>(rounding));
      CheckResults(Doubling({ResizeMode::kNearest, coordinates, rounding}), kImage);
    }
  }
  if (kernels::BestIsa() == kernels::Isa::kReference) return;
  EXPECT_TRUE(Fused(Doubling({ResizeMode::kNearest, C::kAsymmetric, R::kFloor})));
  EXPECT_TRUE(Fused(Doubling({ResizeMode::kNearest, C::kHalfPixel, R::kRoundPreferFloor})));
  EXPECT_TRUE(Fused(Doubling({ResizeMode::kNearest, C::kTfHalfPixelForNearest, R::kFloor})));
  EXPECT_FALSE(Fused(Doubling({ResizeMode::kNearest, C::kAsymmetric, R::kCeil})));
  EXPECT_FALSE(Fused(Doubling({ResizeMode::kNearest, C::kHalfPixel, R::kFloor})));
  EXPECT_FALSE(Fused(Doubling({ResizeMode::kNearest, C::kAlignCorners, R::kRoundPreferFloor})));
}

TEST(FuseUpsampling, Volumes) {
  const std::vector<int64_t> image = {1, 4, 5, 7, 2};
  CheckResults(Doubling({}, image), image);
  if (kernels::BestIsa() != kernels::Isa::kReference) {
    EXPECT_TRUE(Fused(Doubling({}, image), image));
  }
}

TEST(FuseUpsampling, WindowsOfFive) {
  for (const std::vector<int64_t>& image :
       {kImage, std::vector<int64_t>{1, 1, 1, 3}, {2, 1, 6, 3}, {1, 20, 3, 3}, {1, 17, 26, 3}}) {
    CheckResults(Doubling({}, image, 5), image);
  }
  if (kernels::BestIsa() != kernels::Isa::kReference) {
    EXPECT_TRUE(Fused(Doubling({}, kImage, 5)));
  }
}

// What a concatenation is split into: the doubled image's part takes the other's as its residual.
TEST(FuseUpsampling, WithResidual) {
  for (const int window : {3, 5}) {
    NetBuilder net(9);
    const int x = net.Input("byxc", {1, 22, 18, 3});
    const int fine = net.Conv(x, 20, 3), coarse = net.Conv(net.Conv(x, 24, 3, 2), 24, 3);
    const int beside = net.Conv(fine, 17, window);
    const int doubled = Resized(net, coarse, {});
    net.Output(net.Conv(doubled, 17, window, 1, 1, 1, {kernels::UnaryFn::kRelu}, beside));
    CheckResults(net, {1, 22, 18, 3});
    if (kernels::BestIsa() != kernels::Isa::kReference) {
      EXPECT_TRUE(Fused(net, {1, 22, 18, 3}));
    }
  }
}

TEST(FuseUpsampling, SizesOfOneAndBatches) {
  for (const std::vector<int64_t>& image : {std::vector<int64_t>{1, 1, 1, 3}, {2, 1, 6, 3}, {3, 7, 2, 3}}) {
    CheckResults(Doubling({}, image), image);
  }
}

TEST(FuseUpsampling, LeavesWhatItMustNotTouch) {
  EXPECT_FALSE(Fused(Doubling({.mode = ResizeMode::kLinear, .coordinates = ResizeCoordinates::kHalfPixel})));
  EXPECT_FALSE(Fused(Doubling({.factor = 3})));
  EXPECT_FALSE(Fused(Doubling({}), kImage, {.exact_convolution = true}));
  // Read twice, and read as an output.
  for (const bool as_output : {false, true}) {
    NetBuilder net(6);
    const int x = net.Input("byxc", {kImage.begin(), kImage.end()});
    const int y = Resized(net, net.Conv(x, 24, 3), {});
    net.Output(net.Conv(y, 24, 3));
    net.Output(as_output ? y : net.Unary(y, {kernels::UnaryFn::kTanh}));
    EXPECT_FALSE(Fused(net));
    CheckResults(net, kImage);
  }
  // Without padding, tiles begin in the middle of a pair.
  NetBuilder net(7);
  const int x = net.Input("byxc", {kImage.begin(), kImage.end()});
  ConvParams p;
  p.kernel = {1, 3, 3};
  const int doubled = Resized(net, net.Conv(x, 24, 3), {});
  net.Output(net.Add(p, {doubled, net.RandomConst({1, 3, 3, 24, 20}, 0.07f)}));
  EXPECT_FALSE(Fused(net));
  // Nor in the places of "same" padding: windows of five with one row of it.
  NetBuilder shifted(7);
  p.kernel = {1, 5, 5};
  p.pad_begin = p.pad_end = {0, 1, 1};
  const int image = shifted.Conv(shifted.Input("byxc", {kImage.begin(), kImage.end()}), 24, 3);
  shifted.Output(shifted.Add(p, {Resized(shifted, image, {}), shifted.RandomConst({1, 5, 5, 24, 20}, 0.04f)}));
  EXPECT_FALSE(Fused(shifted));
  CheckResults(shifted, kImage);
  // As the convolution's residual, the doubled image is still needed.
  NetBuilder residual(8);
  const int r = residual.Input("byxc", {kImage.begin(), kImage.end()});
  const int small = residual.Conv(r, 24, 3);
  const int large = Resized(residual, small, {});
  residual.Output(residual.Conv(large, 24, 3, 1, 1, 1, {}, large));
  EXPECT_FALSE(Fused(residual));
  CheckResults(residual, kImage);
}

}  // namespace
}  // namespace fovea
