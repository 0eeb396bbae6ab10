// Upsampling by repetition of pixels, as Keras spells it where there is no operator for it, becomes nearest-neighbour
// Resize with whole scales:
//
//   x [N,H,W,C] -> Reshape [N,H,1,W,C] -> Tile, Expand or Concat with itself [N,H,r,W,C] -> Reshape [N,H r,W,C]
//   x -> slices of one row each -> Concat of every one r times
//
// for any axes, one after the other or several at once.
#include <cmath>

#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"
#include "converter/tensorflow/idioms.h"

namespace fovea::converter::tf {
namespace {

using Dims = std::vector<DimExpr>;

// The same tensor, or reshapes of one tensor to the same dims.
bool SameTensor(ir::Graph* graph, ir::ValueId a, ir::ValueId b) {
  if (a == b) return true;
  const ir::Node *p = Producer<ReshapeParams>(graph, a), *q = Producer<ReshapeParams>(graph, b);
  return p != nullptr && q != nullptr && p->inputs[0] == q->inputs[0] && SameDims(*graph, a, b);
}

// What `v` repeats along axes of size 1: Tile, Expand, Concat with itself, a product with ones.
ir::ValueId Repeated(ir::Graph* graph, ir::ValueId v) {
  const ir::Node* node = ProducerNode(graph, v);
  if (node == nullptr) return kNoValue;
  switch (KindOf(node->params)) {
    case OpKind::kTile:
    case OpKind::kExpand: return node->inputs[0];
    case OpKind::kConcat:
      for (const ir::ValueId in : node->inputs) {
        if (!SameTensor(graph, node->inputs[0], in)) return kNoValue;
      }
      return node->inputs[0];
    case OpKind::kBinary: {
      const BinaryParams& p = std::get<BinaryParams>(node->params);
      if (p.fn != kernels::BinaryFn::kMul || !IsIdentity(p.act)) return kNoValue;
      for (const size_t i : {size_t{0}, size_t{1}}) {
        const ir::Value& ones = ValueOf(*graph, node->inputs[i]);
        if (!ones.is_const()) continue;
        for (const float x : *ones.constant) {
          if (x != 1) return kNoValue;
        }
        return node->inputs[1 - i];
      }
      return kNoValue;
    }
    default: return kNoValue;
  }
}

struct Match {
  ir::ValueId image = kNoValue;
  std::vector<int64_t> scale;  // of each axis
};

// Reshape(repeat(Reshape(x))).
std::optional<Match> MatchReshapes(ir::Graph* graph, const ir::Node& last) {
  const ir::ValueId wide = last.inputs[0], narrow = Repeated(graph, wide);
  if (narrow == kNoValue) return std::nullopt;
  const ir::Node* first = Producer<ReshapeParams>(graph, narrow);
  if (first == nullptr) return std::nullopt;
  Match match{first->inputs[0], {}};
  const Dims &in = ValueOf(*graph, match.image).dims, &before = ValueOf(*graph, narrow).dims;
  const Dims &after = ValueOf(*graph, wide).dims, &out = ValueOf(*graph, last.output).dims;
  if (before.size() != after.size() || out.size() != in.size()) return std::nullopt;
  // Every axis of the image, then at most one axis of size 1 that is repeated.
  size_t at = 0;
  for (size_t axis = 0; axis < in.size(); ++axis) {
    if (at >= before.size() || !(before[at] == in[axis]) || !(after[at] == in[axis])) return std::nullopt;
    ++at;
    int64_t repeats = 1;
    const size_t left = before.size() - at, wanted = in.size() - axis - 1;
    if (left > wanted && before[at] == DimExpr(1)) {
      if (!after[at].IsConst()) return std::nullopt;
      repeats = after[at++].Const();
    }
    if (repeats < 1 || !(out[axis] == in[axis] * repeats)) return std::nullopt;
    match.scale.push_back(repeats);
  }
  if (at != before.size()) return std::nullopt;
  return match;
}

// Concat(x[0], x[0], x[1], x[1], ...).
std::optional<Match> MatchSlices(ir::Graph* graph, const ir::Node& concat) {
  const size_t axis = static_cast<size_t>(std::get<ConcatParams>(concat.params).axis);
  Match match;
  std::vector<int64_t> starts;
  for (const ir::ValueId v : concat.inputs) {
    const ir::Node* slice = Producer<SliceParams>(graph, v);
    if (slice == nullptr || (match.image != kNoValue && slice->inputs[0] != match.image)) return std::nullopt;
    match.image = slice->inputs[0];
    const SliceParams& p = std::get<SliceParams>(slice->params);
    const Dims& in = ValueOf(*graph, match.image).dims;
    for (size_t i = 0; i < in.size(); ++i) {
      if (i == axis ? !(p.size[i] == DimExpr(1)) || !p.start[i].IsConst()
                    : !(p.size[i] == in[i]) || p.step[i] != 1 || !(p.start[i] == DimExpr(0))) {
        return std::nullopt;
      }
    }
    starts.push_back(p.start[axis].Const());
  }
  const DimExpr size = ValueOf(*graph, match.image).dims[axis];
  const int64_t count = static_cast<int64_t>(starts.size());
  if (!size.IsConst() || size.Const() < 1 || count % size.Const() != 0 || count == size.Const()) return std::nullopt;
  const int64_t repeats = count / size.Const();
  for (int64_t i = 0; i < count; ++i) {
    if (starts[static_cast<size_t>(i)] != i / repeats) return std::nullopt;
  }
  match.scale.assign(ValueOf(*graph, match.image).dims.size(), 1);
  match.scale[axis] = repeats;
  return match;
}

bool IsRepeat(const ResizeParams& p) {
  if (p.mode != kernels::ResizeMode::kNearest || p.coordinates != kernels::ResizeCoordinates::kAsymmetric ||
      p.rounding != kernels::ResizeRounding::kFloor || p.scales.size() != p.sizes.size()) {
    return false;
  }
  for (const double scale : p.scales) {
    if (scale != std::floor(scale)) return false;
  }
  return true;
}

}  // namespace

Status FuseUpsampling(ir::Graph* graph) {
  const size_t count = graph->nodes.size();
  for (size_t n = 0; n < count; ++n) {
    const ir::Node node = graph->nodes[n];
    if (node.removed) continue;
    std::optional<Match> match;
    if (std::holds_alternative<ReshapeParams>(node.params)) match = MatchReshapes(graph, node);
    if (std::holds_alternative<ConcatParams>(node.params)) match = MatchSlices(graph, node);
    if (!match) continue;
    ResizeParams p;
    p.coordinates = kernels::ResizeCoordinates::kAsymmetric;
    p.rounding = kernels::ResizeRounding::kFloor;
    p.sizes = ValueOf(*graph, node.output).dims;
    p.scales.assign(match->scale.begin(), match->scale.end());
    // Repetition of a repetition: one with the product of the scales.
    if (const ir::Node* before = Producer<ResizeParams>(graph, match->image)) {
      const ResizeParams& q = std::get<ResizeParams>(before->params);
      if (IsRepeat(q)) {
        for (size_t axis = 0; axis < p.scales.size(); ++axis) p.scales[axis] *= q.scales[axis];
        match->image = before->inputs[0];
      }
    }
    ir::Builder builder(graph);
    builder.SetSource(node.name, node.source);
    FOVEA_ASSIGN_OR_RETURN(const ir::ValueId y,
                           builder.Add(std::move(p), {match->image}, ValueOf(*graph, node.output).dtype));
    Replace(graph, &graph->nodes[n], y);
    graph->Recognised("upsampling from repetition");
  }
  return DeadCode(graph);
}

}  // namespace fovea::converter::tf
