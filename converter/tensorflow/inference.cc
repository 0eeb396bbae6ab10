#include "converter/tensorflow/inference.h"

#include <algorithm>
#include <string_view>

namespace fovea::converter::tf {
namespace {

bool IsOneOf(const std::string& op, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), op) != list.end();
}

bool IsPlaceholder(const TfNode& node) { return IsOneOf(node.op, {"Placeholder", "PlaceholderV2"}); }

// Keras before 1.2 made its learning phase an integer.
bool IsFlagType(const TfNode& node) {
  const TfType* dtype = FindAttr<TfType>(node, "dtype");
  if (dtype == nullptr || !dtype->has_value()) return false;
  const bool is_phase = node.name.find("learning_phase") != std::string::npos;
  return **dtype == DType::kBool || (is_phase && !IsFloat(**dtype));
}

// A variable that the reader has filled, not a constant of the graph.
bool IsVariable(const TfNode& node) {
  return node.op == "Const" && (node.attrs.count("shared_name") != 0 || node.attrs.count("shape") != 0);
}

// A placeholder or variable for a single truth value, as far as it says.
bool IsFlag(const TfNode& node) {
  if (!IsPlaceholder(node) && node.op != "PlaceholderWithDefault" && !IsVariable(node)) return false;
  if (!IsFlagType(node)) return false;
  const TfShape* shape = FindAttr<TfShape>(node, "shape");
  return shape == nullptr || !shape->known_rank || shape->dims.empty();
}

std::optional<double> ConstNumber(const TfNode& node) {
  const TfTensor* tensor = FindAttr<TfTensor>(node, "value");
  if (tensor == nullptr) return std::nullopt;
  if (tensor->integers.size() == 1) return static_cast<double>(tensor->integers[0]);
  if (tensor->data == nullptr || tensor->data->size() != 1) return std::nullopt;
  return (*tensor->data)[0];
}

std::optional<double> Combine(const std::string& op, double a, double b) {
  if (op == "LogicalAnd") return a != 0 && b != 0;
  if (op == "LogicalOr") return a != 0 || b != 0;
  if (op == "Equal") return a == b;
  if (op == "NotEqual") return a != b;
  if (op == "Less") return a < b;
  if (op == "LessEqual") return a <= b;
  if (op == "Greater") return a > b;
  if (op == "GreaterEqual") return a >= b;
  return std::nullopt;
}

}  // namespace

bool IsTrainingFlag(const TfNode& node) { return IsFlag(node) && NamesTrainingFlag(node.name); }

bool NamesTrainingFlag(const std::string& node) {
  const size_t slash = node.rfind('/');
  std::string leaf = slash == std::string::npos ? node : node.substr(slash + 1);
  std::transform(leaf.begin(), leaf.end(), leaf.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  if (leaf == "train" || leaf == "phase") return true;
  for (const std::string_view name : {"learning_phase", "training", "is_train", "phase_train", "train_phase"}) {
    if (leaf.find(name) != std::string::npos) return true;
  }
  return false;
}

Inference Infer(const GraphIndex& graph, const std::function<std::optional<double>(int)>& given,
                const std::function<bool(int)>& is_input) {
  const size_t count = static_cast<size_t>(graph.size());
  Inference out{std::vector<std::optional<double>>(count), std::vector<bool>(count, false),
                std::vector<std::optional<bool>>(count), std::vector<int>(count, -1),
                std::vector<std::optional<int>>(count)};
  // Outputs of a Switch that do not exist, as bits.
  std::vector<unsigned> dead_outputs(count, 0);
  const auto edge_dead = [&](const Edge& edge) {
    if (edge.node < 0) return false;
    const size_t from = static_cast<size_t>(edge.node);
    return out.dead[from] || (edge.output < 2 && (dead_outputs[from] >> edge.output & 1u) != 0);
  };
  for (const int n : graph.order()) {
    const size_t i = static_cast<size_t>(n);
    const TfNode& node = graph.node(n);
    const std::vector<Edge>& inputs = graph.inputs(n);
    const auto number = [&](size_t k) -> std::optional<double> {
      if (k >= inputs.size() || inputs[k].node < 0) return std::nullopt;
      const size_t from = static_cast<size_t>(inputs[k].node);
      if (inputs[k].output != 0 && graph.node(inputs[k].node).op != "Switch") return std::nullopt;
      if (!out.assumed[i]) out.assumed[i] = out.assumed[from];
      return out.value[from];
    };
    const bool control_dead = std::any_of(graph.controls(n).begin(), graph.controls(n).end(),
                                          [&](int from) { return out.dead[static_cast<size_t>(from)]; });
    if (IsOneOf(node.op, {"Merge", "RefMerge"})) {
      int live = 0;
      for (size_t k = 0; k < inputs.size(); ++k) {
        if (edge_dead(inputs[k])) continue;
        ++live;
        out.merge_input[i] = static_cast<int>(k);
      }
      out.dead[i] = live == 0;
      if (live != 1) out.merge_input[i] = -1;
      if (live == 1) out.value[i] = number(static_cast<size_t>(out.merge_input[i]));
      continue;
    }
    out.dead[i] = control_dead || std::any_of(inputs.begin(), inputs.end(), edge_dead);
    if (const auto set = given(n)) {
      out.value[i] = set;
    } else if (IsTrainingFlag(node)) {
      out.value[i] = 0;  // whatever its default, or its last value in training
    } else if (IsPlaceholder(node) || is_input(n)) {
      // A flag decides branches only: false is inference, and other uses keep it as an input.
      if (IsFlag(node)) {
        out.value[i] = 0;
        out.assumed[i] = n;
      }
    } else if (node.op == "Const") {
      out.value[i] = ConstNumber(node);
    } else if (IsOneOf(node.op, {"Identity", "PlaceholderWithDefault", "Cast", "StopGradient", "Squeeze",
                                 "ReadVariableOp", "ToBool", "PreventGradient"})) {
      out.value[i] = number(0);
      if (node.op == "ToBool" && out.value[i]) out.value[i] = *out.value[i] != 0;
    } else if (node.op == "LogicalNot") {
      if (const auto x = number(0)) out.value[i] = *x == 0;
    } else if (IsOneOf(node.op, {"Switch", "RefSwitch"})) {
      out.value[i] = number(0);
      if (const auto predicate = number(1)) {
        out.taken[i] = *predicate != 0;
        dead_outputs[i] = *predicate != 0 ? 1u : 2u;
      }
    } else if (inputs.size() == 2) {
      const auto a = number(0), b = number(1);
      if (a && b) out.value[i] = Combine(node.op, *a, *b);
    }
  }
  return out;
}

}  // namespace fovea::converter::tf
