// Batch normalisation in inference is multiplication and addition by numbers for each channel. After a convolution
// (also transposed), a product with constant weights or a group normalisation they go into its weights and bias:
//
//   s (W x + b) + t = (s W) x + (s b + t)
//
// and before a convolution too: W (s x + t) = (W s) x + W t, the offset only where the convolution pads nothing, since
// its zeros come after the offset. Products are taken in double and rounded once.
#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"

namespace fovea::converter {
namespace {

// The vector in an optional input, or what it stands for when absent.
std::optional<std::vector<float>> VectorOr(const ir::Graph& graph, const ir::Node& node, size_t input, size_t count,
                                           float absent) {
  if (input >= node.inputs.size() || node.inputs[input] == kNoValue) return std::vector<float>(count, absent);
  if (!IsConst(graph, node.inputs[input])) return std::nullopt;
  return *ValueOf(graph, node.inputs[input]).constant;
}

void SetInput(ir::Node* node, size_t input, ir::ValueId v) {
  if (node->inputs.size() <= input) node->inputs.resize(input + 1, kNoValue);
  node->inputs[input] = v;
}

bool IsOne(const std::vector<double>& list) {
  for (const double x : list) {
    if (x != 1) return false;
  }
  return true;
}
bool IsZero(const std::vector<double>& list) {
  for (const double x : list) {
    if (x != 0) return false;
  }
  return true;
}

// A copy of constant `v` with element i multiplied by factor(i).
template <class Factor>
ir::ValueId Scaled(ir::Graph* graph, ir::ValueId v, Factor factor) {
  ir::Value copy = ValueOf(*graph, v);
  std::vector<float> data = *copy.constant;
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>(data[i] * factor(i));
  copy.constant = std::make_shared<const std::vector<float>>(std::move(data));
  graph->values.push_back(std::move(copy));
  return static_cast<ir::ValueId>(graph->values.size() - 1);
}

// bias -> scale bias + offset
bool FoldIntoBias(ir::Graph* graph, ir::Node* node, size_t input, const Affine& affine) {
  const size_t channels = affine.scale.size();
  std::optional<std::vector<float>> bias = VectorOr(*graph, *node, input, channels, 0);
  if (!bias) return false;
  const bool absent = input >= node->inputs.size() || node->inputs[input] == kNoValue;
  if (absent && IsZero(affine.offset)) return true;
  for (size_t c = 0; c < channels; ++c) {
    (*bias)[c] = static_cast<float>(affine.scale[c] * (*bias)[c] + affine.offset[c]);
  }
  SetInput(node, input, AddVector(graph, node->name, std::move(*bias)));
  return true;
}

bool FoldAfter(ir::Graph* graph, ir::Node* node, const Affine& affine) {
  const size_t channels = affine.scale.size();
  const OpKind kind = KindOf(node->params);
  if (kind == OpKind::kConv || kind == OpKind::kConvTranspose) {
    if (!IsConst(*graph, node->inputs[1]) || (node->inputs.size() > 3 && node->inputs[3] != kNoValue)) return false;
    if (!FoldIntoBias(graph, node, 2, affine)) return false;
  } else if (kind == OpKind::kMatMul) {
    if (!IsConst(*graph, node->inputs[1]) || !IsZero(affine.offset)) return false;
    if (ValueOf(*graph, node->inputs[1]).dims.size() < 2) return false;
  } else {
    std::optional<std::vector<float>> scale = VectorOr(*graph, *node, 1, channels, 1);
    if (!scale || !VectorOr(*graph, *node, 2, channels, 0) || !FoldIntoBias(graph, node, 2, affine)) return false;
    for (size_t c = 0; c < channels; ++c) (*scale)[c] = static_cast<float>(affine.scale[c] * (*scale)[c]);
    SetInput(node, 1, AddVector(graph, node->name, std::move(*scale)));
    return true;
  }
  if (!IsOne(affine.scale)) {
    node->inputs[1] = Scaled(graph, node->inputs[1], [&](size_t i) { return affine.scale[i % channels]; });
  }
  return true;
}

// affine: of the convolution's input.
bool FoldBefore(ir::Graph* graph, ir::Node* node, const Affine& affine) {
  const ConvParams& p = std::get<ConvParams>(node->params);
  if (!IsConst(*graph, node->inputs[1])) return false;
  const ir::Value weights = ValueOf(*graph, node->inputs[1]);
  const size_t in = static_cast<size_t>(weights.dims[3].Const()), out = static_cast<size_t>(weights.dims[4].Const());
  const size_t out_of_group = out / static_cast<size_t>(p.groups);
  const auto in_channel = [&](size_t i) { return (i % out) / out_of_group * in + i / out % in; };
  if (!IsZero(affine.offset)) {
    if (!NoPadding(p.pad_begin) || !NoPadding(p.pad_end)) return false;
    std::optional<std::vector<float>> bias = VectorOr(*graph, *node, 2, out, 0);
    if (!bias) return false;
    std::vector<double> sums(bias->begin(), bias->end());
    for (size_t i = 0; i < weights.constant->size(); ++i) {
      sums[i % out] += static_cast<double>((*weights.constant)[i]) * affine.offset[in_channel(i)];
    }
    SetInput(node, 2, AddVector(graph, node->name, std::vector<float>(sums.begin(), sums.end())));
  }
  if (!IsOne(affine.scale)) {
    node->inputs[1] = Scaled(graph, node->inputs[1], [&](size_t i) { return affine.scale[in_channel(i)]; });
  }
  return true;
}

bool TakesAffineAfter(OpKind kind) {
  return kind == OpKind::kConv || kind == OpKind::kConvTranspose || kind == OpKind::kMatMul ||
         kind == OpKind::kGroupNorm;
}

}  // namespace

Status FoldBatchNorm(ir::Graph* graph) {
  for (size_t n = 0; n < graph->nodes.size(); ++n) {
    ir::Node& node = graph->nodes[n];
    const std::optional<Affine> affine = AffineOf(*graph, node);
    if (!affine || CountUses(*graph)[static_cast<size_t>(affine->image)] != 1) continue;
    ir::Node* before = ProducerNode(graph, affine->image);
    if (before == nullptr || !TakesAffineAfter(KindOf(before->params))) continue;
    kernels::Activation* act = ActivationOf(before);
    if (act != nullptr && !IsIdentity(*act)) continue;
    const kernels::Activation own_act = std::get<BinaryParams>(node.params).act;
    if (act == nullptr && !IsIdentity(own_act)) continue;
    if (!FoldAfter(graph, before, *affine)) continue;
    if (act != nullptr) *act = own_act;
    Replace(graph, &node, before->output);
    graph->Recognised("scale or offset folded into weights");
  }
  // Backwards, so that Mul, Add before a convolution go one after the other.
  for (size_t n = graph->nodes.size(); n-- > 0;) {
    if (!std::holds_alternative<ConvParams>(graph->nodes[n].params)) continue;
    for (ir::Node* before = ProducerNode(graph, graph->nodes[n].inputs[0]); before != nullptr;
         before = ProducerNode(graph, graph->nodes[n].inputs[0])) {
      const std::optional<Affine> affine = AffineOf(*graph, *before);
      if (!affine || !IsIdentity(std::get<BinaryParams>(before->params).act)) break;
      if (CountUses(*graph)[static_cast<size_t>(before->output)] != 1) break;
      if (!FoldBefore(graph, &graph->nodes[n], *affine)) break;
      Replace(graph, before, affine->image);
      graph->Recognised("scale or offset folded into weights");
    }
  }
  return DeadCode(graph);
}

}  // namespace fovea::converter
