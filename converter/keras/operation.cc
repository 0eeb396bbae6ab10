// Operators that users write between layers: arithmetic on tensors (TFOpLambda, TensorFlowOpLayer) and Lambda layers.
#include <cmath>

#include "converter/keras/base64.h"
#include "converter/keras/common.h"
#include "converter/keras/python_lambda.h"

namespace fovea::converter::keras {

namespace {

using kernels::BinaryFn;
using kernels::UnaryFn;

struct NamedBinary {
  const char* name;
  BinaryFn fn;
};
// Function names of TFOpLambda without their module, and operators of TensorFlowOpLayer.
constexpr NamedBinary kBinaries[] = {
    {"add", BinaryFn::kAdd},     {"subtract", BinaryFn::kSub}, {"multiply", BinaryFn::kMul},
    {"truediv", BinaryFn::kDiv}, {"divide", BinaryFn::kDiv},   {"maximum", BinaryFn::kMax},
    {"minimum", BinaryFn::kMin}, {"pow", BinaryFn::kPow},      {"Add", BinaryFn::kAdd},
    {"AddV2", BinaryFn::kAdd},   {"Sub", BinaryFn::kSub},      {"Mul", BinaryFn::kMul},
    {"RealDiv", BinaryFn::kDiv}, {"Maximum", BinaryFn::kMax},  {"Minimum", BinaryFn::kMin},
    {"sub", BinaryFn::kSub},     {"mul", BinaryFn::kMul},      {"Pow", BinaryFn::kPow}};

struct NamedUnary {
  const char *name, *activation;
};
constexpr NamedUnary kUnaries[] = {{"relu", "relu"},         {"relu6", "relu6"},       {"sigmoid", "sigmoid"},
                                   {"tanh", "tanh"},         {"elu", "elu"},           {"selu", "selu"},
                                   {"softplus", "softplus"}, {"softsign", "softsign"}, {"exp", "exponential"},
                                   {"silu", "silu"},         {"swish", "swish"},       {"softmax", "softmax"},
                                   {"identity", "linear"},   {"Relu", "relu"},         {"Relu6", "relu6"},
                                   {"Sigmoid", "sigmoid"},   {"Tanh", "tanh"},         {"Elu", "elu"},
                                   {"Identity", "linear"},   {"Exp", "exponential"},   {"Softplus", "softplus"}};

Result<ValueId> Number(LayerContext& c, const Json& value) {
  const auto numbers = AsFloats(value);
  if (!numbers || numbers->empty()) return Unsupported("an operand that is neither a tensor nor a number");
  if (numbers->size() == 1) return c.b.Scalar((*numbers)[0]);
  return c.b.Constant("operand", DType::kFloat32, {static_cast<int64_t>(numbers->size())}, *numbers);
}

// Positional arguments first, then named ones that are tensors or numbers.
Result<std::vector<ValueId>> AllOperands(LayerContext& c) {
  std::vector<ValueId> values;
  for (const Operand& operand : c.operands) {
    if (operand.constant == nullptr) {
      values.push_back(operand.value);
      continue;
    }
    FOVEA_ASSIGN_OR_RETURN(const ValueId number, Number(c, *operand.constant));
    values.push_back(number);
  }
  for (const auto& [name, value] : c.named_inputs) values.push_back(value);
  for (auto it = c.call().named.begin(); it != c.call().named.end(); ++it) {
    if (it.value().is_null() || it.value().is_string() || it.value().is_boolean()) continue;
    FOVEA_ASSIGN_OR_RETURN(const ValueId number, Number(c, it.value()));
    values.push_back(number);
  }
  return values;
}

int64_t NamedInt(LayerContext& c, const char* key, int64_t otherwise) {
  return FindInteger(c.call().named, key).value_or(otherwise);
}

Result<ValueId> Apply(LayerContext& c, const std::string& function) {
  const std::string name = function.substr(function.rfind('.') + 1);
  for (const NamedBinary& row : kBinaries) {
    if (name != row.name) continue;
    FOVEA_ASSIGN_OR_RETURN(const std::vector<ValueId> values, AllOperands(c));
    if (values.size() != 2) return CorruptFile(std::to_string(values.size()) + " operands instead of two");
    return c.b.Binary(row.fn, values[0], values[1]);
  }
  for (const NamedUnary& row : kUnaries) {
    if (name != row.name) continue;
    FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
    for (auto it = c.call().named.begin(); it != c.call().named.end(); ++it) {
      if (it.key() != "axis" && it.key() != "name" && !it.value().is_null()) {
        return Unsupported("the argument " + it.key() + " of " + function + "; leave it at its default");
      }
    }
    const bool other_axis = NamedInt(c, "axis", -1) != -1 && NamedInt(c, "axis", -1) != c.b.rank(x) - 1;
    if (other_axis) return Unsupported(function + " along another axis than the last");
    return ActivateByName(c, row.activation, x);
  }
  if (name == "depth_to_space" || name == "space_to_depth") {
    FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
    const int64_t block = NamedInt(c, "block_size", 0);
    if (c.b.rank(x) != 4 || block < 1) return CorruptFile("an input that is no image, or no block_size");
    if (FindString(c.call().named, "data_format").value_or("NHWC") != "NHWC") return Unsupported("data_format NCHW");
    const Int3 blocks{1, block, block};
    if (name == "depth_to_space") return c.b.Add(DepthToSpaceParams{blocks, BlockOrder::kDcr}, {x});
    return c.b.Add(SpaceToDepthParams{blocks, BlockOrder::kDcr}, {x});
  }
  if (name == "concat") {
    if (c.operands.size() != c.inputs.size()) return Unsupported("a constant among the tensors of " + function);
    if (c.inputs.empty()) return CorruptFile("no inputs");
    FOVEA_ASSIGN_OR_RETURN(const int64_t axis, NormalAxis(NamedInt(c, "axis", -1), c.b.rank(c.inputs[0])));
    return c.b.Add(ConcatParams{axis}, c.inputs);
  }
  return Unsupported("the function " + function + "; arithmetic, activations, concat and depth_to_space are supported");
}

Result<ValueId> TfOpLambda(LayerContext& c) { return Apply(c, c.String("function", "")); }

// {"node_def": {"op": "Mul", ...}, "constants": {"1": 2.0}}; older files have node_def as text.
Result<ValueId> TensorFlowOp(LayerContext& c) {
  const Json* node = Find(c.config(), "node_def");
  Json parsed;
  if (node != nullptr && node->is_string()) {
    FOVEA_ASSIGN_OR_RETURN(parsed, ParseJson(node->get_ref<const std::string&>(), "node_def"));
    node = &parsed;
  }
  const std::string op = node == nullptr ? "" : FindString(*node, "op").value_or("");
  for (const NamedBinary& row : kBinaries) {
    if (op != row.name) continue;
    const Json* constants = Find(c.config(), "constants");
    std::vector<ValueId> values;
    size_t next = 0;
    for (const char* position : {"0", "1"}) {
      const Json* constant = constants == nullptr ? nullptr : Find(*constants, position);
      if (constant != nullptr) {
        FOVEA_ASSIGN_OR_RETURN(const ValueId number, Number(c, *constant));
        values.push_back(number);
      } else if (next < c.inputs.size()) {
        values.push_back(c.inputs[next++]);
      }
    }
    if (values.size() != 2 || next != c.inputs.size()) return CorruptFile("operands that do not fit " + op);
    return c.b.Binary(row.fn, values[0], values[1]);
  }
  for (const NamedUnary& row : kUnaries) {
    if (op != row.name) continue;
    FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
    return ActivateByName(c, row.activation, x);
  }
  return Unsupported("the operator " + op);
}

Result<ValueId> RunSteps(LayerContext& c, ValueId x, const std::vector<LambdaStep>& steps) {
  std::vector<ValueId> stack;
  for (const LambdaStep& step : steps) {
    if (step.kind == LambdaStep::kInput) {
      stack.push_back(x);
    } else if (step.kind == LambdaStep::kNumber) {
      stack.push_back(c.b.Scalar(static_cast<float>(step.number)));
    } else if (step.kind == LambdaStep::kNegate) {
      FOVEA_ASSIGN_OR_RETURN(stack.back(), c.b.Unary(UnaryFn::kNeg, stack.back()));
    } else {
      static constexpr BinaryFn kFns[] = {BinaryFn::kAdd, BinaryFn::kSub, BinaryFn::kMul, BinaryFn::kDiv,
                                          BinaryFn::kPow};
      const BinaryFn fn = kFns[step.kind - LambdaStep::kAdd];
      const ValueId right = stack.back();
      stack.pop_back();
      FOVEA_ASSIGN_OR_RETURN(stack.back(), c.b.Binary(fn, stack.back(), right));
    }
  }
  return stack.back();
}

Result<ValueId> Lambda(LayerContext& c) {
  FOVEA_ASSIGN_OR_RETURN(const ValueId x, c.Input());
  const Status refused = Unsupported(
      "a Python function that fovea cannot read; arithmetic with constants (x / 255) is recognised: put Keras layers "
      "such "
      "as Rescaling in its place and save the model again");
  const Json* function = Find(c.config(), "function");
  const Json* code = nullptr;
  if (function == nullptr) return refused;
  if (function->is_array() && !function->empty()) {
    code = &(*function)[0];
  } else if (const Json* config = Find(*function, "config"); config != nullptr) {
    code = Find(*config, "code");
  } else if (c.String("function_type", "") == "lambda") {
    code = function;
  }
  if (code == nullptr || !code->is_string()) return refused;
  const std::optional<std::string> marshalled = DecodeBase64(code->get_ref<const std::string&>());
  if (!marshalled) return refused;
  const auto steps = ReadLambda(*marshalled);
  if (!steps) return refused;
  return RunSteps(c, x, *steps);
}

constexpr LayerRow kLayers[] = {{"TFOpLambda", TfOpLambda}, {"TensorFlowOpLayer", TensorFlowOp}, {"Lambda", Lambda}};

}  // namespace

std::span<const LayerRow> OperationLayers() { return kLayers; }

}  // namespace fovea::converter::keras
