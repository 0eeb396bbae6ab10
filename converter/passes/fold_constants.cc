// Evaluates what depends on constants only: the whole constant part of the graph in one session of the reference
// executor. A node whose result is much larger than what goes into it (Expand of a scalar to an image) stays.
#include <algorithm>
#include <numeric>

#include "converter/ir/evaluate.h"
#include "converter/ir/symbolic.h"
#include "converter/passes/passes.h"
#include "converter/passes/rewrite.h"

namespace fovea::converter {
namespace {

constexpr int64_t kMaxCount = int64_t{1} << 31;    // elements of a result, ever
constexpr int64_t kSmallCount = int64_t{1} << 16;  // results up to this may be any multiple of their inputs
constexpr int64_t kMaxGrowth = 4;

bool WorthFolding(const ir::Graph& graph, const ir::Node& node, const std::vector<bool>& constant) {
  if (node.inputs.empty()) return false;
  int64_t in_count = 0;
  for (const ir::ValueId v : node.inputs) {
    if (v == kNoValue) continue;
    if (!constant[static_cast<size_t>(v)]) return false;
    in_count += ir::SmallCount(ValueOf(graph, v).dims, kMaxCount).value_or(0);
  }
  const std::optional<int64_t> count = ir::SmallCount(ValueOf(graph, node.output).dims, kMaxCount);
  return count && (*count <= kSmallCount || *count <= kMaxGrowth * in_count);
}

}  // namespace

Status FoldConstants(ir::Graph* graph) {
  std::vector<bool> constant(graph->values.size(), false);
  for (size_t v = 0; v < constant.size(); ++v) constant[v] = graph->values[v].is_const();
  ir::Graph part;
  part.values = graph->values;
  for (const ir::Node& node : graph->nodes) {
    if (!WorthFolding(*graph, node, constant)) continue;
    constant[static_cast<size_t>(node.output)] = true;
    part.nodes.push_back(node);
  }
  if (part.nodes.empty()) return OkStatus();
  graph->history.folded += static_cast<int>(part.nodes.size());

  // Only what the rest of the graph reads is wanted.
  std::vector<bool> wanted(graph->values.size(), false);
  for (const ir::Node& node : graph->nodes) {
    if (constant[static_cast<size_t>(node.output)]) continue;
    for (const ir::ValueId v : node.inputs) {
      if (v != kNoValue) wanted[static_cast<size_t>(v)] = true;
    }
  }
  for (const ir::Port& port : graph->outputs) wanted[static_cast<size_t>(port.value)] = true;
  std::vector<ir::ValueId> results;
  for (const ir::Node& node : part.nodes) {
    if (!wanted[static_cast<size_t>(node.output)]) continue;
    ir::Port port;
    port.name = node.name;
    port.value = node.output;
    port.source_axes.resize(ValueOf(*graph, node.output).dims.size());
    std::iota(port.source_axes.begin(), port.source_axes.end(), 0);
    part.outputs.push_back(std::move(port));
    results.push_back(node.output);
  }
  if (!results.empty()) {
    FOVEA_RETURN_IF_ERROR(DeadCode(&part));
    Result<std::vector<ir::Tensor>> tensors = ir::Evaluate(part, {});
    if (!tensors.ok()) return tensors.status().Prefixed("constant part of the graph");
    for (size_t i = 0; i < results.size(); ++i) {
      ir::Value& value = graph->values[static_cast<size_t>(results[i])];
      graph->nodes[static_cast<size_t>(value.producer)].removed = true;
      value.constant = std::make_shared<const std::vector<float>>(std::move((*tensors)[i].data));
      value.producer = -1;
    }
  }
  return DeadCode(graph);
}

}  // namespace fovea::converter
