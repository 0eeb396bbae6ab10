// Normalisations. Batch normalisation becomes one multiplication and one addition a channel, which the passes then move
// into the convolution before.
#include <cmath>

#include "converter/keras/common.h"

namespace fovea::converter::keras {

namespace {

using kernels::BinaryFn;
using kernels::ReduceFn;
using kernels::UnaryFn;

bool Flag(const Json& config, const char* key) {
  const Json* value = Find(config, key);
  return value == nullptr || !value->is_boolean() || value->get<bool>();
}

std::vector<Role> ScaleAndCenter(const Json& config) {
  std::vector<Role> roles;
  if (Flag(config, "scale")) roles.push_back({"gamma"});
  if (Flag(config, "center")) roles.push_back({"beta"});
  return roles;
}

std::vector<Role> BatchNormRoles(const Json& config) {
  std::vector<Role> roles = ScaleAndCenter(config);
  roles.push_back({"moving_mean|running_mean", false});
  roles.push_back({"moving_variance|running_std|running_var", false});
  return roles;
}

// gamma / sqrt(variance + epsilon) x + (beta - mean gamma / sqrt(variance + epsilon))
Result<ValueId> BatchNormalization(LayerContext& c) {
  c.b.graph()->Recognised("batch normalisation");
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  if (c.Int("mode", 0) != 0) {
    return Unsupported("mode " + std::to_string(c.Int("mode", 0)) + ", which normalises by the image itself");
  }
  if (c.Has("virtual_batch_size")) return Unsupported("virtual_batch_size");
  const Json* training = Find(c.call().named, "training");
  if (training != nullptr && *training == true) {
    return Unsupported("it was called with training=True and normalises by the image itself");
  }
  const std::vector<int64_t> axes = c.IntList("axis");
  if (axes.size() > 1) return Unsupported("batch normalisation over several channel axes");
  FOVEA_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(axes.empty() ? -1 : axes[0], c.b.rank(x)));
  ir::Builder& b = c.b;
  FOVEA_ASSIGN_OR_RETURN(const ValueId mean, c.Param("moving_mean", Vector()));
  FOVEA_ASSIGN_OR_RETURN(const ValueId variance, c.Param("moving_variance", Vector()));
  FOVEA_ASSIGN_OR_RETURN(const ValueId sum, b.Binary(BinaryFn::kAdd, variance, b.Scalar(c.Float("epsilon", 1e-3f))));
  FOVEA_ASSIGN_OR_RETURN(ValueId factor, b.Unary(UnaryFn::kSqrt, sum));
  ValueId gamma = b.Scalar(1);
  if (c.Bool("scale", true)) {
    FOVEA_ASSIGN_OR_RETURN(gamma, c.Param("gamma", Vector()));
  }
  FOVEA_ASSIGN_OR_RETURN(factor, b.Binary(BinaryFn::kDiv, gamma, factor));
  FOVEA_ASSIGN_OR_RETURN(ValueId offset, b.Binary(BinaryFn::kMul, mean, factor));
  ValueId beta = b.Scalar(0);
  if (c.Bool("center", true)) {
    FOVEA_ASSIGN_OR_RETURN(beta, c.Param("beta", Vector()));
  }
  FOVEA_ASSIGN_OR_RETURN(offset, b.Binary(BinaryFn::kSub, beta, offset));
  return WithAxisLast(b, x, axis, [&](ValueId last) -> Result<ValueId> {
    FOVEA_ASSIGN_OR_RETURN(const ValueId scaled, b.Binary(BinaryFn::kMul, last, factor));
    return b.Binary(BinaryFn::kAdd, scaled, offset);
  });
}

// y gamma + beta, where the layer has them. arrange: brings them into the shape that they are broadcast with.
Result<ValueId> ScaleAndShift(LayerContext& c, ValueId y, const std::function<Status(Weight*)>& arrange) {
  if (c.Bool("scale", true)) {
    FOVEA_ASSIGN_OR_RETURN(const ValueId gamma, c.Param("gamma", arrange));
    FOVEA_ASSIGN_OR_RETURN(y, c.b.Binary(BinaryFn::kMul, y, gamma));
  }
  if (c.Bool("center", true)) {
    FOVEA_ASSIGN_OR_RETURN(const ValueId beta, c.Param("beta", arrange));
    FOVEA_ASSIGN_OR_RETURN(y, c.b.Binary(BinaryFn::kAdd, y, beta));
  }
  return y;
}

Result<ValueId> LayerNormalization(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  if (c.Bool("rms_scaling", false)) return Unsupported("rms_scaling");
  const int rank = c.b.rank(x);
  std::vector<int64_t> axes = c.IntList("axis");
  if (axes.empty()) axes = {-1};
  int64_t first = rank;
  for (int64_t& axis : axes) {
    FOVEA_ASSIGN_OR_RETURN(axis, NormalAxis(axis, rank));
    first = std::min(first, axis);
  }
  if (first + static_cast<int64_t>(axes.size()) != rank) {
    return Unsupported("normalisation over axes that are not the last ones");
  }
  FOVEA_ASSIGN_OR_RETURN(const ValueId y,
                         c.b.Add(LayerNormParams{first, c.Float("epsilon", 1e-3f)}, {x, ir::kNoValue, ir::kNoValue}));
  return ScaleAndShift(c, y, nullptr);
}

Result<ValueId> GroupNormOf(LayerContext& c, int64_t groups) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  FOVEA_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(c.Int("axis", -1), c.b.rank(x)));
  if (axis == 0 || c.b.rank(x) < 3) return Unsupported("an input that is not an image with channels");
  return WithAxisLast(c.b, x, axis, [&](ValueId last) -> Result<ValueId> {
    ValueId scale = ir::kNoValue, bias = ir::kNoValue;
    if (c.Bool("scale", true)) {
      FOVEA_ASSIGN_OR_RETURN(scale, c.Param("gamma", Vector()));
    }
    if (c.Bool("center", true)) {
      FOVEA_ASSIGN_OR_RETURN(bias, c.Param("beta", Vector()));
    }
    return c.b.Add(GroupNormParams{groups, c.Float("epsilon", 1e-3f), {}}, {last, scale, bias});
  });
}

Result<ValueId> GroupNormalization(LayerContext& c) {
  const int64_t groups = c.Int("groups", 32);
  if (groups != -1 && groups < 1) return CorruptFile("groups " + std::to_string(groups));
  return GroupNormOf(c, groups == -1 ? 0 : groups);
}

// keras-contrib's divides by the deviation plus epsilon, over all axes but the batch where no axis is given;
// tensorflow-addons' (which says groups) is group normalisation with one group a channel.
Result<ValueId> InstanceNormalization(LayerContext& c) {
  if (c.Has("groups")) return GroupNormOf(c, 0);
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  const int rank = c.b.rank(x);
  ir::Builder& b = c.b;
  int64_t axis = -1;
  if (c.Has("axis")) {
    FOVEA_ASSIGN_OR_RETURN(axis, NormalAxis(c.Int("axis", -1), rank));
    if (axis == 0) return CorruptFile("axis 0, which is the batch");
  }
  std::vector<int64_t> axes;
  for (int64_t i = 1; i < rank; ++i) {
    if (i != axis) axes.push_back(i);
  }
  FOVEA_ASSIGN_OR_RETURN(const ValueId mean, b.Add(ReduceParams{ReduceFn::kMean, axes, true}, {x}));
  FOVEA_ASSIGN_OR_RETURN(const ValueId squares, b.Binary(BinaryFn::kSquaredDifference, x, mean));
  FOVEA_ASSIGN_OR_RETURN(const ValueId variance, b.Add(ReduceParams{ReduceFn::kMean, axes, true}, {squares}));
  FOVEA_ASSIGN_OR_RETURN(const ValueId deviation, b.Unary(UnaryFn::kSqrt, variance));
  FOVEA_ASSIGN_OR_RETURN(const ValueId divisor,
                         b.Binary(BinaryFn::kAdd, deviation, b.Scalar(c.Float("epsilon", 1e-3f))));
  FOVEA_ASSIGN_OR_RETURN(const ValueId centred, b.Binary(BinaryFn::kSub, x, mean));
  FOVEA_ASSIGN_OR_RETURN(const ValueId y, b.Binary(BinaryFn::kDiv, centred, divisor));
  return ScaleAndShift(c, y, [&](Weight* weight) -> Status {
    if (weight->dims.size() > 1) return CorruptFile("it has more than one axis");
    if (axis < 0) {
      weight->dims.clear();
      return weight->data.size() == 1 ? OkStatus() : CorruptFile("it is not one number");
    }
    const int64_t channels = static_cast<int64_t>(weight->data.size());
    weight->dims.assign(static_cast<size_t>(rank - axis), 1);
    weight->dims[0] = channels;
    return OkStatus();
  });
}

// (x - mean) / max(sqrt(variance), 1e-7): statistics from the file's weights, or from the configuration.
Result<ValueId> Normalization(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  if (c.Bool("invert", false)) return Unsupported("invert");
  const std::vector<int64_t> given = c.Has("axis") ? c.IntList("axis") : std::vector<int64_t>{};
  const int rank = c.b.rank(x);
  // Statistics keep the axes given and are broadcast over the others.
  const auto arrange = [&](Weight* weight) -> Status {
    std::vector<int64_t> dims(static_cast<size_t>(rank), 1);
    uint64_t count = 1;
    for (const int64_t axis : given) {
      FOVEA_ASSIGN_OR_RETURN(const int64_t at, NormalAxis(axis, rank));
      const DimExpr& size = c.b.dims(x)[static_cast<size_t>(at)];
      if (!size.IsConst()) return Unsupported("statistics along an axis of open size");
      dims[static_cast<size_t>(at)] = size.Const();
      count *= static_cast<uint64_t>(size.Const());
      if (count > weight->data.size()) break;
    }
    if (weight->data.size() == 1) {
      dims.assign(static_cast<size_t>(rank), 1);
    } else if (count != weight->data.size()) {
      return CorruptFile(std::to_string(weight->data.size()) + " statistics");
    }
    weight->dims = dims;
    return OkStatus();
  };
  ValueId mean = ir::kNoValue, variance = ir::kNoValue;
  if (c.Has("mean") && c.Has("variance")) {
    for (const auto& [key, value] : {std::pair{"mean", &mean}, std::pair{"variance", &variance}}) {
      const auto numbers = AsFloats(*Find(c.config(), key));
      if (!numbers) return CorruptFile(std::string(key) + " is not a list of numbers");
      Weight weight{{static_cast<int64_t>(numbers->size())}, *numbers};
      FOVEA_RETURN_IF_ERROR(arrange(&weight));
      *value = c.b.Constant(key, DType::kFloat32, weight.dims, std::move(weight.data));
    }
  } else {
    FOVEA_ASSIGN_OR_RETURN(mean, c.Param("mean", arrange));
    FOVEA_ASSIGN_OR_RETURN(variance, c.Param("variance", arrange));
  }
  FOVEA_ASSIGN_OR_RETURN(const ValueId root, c.b.Unary(UnaryFn::kSqrt, variance));
  FOVEA_ASSIGN_OR_RETURN(const ValueId divisor, c.b.Binary(BinaryFn::kMax, root, c.b.Scalar(1e-7f)));
  FOVEA_ASSIGN_OR_RETURN(const ValueId centred, c.b.Binary(BinaryFn::kSub, x, mean));
  return c.b.Binary(BinaryFn::kDiv, centred, divisor);
}

std::vector<Role> NormalizationRoles(const Json& config) {
  if (Find(config, "mean") != nullptr && Find(config, "variance") != nullptr) return {};
  return {{"mean", false}, {"variance", false}, {"count", false}};
}

constexpr LayerRow kLayers[] = {{"BatchNormalization", BatchNormalization, BatchNormRoles},
                                {"BatchNormalizationV1", BatchNormalization, BatchNormRoles},
                                {"BatchNormalizationV2", BatchNormalization, BatchNormRoles},
                                {"SyncBatchNormalization", BatchNormalization, BatchNormRoles},
                                {"LayerNormalization", LayerNormalization, ScaleAndCenter},
                                {"GroupNormalization", GroupNormalization, ScaleAndCenter},
                                {"InstanceNormalization", InstanceNormalization, ScaleAndCenter},
                                {"Normalization", Normalization, NormalizationRoles}};

}  // namespace

std::span<const LayerRow> NormalizationLayers() { return kLayers; }

}  // namespace fovea::converter::keras
