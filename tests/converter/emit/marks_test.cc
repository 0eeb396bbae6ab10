// Marks of the whole image: each kind of node that must be found, what must not, and that marks are there exactly where
// the runtime refuses to cut the image into tiles.
#include "converter/emit/marks.h"

#include <gtest/gtest.h>

#include "runtime/plan/receptive_field.h"
#include "tests/support/random_graph.h"

namespace fovea {
namespace {

using converter::FindMarks;
using converter::Mark;
using test::NetBuilder;

const DimExpr kH = DimExpr::InputDim(0, 1), kW = DimExpr::InputDim(0, 2);

struct Case {
  const char* name;
  int (*build)(NetBuilder& net, int x);
  std::vector<std::string> marks;
};

int Reduce(NetBuilder& net, int x, std::vector<int64_t> axes, bool keep) {
  return net.Add(ReduceParams{kernels::ReduceFn::kMean, std::move(axes), keep}, {x});
}

TEST(Marks, EachKindOfNode) {
  const Case cases[] = {
      {"convolution", [](NetBuilder& net, int x) { return net.Conv(x, 4, 3); }, {}},
      {"mean over channels", [](NetBuilder& net, int x) { return Reduce(net, x, {3}, true); }, {}},
      {"global pooling",
       [](NetBuilder& net, int x) {
         return Reduce(net, x, {1, 2}, false);
       },
       {"over y, x"}},
      {"mean over columns", [](NetBuilder& net, int x) { return Reduce(net, x, {2}, true); }, {"over x"}},
      {"projection, then the rest",
       [](NetBuilder& net, int x) { return Reduce(net, Reduce(net, x, {1}, false), {1}, false); },
       {"over y", "over x"}},
      {"instance norm", [](NetBuilder& net, int x) { return net.Add(GroupNormParams{}, {x}); }, {"over y, x"}},
      {"softmax over channels",
       [](NetBuilder& net, int x) {
         return net.Add(SoftmaxParams{3, false}, {x});
       },
       {}},
      {"softmax over rows",
       [](NetBuilder& net, int x) {
         return net.Add(SoftmaxParams{1, false}, {x});
       },
       {"over y"}},
      {"argmax over channels", [](NetBuilder& net, int x) { return net.Add(ArgReduceParams{3}, {x}); }, {}},
      {"argmax over columns", [](NetBuilder& net, int x) { return net.Add(ArgReduceParams{2}, {x}); }, {"over x"}},
      {"layer norm over channels", [](NetBuilder& net, int x) { return net.Add(LayerNormParams{3}, {x}); }, {}},
      {"layer norm over columns and channels",
       [](NetBuilder& net, int x) { return net.Add(LayerNormParams{2}, {x}); },
       {"over x"}},
      {"after a transpose",
       [](NetBuilder& net, int x) {
         return Reduce(net, net.Add(TransposeParams{{0, 3, 2, 1}}, {x}), {2}, true);
       },
       {"over x"}},
      {"squeezed and excited",
       [](NetBuilder& net, int x) {
         return net.Binary(kernels::BinaryFn::kMul, x, Reduce(net, x, {1, 2}, true));
       },
       {"over y, x"}},
      {"dense over channels",
       [](NetBuilder& net, int x) {
         return net.Add(MatMulParams{}, {x, net.RandomConst({3, 5}, 1)});
       },
       {}},
      {"resize to a fixed size",
       [](NetBuilder& net, int x) {
         return net.ResizeLike(x, {1, 64, kW, 3}, kernels::ResizeMode::kLinear, kernels::ResizeCoordinates::kHalfPixel);
       },
       {"to y 64"}},
      {"resize by a factor",
       [](NetBuilder& net, int x) {
         return net.Upsample2(x, kernels::ResizeMode::kNearest, kernels::ResizeCoordinates::kAsymmetric);
       },
       {}},
      {"groups of channels",
       [](NetBuilder& net, int x) {
         return net.Add(ReshapeParams{{1, kH, kW, 3, 1}}, {x});
       },
       {}},
      {"flattened image",
       [](NetBuilder& net, int x) {
         return net.Add(ReshapeParams{{1, kH * kW, 3}}, {x});
       },
       {"over x"}},
      {"repeated rows",
       [](NetBuilder& net, int x) {
         return net.Add(TileParams{{1, 2, 1, 1}}, {x});
       },
       {"over y"}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    NetBuilder net(1);
    const int x = net.Input("byxc", {1, kH, kW, 3});
    const int y = c.build(net, x);
    ASSERT_NE(y, kNoValue) << net.error();
    net.Output(y);
    const std::vector<Mark> marks = FindMarks(net.graph());
    ASSERT_EQ(marks.size(), c.marks.size());
    for (size_t i = 0; i < marks.size(); ++i) {
      EXPECT_NE(marks[i].text.find(c.marks[i]), std::string::npos) << marks[i].text;
      const bool fixed = c.marks[i].rfind("to ", 0) == 0;
      EXPECT_EQ(marks[i].kind, fixed ? Mark::Kind::kFixedSize : Mark::Kind::kWholeImage);
    }
  }
}

TEST(Marks, FixedBatches) {
  NetBuilder net(1);
  net.Output(net.Conv(net.Input("byxc", {4, kH, kW, 3}), 4, 3));
  const std::vector<Mark> marks = FindMarks(net.graph());
  ASSERT_EQ(marks.size(), 1u);
  EXPECT_EQ(marks[0].text, "input 'x0': batches of 4");
}

TEST(Marks, AreWhereTheRuntimeCannotTile) {
  int marked = 0;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    const bool volume = seed % 3 == 0;
    const std::vector<int64_t> sizes =
        volume ? std::vector<int64_t>{1, 8, 12, 10, 2} : std::vector<int64_t>{1, 24, 20, 3};
    NetBuilder net = test::RandomNet(seed, sizes, 8, seed % 2 == 0);
    const auto resolved = plan::Resolve(net.graph(), std::vector<plan::Dims>{sizes}, {});
    ASSERT_TRUE(resolved.ok()) << resolved.status().message();
    const std::string barrier = plan::FindTileBarrier(*resolved, plan::LinkNodes(*resolved));
    const std::string marks = converter::MarksText(net.graph(), Mark::Kind::kWholeImage);
    EXPECT_EQ(marks.empty(), barrier.empty()) << "seed " << seed << "\n" << barrier << "\n" << marks;
    marked += marks.empty() ? 0 : 1;
  }
  EXPECT_GT(marked, 50);
  EXPECT_LT(marked, 250);
}

}  // namespace
}  // namespace fovea
