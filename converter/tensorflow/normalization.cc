// Normalisations. Batch normalisation is written as arithmetic on [C] vectors: with constant parameters they fold to
// one multiplication and one addition, which the passes then move into the convolution before.
#include "converter/tensorflow/common.h"
#include "converter/tensorflow/importers.h"

namespace fovea::converter::tf {
namespace {

using kernels::BinaryFn;
using kernels::ReduceFn;
using kernels::UnaryFn;

Status FusedBatchNorm(NodeContext& c) {
  for (int i = 0; i < 3; ++i) FOVEA_RETURN_IF_ERROR(c.Need(i).status());
  FOVEA_ASSIGN_OR_RETURN(const bool first, ChannelsFirst(c));
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, ToChannelsLast(c.b, c.In(0), first));
  ir::Builder& b = c.b;
  ValueId mean = ir::kNoValue, variance = ir::kNoValue;
  if (c.Bool("is_training", true)) {
    c.Warn("batch normalisation by the image's own mean and variance, as the file says (is_training)");
    std::vector<int64_t> axes;
    for (int i = 0; i + 1 < b.rank(x); ++i) axes.push_back(i);
    FOVEA_ASSIGN_OR_RETURN(mean, b.Add(ReduceParams{ReduceFn::kMean, axes, false}, {x}));
    FOVEA_ASSIGN_OR_RETURN(const ValueId squares, b.Binary(BinaryFn::kSquaredDifference, x, mean));
    FOVEA_ASSIGN_OR_RETURN(variance, b.Add(ReduceParams{ReduceFn::kMean, axes, false}, {squares}));
  } else {
    FOVEA_ASSIGN_OR_RETURN(mean, c.Need(3));
    FOVEA_ASSIGN_OR_RETURN(variance, c.Need(4));
  }
  FOVEA_ASSIGN_OR_RETURN(const ValueId y, BatchNorm(b, x, c.In(1), c.In(2), mean, variance, c.Float("epsilon", 1e-4f)));
  FOVEA_RETURN_IF_ERROR(c.Out(0, FromChannelsLast(b, y, first)));
  FOVEA_RETURN_IF_ERROR(c.Out(1, mean));
  return c.Out(2, variance);
}

// Inputs: x, mean, variance, offset, scale.
Status BatchNormWithGlobalNormalization(NodeContext& c) {
  for (int i = 0; i < 5; ++i) FOVEA_RETURN_IF_ERROR(c.Need(i).status());
  const ValueId scale = c.Bool("scale_after_normalization", true) ? c.In(4) : c.b.Scalar(1);
  return c.Out(0, BatchNorm(c.b, c.In(0), scale, c.In(3), c.In(1), c.In(2), c.Float("variance_epsilon", 1e-3f)));
}

// x / (bias + alpha sum)^beta with the sum over 2 radius + 1 channels; ours divides alpha by their number.
Status Lrn(NodeContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Need(0));
  const int64_t radius = c.Int("depth_radius", 5);
  if (radius < 0 || radius > 4096) return CorruptFile("depth_radius " + std::to_string(radius));
  const int64_t size = 2 * radius + 1;
  return c.Out(0, c.b.Add(LrnParams{size, c.Float("alpha", 1) * static_cast<float>(size), c.Float("beta", 0.5f),
                                    c.Float("bias", 1)},
                          {x}));
}

constexpr OpRow kOps[] = {{"FusedBatchNorm", FusedBatchNorm},
                          {"FusedBatchNormV2", FusedBatchNorm},
                          {"FusedBatchNormV3", FusedBatchNorm},
                          {"BatchNormWithGlobalNormalization", BatchNormWithGlobalNormalization},
                          {"LRN", Lrn}};

}  // namespace

// scale / sqrt(variance + epsilon) x + (offset - mean scale / sqrt(variance + epsilon))
Result<ValueId> BatchNorm(ir::Builder& b, ValueId x, ValueId scale, ValueId offset, ValueId mean, ValueId variance,
                          float epsilon) {
  b.graph()->Recognised("batch normalisation");
  FOVEA_ASSIGN_OR_RETURN(const ValueId shifted, b.Binary(BinaryFn::kAdd, variance, b.Scalar(epsilon)));
  FOVEA_ASSIGN_OR_RETURN(const ValueId deviation, b.Unary(UnaryFn::kSqrt, shifted));
  FOVEA_ASSIGN_OR_RETURN(const ValueId factor, b.Binary(BinaryFn::kDiv, scale, deviation));
  FOVEA_ASSIGN_OR_RETURN(const ValueId shift, b.Binary(BinaryFn::kMul, mean, factor));
  FOVEA_ASSIGN_OR_RETURN(const ValueId rest, b.Binary(BinaryFn::kSub, offset, shift));
  FOVEA_ASSIGN_OR_RETURN(const ValueId scaled, b.Binary(BinaryFn::kMul, x, factor));
  return b.Binary(BinaryFn::kAdd, scaled, rest);
}

std::span<const OpRow> NormalizationOps() { return kOps; }

}  // namespace fovea::converter::tf
