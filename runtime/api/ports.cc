#include "runtime/api/ports.h"

#include <algorithm>
#include <string>

namespace fovea::api {
namespace {

// Operators that only move values.
bool Moves(OpKind kind) {
  switch (kind) {
    case OpKind::kDepthToSpace:
    case OpKind::kSpaceToDepth:
    case OpKind::kConcat:
    case OpKind::kSlice:
    case OpKind::kTranspose:
    case OpKind::kReshape:
    case OpKind::kExpand:
    case OpKind::kTile: return true;
    default: return false;
  }
}

kernels::Activation ActivationOf(const OpParams& params) {
  return std::visit(
      [](const auto& p) -> kernels::Activation {
        if constexpr (requires { p.act; }) return p.act;
        if constexpr (requires { p.fn.alpha; }) return p.fn;
        return {};
      },
      params);
}

bool EndsInUnitRange(const OpParams& params) {
  if (const auto* softmax = std::get_if<SoftmaxParams>(&params)) return !softmax->log;
  const kernels::UnaryFn fn = ActivationOf(params).fn;
  return fn == kernels::UnaryFn::kSigmoid || fn == kernels::UnaryFn::kHardSigmoid;
}

}  // namespace

int64_t LegalAxisSize(const Graph& graph, const Port& port, size_t axis, int64_t wanted) {
  const DimExpr& dim = graph.values[static_cast<size_t>(port.value)].dims[axis];
  if (dim.IsConst()) return dim.Const();
  const AxisRule rule = axis < port.rules.size() ? port.rules[axis] : AxisRule();
  if (rule.step <= 0 || wanted <= rule.min) return rule.min;
  return rule.min + (wanted - rule.min + rule.step - 1) / rule.step * rule.step;
}

Status CheckSizes(const Graph& graph, std::span<const std::vector<int64_t>> input_dims) {
  for (size_t i = 0; i < std::min(graph.inputs.size(), input_dims.size()); ++i) {
    const Port& port = graph.inputs[i];
    if (input_dims[i].size() != graph.values[static_cast<size_t>(port.value)].dims.size()) continue;  // said by Resolve
    for (size_t a = 0; a < input_dims[i].size(); ++a) {
      const int64_t size = input_dims[i][a];
      const int64_t legal = LegalAxisSize(graph, port, a, size);
      if (legal == size) continue;
      const AxisRule rule = a < port.rules.size() ? port.rules[a] : AxisRule();
      std::string message = "input '" + port.name + "': axis " + std::to_string(a);
      if (a < port.axes.size()) message += std::string(" (") + port.axes[a] + ")";
      message += " can't be " + std::to_string(size) + " long; the model takes " + std::to_string(legal);
      if (rule.step > 0 && legal - rule.step >= rule.min) message += " or " + std::to_string(legal - rule.step);
      if (rule.step > 0)
        message += " (" + std::to_string(rule.min) + " and steps of " + std::to_string(rule.step) + ")";
      return InvalidArgument(message);
    }
  }
  return OkStatus();
}

std::vector<std::vector<int64_t>> DefaultInputDims(const Graph& graph) {
  std::vector<std::vector<int64_t>> sizes;
  for (const Port& port : graph.inputs) {
    const bool volume = port.axes.find('z') != std::string::npos;
    std::vector<int64_t>& dims = sizes.emplace_back();
    for (size_t a = 0; a < graph.values[static_cast<size_t>(port.value)].dims.size(); ++a) {
      const char letter = a < port.axes.size() ? port.axes[a] : 'i';
      int64_t wanted = 1;
      if (letter == 'y' || letter == 'x') wanted = volume ? 64 : 256;
      if (letter == 'z') wanted = 32;
      dims.push_back(LegalAxisSize(graph, port, a, wanted));
    }
  }
  return sizes;
}

bool IsProbability(const Graph& graph, int value) {
  // Values are numbered in any order, nodes after what they read: one pass backwards finds all that leads to `value`.
  std::vector<bool> wanted(graph.values.size());
  wanted[static_cast<size_t>(value)] = true;
  bool found = false;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    if (!wanted[static_cast<size_t>(node.output)]) continue;
    if (EndsInUnitRange(node.params)) {
      found = true;
    } else if (Moves(KindOf(node.params))) {
      for (const int input : node.inputs) {
        if (input == kNoValue) continue;
        if (graph.values[static_cast<size_t>(input)].is_const) return false;
        wanted[static_cast<size_t>(input)] = true;
      }
    } else {
      return false;
    }
  }
  for (const Port& port : graph.inputs) {
    if (wanted[static_cast<size_t>(port.value)]) return false;
  }
  return found;
}

}  // namespace fovea::api
