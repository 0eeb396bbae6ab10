// Normalisations. Batch normalisation is written as arithmetic on [C] vectors: with constant parameters they fold to
// one multiplication and one addition, which the passes then move into the convolution before.
#include "converter/onnx/common.h"
#include "converter/onnx/importers.h"

namespace fovea::converter {

namespace {

using kernels::BinaryFn;
using kernels::ReduceFn;
using kernels::UnaryFn;

Status BatchNormalization(NodeContext& c) {
  c.b.graph()->Recognised("batch normalisation");
  const bool training = c.opset < 7    ? c.HasAttr("is_test") && c.Int("is_test", 0) == 0
                        : c.opset < 14 ? c.Wants(1)
                                       : c.Int("training_mode", 0) != 0;
  if (training) return Unsupported("batch normalisation in training mode; export the model in evaluation mode");
  if (c.opset < 9 && c.Int("spatial", 1) == 0) return Unsupported("spatial = 0; one set of statistics a channel");
  for (int i = 0; i < 5; ++i) FOVEA_RETURN_IF_ERROR(c.Need(i).status());
  ir::Builder& b = c.b;
  const float epsilon = c.Float("epsilon", 1e-5f);
  // scale / sqrt(var + epsilon) x + (bias - mean scale / sqrt(var + epsilon))
  FOVEA_ASSIGN_OR_RETURN(const ValueId variance, b.Binary(BinaryFn::kAdd, c.In(4), b.Scalar(epsilon)));
  FOVEA_ASSIGN_OR_RETURN(const ValueId deviation, b.Unary(UnaryFn::kSqrt, variance));
  FOVEA_ASSIGN_OR_RETURN(const ValueId factor, b.Binary(BinaryFn::kDiv, c.In(1), deviation));
  FOVEA_ASSIGN_OR_RETURN(const ValueId shift, b.Binary(BinaryFn::kMul, c.In(3), factor));
  FOVEA_ASSIGN_OR_RETURN(const ValueId offset, b.Binary(BinaryFn::kSub, c.In(2), shift));
  const int rank = b.rank(c.In(0));
  if (rank < 2) return Unsupported("a tensor without a channel axis");
  FOVEA_ASSIGN_OR_RETURN(const ValueId last, ToChannelsLast(b, c.In(0)));
  FOVEA_ASSIGN_OR_RETURN(const ValueId scaled, b.Binary(BinaryFn::kMul, last, factor));
  FOVEA_ASSIGN_OR_RETURN(const ValueId y, b.Binary(BinaryFn::kAdd, scaled, offset));
  return c.Out(0, ToChannelsFirst(b, y));
}

Status InstanceNormalization(NodeContext& c) {
  return Spatial(c, [&](ValueId x) -> Result<ValueId> {
    FOVEA_ASSIGN_OR_RETURN(const ValueId scale, c.Need(1));
    FOVEA_ASSIGN_OR_RETURN(const ValueId bias, c.Need(2));
    return c.b.Add(GroupNormParams{0, c.Float("epsilon", 1e-5f), {}}, {x, scale, bias});
  });
}

// Opset 18 has one number a group, 21 one a channel.
Result<ValueId> PerChannel(NodeContext& c, ValueId v, int64_t groups, const DimExpr& channels) {
  if (c.opset >= 21) return v;
  FOVEA_ASSIGN_OR_RETURN(const ValueId column, c.b.Reshape(v, {groups, 1}));
  FOVEA_ASSIGN_OR_RETURN(const ValueId spread, c.b.Add(ExpandParams{{groups, FloorDiv(channels, groups)}}, {column}));
  return c.b.Reshape(spread, {channels});
}

Status GroupNormalization(NodeContext& c) {
  const int64_t groups = c.Int("num_groups", 0);
  if (groups < 1) return CorruptFile("num_groups " + std::to_string(groups));
  return Spatial(c, [&](ValueId x) -> Result<ValueId> {
    FOVEA_ASSIGN_OR_RETURN(ValueId scale, c.Need(1));
    FOVEA_ASSIGN_OR_RETURN(ValueId bias, c.Need(2));
    const DimExpr channels = c.b.dims(x).back();
    FOVEA_ASSIGN_OR_RETURN(scale, PerChannel(c, scale, groups, channels));
    FOVEA_ASSIGN_OR_RETURN(bias, PerChannel(c, bias, groups, channels));
    return c.b.Add(GroupNormParams{groups, c.Float("epsilon", 1e-5f), {}}, {x, scale, bias});
  });
}

// mean and 1 / sqrt(variance + epsilon) over the axes, which stay with size 1.
Status Statistics(ir::Builder& b, ValueId x, std::vector<int64_t> axes, float epsilon, ValueId* mean,
                  ValueId* inverse) {
  FOVEA_ASSIGN_OR_RETURN(*mean, b.Add(ReduceParams{ReduceFn::kMean, axes, true}, {x}));
  FOVEA_ASSIGN_OR_RETURN(const ValueId squares, b.Binary(BinaryFn::kSquaredDifference, x, *mean));
  FOVEA_ASSIGN_OR_RETURN(const ValueId variance,
                         b.Add(ReduceParams{ReduceFn::kMean, std::move(axes), true}, {squares}));
  FOVEA_ASSIGN_OR_RETURN(const ValueId sum, b.Binary(BinaryFn::kAdd, variance, b.Scalar(epsilon)));
  FOVEA_ASSIGN_OR_RETURN(*inverse, b.Unary(UnaryFn::kRsqrt, sum));
  return OkStatus();
}

Status LayerNormalization(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  FOVEA_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(c.Int("axis", -1), c.b.rank(x)));
  const float epsilon = c.Float("epsilon", 1e-5f);
  const Dims dims = c.b.dims(x), normal(dims.begin() + axis, dims.end());
  const auto fits = [&](int i) { return !c.Has(i) || SameDims(c.b.dims(c.In(i)), normal); };
  if (fits(1) && fits(2)) {
    FOVEA_RETURN_IF_ERROR(c.Out(0, c.b.Add(LayerNormParams{axis, epsilon}, {x, c.In(1), c.In(2)})));
  } else {  // scale and bias are broadcast
    FOVEA_ASSIGN_OR_RETURN(ValueId y, c.b.Add(LayerNormParams{axis, epsilon}, {x, ir::kNoValue, ir::kNoValue}));
    if (c.Has(1)) {
      FOVEA_ASSIGN_OR_RETURN(y, c.b.Binary(BinaryFn::kMul, y, c.In(1)));
    }
    if (c.Has(2)) {
      FOVEA_ASSIGN_OR_RETURN(y, c.b.Binary(BinaryFn::kAdd, y, c.In(2)));
    }
    FOVEA_RETURN_IF_ERROR(c.Out(0, y));
  }
  if (!c.Wants(1) && !c.Wants(2)) return OkStatus();
  std::vector<int64_t> axes;
  for (int64_t i = axis; i < c.b.rank(x); ++i) axes.push_back(i);
  ValueId mean = ir::kNoValue, inverse = ir::kNoValue;
  FOVEA_RETURN_IF_ERROR(Statistics(c.b, x, std::move(axes), epsilon, &mean, &inverse));
  FOVEA_RETURN_IF_ERROR(c.Out(1, mean));
  return c.Out(2, inverse);
}

Status Lrn(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const LrnParams p{c.Int("size", 0), c.Float("alpha", 1e-4f), c.Float("beta", 0.75f), c.Float("bias", 1)};
  if (p.size < 1) return CorruptFile("size " + std::to_string(p.size));
  FOVEA_ASSIGN_OR_RETURN(const ValueId last, ToChannelsLast(c.b, x));
  FOVEA_ASSIGN_OR_RETURN(const ValueId y, c.b.Add(p, {last}));
  return c.Out(0, ToChannelsFirst(c.b, y));
}

// (x - mean) / (sqrt(variance) + 1e-9)
Status MeanVarianceNormalization(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  std::vector<int64_t> axes = c.Ints("axes");
  if (axes.empty()) axes = {0, 2, 3};
  FOVEA_ASSIGN_OR_RETURN(axes, NormalAxes(axes, c.b.rank(x)));
  ir::Builder& b = c.b;
  FOVEA_ASSIGN_OR_RETURN(const ValueId mean, b.Add(ReduceParams{ReduceFn::kMean, axes, true}, {x}));
  FOVEA_ASSIGN_OR_RETURN(const ValueId squares, b.Binary(BinaryFn::kSquaredDifference, x, mean));
  FOVEA_ASSIGN_OR_RETURN(const ValueId variance, b.Add(ReduceParams{ReduceFn::kMean, axes, true}, {squares}));
  FOVEA_ASSIGN_OR_RETURN(const ValueId deviation, b.Unary(UnaryFn::kSqrt, variance));
  FOVEA_ASSIGN_OR_RETURN(const ValueId divisor, b.Binary(BinaryFn::kAdd, deviation, b.Scalar(1e-9f)));
  FOVEA_ASSIGN_OR_RETURN(const ValueId centred, b.Binary(BinaryFn::kSub, x, mean));
  return c.Out(0, b.Binary(BinaryFn::kDiv, centred, divisor));
}

constexpr OpRow kOps[] = {{"BatchNormalization", BatchNormalization},
                          {"InstanceNormalization", InstanceNormalization},
                          {"GroupNormalization", GroupNormalization},
                          {"LayerNormalization", LayerNormalization},
                          {"LRN", Lrn},
                          {"MeanVarianceNormalization", MeanVarianceNormalization}};

}  // namespace

std::span<const OpRow> NormalizationOps() { return kOps; }

}  // namespace fovea::converter
