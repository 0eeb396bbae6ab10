// Steps at work, against values worked out by hand or by formula.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/runtime/process/apply_steps.h"

namespace fovea {
namespace {

using Floats = std::vector<float>;

TEST(Steps, OfOnePixel) {
  EXPECT_EQ(Row("binarize(threshold=1)", {0, 1, 2}), (Floats{0, 0, 1}));
  EXPECT_EQ(Row("binarize(threshold=1)", {0, 1, 2}, Compatibility::kJdll), (Floats{0, 1, 1}));
  EXPECT_EQ(Row("clip(min=-1, max=2)", {-3, 0.5, 7}), (Floats{-1, 0.5, 2}));
  EXPECT_EQ(Row("scale_linear(gain=2, offset=-1)", {0, 3}), (Floats{-1, 5}));
  EXPECT_EQ(Row("scale_linear(gain=[1, 10], axis=x)", {3, 3}), (Floats{3, 30}));
  EXPECT_EQ(Row("fixed_zero_mean_unit_variance(mean=2, std=4)", {10}), (Floats{2}));
  EXPECT_EQ(Row("ensure_dtype(dtype=uint8)", {-1, 2.9f, 300, NAN}), (Floats{0, 2, 255, 0}));
  EXPECT_EQ(Row("sigmoid", {0}), (Floats{0.5}));
  EXPECT_EQ(Row("invert(min=0, max=255)", {5}), (Floats{250}));
  EXPECT_EQ(Row("gamma(gamma=2, min=0, max=4)", {2}), (Floats{1}));
  const Floats three = {0, 1, 2, 5, 1, 1};  // three channels of two pixels
  EXPECT_EQ(Apply("argmax", {1, 3, 1, 1, 2}, three), (Floats{1, 1}));
  EXPECT_EQ(Apply("select_channels(channels=[3, 1])", {1, 3, 1, 1, 2}, three), (Floats{1, 1, 0, 1}));
  EXPECT_EQ(Apply("softmax", {1, 2, 1, 1, 1}, {0, std::log(3.0f)})[1], 0.75f);
}

TEST(Steps, PercentilesByDefinition) {
  // 0 .. 10 shuffled: (n - 1) p / 100 = 9.5 for 95, n p / 100 = 10.45.
  const Floats values = {7, 0, 3, 10, 1, 9, 2, 8, 4, 6, 5};
  const auto high = [&values](const std::string& method) {
    return Row("clip(min_percentile=0, max_percentile=95, method=" + method + ")", values)[3];
  };
  EXPECT_EQ(high("linear"), 9.5f);
  EXPECT_EQ(high("lower"), 9);
  EXPECT_EQ(high("higher"), 10);
  EXPECT_EQ(high("midpoint"), 9.5f);
  EXPECT_EQ(high("nearest"), 10);  // 9.5: the even one
  EXPECT_EQ(high("inverted_cdf"), 10);
  EXPECT_EQ(high("fiji"), 10);
  EXPECT_EQ(high("jdll"), 10);
  // Signs, zeros and infinities are in order; NaN is left out.
  EXPECT_EQ(Row("clip(min_percentile=25, max_percentile=75)", {-1e30f, -2, 0, 2, INFINITY, NAN})[0], -2);
}

TEST(Steps, StatisticsOfWhatIsAskedFor) {
  const SampleShape two{2, 1, 1, 1, 2};  // two samples: {0, 2} and {4, 10}
  const Floats values = {0, 2, 4, 10};
  const float eps = 1e-6f;
  EXPECT_FLOAT_EQ(Apply("scale_range(mode=per_sample)", two, values)[1], 2 / (2 + eps));
  EXPECT_FLOAT_EQ(Apply("scale_range", two, values)[1], 2 / (10 + eps));
  EXPECT_FLOAT_EQ(Apply("scale_range(axes=[channel, y, x])", two, values)[1], 2 / (2 + eps));
  EXPECT_FLOAT_EQ(Apply("zero_mean_unit_variance(mode=per_sample)", two, values)[1], 1 / (1 + eps));
  const SampleShape channels{1, 2, 1, 1, 2};
  EXPECT_FLOAT_EQ(Apply("scale_range(axes=yx)", channels, values)[3], 6 / (6 + eps));
  EXPECT_FLOAT_EQ(Apply("scale_range", channels, values)[3], 10 / (10 + eps));
}

TEST(Steps, NumbersOfPublishedPrograms) {
  // CSBDeep for Fiji: sorted[round(4 p / 100)], negative values cut, nothing divided when all are equal.
  EXPECT_EQ(Row("scale_range(min_percentile=25, max_percentile=75)", {0, 1, 2, 3, 4}, Compatibility::kCsbdeepFiji),
            (Floats{0, 0, 0.5, 1, 1.5}));
  EXPECT_EQ(Row("scale_range", {7, 7}, Compatibility::kCsbdeepFiji), (Floats{0, 0}));
  // bioimageio.core: statistics of the values before the first step; eps fixed.
  EXPECT_FLOAT_EQ(Row("scale_linear(gain=0) | scale_range(eps=0.5)", {0, 4}, Compatibility::kCore)[1], 0);
  EXPECT_FLOAT_EQ(Row("scale_range(eps=0.5)", {0, 4}, Compatibility::kCore)[1], 4 / (4 + 1e-6f));
  // DeepImageJ 1: ddof 1, and the macro's four digits: mean 1/3 becomes 0.3333, std sqrt(1/3) becomes 0.5774.
  EXPECT_FLOAT_EQ(Row("zero_mean_unit_variance", {0, 0, 1}, Compatibility::kDij1)[2], 0.6667f / 0.5774f);
}

TEST(Steps, OnMasks) {
  const SampleShape shape{1, 1, 1, 4, 5};
  const Floats mask = {9, 9, 9, 0, 0,  //
                       9, 0, 9, 0, 0,  //
                       9, 9, 9, 0, 0,  //
                       0, 0, 0, 9, 0};
  Floats filled = mask;
  filled[6] = 9;
  EXPECT_EQ(Apply("fill_holes", shape, mask), filled);
  const auto largest = [](const Floats& v) { return *std::max_element(v.begin(), v.end()); };
  EXPECT_EQ(largest(Apply("connected_components", shape, mask)), 2);
  EXPECT_EQ(largest(Apply("connected_components(connectivity=8)", shape, mask)), 1);
  EXPECT_EQ(Apply("size_filter(min=2, connectivity=4)", shape, mask)[18], 0);
  EXPECT_EQ(largest(Apply("clear_border", shape, mask)), 0);
  const Floats dot = {0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  const Floats grown = Apply("dilation(shape=cross)", shape, dot);
  EXPECT_EQ(std::accumulate(grown.begin(), grown.end(), 0.0f), 5);
  EXPECT_EQ(Apply("erosion(shape=cross)", shape, grown), dot);
}

TEST(Steps, WatershedPartsTwoDiscs) {
  const SampleShape shape{1, 1, 1, 21, 36};
  Floats mask(21 * 36);
  for (int y = 0; y < 21; ++y) {
    for (int x = 0; x < 36; ++x) {
      const bool left = (y - 10) * (y - 10) + (x - 10) * (x - 10) <= 64,
                 right = (y - 10) * (y - 10) + (x - 24) * (x - 24) <= 64;
      mask[static_cast<size_t>(y * 36 + x)] = left || right ? 255.0f : 0.0f;
    }
  }
  const Floats labels = Apply("watershed | connected_components(connectivity=8)", shape, mask);
  EXPECT_EQ(*std::max_element(labels.begin(), labels.end()), 2);
  EXPECT_NE(labels[10 * 36 + 10], labels[10 * 36 + 24]);
}

TEST(Steps, MoveAndBlur) {
  const SampleShape shape{1, 1, 1, 2, 3};
  const Floats values = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(Apply("transpose", shape, values), (Floats{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(Apply("crop(y=1, x=1)", shape, values), (Floats{5, 6}));
  EXPECT_EQ(Apply("resize(scale=2, method=nearest) | crop(height=1)", shape, values), (Floats{1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(Apply("gaussian_blur(sigma=2)", shape, Floats(6, 7.0f)), Floats(6, 7.0f));
}

TEST(Steps, WhatIsWrongIsSaid) {
  const auto message = [](const std::string& steps) {
    return StepChain::Create(*ParseSteps(steps), {1, 2, 1, 4, 4}, {}).status().message();
  };
  EXPECT_EQ(message("binarise"), "there is no step 'binarise'; did you mean binarize?");
  EXPECT_EQ(message("sigmoid(k=1)"), "step sigmoid has no argument k; it is sigmoid");
  EXPECT_EQ(message("binarize"), "step binarize: threshold=NUMBER is missing");
  EXPECT_EQ(message("scale_linear(gain=[1, 2, 3], axis=channel)"),
            "step scale_linear: gain has 3 numbers, but the image has 2 along its axis");
  EXPECT_EQ(message("select_channels(channels=3)"),
            "step select_channels: channels are numbered from 1 to 2 in this image");
}

}  // namespace
}  // namespace fovea
