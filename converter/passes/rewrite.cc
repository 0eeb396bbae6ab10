#include "converter/passes/rewrite.h"

#include <algorithm>
#include <cmath>

namespace fovea::converter {

std::vector<int> CountUses(const ir::Graph& graph) {
  std::vector<int> uses(graph.values.size(), 0);
  for (const ir::Node& node : graph.nodes) {
    if (node.removed) continue;
    for (const ir::ValueId v : node.inputs) {
      if (v != kNoValue) ++uses[static_cast<size_t>(v)];
    }
  }
  for (const ir::Port& port : graph.outputs) ++uses[static_cast<size_t>(port.value)];
  return uses;
}

ir::Node* ProducerNode(ir::Graph* graph, ir::ValueId v) {
  if (v == kNoValue) return nullptr;
  const int n = graph->values[static_cast<size_t>(v)].producer;
  if (n < 0 || graph->nodes[static_cast<size_t>(n)].removed) return nullptr;
  return &graph->nodes[static_cast<size_t>(n)];
}

bool SameDims(const ir::Graph& graph, ir::ValueId a, ir::ValueId b) {
  const std::vector<DimExpr>&x = ValueOf(graph, a).dims, &y = ValueOf(graph, b).dims;
  return std::equal(x.begin(), x.end(), y.begin(), y.end());
}

std::optional<float> ConstScalar(const ir::Graph& graph, ir::ValueId v) {
  if (!IsConst(graph, v) || ValueOf(graph, v).constant->size() != 1) return std::nullopt;
  return ValueOf(graph, v).constant->front();
}

std::optional<int64_t> Channels(const ir::Graph& graph, ir::ValueId image) {
  const std::vector<DimExpr>& dims = ValueOf(graph, image).dims;
  if (dims.empty() || !dims.back().IsConst()) return std::nullopt;
  return dims.back().Const();
}

std::optional<std::vector<float>> ConstPerChannel(const ir::Graph& graph, ir::ValueId v, ir::ValueId image) {
  const std::optional<int64_t> channels = Channels(graph, image);
  if (!channels || !IsConst(graph, v)) return std::nullopt;
  const ir::Value& value = ValueOf(graph, v);
  const size_t count = value.constant->size(), wanted = static_cast<size_t>(*channels);
  if (value.dims.size() > ValueOf(graph, image).dims.size()) return std::nullopt;
  if (count == 1) return std::vector<float>(wanted, value.constant->front());
  if (count != wanted || !(value.dims.back() == DimExpr(*channels))) return std::nullopt;
  return *value.constant;
}

std::optional<Affine> AffineOf(const ir::Graph& graph, const ir::Node& node) {
  using kernels::BinaryFn;
  const BinaryParams* p = std::get_if<BinaryParams>(&node.params);
  if (p == nullptr) return std::nullopt;
  for (const size_t image : {size_t{0}, size_t{1}}) {
    if (IsConst(graph, node.inputs[image])) continue;
    const std::optional<std::vector<float>> numbers =
        ConstPerChannel(graph, node.inputs[1 - image], node.inputs[image]);
    if (!numbers) continue;
    Affine affine{node.inputs[image], std::vector<double>(numbers->size(), 1), std::vector<double>(numbers->size(), 0)};
    for (size_t c = 0; c < numbers->size(); ++c) {
      const double x = (*numbers)[c];
      switch (p->fn) {
        case BinaryFn::kAdd: affine.offset[c] = x; break;
        case BinaryFn::kMul: affine.scale[c] = x; break;
        case BinaryFn::kSub:
          affine.scale[c] = image == 0 ? 1 : -1;
          affine.offset[c] = image == 0 ? -x : x;
          break;
        case BinaryFn::kDiv:
          if (image == 1) return std::nullopt;
          affine.scale[c] = 1 / x;
          break;
        default: return std::nullopt;
      }
      if (!std::isfinite(affine.scale[c]) || !std::isfinite(affine.offset[c])) return std::nullopt;
    }
    return affine;
  }
  return std::nullopt;
}

bool NoPadding(const Dim3& pads) {
  return std::all_of(pads.begin(), pads.end(), [](const DimExpr& e) { return e == DimExpr(0); });
}

kernels::Activation* ActivationOf(ir::Node* node) {
  if (auto* conv = std::get_if<ConvParams>(&node->params)) return &conv->act;
  if (auto* conv = std::get_if<ConvTransposeParams>(&node->params)) return &conv->act;
  if (auto* binary = std::get_if<BinaryParams>(&node->params)) return &binary->act;
  if (auto* norm = std::get_if<GroupNormParams>(&node->params)) return &norm->act;
  return nullptr;
}

bool IsIdentity(const kernels::Activation& act) { return act.fn == kernels::UnaryFn::kIdentity; }

ir::ValueId AddVector(ir::Graph* graph, const std::string& name, std::vector<float> data) {
  const int64_t count = static_cast<int64_t>(data.size());
  return ir::Builder(graph).Constant(name, DType::kFloat32, {count}, std::move(data));
}

void Replace(ir::Graph* graph, ir::Node* node, ir::ValueId v) {
  node->removed = true;
  graph->ReplaceUses(node->output, v);
}

}  // namespace fovea::converter
