// Shapes of the operators on tensors of any rank. Expected values follow numpy's documentation of the function of the
// same name, worked out by hand.
#include "runtime/model/shapes.h"

#include <gtest/gtest.h>

#include "tests/runtime/model/shapes_testing.h"

namespace fovea {
namespace {

using testing::Error;
using testing::Infer;
using testing::Ints;
using testing::Shape;

TEST(Shapes, BroadcastingIsNumpys) {
  const OpParams p = BinaryParams{};
  EXPECT_EQ(Shape(p, {Ints{8, 1, 6, 1}, Ints{7, 1, 5}}), (Ints{8, 7, 6, 5}));
  EXPECT_EQ(Shape(p, {Ints{5, 4}, Ints{1}}), (Ints{5, 4}));
  EXPECT_EQ(Shape(p, {Ints{}, Ints{3, 1}}), (Ints{3, 1}));
  EXPECT_EQ(Shape(p, {Ints{}, Ints{}}), (Ints{}));
  EXPECT_EQ(Shape(p, {Ints{0, 3}, Ints{1, 3}}), (Ints{0, 3}));
  EXPECT_EQ(Error(p, {Ints{2, 1}, Ints{8, 4, 3}}), "sizes 2x1 and 8x4x3 do not broadcast: 2 against 4");
  EXPECT_EQ(Error(p, {Ints{0}, Ints{3}}), "sizes 0 and 3 do not broadcast: 0 against 3");
  EXPECT_EQ(Shape(SelectParams{}, {Ints{4, 1}, Ints{3}, Ints{}}), (Ints{4, 3}));
}

TEST(Shapes, MatMulIsNumpys) {
  const OpParams p = MatMulParams{};
  EXPECT_EQ(Shape(p, {Ints{2, 3}, Ints{3, 4}}), (Ints{2, 4}));
  EXPECT_EQ(Shape(p, {Ints{9, 5, 7, 4}, Ints{9, 5, 4, 3}}), (Ints{9, 5, 7, 3}));
  EXPECT_EQ(Shape(p, {Ints{5, 1, 2, 3}, Ints{6, 3, 4}}), (Ints{5, 6, 2, 4}));
  EXPECT_EQ(Shape(p, {Ints{3}, Ints{3}}), (Ints{}));
  EXPECT_EQ(Shape(p, {Ints{3}, Ints{5, 3, 4}}), (Ints{5, 4}));
  EXPECT_EQ(Shape(p, {Ints{5, 2, 3}, Ints{3}}), (Ints{5, 2}));
  EXPECT_EQ(Shape(p, {Ints{2, 0}, Ints{0, 4}}), (Ints{2, 4}));
  EXPECT_EQ(Error(p, {Ints{2, 3}, Ints{2, 3}}), "the matrices 2x3 and 2x3 do not multiply: 3 columns against 2 rows");
  EXPECT_EQ(Error(p, {Ints{}, Ints{2, 3}}), "a matrix product with a single number");
}

TEST(Shapes, Reductions) {
  ReduceParams p;
  p.axes = {0, 2};
  EXPECT_EQ(Shape(p, {Ints{2, 3, 4}}), (Ints{1, 3, 1}));
  p.keep_dims = false;
  EXPECT_EQ(Shape(p, {Ints{2, 3, 0}}), (Ints{3}));  // over nothing: the neutral element
  p.axes = {};
  EXPECT_EQ(Shape(p, {Ints{2, 3}}), (Ints{2, 3}));
  p.axes = {1, 1};
  EXPECT_EQ(Error(p, {Ints{2, 3}}), "axis 1 is reduced twice");
  p.axes = {2};
  EXPECT_EQ(Error(p, {Ints{2, 3}}), "axis 2 of a tensor of rank 2");
  ArgReduceParams a;
  a.axis = 1;
  EXPECT_EQ(Shape(a, {Ints{2, 3, 4}}), (Ints{2, 1, 4}));
  EXPECT_EQ(Error(a, {Ints{2, 0, 4}}), "axis 1 is empty and has no largest or smallest element");
  EXPECT_EQ(Shape(a, {Ints{0, 0, 4}}), (Ints{0, 1, 4}));
}

TEST(Shapes, SliceAgainstCounting) {
  for (int64_t in = 0; in <= 5; ++in) {
    for (int64_t start = -1; start <= 5; ++start) {
      for (const int64_t step : {-3, -1, 0, 1, 2}) {
        for (int64_t size = -1; size <= 5; ++size) {
          bool inside = size >= 0 && step != 0;
          for (int64_t i = 0; i < size; ++i) inside = inside && start + i * step >= 0 && start + i * step < in;
          SliceParams p;
          p.start = {start};
          p.size = {size};
          p.step = {step};
          ASSERT_EQ(Shape(p, {Ints{in}}), inside ? Ints{size} : Ints{-1})
              << in << " " << start << " " << step << " " << size;
        }
      }
    }
  }
}

TEST(Shapes, MovingAndCutting) {
  TransposeParams t;
  t.perm = {2, 0, 1};
  EXPECT_EQ(Shape(t, {Ints{2, 3, 4}}), (Ints{4, 2, 3}));
  t.perm = {0, 1, 1};
  EXPECT_EQ(Error(t, {Ints{2, 3, 4}}), "a permutation that names an axis twice");
  ReshapeParams r;
  r.dims = {6, 4};
  EXPECT_EQ(Shape(r, {Ints{2, 3, 4}}), (Ints{6, 4}));
  EXPECT_EQ(Error(r, {Ints{2, 3, 5}}), "2x3x5 cannot be reshaped to 6x4: the number of elements differs");
  r.dims = {0, 4};
  EXPECT_EQ(Shape(r, {Ints{3, 0}}), (Ints{0, 4}));
  ConcatParams c;
  c.axis = 1;
  EXPECT_EQ(Shape(c, {Ints{2, 3}, Ints{2, 0}, Ints{2, 5}}), (Ints{2, 8}));
  EXPECT_EQ(Error(c, {Ints{2, 3}, Ints{3, 3}}), "input 1 of 3x3 beside 2x3 along axis 1");
  EXPECT_EQ(Error(c, {}), "0 inputs instead of at least 1");
  ExpandParams e;
  e.dims = {5, 2, 3};
  EXPECT_EQ(Shape(e, {Ints{2, 1}}), (Ints{5, 2, 3}));
  EXPECT_EQ(Error(e, {Ints{4, 3}}), "4x3 does not broadcast to 5x2x3");
  TileParams tile;
  tile.repeats = {2, 0};
  EXPECT_EQ(Shape(tile, {Ints{3, 4}}), (Ints{6, 0}));
  GatherParams g;
  g.axis = 1;
  EXPECT_EQ(Shape(g, {Ints{2, 3, 4}, Ints{5, 6}}), (Ints{2, 5, 6, 4}));
  EXPECT_EQ(Shape(g, {Ints{2, 3, 4}, Ints{}}), (Ints{2, 4}));
  EXPECT_EQ(Error(g, {Ints{2, 0}, Ints{1}}), "axis 1 is empty and has nothing to take");
}

TEST(Shapes, PadAndResize) {
  PadParams p;
  p.begin = {1, -2};
  p.end = {0, -1};
  EXPECT_EQ(Shape(p, {Ints{2, 3}}), (Ints{3, 0}));
  EXPECT_EQ(Error(p, {Ints{2, 2}}), "more than the 2 of axis 1 is cut off");
  p.end = {0, 5};
  EXPECT_EQ(Shape(p, {Ints{2, 0}}), (Ints{3, 3}));
  p.mode = kernels::PadMode::kReflect;
  EXPECT_EQ(Error(p, {Ints{2, 0}}), "axis 1 is empty and has nothing to repeat");
  ResizeParams r;
  r.sizes = {1, 6};
  EXPECT_EQ(Shape(r, {Ints{1, 3}}), (Ints{1, 6}));
  EXPECT_EQ(Error(r, {Ints{1, 0}}), "axis 1 is empty and cannot be resized to 6");
  EXPECT_EQ(Error(r, {Ints{1, 0, 1}}), "sizes for 2 axes of a tensor of rank 3");
  r.scales = {1, 0};
  EXPECT_EQ(Error(r, {Ints{1, 3}}), "a scale that is not above 0");
}

TEST(Shapes, LimitsHold) {
  TileParams t;
  t.repeats = {int64_t{1} << 40, int64_t{1} << 40};
  EXPECT_EQ(Error(t, {Ints{2, 2}}), "the result of 2199023255552x2199023255552 has more than 2^48 elements");
  EXPECT_EQ(Shape(t, {Ints{2, 0}}), (Ints{int64_t{1} << 41, 0}));
  t.repeats = {INT64_MAX, 1};
  EXPECT_EQ(Error(t, {Ints{2, 1}}), "the size of axis 0 is beyond 64 bits");
  GatherParams g;
  EXPECT_EQ(Error(g, {Ints{1, 1, 1, 1}, Ints{1, 1, 1, 1}}), "the result has rank 7; the limit is 6");
  EXPECT_EQ(Error(UnaryParams{}, {Ints{1, 1, 1, 1, 1, 1, 1}}), "input 0 has rank 7; the limit is 6");
  DimsParams d;
  d.dims = {3, DimExpr::InputDim(0, 0)};
  EXPECT_EQ(Shape(d, {}), (Ints{2}));
  ReshapeParams r;
  r.dims = {DimExpr::InputDim(0, 0)};
  EXPECT_EQ(Error(r, {Ints{2}}), "the size of axis 0 of model input 0 is not given");
}

TEST(Shapes, NormalisedAxes) {
  LayerNormParams p;
  p.axis = 1;
  EXPECT_EQ(Shape(p, {Ints{2, 3, 4}, Ints{3, 4}}), (Ints{2, 3, 4}));
  EXPECT_EQ(Error(p, {Ints{2, 3, 4}, Ints{4}}), "a scale of 4 for 3x4");
  SoftmaxParams s;
  s.axis = -1;
  EXPECT_EQ(Error(s, {Ints{2}}), "axis -1 of a tensor of rank 1");
  LrnParams l;
  l.size = 0;
  EXPECT_EQ(Error(l, {Ints{2}}), "a window of 0 channels");
}

std::string SymbolicError(const OpParams& params, const std::vector<std::vector<DimExpr>>& inputs) {
  std::vector<const std::vector<DimExpr>*> pointers;
  for (const auto& i : inputs) pointers.push_back(&i);
  return InferShape<DimExpr>(params, pointers, nullptr).status().message();
}

TEST(Shapes, OpenSizesAreAcceptedUnlessProvablyWrong) {
  const DimExpr h = DimExpr::InputDim(0, 1), w = DimExpr::InputDim(0, 2);
  ConcatParams c;
  c.axis = 1;
  EXPECT_EQ(SymbolicError(c, {{h, 3}, {w, 3}}), "");
  EXPECT_EQ(SymbolicError(c, {{h, 3}, {h + 1, 3}}), "input 1 of in0.1+1x3 beside in0.1x3 along axis 1");
  EXPECT_EQ(SymbolicError(c, {{16 * FloorDiv(h, 16), 3}, {h, 3}}), "");
  ReshapeParams r;
  r.dims = {h * w, 4};
  EXPECT_EQ(SymbolicError(r, {{1, h, w, 4}}), "");
  EXPECT_EQ(SymbolicError(r, {{2, h + 1, w + 1, 4}}),
            "2xin0.1+1xin0.2+1x4 cannot be reshaped to in0.1*in0.2x4: the number of elements differs");
}

}  // namespace
}  // namespace fovea
