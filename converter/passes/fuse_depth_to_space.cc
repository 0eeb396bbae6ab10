// Pixel shuffle as exporters spell it, Reshape to six axes, Transpose, Reshape to four, becomes DepthToSpace or
// SpaceToDepth. Recognised for two spatial axes, channels first and channels last, both orders of the channels:
//
//   channels first  [N, C r s] -> [N,C,r,s,H,W] -> (0,1,4,2,5,3)    CRD      [N,r,s,C,H,W] -> (0,3,4,1,5,2)    DCR
//   channels last   [N,H,W,C,r,s] -> (0,1,4,2,5,3)                  CRD      [N,H,W,r,s,C] -> (0,1,3,2,4,5)    DCR
//
// and the inverse permutations for SpaceToDepth.
#include <algorithm>

#include "converter/passes/frames.h"
#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"

namespace fovea::converter {
namespace {

struct Shuffle {
  bool depth_to_space, channels_first;
  BlockOrder order;
  Frame perm;
  // Where the six axes have N, H, W, C and the block's rows and columns.
  int n, h, w, c, r, s;
};

const std::vector<Shuffle>& Shuffles() {
  static const std::vector<Shuffle> kShuffles = {
      {true, true, BlockOrder::kCrd, {0, 1, 4, 2, 5, 3}, 0, 4, 5, 1, 2, 3},
      {true, true, BlockOrder::kDcr, {0, 3, 4, 1, 5, 2}, 0, 4, 5, 3, 1, 2},
      {true, false, BlockOrder::kCrd, {0, 1, 4, 2, 5, 3}, 0, 1, 2, 3, 4, 5},
      {true, false, BlockOrder::kDcr, {0, 1, 3, 2, 4, 5}, 0, 1, 2, 5, 3, 4},
      {false, true, BlockOrder::kCrd, {0, 1, 3, 5, 2, 4}, 0, 2, 4, 1, 3, 5},
      {false, true, BlockOrder::kDcr, {0, 3, 5, 1, 2, 4}, 0, 2, 4, 1, 3, 5},
      {false, false, BlockOrder::kCrd, {0, 1, 3, 5, 2, 4}, 0, 1, 3, 5, 2, 4},
      {false, false, BlockOrder::kDcr, {0, 1, 3, 2, 4, 5}, 0, 1, 3, 5, 2, 4},
  };
  return kShuffles;
}

using Dims = std::vector<DimExpr>;

Dims Image(bool channels_first, const DimExpr& n, const DimExpr& h, const DimExpr& w, const DimExpr& c) {
  return channels_first ? Dims{n, c, h, w} : Dims{n, h, w, c};
}

bool Equal(const Dims& a, const Dims& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

// Whether Reshape, Transpose, Reshape from `in` through `six` to `out` is this shuffle.
bool Matches(const Shuffle& shuffle, const Dims& in, const Dims& six, const Frame& perm, const Dims& out) {
  if (perm != shuffle.perm) return false;
  const auto size = [&six](int axis) { return six[static_cast<size_t>(axis)]; };
  const DimExpr n = size(shuffle.n), h = size(shuffle.h), w = size(shuffle.w), c = size(shuffle.c);
  const DimExpr r = size(shuffle.r), s = size(shuffle.s);
  if (!r.IsConst() || !s.IsConst() || !c.IsConst()) return false;
  const Dims deep = Image(shuffle.channels_first, n, h, w, c * r * s);
  const Dims wide = Image(shuffle.channels_first, n, h * r, w * s, c);
  return Equal(in, shuffle.depth_to_space ? deep : wide) && Equal(out, shuffle.depth_to_space ? wide : deep);
}

Result<ir::ValueId> Build(ir::Builder* builder, const Shuffle& shuffle, ir::ValueId x, const Int3& block) {
  const auto last = [&](ir::ValueId v) {
    return shuffle.channels_first ? builder->Transpose(v, {0, 2, 3, 1}) : Result<ir::ValueId>(v);
  };
  FOVEA_ASSIGN_OR_RETURN(const ir::ValueId image, last(x));
  const OpParams params = shuffle.depth_to_space ? OpParams(DepthToSpaceParams{block, shuffle.order})
                                                 : OpParams(SpaceToDepthParams{block, shuffle.order});
  FOVEA_ASSIGN_OR_RETURN(const ir::ValueId shuffled, builder->Add(params, {image}));
  return shuffle.channels_first ? builder->Transpose(shuffled, {0, 3, 1, 2}) : Result<ir::ValueId>(shuffled);
}

}  // namespace

Status FuseDepthToSpace(ir::Graph* graph) {
  const size_t count = graph->nodes.size();
  for (size_t n = 0; n < count; ++n) {
    const ir::Node last = graph->nodes[n];
    if (last.removed || !std::holds_alternative<ReshapeParams>(last.params)) continue;
    const ir::Node* middle = Producer<TransposeParams>(graph, last.inputs[0]);
    const ir::Node* first = middle == nullptr ? nullptr : Producer<ReshapeParams>(graph, middle->inputs[0]);
    if (first == nullptr) continue;
    const ir::ValueId x = first->inputs[0];
    const Dims six = ValueOf(*graph, first->output).dims;
    const Dims in = ValueOf(*graph, x).dims, out = ValueOf(*graph, last.output).dims;
    const Frame perm = std::get<TransposeParams>(middle->params).perm;
    if (six.size() != 6 || in.size() != 4 || out.size() != 4) continue;
    const auto shuffle = std::find_if(Shuffles().begin(), Shuffles().end(),
                                      [&](const Shuffle& s) { return Matches(s, in, six, perm, out); });
    if (shuffle == Shuffles().end()) continue;
    ir::Builder builder(graph);
    builder.SetSource(last.name, last.source);
    const Int3 block{1, six[static_cast<size_t>(shuffle->r)].Const(), six[static_cast<size_t>(shuffle->s)].Const()};
    FOVEA_ASSIGN_OR_RETURN(const ir::ValueId y, Build(&builder, *shuffle, x, block));
    Replace(graph, &graph->nodes[n], y);
    graph->Recognised("pixel shuffle from Reshape and Transpose");
  }
  return DeadCode(graph);
}

}  // namespace fovea::converter
