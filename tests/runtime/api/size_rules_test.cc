#include "runtime/model/size_rules.h"

#include <gtest/gtest.h>

#include <chrono>

#include "tests/support/random_graph.h"
#include "tests/support/small_nets.h"

namespace fovea {
namespace {

using test::NetBuilder;

TEST(SizeRules, EncoderWithThreePoolingsNeedsMultiplesOfEight) {
  const auto rules = FindSizeRules(test::UNet(3).graph());
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(rules[0][0], (AxisRule{1, 1}));
  EXPECT_EQ(rules[0][1], (AxisRule{8, 8}));
  EXPECT_EQ(rules[0][2], (AxisRule{8, 8}));
  EXPECT_EQ(rules[0][3], (AxisRule{1, 0}));
}

TEST(SizeRules, UnpaddedWindowsSetTheLeastSize) {
  NetBuilder net(3);
  const int x = net.Input("byxc", {1, DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), 1});
  ConvParams p;
  p.kernel = {1, 5, 5};
  int y = net.Add(p, {x, net.RandomConst({1, 5, 5, 1, 2}, 0.1f), kNoValue, kNoValue});
  y = net.Add(p, {y, net.RandomConst({1, 5, 5, 2, 1}, 0.1f), kNoValue, kNoValue});
  net.Output(y);
  const auto rules = FindSizeRules(net.graph());
  EXPECT_EQ(rules[0][1], (AxisRule{9, 1}));
  EXPECT_EQ(rules[0][2], (AxisRule{9, 1}));
}

// Skips that are cropped to the decoder's size fit at every size, from the first that leaves an image.
TEST(SizeRules, UnpaddedUNetHasALeastSize) {
  NetBuilder net = test::UNet(2, /*padded=*/false);
  // Down: n -> n - 2 -> half -> - 2 -> half -> - 2 = m. Up: 2 m - 2, then 2 (2 m - 2) - 2, at least 1: m = 2 gives 2.
  // The least n for m = 2 is ((2 + 2) 2 + 2) 2 + 2 = 22.
  EXPECT_EQ(FindSizeRules(net.graph())[0][1], (AxisRule{22, 1}));
}

// Axes that the file leaves open, and a constant of the size that the network was made for behind a convolution: 1 is
// legal, since it broadcasts, and not what is meant.
TEST(SizeRules, AConstantOfTheImagesSizeFixesIt) {
  NetBuilder net(3);
  const int x = net.Input("byxc", {DimExpr::InputDim(0, 0), DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), 1});
  const int y = net.Conv(x, 2, 3);
  net.Output(net.Binary(kernels::BinaryFn::kMul, y, net.RandomConst({1, 7, 9, 1}, 1)));
  const auto rules = FindSizeRules(net.graph());
  EXPECT_EQ(rules[0][0], (AxisRule{1, 1}));
  EXPECT_EQ(rules[0][1], (AxisRule{7, 0}));
  EXPECT_EQ(rules[0][2], (AxisRule{9, 0}));
}

// The same for channels that the file leaves open, as of images stored with their axes in another order.
TEST(SizeRules, AConstantOfEveryChannelFixesTheirNumber) {
  NetBuilder net(3);
  const int x = net.Input("byxc", {1, 4, 4, DimExpr::InputDim(0, 3)});
  net.Output(net.Binary(kernels::BinaryFn::kMul, x, net.RandomConst({5}, 1)));
  EXPECT_EQ(FindSizeRules(net.graph())[0][3], (AxisRule{5, 0}));
}

TEST(SizeRules, InputsThatMustAgreeAreVariedTogether) {
  NetBuilder net(3);
  const int a = net.Input("byxc", {1, DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), 1});
  const int b = net.Input("byxc", {1, DimExpr::InputDim(1, 1), DimExpr::InputDim(1, 2), 1});
  net.Output(net.Concat({a, b}));
  for (const auto& rules : FindSizeRules(net.graph())) EXPECT_EQ(rules[1], (AxisRule{1, 1}));
}

TEST(SizeRules, AreQuickForAHundredNodes) {
  NetBuilder net = test::UNet(5);
  int x = net.graph().outputs[0].value;
  while (net.graph().nodes.size() < 100) x = net.Conv(x, 1, 3);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(FindSizeRules(net.graph())[0][1], (AxisRule{32, 32}));
  const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - start;
  // 50 ms on a quiet machine; the bound leaves room for sanitizers and neighbours.
  EXPECT_LT(ms.count(), 2000);
  RecordProperty("ms", std::to_string(ms.count()));
}

}  // namespace
}  // namespace fovea
