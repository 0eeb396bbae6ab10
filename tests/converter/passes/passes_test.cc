// Each pass on small graphs: what it must change, what it must leave, and that results stay the same.
#include "converter/passes/passes.h"

#include <algorithm>
#include <limits>
#include <set>

#include "converter/passes/pipeline.h"
#include "tests/converter/support.h"

namespace fovea::testing {
namespace {

// Weights are rounded once more than the unfolded arithmetic: a few units in the last place of sums of tens of terms.
constexpr double kFolded = 1e-5;

using kernels::ResizeCoordinates;
using kernels::ResizeMode;
using kernels::ResizeRounding;

class Passes : public ::testing::Test {
 protected:
  Passes() : b(&graph), random(7) {}
  // Channels last, open rows and columns.
  ValueId Image(int64_t channels) {
    return b.Input("x", DType::kFloat32, {1, DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), channels});
  }
  ValueId ConvLast(ValueId x, int64_t in, int64_t out, int64_t pad = 1) {
    ConvParams p;
    p.kernel = {1, 3, 3};
    p.pad_begin = p.pad_end = {0, pad, pad};
    return Must(b.Add(p, {x, random.Constant(&b, {1, 3, 3, in, out}), random.Constant(&b, {out})}));
  }
  ValueId Relu(ValueId x) { return Must(b.Unary(UnaryFn::kRelu, x)); }
  std::vector<ir::Tensor> Input(int64_t channels) { return {random.Tensor({1, 7, 9, channels})}; }

  ir::Graph graph;
  Builder b;
  Random random;
};

TEST_F(Passes, DeadCode) {
  const ValueId x = Image(2);
  Relu(x);
  b.Output("y", Must(b.Unary(UnaryFn::kAbs, x)));
  EXPECT_EQ(Applied(graph, converter::DeadCode, Input(2)).nodes.size(), 1u);
}

TEST_F(Passes, RemoveIdentity) {
  ValueId x = Image(2);
  x = Must(b.Unary(UnaryFn::kIdentity, x));
  x = Must(b.Cast(x, DType::kFloat64));
  x = Must(b.Reshape(x, b.dims(x)));
  x = Must(b.Add(PadParams{kernels::PadMode::kReflect, {0, 0, 0, 0}, {0, 0, 0, 0}, 0}, {x}));
  x = Must(b.Add(SliceParams{{0, 0, 0, 0}, b.dims(x), {1, 1, 1, 1}}, {x}));
  x = Must(b.Add(ExpandParams{b.dims(x)}, {x}));
  x = Must(b.Add(TransposeParams{{0, 1, 2, 3}}, {x}));
  x = Must(b.Add(ConcatParams{3}, {x}));
  b.Output("y", Relu(x));
  EXPECT_EQ(Applied(graph, converter::RemoveIdentity, Input(2)).nodes.size(), 1u);
}

TEST_F(Passes, RemoveIdentityLeavesWhatChanges) {
  ValueId x = Image(2);
  x = Must(b.Cast(x, DType::kInt32));
  x = Must(b.Cast(x, DType::kFloat32));
  x = Must(b.Add(SliceParams{{0, 0, 0, 1}, b.dims(x), {1, 1, 1, -1}}, {x}));  // channels reversed: dims are the same
  x = Must(b.Add(PadParams{kernels::PadMode::kConstant, {0, 1, 0, 0}, {0, -1, 0, 0}, 0}, {x}));
  b.Output("y", x);
  std::vector<ir::Tensor> input = Input(2);
  for (float& e : input[0].data) e *= 10;
  const ir::Graph after = Applied(graph, converter::RemoveIdentity, input);
  EXPECT_EQ(CountKind(after, OpKind::kSlice), 1);
  EXPECT_EQ(CountKind(after, OpKind::kPad), 1);
  EXPECT_EQ(CountKind(after, OpKind::kCast), 1);  // int to float keeps every integer
}

// uint8 arithmetic wraps around: the Cast to the type that the sum has already is what does it.
TEST_F(Passes, RemoveIdentityLeavesWrapping) {
  const ValueId x = b.Input("x", DType::kUInt8, {40, 40});
  ValueId v = Must(b.Cast(Must(b.Binary(BinaryFn::kAdd, x, x)), DType::kUInt8));
  v = Must(b.Cast(Must(b.Transpose(v, {1, 0})), DType::kUInt8));  // needless
  b.Output("y", v);
  ir::Tensor input = random.Tensor({40, 40}, 0, 255);
  for (float& e : input.data) e = std::floor(e);
  EXPECT_EQ(CountKind(Applied(graph, converter::RemoveIdentity, {input}), OpKind::kCast), 1);
}

TEST_F(Passes, FoldConstantsAtOnce) {
  const ValueId x = b.Input("x", DType::kFloat32, {DimExpr::InputDim(0, 0), 64});
  // 9216 elements: more than the builder folds by itself.
  const ValueId w = random.Constant(&b, {64, 144});
  const ValueId scaled = Must(b.Binary(BinaryFn::kMul, w, b.Scalar(0.5f)));
  const ValueId shifted = Must(b.Binary(BinaryFn::kAdd, scaled, random.Constant(&b, {144})));
  b.Output("y", Must(b.Add(MatMulParams{}, {x, shifted})));
  b.Output("weights", scaled);
  EXPECT_EQ(graph.nodes.size(), 3u);
  const ir::Graph after = Applied(graph, converter::FoldConstants, {random.Tensor({2, 64})});
  EXPECT_EQ(after.nodes.size(), 1u);
}

TEST_F(Passes, FoldConstantsLeavesLargeResults) {
  const ValueId big = Must(b.Add(ExpandParams{{512, 512}}, {b.Scalar(2)}));
  const ValueId x = b.Input("x", DType::kFloat32, {1, 512});
  b.Output("y", Must(b.Binary(BinaryFn::kMul, x, big)));
  EXPECT_EQ(Applied(graph, converter::FoldConstants, {random.Tensor({1, 512})}).nodes.size(), 2u);
}

TEST_F(Passes, ComposeReshapes) {
  ValueId x = b.Input("x", DType::kFloat32, {2, 3, 4});
  x = Must(b.Reshape(x, {6, 4}));
  x = Must(b.Reshape(x, {4, 6}));
  x = Must(b.Transpose(Must(b.Reshape(x, {2, 2, 6})), {2, 0, 1}));
  b.Output("y", Must(b.Transpose(x, {0, 2, 1})));
  const ir::Graph after = Applied(graph, converter::ComposeReshapes, {random.Tensor({2, 3, 4})});
  EXPECT_EQ(CountKind(after, OpKind::kReshape), 1);
  EXPECT_EQ(CountKind(after, OpKind::kTranspose), 1);
}

PadParams SpatialPad(int64_t begin, int64_t end, float value = 0) {
  return {kernels::PadMode::kConstant, {0, begin, begin, 0}, {0, end, end, 0}, value};
}

TEST_F(Passes, MergePads) {
  ValueId x = Image(2);
  x = Must(b.Add(SpatialPad(1, 2), {x}));
  x = Must(b.Add(SpatialPad(2, 0), {x}));
  x = Must(b.Add(SpatialPad(1, 1, 5), {x}));  // another value: stays
  b.Output("y", x);
  EXPECT_EQ(Applied(graph, converter::MergePads, Input(2)).nodes.size(), 2u);
}

TEST_F(Passes, FoldPadIntoConvolution) {
  ValueId x = Image(2);
  x = Must(b.Add(SpatialPad(2, 1), {x}));
  b.Output("y", ConvLast(x, 2, 3));
  const ir::Graph after = Applied(graph, converter::FoldPad, Input(2));
  ASSERT_EQ(after.nodes.size(), 1u);
  EXPECT_TRUE(std::get<ConvParams>(after.nodes[0].params).pad_begin[1] == DimExpr(3));
}

TEST_F(Passes, FoldPadLeavesOtherPads) {
  const ValueId x = Image(2);
  b.Output("value", ConvLast(Must(b.Add(SpatialPad(1, 1, 0.5f), {x})), 2, 3));
  b.Output("crop", ConvLast(Must(b.Add(SpatialPad(-1, 1), {x})), 2, 3));
  PadParams mirror = SpatialPad(1, 1);
  mirror.mode = kernels::PadMode::kReflect;
  b.Output("mirror", ConvLast(Must(b.Add(mirror, {x})), 2, 3));
  PadParams channels = SpatialPad(0, 0);
  channels.end[3] = 1;
  b.Output("channels", ConvLast(Must(b.Add(channels, {x})), 3, 3));
  EXPECT_EQ(CountKind(Applied(graph, converter::FoldPad, Input(2)), OpKind::kPad), 4);
}

TEST_F(Passes, FoldPadIntoPools) {
  const ValueId x = Image(2);
  PoolParams pool;
  pool.kernel = {1, 3, 3};
  pool.stride = {1, 2, 2};
  const float lowest = -std::numeric_limits<float>::infinity();
  b.Output("max", Must(b.Add(pool, {Must(b.Add(SpatialPad(1, 1, lowest), {x}))})));
  b.Output("relu", Must(b.Add(pool, {Must(b.Add(SpatialPad(1, 1), {Relu(x)}))})));
  pool.kind = kernels::PoolKind::kAverage;
  b.Output("average", Must(b.Add(pool, {Must(b.Add(SpatialPad(1, 0), {x}))})));
  EXPECT_EQ(CountKind(Applied(graph, converter::FoldPad, Input(2)), OpKind::kPad), 0);
}

TEST_F(Passes, FoldPadLeavesZerosBesideNegatives) {
  std::vector<ir::Tensor> input = Input(2);
  for (float& e : input[0].data) e = -1 - std::fabs(e);
  PoolParams pool;
  pool.kernel = {1, 2, 2};
  b.Output("max", Must(b.Add(pool, {Must(b.Add(SpatialPad(1, 1), {Image(2)}))})));
  EXPECT_EQ(CountKind(Applied(graph, converter::FoldPad, input), OpKind::kPad), 1);
}

TEST_F(Passes, SimplifyAffine) {
  ValueId x = Image(3);
  x = Must(b.Binary(BinaryFn::kMul, x, b.Scalar(1)));
  x = Must(b.Binary(BinaryFn::kAdd, x, b.Constant("z", DType::kFloat32, {3}, std::vector<float>(3, 0))));
  x = Must(b.Binary(BinaryFn::kSub, x, b.Scalar(0.25f)));
  x = Must(b.Binary(BinaryFn::kAdd, x, random.Constant(&b, {3})));
  x = Must(b.Binary(BinaryFn::kMul, x, b.Scalar(4)));
  x = Must(b.Binary(BinaryFn::kMul, b.Scalar(0.5f), x));
  b.Output("y", x);
  ir::Graph after = Applied(graph, converter::SimplifyAffine, Input(3), 1e-6);
  EXPECT_EQ(after.nodes.size(), 2u) << after.ToString();  // one addition, one product
}

TEST_F(Passes, SimplifyAffineKeepsBroadcasts) {
  const ValueId x = b.Input("x", DType::kFloat32, {1, 1});
  const ValueId ones = b.Constant("one", DType::kFloat32, {3, 1}, std::vector<float>(3, 1));
  b.Output("y", Must(b.Binary(BinaryFn::kMul, x, ones)));
  EXPECT_EQ(Applied(graph, converter::SimplifyAffine, {random.Tensor({1, 1})}).nodes.size(), 1u);
}

TEST_F(Passes, FoldBatchNormAfter) {
  const ValueId x = Image(3);
  const auto normalised = [&](ValueId v, int64_t channels) {
    v = Must(b.Binary(BinaryFn::kMul, random.Constant(&b, {channels}, 0.5f, 2), v));
    v = Must(b.Binary(BinaryFn::kAdd, v, random.Constant(&b, {1, 1, 1, channels})));
    v = Must(b.Binary(BinaryFn::kSub, b.Scalar(0.5f), v));
    return Must(b.Binary(BinaryFn::kDiv, v, random.Constant(&b, {1, channels}, 1, 3)));
  };
  b.Output("conv", normalised(ConvLast(x, 3, 4), 4));
  ConvTransposeParams up;
  up.kernel = up.stride = {1, 2, 2};
  b.Output("transposed", normalised(Must(b.Add(up, {x, random.Constant(&b, {1, 2, 2, 3, 5})})), 5));
  b.Output("norm", normalised(Must(b.Add(GroupNormParams{}, {x})), 3));
  const ValueId product = Must(b.Add(MatMulParams{}, {x, random.Constant(&b, {3, 6})}));
  b.Output("matmul", Must(b.Binary(BinaryFn::kMul, product, random.Constant(&b, {6}))));
  EXPECT_EQ(Applied(graph, converter::FoldBatchNorm, Input(3), kFolded).nodes.size(), 4u);
}

TEST_F(Passes, FoldBatchNormGroups) {
  const ValueId x = Image(4);
  ConvParams p;
  p.kernel = {1, 3, 3};
  p.groups = 2;
  const ValueId scaled = Must(b.Binary(BinaryFn::kMul, x, random.Constant(&b, {4})));
  const ValueId shifted = Must(b.Binary(BinaryFn::kAdd, scaled, random.Constant(&b, {4})));
  const ValueId y = Must(b.Add(p, {shifted, random.Constant(&b, {1, 3, 3, 2, 6})}));
  b.Output("y", Must(b.Binary(BinaryFn::kMul, y, random.Constant(&b, {6}))));
  EXPECT_EQ(Applied(graph, converter::FoldBatchNorm, Input(4), kFolded).nodes.size(), 1u);
}

TEST_F(Passes, FoldBatchNormBeforePaddingKeepsTheOffset) {
  const ValueId x = Image(3);
  const ValueId shifted = Must(b.Binary(BinaryFn::kAdd, x, random.Constant(&b, {3})));
  const ValueId scaled = Must(b.Binary(BinaryFn::kMul, shifted, random.Constant(&b, {3})));
  b.Output("y", ConvLast(scaled, 3, 4));
  // The product goes into the weights, the addition in front of the padding must stay.
  EXPECT_EQ(Applied(graph, converter::FoldBatchNorm, Input(3), kFolded).nodes.size(), 2u);
}

TEST_F(Passes, FoldBatchNormLeavesSharedAndActivated) {
  const ValueId x = b.Input("x", DType::kFloat32, {1, 7, 9, 3});
  const ValueId shared = ConvLast(x, 3, 4);
  b.Output("shared", shared);
  b.Output("scaled", Must(b.Binary(BinaryFn::kMul, shared, random.Constant(&b, {4}))));
  b.Output("rows", Must(b.Binary(BinaryFn::kMul, ConvLast(x, 3, 4), random.Constant(&b, {7, 1, 1}))));
  EXPECT_EQ(Applied(graph, converter::FoldBatchNorm, Input(3)).nodes.size(), 4u);
}

TEST_F(Passes, FuseActivation) {
  const ValueId x = Image(3);
  const ValueId y = Must(b.Unary(UnaryFn::kLeakyRelu, ConvLast(x, 3, 4), 0.1f));
  b.Output("conv", y);
  b.Output("sum", Must(b.Unary(UnaryFn::kSigmoid, Must(b.Binary(BinaryFn::kAdd, y, y)))));
  b.Output("norm", Relu(Must(b.Add(GroupNormParams{}, {x}))));
  EXPECT_EQ(Applied(graph, converter::FuseActivation, Input(3)).nodes.size(), 3u);
}

TEST_F(Passes, FuseActivationLeavesSharedAndSecond) {
  const ValueId x = Image(3);
  const ValueId shared = ConvLast(x, 3, 3);
  b.Output("shared", shared);
  b.Output("relu", Relu(shared));
  b.Output("twice", Must(b.Unary(UnaryFn::kTanh, Relu(ConvLast(x, 3, 3)))));
  EXPECT_EQ(CountKind(Applied(graph, converter::FuseActivation, Input(3)), OpKind::kUnary), 2);
}

TEST_F(Passes, FuseResidual) {
  const ValueId x = Image(3);
  const ValueId first = Must(b.Binary(BinaryFn::kAdd, x, ConvLast(x, 3, 3)));
  // Of two convolutions the later one takes the sum, although the addition names it first.
  const ValueId early = ConvLast(first, 3, 3), late = ConvLast(first, 3, 3);
  b.Output("y", Must(b.Binary(BinaryFn::kAdd, late, early)));
  const ir::Graph after = Applied(graph, converter::FuseResidual, Input(3), 1e-6);
  EXPECT_EQ(after.nodes.size(), 3u) << after.ToString();
  EXPECT_EQ(after.nodes.back().inputs[3], after.nodes[1].output);
}

TEST_F(Passes, FuseResidualLeavesBroadcastsAndActivated) {
  const ValueId x = Image(3);
  const ValueId pooled = Must(b.Add(ReduceParams{kernels::ReduceFn::kMean, {1, 2}, true}, {x}));
  b.Output("broadcast", Must(b.Binary(BinaryFn::kAdd, ConvLast(x, 3, 3), pooled)));
  const ir::Graph activated = Applied(graph, converter::FuseResidual, Input(3));
  EXPECT_EQ(CountKind(activated, OpKind::kBinary), 1);
  b.Output("activated", Must(b.Binary(BinaryFn::kAdd, Relu(ConvLast(x, 3, 3)), x)));
  ir::Graph fused = graph;
  Must(converter::FuseActivation(&fused));
  EXPECT_EQ(CountKind(Applied(fused, converter::FuseResidual, Input(3)), OpKind::kBinary), 2);
}

// conv(concat(double(small), x)): which are split, and that nothing else is.
class SplitDoubled : public Passes {
 protected:
  struct Case {
    int64_t small = 16, large = 16, out = 16;  // channels
    int64_t window = 3, pad = 1, stride = 1;
    bool doubled_first = true, more_beside = false, between = false;
    ResizeMode mode = ResizeMode::kNearest;
    ResizeCoordinates coordinates = ResizeCoordinates::kAsymmetric;
    int64_t factor = 2;
    bool concat_is_output = false, doubled_is_output = false, residual = false;
  };

  ir::Graph Split(const Case& c) {
    graph = ir::Graph();
    const DimExpr rows = DimExpr::InputDim(0, 1), cols = DimExpr::InputDim(0, 2);
    const ValueId x = b.Input("x", DType::kFloat32, {1, rows, cols, c.small});
    ConvTransposeParams up;
    up.kernel = up.stride = {1, c.factor, c.factor};
    const ValueId y = Must(b.Add(up, {x, random.Constant(&b, {1, c.factor, c.factor, c.small, c.large})}));
    ResizeParams resize;
    resize.mode = c.mode;
    resize.coordinates = c.coordinates;
    resize.rounding = ResizeRounding::kFloor;
    resize.sizes = {1, rows * c.factor, cols * c.factor, c.small};
    const ValueId doubled = Must(b.Add(resize, {x}));
    std::vector<ValueId> parts = {doubled, y};
    if (c.more_beside) parts.push_back(Relu(y));
    if (!c.doubled_first) std::reverse(parts.begin(), parts.end());
    if (c.between) parts.insert(parts.begin(), Must(b.Unary(UnaryFn::kTanh, y)));
    const ValueId concat = Must(b.Add(ConcatParams{3}, parts));
    const int64_t channels = b.dims(concat)[3].Const();
    ConvParams p;
    p.kernel = {1, c.window, c.window};
    p.pad_begin = p.pad_end = {0, c.pad, c.pad};
    p.stride = {1, c.stride, c.stride};
    p.act = {UnaryFn::kRelu};
    std::vector<ValueId> inputs = {concat, random.Constant(&b, {1, c.window, c.window, channels, c.out}),
                                   random.Constant(&b, {c.out})};
    if (c.residual) inputs.push_back(y);
    b.SetSource("step", "Conv");
    b.Output("z", Must(b.Add(p, inputs)));
    if (c.concat_is_output) b.Output("concat", concat);
    if (c.doubled_is_output) b.Output("doubled", doubled);
    return Applied(graph, converter::SplitDoubled, {random.Tensor({1, 4, 5, c.small})}, kFolded);
  }
  int Convolutions(const Case& c) { return CountKind(Split(c), OpKind::kConv); }
};

TEST_F(SplitDoubled, StepsUp) {
  for (const bool doubled_first : {true, false}) {
    for (const int64_t window : {3, 5}) {
      const ir::Graph after =
          Split({.small = 17, .large = 19, .window = window, .pad = window / 2, .doubled_first = doubled_first});
      EXPECT_EQ(CountKind(after, OpKind::kConv), 2) << after.ToString();
      EXPECT_EQ(CountKind(after, OpKind::kConcat), 0) << after.ToString();
      std::set<std::string> names;  // profiles go by them
      for (const ir::Node& node : after.nodes) {
        if (std::holds_alternative<ConvParams>(node.params)) names.insert(node.name);
      }
      EXPECT_EQ(names, (doubled_first ? std::set<std::string>{"step[0:17]", "step[17:36]"}
                                      : std::set<std::string>{"step[0:19]", "step[19:36]"}));
    }
    const ir::Graph after = Split({.doubled_first = doubled_first, .more_beside = true});
    EXPECT_EQ(CountKind(after, OpKind::kConv), 2) << after.ToString();
    EXPECT_EQ(CountKind(after, OpKind::kConcat), 1) << after.ToString();
  }
}

// A U-Net's sizes: floor(h / 2) beside 2 floor(h / 4), equal where the network runs. Later nodes have the sizes of the
// one that stood first.
TEST_F(SplitDoubled, SizesOfPooledImages) {
  for (const bool doubled_first : {true, false}) {
    graph = ir::Graph();
    PoolParams pool;
    pool.kernel = pool.stride = {1, 2, 2};
    const ValueId fine = Must(b.Add(pool, {Image(16)})), coarse = Must(b.Add(pool, {fine}));
    ResizeParams resize;
    resize.mode = ResizeMode::kNearest;
    resize.coordinates = ResizeCoordinates::kAsymmetric;
    resize.rounding = ResizeRounding::kFloor;
    resize.sizes = b.dims(coarse);
    for (const size_t axis : {size_t{1}, size_t{2}}) resize.sizes[axis] = resize.sizes[axis] * 2;
    std::vector<ValueId> parts = {Must(b.Add(resize, {coarse})), fine};
    if (!doubled_first) std::reverse(parts.begin(), parts.end());
    const ValueId y = ConvLast(Must(b.Add(ConcatParams{3}, parts)), 32, 16);
    b.Output("z", ConvLast(Relu(y), 16, 3));
    const ir::Graph after = Applied(graph, converter::SplitDoubled, {random.Tensor({1, 8, 12, 16})}, kFolded);
    EXPECT_EQ(CountKind(after, OpKind::kConv), 3) << after.ToString();
  }
}

TEST_F(SplitDoubled, LeavesOthers) {
  EXPECT_EQ(Convolutions({}), 2);
  EXPECT_EQ(Convolutions({.small = 15}), 1);
  EXPECT_EQ(Convolutions({.large = 15}), 1);
  EXPECT_EQ(Convolutions({.out = 15}), 1);
  EXPECT_EQ(Convolutions({.window = 1, .pad = 0}), 1);
  EXPECT_EQ(Convolutions({.pad = 0}), 1);
  EXPECT_EQ(Convolutions({.stride = 2}), 1);
  EXPECT_EQ(Convolutions({.between = true}), 1);
  EXPECT_EQ(Convolutions({.mode = ResizeMode::kLinear}), 1);
  EXPECT_EQ(Convolutions({.coordinates = ResizeCoordinates::kAlignCorners}), 1);
  EXPECT_EQ(Convolutions({.factor = 3}), 1);
  EXPECT_EQ(Convolutions({.concat_is_output = true}), 1);
  EXPECT_EQ(Convolutions({.doubled_is_output = true}), 1);
  EXPECT_EQ(Convolutions({.residual = true}), 1);
}

TEST_F(Passes, CommonSubexpressions) {
  const ValueId x = Image(3);
  const auto branch = [&] {
    return Must(b.Binary(BinaryFn::kMul, Relu(x), b.Constant("t", DType::kFloat32, {3}, std::vector<float>{1, 2, 3})));
  };
  const ValueId a = branch(), c = branch();
  b.Output("same", Must(b.Binary(BinaryFn::kAdd, a, c)));
  b.Output("other", Must(b.Binary(BinaryFn::kMul, Relu(x), b.Scalar(3))));
  EXPECT_EQ(Applied(graph, converter::CommonSubexpressions, Input(3)).nodes.size(), 4u);
}

// nn.PixelShuffle (CRD), its DCR sibling and the inverses, in both layouts, as Reshape, Transpose, Reshape.
TEST(FuseDepthToSpace, AllSpellings) {
  Random random(3);
  struct Case {
    bool first, up;
    std::vector<int> six;  // which of N H W C r s each of the six axes is (0..5)
    std::vector<int64_t> perm;
  };
  const std::vector<Case> cases = {
      {true, true, {0, 3, 4, 5, 1, 2}, {0, 1, 4, 2, 5, 3}},   {true, true, {0, 4, 5, 3, 1, 2}, {0, 3, 4, 1, 5, 2}},
      {false, true, {0, 1, 2, 3, 4, 5}, {0, 1, 4, 2, 5, 3}},  {false, true, {0, 1, 2, 4, 5, 3}, {0, 1, 3, 2, 4, 5}},
      {true, false, {0, 3, 1, 4, 2, 5}, {0, 1, 3, 5, 2, 4}},  {true, false, {0, 3, 1, 4, 2, 5}, {0, 3, 5, 1, 2, 4}},
      {false, false, {0, 1, 4, 2, 5, 3}, {0, 1, 3, 5, 2, 4}}, {false, false, {0, 1, 4, 2, 5, 3}, {0, 1, 3, 2, 4, 5}},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    const Case& c = cases[i];
    ir::Graph graph;
    Builder b(&graph);
    const DimExpr n = DimExpr::InputDim(0, 0), rows = DimExpr::InputDim(0, c.first ? 2 : 1),
                  cols = DimExpr::InputDim(0, c.first ? 3 : 2);
    // Channels 12 = 3 x 2 x 2 going up, 3 going down with rows and columns even by construction.
    const int64_t channels = c.up ? 12 : 3;
    const std::vector<DimExpr> dims =
        c.first ? std::vector<DimExpr>{n, channels, rows, cols} : std::vector<DimExpr>{n, rows, cols, channels};
    const ValueId raw = b.Input("x", DType::kFloat32, dims);
    ValueId x = raw;
    DimExpr h = rows, w = cols;
    if (!c.up) {
      std::vector<DimExpr> repeats(4, 1);
      repeats[c.first ? 2 : 1] = 2;
      repeats[c.first ? 3 : 2] = 2;
      x = Must(b.Add(TileParams{repeats}, {raw}));
    }
    const std::vector<DimExpr> letters{n, h, w, 3, 2, 2};
    std::vector<DimExpr> six;
    for (const int which : c.six) six.push_back(letters[static_cast<size_t>(which)]);
    const ValueId moved = Must(b.Transpose(Must(b.Reshape(x, six)), c.perm));
    const DimExpr out_c = c.up ? 3 : 12, out_h = c.up ? DimExpr(2) * h : h, out_w = c.up ? DimExpr(2) * w : w;
    b.Output("y", Must(b.Reshape(moved, c.first ? std::vector<DimExpr>{n, out_c, out_h, out_w}
                                                : std::vector<DimExpr>{n, out_h, out_w, out_c})));
    const ir::Tensor input =
        random.Tensor(c.first ? std::vector<int64_t>{2, channels, 4, 6} : std::vector<int64_t>{2, 4, 6, channels});
    const ir::Graph after = Applied(graph, converter::FuseDepthToSpace, {input});
    EXPECT_EQ(CountKind(after, OpKind::kReshape), 0) << "case " << i << "\n" << after.ToString();
    EXPECT_EQ(CountKind(after, c.up ? OpKind::kDepthToSpace : OpKind::kSpaceToDepth), 1) << "case " << i;
  }
}

// torch.nn.GroupNorm(2, 6) at opsets below 18.
TEST(FuseGroupNorm, AsPyTorchExportsIt) {
  Random random(4);
  ir::Graph graph;
  Builder b(&graph);
  const ValueId x = OpenImage(&b, 6);
  const std::vector<DimExpr> dims = b.dims(x);
  const ValueId grouped = Must(b.Reshape(x, {dims[0], 2, DimExpr(3) * dims[2] * dims[3]}));
  const ValueId norm = Must(b.Add(GroupNormParams{0, 1e-5f, {}}, {Must(b.Transpose(grouped, {0, 2, 1})),
                                                                  random.Constant(&b, {2}), random.Constant(&b, {2})}));
  ValueId y = Must(b.Reshape(Must(b.Transpose(norm, {0, 2, 1})), dims));
  y = Must(b.Binary(BinaryFn::kMul, y, random.Constant(&b, {6, 1, 1})));
  y = Must(b.Binary(BinaryFn::kAdd, y, random.Constant(&b, {6, 1, 1})));
  b.Output("y", y);
  const ir::Tensor input = random.Tensor({2, 6, 5, 4});
  const ir::Graph fused = Applied(graph, converter::FuseGroupNorm, {input}, kFolded);
  EXPECT_EQ(CountKind(fused, OpKind::kReshape), 0);
  ir::Graph all = graph;
  Must(converter::RunPasses(&all, {}, nullptr));
  ExpectSameResults(graph, all, {input}, kFolded);
  EXPECT_EQ(all.nodes.size(), 1u) << all.ToString();
}

}  // namespace
}  // namespace fovea::testing
