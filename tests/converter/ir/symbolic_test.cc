// Arithmetic on sizes as exporters write it must come out as expressions of the input sizes.
#include "converter/ir/symbolic.h"

#include "tests/converter/support.h"

namespace fovea::testing {
namespace {

DimExpr H() { return DimExpr::InputDim(0, 2); }
DimExpr W() { return DimExpr::InputDim(0, 3); }

class Symbolic : public ::testing::Test {
 protected:
  Symbolic() : b(&graph), x(OpenImage(&b, 3)) {}
  ValueId Shape() { return b.Sizes("shape", b.dims(x), 1); }
  ValueId Ints(std::vector<int64_t> data) {
    const int64_t n = static_cast<int64_t>(data.size());
    return b.Integers("ints", DType::kInt64, {n}, data);
  }
  ValueId Int(int64_t x0) { return b.Integers("int", DType::kInt64, {}, {x0}); }
  ValueId GatherAt(ValueId v, int64_t i) { return Must(b.Add(GatherParams{0}, {v, Int(i)})); }
  ValueId SliceOf(ValueId v, int64_t start, int64_t size, int64_t step = 1) {
    return Must(b.Add(SliceParams{{start}, {size}, {step}}, {v}));
  }
  ValueId Floats(std::vector<float> data) {
    const int64_t n = static_cast<int64_t>(data.size());
    return b.Constant("floats", DType::kFloat32, {n}, std::move(data));
  }
  void ExpectElements(ValueId v, const std::vector<DimExpr>& want) {
    const auto got = b.Elements(v);
    ASSERT_TRUE(got.has_value());
    ASSERT_EQ(got->size(), want.size());
    for (size_t i = 0; i < want.size(); ++i) {
      EXPECT_TRUE((*got)[i] == want[i]) << i << ": " << (*got)[i].ToString() << " instead of " << want[i].ToString();
    }
  }

  ir::Graph graph;
  Builder b;
  ValueId x;
};

// torch: x.view(x.size(0), -1) and F.interpolate(size=(2 * x.size(2), ...)).
TEST_F(Symbolic, GatherUnsqueezeConcat) {
  const ValueId h2 = Must(b.Binary(BinaryFn::kMul, GatherAt(Shape(), 2), Int(2)));
  const ValueId w2 = Must(b.Binary(BinaryFn::kMul, GatherAt(Shape(), 3), Int(2)));
  const ValueId h = Must(b.Reshape(h2, {1})), w = Must(b.Reshape(w2, {1}));
  ExpectElements(Must(b.Add(ConcatParams{0}, {h, w})), {DimExpr(2) * H(), DimExpr(2) * W()});
}

// torch at opset 10: Cast to float, Mul by the scale, Floor, Cast back.
TEST_F(Symbolic, ScaleInFloat) {
  const ValueId sizes = Must(b.Cast(SliceOf(Shape(), 2, 2), DType::kFloat32));
  const ValueId doubled = Must(b.Binary(BinaryFn::kMul, sizes, Floats({2, 2})));
  const ValueId floored = Must(b.Unary(UnaryFn::kFloor, doubled));
  ExpectElements(Must(b.Cast(floored, DType::kInt64)), {DimExpr(2) * H(), DimExpr(2) * W()});

  const ValueId halved = Must(b.Binary(BinaryFn::kMul, sizes, Floats({0.5f, 0.5f})));
  ExpectElements(Must(b.Cast(Must(b.Unary(UnaryFn::kFloor, halved)), DType::kInt64)),
                 {FloorDiv(H(), 2), FloorDiv(W(), 2)});
}

// 0.7f is a little less than 0.7, but floor(10 * 0.7f) in float32 arithmetic is 7.
TEST_F(Symbolic, DecimalScales) {
  const ValueId sizes = Must(b.Cast(SliceOf(Shape(), 2, 1), DType::kFloat32));
  const ValueId scaled = Must(b.Binary(BinaryFn::kMul, sizes, Floats({0.7f})));
  const auto elements = b.Elements(Must(b.Cast(Must(b.Unary(UnaryFn::kFloor, scaled)), DType::kInt64)));
  ASSERT_TRUE(elements.has_value());
  for (int64_t h = 1; h < 2000; ++h) {
    const std::vector<std::vector<int64_t>> dims{{1, 3, h, h}};
    const float in_float = static_cast<float>(h) * 0.7f;
    EXPECT_EQ(*(*elements)[0].Evaluate({dims, {}}), static_cast<int64_t>(std::floor(in_float))) << h;
  }
}

// tf2onnx: Resize's scales are target / size, both cast to float.
TEST_F(Symbolic, ScalesAsQuotients) {
  const ValueId sizes = Must(b.Cast(SliceOf(Shape(), 2, 2), DType::kFloat32));
  const ValueId targets =
      Must(b.Cast(Must(b.Binary(BinaryFn::kMul, SliceOf(Shape(), 2, 2), Ints({2, 4}))), DType::kFloat32));
  const ValueId scales = Must(b.Binary(BinaryFn::kDiv, targets, sizes));
  const auto ratios = b.Ratios(scales);
  ASSERT_TRUE(ratios.has_value());
  EXPECT_TRUE((*ratios)[0].numerator == DimExpr(2) * H());
  EXPECT_TRUE((*ratios)[0].denominator == H());
  const ValueId back = Must(b.Binary(BinaryFn::kMul, scales, sizes));
  ExpectElements(Must(b.Cast(back, DType::kInt64)), {DimExpr(2) * H(), DimExpr(4) * W()});
}

// tf2onnx, Keras "same" padding: max((ceil(h / s) - 1) s + k - h, 0), ceil as (h + s - 1) / s in integers.
TEST_F(Symbolic, SamePadding) {
  const ValueId h = GatherAt(Shape(), 2);
  const ValueId steps = Must(b.Binary(BinaryFn::kDiv, Must(b.Binary(BinaryFn::kAdd, h, Int(1))), Int(2)));
  const ValueId covered = Must(b.Binary(BinaryFn::kMul, Must(b.Binary(BinaryFn::kSub, steps, Int(1))), Int(2)));
  const ValueId missing = Must(b.Binary(BinaryFn::kSub, Must(b.Binary(BinaryFn::kAdd, covered, Int(3))), h));
  const ValueId pad = Must(b.Binary(BinaryFn::kMax, missing, Int(0)));
  const auto elements = b.Elements(pad);
  ASSERT_TRUE(elements.has_value());
  for (const int64_t size : {1, 2, 7, 8, 101}) {
    const std::vector<std::vector<int64_t>> dims{{1, 3, size, size}};
    EXPECT_EQ(*(*elements)[0].Evaluate({dims, {}}), std::max<int64_t>(((size + 1) / 2 - 1) * 2 + 3 - size, 0));
  }
}

// torch: -(-h // 2) becomes Neg, Div, Neg; ONNX's integer division truncates.
TEST_F(Symbolic, NegativeDivisionTruncates) {
  const ValueId negative = Must(b.Unary(UnaryFn::kNeg, GatherAt(Shape(), 2)));
  ExpectElements(Must(b.Binary(BinaryFn::kDiv, negative, Int(2))), {DimExpr(0) - FloorDiv(H(), 2)});
  ExpectElements(Must(b.Binary(BinaryFn::kDiv, Int(-7), Int(2))), {DimExpr(-3)});
}

// torch F.pad with dynamic amounts: ConstantOfShape, Concat, Reshape [-1, 2], Slice [::-1], Transpose, Reshape [-1].
TEST_F(Symbolic, PadsReversedThroughAMatrix) {
  const ValueId h = Must(b.Reshape(GatherAt(Shape(), 2), {1})), w = Must(b.Reshape(GatherAt(Shape(), 3), {1}));
  const ValueId list = Must(b.Add(ConcatParams{0}, {Ints({1, 2}), h, w}));  // begin and end of x, of y
  const ValueId matrix = Must(b.Reshape(list, {2, 2}));
  const ValueId reversed = Must(b.Add(SliceParams{{1, 0}, {2, 2}, {-1, 1}}, {matrix}));
  const ValueId flat = Must(b.Reshape(Must(b.Transpose(reversed, {1, 0})), {4}));
  ExpectElements(flat, {H(), DimExpr(1), W(), DimExpr(2)});
}

TEST_F(Symbolic, ReduceSelectCompareExpandTile) {
  const ValueId pixels = Must(b.Add(ReduceParams{kernels::ReduceFn::kProd, {0}, false}, {SliceOf(Shape(), 2, 2)}));
  ExpectElements(pixels, {H() * W()});
  // torch expand: Where(shape == -1, ones, shape).
  const ValueId wanted = Ints({-1, 5});
  const ValueId open = Must(b.Binary(BinaryFn::kEqual, wanted, Ints({-1, -1})));
  ExpectElements(Must(b.Add(SelectParams{}, {open, SliceOf(Shape(), 2, 2), wanted})), {H(), DimExpr(5)});
  ExpectElements(Must(b.Add(ExpandParams{{2}}, {Must(b.Reshape(GatherAt(Shape(), 3), {1}))})), {W(), W()});
  ExpectElements(Must(b.Add(TileParams{{2}}, {SliceOf(Shape(), 2, 2)})), {H(), W(), H(), W()});
  ExpectElements(Must(b.Binary(BinaryFn::kMod, GatherAt(Shape(), 2), Int(16))), {Mod(H(), 16)});
  ExpectElements(Must(b.Binary(BinaryFn::kMin, GatherAt(Shape(), 2), GatherAt(Shape(), 3))), {Min(H(), W())});
}

TEST_F(Symbolic, WhatDependsOnDataIsNotKnown) {
  const ValueId data = b.Input("n", DType::kFloat32, {2});
  EXPECT_FALSE(b.Elements(Must(b.Cast(data, DType::kInt64))).has_value());
  // The square root of a size is no expression.
  const ValueId root = Must(b.Unary(UnaryFn::kSqrt, Must(b.Cast(Shape(), DType::kFloat32))));
  EXPECT_FALSE(b.Elements(Must(b.Cast(root, DType::kInt64))).has_value());
}

// Knowledge must agree with what the graph computes when it is run.
TEST_F(Symbolic, AgreesWithExecution) {
  const ValueId sizes = Must(b.Cast(SliceOf(Shape(), 2, 2), DType::kFloat32));
  const ValueId scaled = Must(b.Binary(BinaryFn::kMul, sizes, Floats({1.5f, 0.25f})));
  const ValueId plus = Must(b.Binary(BinaryFn::kAdd, Must(b.Unary(UnaryFn::kFloor, scaled)), Floats({1, -1})));
  b.Output("sizes", plus);
  const auto known = b.Elements(plus);
  ASSERT_TRUE(known.has_value());
  for (const int64_t h : {4, 9, 31}) {
    const std::vector<int64_t> dims{1, 3, h, h + 3};
    const auto run = Must(ir::Evaluate(graph, {Random(1).Tensor(dims)}));
    const std::vector<std::vector<int64_t>> bound{dims};
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(static_cast<int64_t>(run[0].data[i]), *(*known)[i].Evaluate({bound, {}})) << h;
    }
  }
}

// An integer vector that is an input decides sizes without becoming a Dims node of its own.
TEST_F(Symbolic, ShapeInput) {
  const ValueId shape = b.Input("shape", DType::kInt64, {4});
  const auto elements = b.Elements(shape);
  ASSERT_TRUE(elements.has_value());
  const ValueId y = Must(b.Reshape(x, *elements));
  b.Output("y", y);
  EXPECT_TRUE(b.dims(y)[1] == DimExpr::InputValue(1, 1));
  const ir::Tensor image = Random(2).Tensor({1, 3, 4, 6});
  const auto run = Must(ir::Evaluate(graph, {image, {{4}, {2, 3, 2, 6}}}));
  EXPECT_EQ(run[0].dims, (std::vector<int64_t>{2, 3, 2, 6}));
  EXPECT_EQ(run[0].data, image.data);
}

}  // namespace
}  // namespace fovea::testing
