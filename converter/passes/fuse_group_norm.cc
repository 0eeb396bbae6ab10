// Group normalisation as PyTorch exports it to files without such an operator:
//
//   x [N,C,...] -> Reshape [N,G,..] -> Transpose to channels last -> instance norm -> Transpose back -> Reshape
//   [N,C,...]
//
// becomes GroupNorm with G groups between two Transposes of the image, which the layout pass removes. The instance
// norm's own scale and bias, one a group, are repeated for the group's channels; the per-channel ones that follow are
// folded by fold_batch_norm.
#include <algorithm>

#include "converter/passes/frames.h"
#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"

namespace fovea::converter {
namespace {

Frame ToChannelsLast(size_t rank) {
  Frame f = IdentityFrame(rank);
  std::rotate(f.begin() + 1, f.begin() + 2, f.end());
  return f;
}

struct Match {
  ir::ValueId x = kNoValue;
  ir::Node norm;  // a copy
  int64_t groups = 0, channels = 0;
};

std::optional<Match> MatchAt(ir::Graph* graph, const ir::Node& last) {
  const ir::Node* back = Producer<TransposeParams>(graph, last.inputs[0]);
  const ir::Node* norm = back == nullptr ? nullptr : Producer<GroupNormParams>(graph, back->inputs[0]);
  const ir::Node* there = norm == nullptr ? nullptr : Producer<TransposeParams>(graph, norm->inputs[0]);
  const ir::Node* first = there == nullptr ? nullptr : Producer<ReshapeParams>(graph, there->inputs[0]);
  if (first == nullptr || std::get<GroupNormParams>(norm->params).groups != 0) return std::nullopt;
  const std::vector<DimExpr>& in = ValueOf(*graph, first->inputs[0]).dims;
  const std::vector<DimExpr>& grouped = ValueOf(*graph, first->output).dims;
  if (in.size() < 3 || in.size() > 5 || grouped.size() < 3 || !SameDims(*graph, first->inputs[0], last.output)) {
    return std::nullopt;
  }
  const Frame to_last = ToChannelsLast(grouped.size());
  if (std::get<TransposeParams>(there->params).perm != to_last ||
      std::get<TransposeParams>(back->params).perm != Inverse(to_last)) {
    return std::nullopt;
  }
  if (!(in[0] == grouped[0]) || !in[1].IsConst() || !grouped[1].IsConst()) return std::nullopt;
  Match match{first->inputs[0], *norm, grouped[1].Const(), in[1].Const()};
  if (match.groups <= 0 || match.channels % match.groups != 0) return std::nullopt;
  return match;
}

// One number a group to one a channel; false when it is no constant.
bool RepeatForChannels(ir::Graph* graph, const Match& match, ir::ValueId* v) {
  if (*v == kNoValue) return true;
  if (!IsConst(*graph, *v)) return false;
  const std::vector<float> groups = *ValueOf(*graph, *v).constant;
  std::vector<float> channels;
  for (int64_t c = 0; c < match.channels; ++c) {
    channels.push_back(groups[static_cast<size_t>(c / (match.channels / match.groups))]);
  }
  *v = AddVector(graph, match.norm.name, std::move(channels));
  return true;
}

}  // namespace

Status FuseGroupNorm(ir::Graph* graph) {
  const size_t count = graph->nodes.size();
  for (size_t n = 0; n < count; ++n) {
    const ir::Node last = graph->nodes[n];
    if (last.removed || !std::holds_alternative<ReshapeParams>(last.params)) continue;
    const std::optional<Match> match = MatchAt(graph, last);
    if (!match) continue;
    std::vector<ir::ValueId> inputs = match->norm.inputs;
    bool constant = true;
    for (size_t i = 1; i < inputs.size(); ++i) constant = constant && RepeatForChannels(graph, *match, &inputs[i]);
    if (!constant) continue;
    GroupNormParams params = std::get<GroupNormParams>(match->norm.params);
    params.groups = match->groups;
    ir::Builder builder(graph);
    builder.SetSource(match->norm.name, match->norm.source);
    const Frame to_last = ToChannelsLast(ValueOf(*graph, match->x).dims.size());
    FOVEA_ASSIGN_OR_RETURN(inputs[0], builder.Transpose(match->x, to_last));
    FOVEA_ASSIGN_OR_RETURN(const ir::ValueId normalised, builder.Add(params, inputs));
    FOVEA_ASSIGN_OR_RETURN(const ir::ValueId y, builder.Transpose(normalised, Inverse(to_last)));
    Replace(graph, &graph->nodes[n], y);
    graph->Recognised("group normalisation from Reshape and instance normalisation");
  }
  return DeadCode(graph);
}

}  // namespace fovea::converter
