// Layers without arithmetic of their own (dropout and noise at inference), Dense, and layers that rearrange.
#include "converter/keras/common.h"

namespace fovea::converter::keras {

namespace {

using kernels::BinaryFn;

Result<ValueId> Identity(LayerContext& c) { return c.Input(); }

bool IsAlwaysOn(LayerContext& c) {
  const Json* training = Find(c.call().named, "training");
  return training != nullptr && *training == true;
}

// Noise that only dropout's seed could keep, and does not.
Result<ValueId> Noise(LayerContext& c) {
  if (IsAlwaysOn(c)) c.Warn("noise that is always on (training=True) is left out: results do not vary from run to run");
  return c.Input();
}

// The axes of x along which elements are dropped independently: all, or those where noise_shape is not 1, or, for whole
// channels (SpatialDropout), batch and channels.
std::vector<int64_t> DropoutAxes(LayerContext& c, const Dims& x) {
  const int64_t rank = static_cast<int64_t>(x.size());
  std::vector<int64_t> axes;
  if (c.class_name().starts_with("Spatial")) {
    if (rank < 3) return rank == 2 ? std::vector<int64_t>{0, 1} : std::vector<int64_t>{0};
    return {0, c.ChannelsFirst() ? 1 : rank - 1};
  }
  const Json* noise = Find(c.config(), "noise_shape");
  const bool shaped = noise != nullptr && noise->is_array() && noise->size() == x.size();
  for (int64_t a = 0; a < rank; ++a) {
    if (!shaped || (*noise)[static_cast<size_t>(a)] != 1) axes.push_back(a);
  }
  return axes;
}

Result<ValueId> Dropout(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  if (!IsAlwaysOn(c)) return x;
  const std::optional<uint64_t> seed = c.DropoutSeed();
  if (!seed) {
    c.Warn(
        "dropout that is always on (training=True) is left out: results do not vary from run to run; --dropout=seed:N "
        "keeps it");
    return x;
  }
  const float rate = c.Float("rate", 0.5f);
  if (!(rate >= 0 && rate <= 1)) return CorruptFile("a rate outside 0 to 1");
  return c.b.Dropout(x, 1 - rate, DropoutAxes(c, c.b.dims(x)), *seed);
}

Result<ValueId> Dense(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  FOVEA_ASSIGN_OR_RETURN(const ValueId kernel, c.Param("kernel", [](Weight* weight) -> Status {
    return weight->dims.size() == 2 ? OkStatus() : CorruptFile("it is not a matrix");
  }));
  if (c.b.rank(x) < 2) return CorruptFile("an input without channels");
  FOVEA_ASSIGN_OR_RETURN(ValueId y, c.b.Add(MatMulParams{}, {x, kernel}));
  if (c.Bool("use_bias", true)) {
    FOVEA_ASSIGN_OR_RETURN(const ValueId bias, c.Param("bias", Vector()));
    FOVEA_ASSIGN_OR_RETURN(y, c.b.Binary(BinaryFn::kAdd, y, bias));
  }
  return Activate(c, y);
}

std::vector<Role> DenseRoles(const Json& config) {
  const Json* use = Find(config, "use_bias");
  if (use != nullptr && use->is_boolean() && !use->get<bool>()) return {{"kernel|W"}};
  return {{"kernel|W"}, {"bias|b"}};
}

Result<ValueId> Flatten(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(ValueId x, c.Input());
  const int rank = c.b.rank(x);
  if (rank < 2) return c.b.Reshape(x, {Product(c.b.dims(x), 0, static_cast<size_t>(rank)), 1});
  if (c.ChannelsFirst()) {  // flattened as the channels-last tensor would be
    std::vector<int64_t> perm{0};
    for (int64_t i = 2; i < rank; ++i) perm.push_back(i);
    perm.push_back(1);
    FOVEA_ASSIGN_OR_RETURN(x, c.b.Transpose(x, perm));
  }
  const Dims dims = c.b.dims(x);
  return c.b.Reshape(x, {dims[0], Product(dims, 1, dims.size())});
}

Result<ValueId> Reshape(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  const Dims dims = c.b.dims(x);
  if (dims.empty()) return CorruptFile("an input without a batch axis");
  Dims shape{dims[0]};
  DimExpr known = 1;
  size_t open = 0;
  for (const int64_t size : c.IntList("target_shape", -1)) {  // TF.js also writes null
    if (size < -1 || size == 0 || (size == -1 && open != 0)) return CorruptFile("a target_shape that cannot be");
    if (size == -1) open = shape.size();
    if (size != -1) known = known * size;
    shape.push_back(size);
  }
  if (shape.size() > kMaxTensorRank) return Unsupported(std::to_string(shape.size()) + " axes");
  if (open != 0) shape[open] = FloorDiv(Product(dims, 1, dims.size()), known);
  return c.b.Reshape(x, shape);
}

Result<ValueId> Permute(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  std::vector<int64_t> perm{0};
  std::vector<bool> used(static_cast<size_t>(c.b.rank(x)), false);
  for (const int64_t axis : c.IntList("dims")) {
    if (axis < 1 || axis >= c.b.rank(x) || used[static_cast<size_t>(axis)]) {
      return CorruptFile("dims that are not a permutation of the axes");
    }
    used[static_cast<size_t>(axis)] = true;
    perm.push_back(axis);
  }
  if (static_cast<int>(perm.size()) != c.b.rank(x)) return CorruptFile("dims that are not a permutation of the axes");
  return c.b.Transpose(x, perm);
}

Result<ValueId> RepeatVector(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  const Dims dims = c.b.dims(x);
  const int64_t n = c.Int("n", 0);
  if (dims.size() != 2 || n < 1) return CorruptFile("an input that is not a vector, or no repetitions");
  FOVEA_ASSIGN_OR_RETURN(const ValueId row, c.b.Reshape(x, {dims[0], 1, dims[1]}));
  return c.b.Add(ExpandParams{{dims[0], n, dims[1]}}, {row});
}

// x scale + offset; both may be lists, one number a channel.
Result<ValueId> Rescaling(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(ValueId x, c.Input());
  const auto operand = [&](const char* key, float otherwise) -> Result<ValueId> {
    const Json* value = Find(c.config(), key);
    if (value == nullptr) return c.b.Scalar(otherwise);
    const auto numbers = AsFloats(*value);
    if (!numbers || numbers->empty()) return CorruptFile(std::string(key) + " is not a number");
    if (numbers->size() == 1) return c.b.Scalar((*numbers)[0]);
    return c.b.Constant(key, DType::kFloat32, {static_cast<int64_t>(numbers->size())}, *numbers);
  };
  FOVEA_ASSIGN_OR_RETURN(const ValueId scale, operand("scale", 1));
  FOVEA_ASSIGN_OR_RETURN(const ValueId offset, operand("offset", 0));
  FOVEA_ASSIGN_OR_RETURN(x, c.b.Binary(BinaryFn::kMul, x, scale));
  return c.b.Binary(BinaryFn::kAdd, x, offset);
}

constexpr LayerRow kLayers[] = {{"Dropout", Dropout},          {"SpatialDropout1D", Dropout},
                                {"SpatialDropout2D", Dropout}, {"SpatialDropout3D", Dropout},
                                {"AlphaDropout", Noise},       {"GaussianDropout", Noise},
                                {"GaussianNoise", Noise},      {"ActivityRegularization", Identity},
                                {"Identity", Identity},        {"Dense", Dense, DenseRoles},
                                {"Flatten", Flatten},          {"Reshape", Reshape},
                                {"Permute", Permute},          {"RepeatVector", RepeatVector},
                                {"Rescaling", Rescaling}};

}  // namespace

std::span<const LayerRow> CoreLayers() { return kLayers; }

}  // namespace fovea::converter::keras
