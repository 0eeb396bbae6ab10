// Padding with zeros in front of a convolution or an average pool that counts its padding becomes that operator's own
// padding. So does padding in front of a maximum pool when the padding can never be the maximum's only candidate and
// never wins wrongly: with -inf, or with zeros when the image has no negative element.
#include <limits>

#include "converter/ir/size_ratio.h"
#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"

namespace fovea::converter {
namespace {

struct SpatialPads {
  Dim3 begin{0, 0, 0}, end{0, 0, 0};
  float value = 0;
};

// Amounts of a constant Pad of spatial axes only, none negative.
std::optional<SpatialPads> PadsOf(const ir::Graph& graph, const ir::Node& pad) {
  const PadParams& p = std::get<PadParams>(pad.params);
  const size_t rank = p.begin.size();
  if (p.mode != kernels::PadMode::kConstant || rank < 3 || rank > 5) return std::nullopt;
  SpatialPads pads;
  pads.value = p.value;
  if (pad.inputs.size() > 1 && pad.inputs[1] != kNoValue) {
    const std::optional<float> value = ConstScalar(graph, pad.inputs[1]);
    if (!value) return std::nullopt;
    pads.value = *value;
  }
  for (size_t axis = 0; axis < rank; ++axis) {
    const bool spatial = axis > 0 && axis + 1 < rank;
    for (const DimExpr* amount : {&p.begin[axis], &p.end[axis]}) {
      if (!spatial && !(*amount == DimExpr(0))) return std::nullopt;
      if (ir::SampleSign(graph, *amount).value_or(-1) < 0) return std::nullopt;
    }
    if (!spatial) continue;
    const size_t slot = 3 - (rank - 2) + (axis - 1);
    pads.begin[slot] = p.begin[axis];
    pads.end[slot] = p.end[axis];
  }
  return pads;
}

// No element is negative (or NaN matters not: a maximum with NaN stays NaN either way).
bool IsNonNegative(ir::Graph* graph, ir::ValueId v) {
  using kernels::UnaryFn;
  ir::Node* node = ProducerNode(graph, v);
  if (node == nullptr) return false;
  const kernels::Activation* act = ActivationOf(node);
  if (const auto* p = std::get_if<UnaryParams>(&node->params)) act = &p->fn;
  if (act == nullptr) return std::holds_alternative<SoftmaxParams>(node->params);
  switch (act->fn) {
    case UnaryFn::kRelu:
    case UnaryFn::kSigmoid:
    case UnaryFn::kHardSigmoid:
    case UnaryFn::kSoftplus:
    case UnaryFn::kAbs:
    case UnaryFn::kExp:
    case UnaryFn::kSquare: return true;
    case UnaryFn::kClip: return act->alpha >= 0 && act->beta >= 0;
    default: return false;
  }
}

bool CanFold(ir::Graph* graph, const PoolParams& pool, const SpatialPads& pads, ir::ValueId image) {
  if (pool.ceil_mode || !NoPadding(pool.pad_begin) || !NoPadding(pool.pad_end)) return false;
  if (pool.kind == kernels::PoolKind::kAverage) return pads.value == 0;
  // Every window must hold an image element.
  for (size_t i = 0; i < 3; ++i) {
    for (const DimExpr* amount : {&pads.begin[i], &pads.end[i]}) {
      if (!amount->IsConst() || (amount->Const() > 0 && (amount->Const() >= pool.kernel[i] || pool.dilation[i] != 1))) {
        return false;
      }
    }
  }
  if (pads.value <= std::numeric_limits<float>::lowest()) return true;
  return pads.value == 0 && IsNonNegative(graph, image);
}

void AddPads(const SpatialPads& pads, Dim3* begin, Dim3* end) {
  for (size_t i = 0; i < 3; ++i) {
    (*begin)[i] = (*begin)[i] + pads.begin[i];
    (*end)[i] = (*end)[i] + pads.end[i];
  }
}

}  // namespace

Status FoldPad(ir::Graph* graph) {
  for (ir::Node& node : graph->nodes) {
    ConvParams* conv = std::get_if<ConvParams>(&node.params);
    PoolParams* pool = std::get_if<PoolParams>(&node.params);
    if (conv == nullptr && pool == nullptr) continue;
    const ir::Node* pad = Producer<PadParams>(graph, node.inputs[0]);
    if (pad == nullptr) continue;
    const std::optional<SpatialPads> pads = PadsOf(*graph, *pad);
    if (!pads) continue;
    if (conv != nullptr) {
      if (pads->value != 0) continue;
      AddPads(*pads, &conv->pad_begin, &conv->pad_end);
    } else {
      if (!CanFold(graph, *pool, *pads, pad->inputs[0])) continue;
      AddPads(*pads, &pool->pad_begin, &pool->pad_end);
      if (pool->kind == kernels::PoolKind::kAverage) pool->count_include_pad = true;
    }
    node.inputs[0] = pad->inputs[0];
    graph->Recognised("padding folded into a convolution or pooling");
  }
  return DeadCode(graph);
}

}  // namespace fovea::converter
