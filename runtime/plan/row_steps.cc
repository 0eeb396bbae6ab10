#include "runtime/plan/row_steps.h"

#include <algorithm>

namespace fovea::plan {
namespace {

constexpr size_t kRows = 1;  // the axis that bands move along
// Packed weights from which on a convolution makes twice the rows with kDouble. As predicted for U-Net 32 at 4096 x
// 4096 and 96 to 512 MiB (not measured): 2 to 4 MiB are within 1 % of each other, 9 MiB up to 3 % slower; three or four
// times the rows: 2 to 5 % slower.
constexpr uint64_t kLargeWeights = uint64_t{4} << 20;

size_t Index(int i) { return static_cast<size_t>(i); }

RowSteps StepsOf(const Plan& plan, size_t n, RowPolicy policy) {
  const NodeLinks& links = plan.links[n];
  RowSteps steps;
  if (links.align.size() <= kRows || links.align[kRows] < 1) return steps;
  steps = {links.align[kRows], links.phase[kRows], 0};
  const exec::Operator& op = plan.operators[n];
  const uint64_t bytes = static_cast<uint64_t>(op.PackedFloats()) * sizeof(float);
  const bool large = plan.packable[n] && op.packs_when_run() && bytes >= kLargeWeights;
  if (policy == RowPolicy::kDouble && large && steps.rows > 1) {
    steps.rows *= 2;
    steps.phase = links.end[kRows] % steps.rows;
  }
  return steps;
}

// Rows of the largest input that a model of images has; 0: it has none.
int64_t ImageRows(const Plan& plan) {
  int64_t rows = 0;
  for (const Port& port : plan.graph.graph->inputs) {
    const Dims& dims = plan.graph.dims[Index(port.value)];
    if (!port.is_shape && dims.size() > kRows) rows = std::max(rows, dims[kRows]);
  }
  return rows;
}

}  // namespace

void ChooseRowSteps(RowPolicy policy, Plan* plan) {
  const std::vector<ResolvedNode>& nodes = plan->graph.nodes;
  plan->row_steps.resize(nodes.size());
  plan->late.assign(plan->graph.dims.size(), 0);
  const auto image_rows = static_cast<double>(ImageRows(*plan));
  // In rows of the image, of every value: the largest step up to it, and from it on (-1: nobody reads it).
  std::vector<double> before(plan->graph.dims.size(), 0), after(plan->graph.dims.size(), -1), own(nodes.size(), 0);
  bool any = false;
  for (size_t n = 0; n < nodes.size(); ++n) {
    const size_t out = Index(nodes[n].node->output);
    plan->row_steps[n] = StepsOf(*plan, n, policy);
    if (plan->constant[out] || nodes[n].out.size() <= kRows || nodes[n].out[kRows] < 1) continue;
    own[n] = image_rows * static_cast<double>(plan->row_steps[n].rows) / static_cast<double>(nodes[n].out[kRows]);
    before[out] = own[n];
    for (int input : nodes[n].node->inputs) {
      if (input != kNoValue) before[out] = std::max(before[out], before[Index(input)]);
    }
  }
  for (size_t n = nodes.size(); n-- > 0;) {
    const size_t out = Index(nodes[n].node->output);
    if (plan->constant[out]) continue;
    const bool read = after[out] >= 0;
    const bool late = nodes[n].late || (policy != RowPolicy::kEager && read && after[out] <= before[out]);
    plan->late[out] = late ? 1 : 0;
    any |= late;
    if (policy != RowPolicy::kEager && read && image_rows > 0 && nodes[n].out.size() > kRows) {
      // All that a step before it brings: the next one waits for that, too.
      plan->row_steps[n].pace =
          static_cast<int64_t>(before[out] * static_cast<double>(nodes[n].out[kRows]) / image_rows);
    }
    for (int input : nodes[n].node->inputs) {
      if (input != kNoValue) after[Index(input)] = std::max({after[Index(input)], after[out], own[n]});
    }
  }
  if (!any) plan->late.clear();
}

}  // namespace fovea::plan
