// Activations: by name, as layers, as functions given to other layers.
// Formulas: keras.io/api/layers/activations and keras/src/activations/activations.py.
#include <cmath>

#include "converter/keras/common.h"

namespace fovea::converter::keras {

namespace {

using kernels::BinaryFn;
using kernels::UnaryFn;

struct Named {
  const char* name;
  UnaryFn fn;
  float alpha = 0, beta = 0;
};
constexpr Named kNamed[] = {{"linear", UnaryFn::kIdentity},
                            {"relu", UnaryFn::kRelu},
                            {"relu6", UnaryFn::kClip, 0, 6},
                            {"sigmoid", UnaryFn::kSigmoid},
                            {"tanh", UnaryFn::kTanh},
                            {"elu", UnaryFn::kElu, 1},
                            {"selu", UnaryFn::kSelu, 1.67326324f, 1.05070098f},
                            {"celu", UnaryFn::kCelu, 1},
                            {"softplus", UnaryFn::kSoftplus},
                            {"softsign", UnaryFn::kSoftsign},
                            {"exponential", UnaryFn::kExp},
                            {"swish", UnaryFn::kSilu, 1},
                            {"silu", UnaryFn::kSilu, 1},
                            {"mish", UnaryFn::kMish},
                            {"gelu", UnaryFn::kGelu},
                            {"gelu_new", UnaryFn::kGeluTanh},  // of TF.js
                            {"leaky_relu", UnaryFn::kLeakyRelu, 0.2f},
                            {"hard_silu", UnaryFn::kHardSwish},
                            {"hard_swish", UnaryFn::kHardSwish},
                            {"hard_tanh", UnaryFn::kClip, -1, 1},
                            {"sparse_sigmoid", UnaryFn::kHardSigmoid, 0.5f, 0.5f}};

// Softmax over the last axis is the default of Keras' functions.
Result<ValueId> LastSoftmax(ir::Builder& b, ValueId x, bool log) {
  return b.Add(SoftmaxParams{b.rank(x) - 1, log}, {x});
}

Result<ValueId> LogSigmoid(ir::Builder& b, ValueId x) {  // -softplus(-x)
  FOVEA_ASSIGN_OR_RETURN(const ValueId minus, b.Unary(UnaryFn::kNeg, x));
  FOVEA_ASSIGN_OR_RETURN(const ValueId soft, b.Unary(UnaryFn::kSoftplus, minus));
  return b.Unary(UnaryFn::kNeg, soft);
}

Result<ValueId> TanhShrink(ir::Builder& b, ValueId x) {  // x - tanh(x)
  FOVEA_ASSIGN_OR_RETURN(const ValueId tanh, b.Unary(UnaryFn::kTanh, x));
  return b.Binary(BinaryFn::kSub, x, tanh);
}

Result<ValueId> SoftShrink(ir::Builder& b, ValueId x) {  // x moved towards 0 by 0.5
  FOVEA_ASSIGN_OR_RETURN(const ValueId inside, b.Unary(UnaryFn::kClip, x, -0.5f, 0.5f));
  return b.Binary(BinaryFn::kSub, x, inside);
}

Result<ValueId> HardShrink(ir::Builder& b, ValueId x) {  // |x| > 0.5 ? x : 0
  FOVEA_ASSIGN_OR_RETURN(const ValueId size, b.Unary(UnaryFn::kAbs, x));
  FOVEA_ASSIGN_OR_RETURN(const ValueId outside, b.Binary(BinaryFn::kGreater, size, b.Scalar(0.5f)));
  return b.Add(SelectParams{}, {outside, x, b.Scalar(0)});
}

Result<ValueId> SparsePlus(ir::Builder& b, ValueId x) {  // 0, (x + 1)^2 / 4 in [-1, 1], x
  FOVEA_ASSIGN_OR_RETURN(const ValueId c, b.Unary(UnaryFn::kClip, x, -1, 1));
  FOVEA_ASSIGN_OR_RETURN(const ValueId shifted, b.Binary(BinaryFn::kAdd, c, b.Scalar(1)));
  FOVEA_ASSIGN_OR_RETURN(const ValueId square, b.Unary(UnaryFn::kSquare, shifted));
  FOVEA_ASSIGN_OR_RETURN(const ValueId quarter, b.Binary(BinaryFn::kMul, square, b.Scalar(0.25f)));
  FOVEA_ASSIGN_OR_RETURN(const ValueId beyond, b.Binary(BinaryFn::kSub, x, b.Scalar(1)));
  FOVEA_ASSIGN_OR_RETURN(const ValueId line, b.Unary(UnaryFn::kRelu, beyond));
  return b.Binary(BinaryFn::kAdd, quarter, line);
}

Result<ValueId> Glu(ir::Builder& b, ValueId x) {  // the first half of the channels times sigmoid of the second
  SliceParams half{Dims(b.dims(x).size(), 0), b.dims(x), std::vector<int64_t>(b.dims(x).size(), 1)};
  const DimExpr channels = b.dims(x).back();
  if (!channels.IsConst() || channels.Const() % 2 != 0) return CorruptFile("glu of an odd number of channels");
  half.size.back() = channels.Const() / 2;
  FOVEA_ASSIGN_OR_RETURN(const ValueId value, b.Add(half, {x}));
  half.start.back() = channels.Const() / 2;
  FOVEA_ASSIGN_OR_RETURN(const ValueId gate, b.Add(half, {x}));
  FOVEA_ASSIGN_OR_RETURN(const ValueId factor, b.Unary(UnaryFn::kSigmoid, gate));
  return b.Binary(BinaryFn::kMul, value, factor);
}

Result<ValueId> SquarePlus(ir::Builder& b, ValueId x) {  // (x + sqrt(x^2 + 4)) / 2
  FOVEA_ASSIGN_OR_RETURN(const ValueId square, b.Unary(UnaryFn::kSquare, x));
  FOVEA_ASSIGN_OR_RETURN(const ValueId shifted, b.Binary(BinaryFn::kAdd, square, b.Scalar(4)));
  FOVEA_ASSIGN_OR_RETURN(const ValueId root, b.Unary(UnaryFn::kSqrt, shifted));
  FOVEA_ASSIGN_OR_RETURN(const ValueId sum, b.Binary(BinaryFn::kAdd, x, root));
  return b.Binary(BinaryFn::kMul, sum, b.Scalar(0.5f));
}

// ReLU with a bound, a slope and a threshold, as keras.backend.relu computes it: min(x > t ? x : 0, max) - slope (t -
// x) where x < t.
Result<ValueId> GeneralRelu(ir::Builder& b, ValueId x, float slope, float threshold, std::optional<float> max) {
  if (threshold == 0 && slope == 0) {
    return max ? b.Unary(UnaryFn::kClip, x, 0, *max) : b.Unary(UnaryFn::kRelu, x);
  }
  ValueId positive = x;
  if (threshold == 0) {
    FOVEA_ASSIGN_OR_RETURN(positive, b.Unary(UnaryFn::kLeakyRelu, x, slope));
  } else {
    FOVEA_ASSIGN_OR_RETURN(const ValueId above, b.Binary(BinaryFn::kGreater, x, b.Scalar(threshold)));
    FOVEA_ASSIGN_OR_RETURN(const ValueId moved, b.Binary(BinaryFn::kSub, x, b.Scalar(threshold)));
    FOVEA_ASSIGN_OR_RETURN(const ValueId below, b.Binary(BinaryFn::kMul, moved, b.Scalar(slope)));
    FOVEA_ASSIGN_OR_RETURN(positive, b.Add(SelectParams{}, {above, x, slope == 0 ? b.Scalar(0) : below}));
  }
  if (!max) return positive;
  return b.Binary(BinaryFn::kMin, positive, b.Scalar(*max));
}

Result<ValueId> ReluLayer(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  const float slope = c.Float(c.Has("alpha") ? "alpha" : "negative_slope", 0);
  std::optional<float> max;
  if (c.Has("max_value")) max = c.Float("max_value", 0);
  return GeneralRelu(c.b, x, slope, c.Float("threshold", 0), max);
}

Result<ValueId> LeakyReluLayer(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  return c.b.Unary(UnaryFn::kLeakyRelu, x, c.Float(c.Has("alpha") ? "alpha" : "negative_slope", 0.3f));
}

Result<ValueId> EluLayer(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  return c.b.Unary(UnaryFn::kElu, x, c.Float("alpha", 1));
}

Result<ValueId> ThresholdedReluLayer(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  return c.b.Unary(UnaryFn::kThresholdedRelu, x, c.Float("theta", 1));
}

Result<ValueId> PReluLayer(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  FOVEA_ASSIGN_OR_RETURN(const ValueId alpha, c.Param("alpha"));
  if (c.b.rank(alpha) + 1 != c.b.rank(x)) {
    return CorruptFile("slopes with " + std::to_string(c.b.rank(alpha)) + " axes for an input with " +
                       std::to_string(c.b.rank(x)));
  }
  return c.b.Binary(BinaryFn::kPRelu, x, alpha);
}

Result<ValueId> SoftmaxLayer(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  const std::vector<int64_t> axes = c.IntList("axis");
  if (axes.size() > 1) return Unsupported("softmax over several axes together");
  FOVEA_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(axes.empty() ? -1 : axes[0], c.b.rank(x)));
  return c.b.Add(SoftmaxParams{axis, false}, {x});
}

Result<ValueId> ActivationLayer(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  return Activate(c, x);
}

std::vector<Role> PReluRoles(const Json&) { return {{"alpha|alphas"}}; }

constexpr LayerRow kLayers[] = {{"Activation", ActivationLayer},
                                {"ReLU", ReluLayer},
                                {"LeakyReLU", LeakyReluLayer},
                                {"ELU", EluLayer},
                                {"ThresholdedReLU", ThresholdedReluLayer},
                                {"PReLU", PReluLayer, PReluRoles},
                                {"Softmax", SoftmaxLayer}};

}  // namespace

Result<ValueId> ActivateByName(LayerContext& c, const std::string& name, ValueId x) {
  ir::Builder& b = c.b;
  for (const Named& row : kNamed) {
    if (name != row.name) continue;
    return row.fn == UnaryFn::kIdentity ? x : b.Unary(row.fn, x, row.alpha, row.beta);
  }
  if (name == "hard_sigmoid") {  // Keras 3 took PyTorch's slope
    return b.Unary(UnaryFn::kHardSigmoid, x, c.writer.major >= 3 ? 1.0f / 6 : 0.2f, 0.5f);
  }
  if (name == "softmax") return LastSoftmax(b, x, false);
  if (name == "log_softmax") return LastSoftmax(b, x, true);
  if (name == "log_sigmoid") return LogSigmoid(b, x);
  if (name == "tanh_shrink") return TanhShrink(b, x);
  if (name == "soft_shrink") return SoftShrink(b, x);
  if (name == "hard_shrink") return HardShrink(b, x);
  if (name == "squareplus") return SquarePlus(b, x);
  if (name == "sparse_plus") return SparsePlus(b, x);
  if (name == "glu" && b.rank(x) > 0) return Glu(b, x);
  return Unsupported("activation '" + name + "', which is not one of Keras' own that fovea has");
}

Result<ValueId> Activate(LayerContext& c, ValueId x, const char* key) {
  const Json* activation = Find(c.config(), key);
  if (activation == nullptr) return x;
  if (activation->is_string()) return ActivateByName(c, activation->get<std::string>(), x);
  // Keras 3 functions: {"module": "builtins", "class_name": "function", "config": "relu"}.
  const std::string class_name = FindString(*activation, "class_name").value_or("");
  if (const auto name = FindString(*activation, "config")) return ActivateByName(c, *name, x);
  const Json* config = Find(*activation, "config");
  const LayerRow* row = FindLayer(class_name);
  bool is_activation = row != nullptr && row->roles == nullptr && config != nullptr && config->is_object();
  if (is_activation) {
    is_activation = false;
    for (const LayerRow& candidate : kLayers) is_activation = is_activation || row->import == candidate.import;
  }
  // An activation layer in the place of a function. "Activation" may hold another one, and so on: only the last counts.
  if (!is_activation || row->import == ActivationLayer) {
    return Unsupported("activation " + (class_name.empty() ? "of an unknown kind" : "'" + class_name + "'"));
  }
  LayerDef layer;
  layer.class_name = class_name;
  layer.name = c.class_name();
  layer.config = *config;
  LayerContext inner(nullptr, layer, c.call(), c.writer, &c.b);
  inner.inputs = {x};
  const Result<ValueId> y = row->import(inner);
  return inner.config_error().ok() ? y : Result<ValueId>(inner.config_error());
}

std::span<const LayerRow> ActivationLayers() { return kLayers; }

}  // namespace fovea::converter::keras
