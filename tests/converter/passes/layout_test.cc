// The layout pass: after it networks from channels-first sources have no Transposes, whatever stands between their
// spatial operators.
#include <algorithm>

#include "converter/passes/passes.h"
#include "converter/passes/pipeline.h"
#include "tests/converter/support.h"

namespace fovea::testing {
namespace {

// Order of additions over channels may change with the axis order.
constexpr double kReordered = 1e-5;

class Layout : public ::testing::Test {
 protected:
  Layout() : b(&graph), random(11) {}
  ValueId Pool(ValueId x, int64_t kernel = 2) {
    PoolParams p;
    p.kernel = p.stride = {1, kernel, kernel};
    return Must(b.Transpose(Must(b.Add(p, {Must(b.Transpose(x, {0, 2, 3, 1}))})), {0, 3, 1, 2}));
  }
  ValueId Resize2(ValueId x) {
    ResizeParams p;
    const std::vector<DimExpr> d = b.dims(x);
    p.sizes = {d[0], d[1], DimExpr(2) * d[2], DimExpr(2) * d[3]};
    p.scales = {1, 1, 2, 2};
    p.mode = random.Below(2) == 0 ? kernels::ResizeMode::kNearest : kernels::ResizeMode::kLinear;
    return Must(b.Add(p, {x}));
  }
  ValueId Up(ValueId x, int64_t in, int64_t out) {
    ConvTransposeParams p;
    p.kernel = p.stride = {1, 2, 2};
    const ValueId w = random.Constant(&b, {1, 2, 2, in, out});
    return Must(b.Transpose(Must(b.Add(p, {Must(b.Transpose(x, {0, 2, 3, 1})), w})), {0, 3, 1, 2}));
  }
  ir::Graph ExpectNoTransposes(const std::vector<ir::Tensor>& inputs) {
    const ir::Graph after = Applied(graph, converter::Layout, inputs, kReordered);
    EXPECT_EQ(CountKind(after, OpKind::kTranspose), 0) << after.ToString();
    return after;
  }

  ir::Graph graph;
  Builder b;
  Random random;
};

TEST_F(Layout, ConvolutionAloneIsStoredChannelsLast) {
  b.Output("y", Conv(&b, &random, OpenImage(&b, 3), 3, 5));
  const ir::Graph after = ExpectNoTransposes({random.Tensor({2, 3, 6, 7})});
  EXPECT_EQ(after.nodes.size(), 1u);
  EXPECT_EQ(after.inputs[0].source_axes, (std::vector<int>{0, 3, 1, 2}));
  EXPECT_EQ(after.outputs[0].source_axes, (std::vector<int>{0, 3, 1, 2}));
  // Sizes follow the axes: rows of the stored input are its axis 1.
  EXPECT_TRUE(after.values[static_cast<size_t>(after.nodes[0].output)].dims[1] == DimExpr::InputDim(0, 1));
}

TEST_F(Layout, EveryFlexibleOperator) {
  const ValueId x = OpenImage(&b, 4);
  ValueId v = Conv(&b, &random, x, 4, 4);
  v = Must(b.Binary(BinaryFn::kPRelu, v, random.Constant(&b, {4, 1, 1})));
  v = Must(b.Binary(BinaryFn::kAdd, x, v));
  v = Must(b.Binary(BinaryFn::kMul, v, random.Constant(&b, {1, 4, 1, 1})));
  v = Must(b.Add(PadParams{kernels::PadMode::kReflect, {0, 0, 1, 2}, {0, 0, 2, 1}, 0}, {v}));
  const std::vector<DimExpr> d = b.dims(v);
  v = Must(b.Add(SliceParams{{0, 1, 1, 0}, {d[0], 3, d[2] - 1, d[3]}, {1, 1, 1, 1}}, {v}));
  v = Must(b.Add(ConcatParams{1}, {v, Must(b.Unary(UnaryFn::kSigmoid, v))}));
  v = Resize2(v);
  v = Must(b.Add(SoftmaxParams{1, false}, {v}));
  v = Must(b.Add(TileParams{{1, 2, 1, 1}}, {v}));
  const ValueId order = b.Integers("order", DType::kInt64, {3}, {5, 0, 11});
  v = Must(b.Add(GatherParams{1}, {v, order}));
  const ValueId positive = Must(b.Binary(BinaryFn::kGreater, v, b.Scalar(0.25f)));
  v = Must(b.Add(SelectParams{}, {positive, v, random.Constant(&b, {3, 1, 1})}));
  b.Output("classes", Must(b.Add(ArgReduceParams{1, true, false, false}, {v})));
  b.Output("y", Conv(&b, &random, v, 3, 2));
  ExpectNoTransposes({random.Tensor({1, 4, 6, 5})});
}

// Squeeze-and-excitation: global pooling, two dense layers or 1x1 convolutions, a product by channel.
TEST_F(Layout, SqueezeAndExcitation) {
  ValueId v = Conv(&b, &random, OpenImage(&b, 3), 3, 8);
  const ValueId pooled = Must(b.Add(ReduceParams{kernels::ReduceFn::kMean, {2, 3}, true}, {v}));
  const ValueId flat = Must(b.Reshape(pooled, {b.dims(v)[0], 8}));
  const ValueId dense = Must(b.Add(MatMulParams{}, {flat, random.Constant(&b, {8, 8})}));
  const ValueId gate = Must(b.Reshape(Must(b.Unary(UnaryFn::kSigmoid, dense)), {b.dims(v)[0], 8, 1, 1}));
  v = Must(b.Binary(BinaryFn::kMul, v, gate));
  b.Output("y", Conv(&b, &random, v, 8, 2));
  ExpectNoTransposes({random.Tensor({2, 3, 6, 8})});
}

// Scores of whole images: Flatten behind an average over the axes, and one that drops them.
TEST_F(Layout, ReduceThatDropsAxes) {
  const ValueId v = Conv(&b, &random, OpenImage(&b, 3), 3, 6);
  b.Output("mean", Must(b.Add(ReduceParams{kernels::ReduceFn::kMean, {2, 3}, false}, {v})));
  b.Output("channels", Must(b.Add(ReduceParams{kernels::ReduceFn::kMax, {1}, false}, {v})));
  ExpectNoTransposes({random.Tensor({2, 3, 6, 8})});
}

TEST_F(Layout, FlattenOfAnImageKeepsOneTranspose) {
  const ValueId x = b.Input("x", DType::kFloat32, {DimExpr::InputDim(0, 0), 3, 4, 5});
  const ValueId v = Must(b.Unary(UnaryFn::kRelu, Conv(&b, &random, x, 3, 6)));
  const ValueId flat = Must(b.Reshape(v, {DimExpr::InputDim(0, 0), 120}));
  b.Output("y", Must(b.Add(MatMulParams{}, {flat, random.Constant(&b, {120, 2})})));
  const ir::Graph after = Applied(graph, converter::Layout, {random.Tensor({2, 3, 4, 5})}, kReordered);
  EXPECT_EQ(CountKind(after, OpKind::kTranspose), 1) << after.ToString();
}

// torch's older nearest upsampling: new axes, Expand, and the axes joined.
TEST_F(Layout, UpsamplingByExpand) {
  const ValueId v = Conv(&b, &random, OpenImage(&b, 3), 3, 4);
  const std::vector<DimExpr> d = b.dims(v);
  const ValueId split = Must(b.Reshape(v, {d[0], 4, d[2], 1, d[3], 1}));
  const ValueId spread = Must(b.Add(ExpandParams{{d[0], 4, d[2], 2, d[3], 2}}, {split}));
  const ValueId up = Must(b.Reshape(spread, {d[0], 4, DimExpr(2) * d[2], DimExpr(2) * d[3]}));
  b.Output("y", Conv(&b, &random, up, 4, 2));
  ExpectNoTransposes({random.Tensor({2, 3, 4, 5})});
}

// Attention over positions: [N,C,H,W] -> [N,C,HW] -> [N,HW,C], and back.
TEST_F(Layout, TokensOfAnImage) {
  const ValueId v = Conv(&b, &random, OpenImage(&b, 3), 3, 4);
  const std::vector<DimExpr> d = b.dims(v);
  const ValueId tokens = Must(b.Transpose(Must(b.Reshape(v, {d[0], 4, d[2] * d[3]})), {0, 2, 1}));
  const ValueId query = Must(b.Add(MatMulParams{}, {tokens, random.Constant(&b, {4, 6})}));
  const ValueId image = Must(b.Reshape(Must(b.Transpose(query, {0, 2, 1})), {d[0], 6, d[2], d[3]}));
  b.Output("y", Conv(&b, &random, image, 6, 2));
  ExpectNoTransposes({random.Tensor({2, 3, 4, 5})});
}

// Channel shuffle takes channels apart and swaps the parts: one Transpose is what it is.
TEST_F(Layout, ChannelShuffleKeepsOneTranspose) {
  const ValueId v = Conv(&b, &random, OpenImage(&b, 3), 3, 6);
  const std::vector<DimExpr> d = b.dims(v);
  const ValueId parts = Must(b.Transpose(Must(b.Reshape(v, {d[0], 2, 3, d[2], d[3]})), {0, 2, 1, 3, 4}));
  b.Output("y", Conv(&b, &random, Must(b.Reshape(parts, d)), 6, 2));
  const ir::Graph after = Applied(graph, converter::Layout, {random.Tensor({2, 3, 4, 5})}, kReordered);
  EXPECT_EQ(CountKind(after, OpKind::kTranspose), 1) << after.ToString();
}

TEST_F(Layout, OneChannelNeedsNoTranspose) {
  const ValueId x = b.Input("x", DType::kFloat32, {1, 1, 4, 5});
  const ValueId v = Conv(&b, &random, x, 1, 1);
  b.Output("y", Must(b.Reshape(v, {20})));
  ExpectNoTransposes({random.Tensor({1, 1, 4, 5})});
}

// tf2onnx: a channels-last model wrapped in Transposes at its ends and around what its exporter left alone.
TEST_F(Layout, ChannelsLastSource) {
  const ValueId x =
      b.Input("x", DType::kFloat32, {DimExpr::InputDim(0, 0), DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), 3});
  ValueId v = Conv(&b, &random, Must(b.Transpose(x, {0, 3, 1, 2})), 3, 4);
  v = Must(b.Transpose(v, {0, 2, 3, 1}));
  v = Must(b.Binary(BinaryFn::kAdd, v, random.Constant(&b, {4})));
  v = Must(b.Add(ConcatParams{3}, {v, x}));
  v = Conv(&b, &random, Must(b.Transpose(v, {0, 3, 1, 2})), 7, 2);
  b.Output("y", Must(b.Transpose(v, {0, 2, 3, 1})));
  const ir::Graph after = ExpectNoTransposes({random.Tensor({2, 6, 5, 3})});
  EXPECT_EQ(after.inputs[0].source_axes, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(after.outputs[0].source_axes, (std::vector<int>{0, 1, 2, 3}));
}

// The first image is brought to the size of the second.
TEST_F(Layout, SecondInputsSizesAreRenamed) {
  const ValueId x = OpenImage(&b, 2, "x"), m = OpenImage(&b, 1, "mask");
  const std::vector<DimExpr> d = b.dims(m);
  ValueId v = Conv(&b, &random, x, 2, 2);
  ResizeParams to_mask;
  to_mask.sizes = {b.dims(x)[0], 2, d[2], d[3]};
  v = Must(b.Add(to_mask, {v}));
  b.Output("y", Must(b.Binary(BinaryFn::kMul, v, m)));
  ExpectNoTransposes({random.Tensor({1, 2, 6, 7}), random.Tensor({1, 1, 4, 5})});
}

TEST_F(Layout, SharedOutputsInSourceOrder) {
  const ValueId x = OpenImage(&b, 2);
  const ValueId v = Conv(&b, &random, x, 2, 3);
  b.Output("first", v);
  b.Output("again", v);
  b.Output("last", Must(b.Transpose(v, {0, 2, 3, 1})));
  b.Output("input", x);
  ExpectNoTransposes({random.Tensor({1, 2, 4, 5})});
}

// U-Nets with random depth, widths and everything that stands between convolutions in real ones.
TEST(LayoutProperty, RandomUNets) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    ir::Graph graph;
    Builder b(&graph);
    const auto last = [&](ValueId v) { return Must(b.Transpose(v, {0, 2, 3, 1})); };
    const auto first = [&](ValueId v) { return Must(b.Transpose(v, {0, 3, 1, 2})); };
    const int64_t in = 1 + random.Below(3);
    const ValueId x = OpenImage(&b, in);
    const auto channels = [&](ValueId v) { return b.dims(v)[1].Const(); };
    const auto decorated = [&](ValueId v) {
      const int64_t c = channels(v);
      switch (random.Below(9)) {
        case 0: return Must(b.Unary(UnaryFn::kLeakyRelu, v, 0.2f));
        case 1: return Must(b.Binary(BinaryFn::kAdd, random.Constant(&b, {1, c, 1, 1}), v));
        case 2: return first(Must(b.Add(GroupNormParams{}, {last(v)})));
        case 3: return Must(b.Binary(BinaryFn::kPRelu, v, random.Constant(&b, {c, 1, 1})));
        case 4: {
          const ValueId mean = Must(b.Add(ReduceParams{kernels::ReduceFn::kMean, {2, 3}, true}, {v}));
          return Must(b.Binary(BinaryFn::kMul, v, Must(b.Unary(UnaryFn::kSigmoid, mean))));
        }
        case 5: {
          const ValueId padded = Must(b.Add(PadParams{kernels::PadMode::kEdge, {0, 0, 1, 1}, {0, 0, 1, 1}, 0}, {v}));
          const std::vector<DimExpr> d = b.dims(v);
          return Must(b.Add(SliceParams{{0, 0, 1, 1}, d, {1, 1, 1, 1}}, {padded}));
        }
        case 6: {
          const ValueId spatial = Must(b.Add(ReduceParams{kernels::ReduceFn::kMax, {1}, true}, {v}));
          return Must(b.Binary(BinaryFn::kMul, v, spatial));
        }
        case 7: return Must(b.Add(SoftmaxParams{1, false}, {v}));
        default: return Must(b.Binary(BinaryFn::kAdd, v, Conv(&b, &random, v, c, c)));
      }
    };
    const auto block = [&](ValueId v, int64_t out) {
      v = Conv(&b, &random, v, channels(v), out, random.Below(2) == 0 ? 3 : 1);
      for (int i = random.Below(3); i > 0; --i) v = decorated(v);
      return v;
    };
    std::vector<ValueId> skips;
    ValueId v = x;
    const int depth = 1 + random.Below(3);
    for (int level = 0; level < depth; ++level) {
      v = block(v, 2 + random.Below(4));
      skips.push_back(v);
      PoolParams pool;
      pool.kind = random.Below(2) == 0 ? kernels::PoolKind::kMax : kernels::PoolKind::kAverage;
      pool.kernel = pool.stride = {1, 2, 2};
      v = first(Must(b.Add(pool, {last(v)})));
    }
    v = block(v, 4);
    for (int level = depth; level-- > 0;) {
      if (random.Below(2) == 0) {
        ConvTransposeParams up;
        up.kernel = up.stride = {1, 2, 2};
        v = first(Must(b.Add(up, {last(v), random.Constant(&b, {1, 2, 2, channels(v), 3})})));
      } else {
        ResizeParams up;
        const std::vector<DimExpr> d = b.dims(v);
        up.sizes = {d[0], d[1], DimExpr(2) * d[2], DimExpr(2) * d[3]};
        v = Must(b.Add(up, {v}));
      }
      // Sizes need not be multiples: torch's U-Nets pad or crop to the skip connection.
      const std::vector<DimExpr> s = b.dims(skips[static_cast<size_t>(level)]), d = b.dims(v);
      v = Must(b.Add(PadParams{kernels::PadMode::kConstant, {0, 0, 0, 0}, {0, 0, s[2] - d[2], s[3] - d[3]}, 0}, {v}));
      v = Must(b.Add(ConcatParams{1}, {skips[static_cast<size_t>(level)], v}));
      v = block(v, 2 + random.Below(3));
    }
    b.Output("y", Must(b.Unary(UnaryFn::kSigmoid, Conv(&b, &random, v, channels(v), in, 1))));
    const std::vector<ir::Tensor> inputs{random.Tensor({1, in, 13, 18})};
    const ir::Graph laid = Applied(graph, converter::Layout, inputs, kReordered);
    EXPECT_EQ(CountKind(laid, OpKind::kTranspose), 0) << laid.ToString();
    ir::Graph all = graph;
    const Status ran = converter::RunPasses(&all, {}, nullptr);
    ASSERT_TRUE(ran.ok()) << ran.message();
    EXPECT_EQ(CountKind(all, OpKind::kTranspose), 0);
    EXPECT_LT(all.nodes.size(), graph.nodes.size());
    ExpectSameResults(graph, all, inputs, 1e-4);
  }
}

}  // namespace
}  // namespace fovea::testing
