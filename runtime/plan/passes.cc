#include "runtime/plan/passes.h"

#include <algorithm>
#include <functional>
#include <map>

#include "runtime/plan/arena.h"
#include "runtime/plan/cost.h"
#include "runtime/plan/cut_passes.h"
#include "runtime/plan/fingerprint.h"
#include "runtime/plan/strategy.h"

namespace fovea::plan {
namespace {

using kernels::ReduceFn;

constexpr uint64_t kDouble = sizeof(double);
// What a pass takes besides, on the heap: its graph, its plan and its search. Measured, 24 passes of 100 nodes: 0.3 MB.
constexpr uint64_t kPassBytes = 360 << 10;
constexpr uint64_t Align(uint64_t bytes) { return (bytes + 63) / 64 * 64; }
size_t Index(int v) { return static_cast<size_t>(v); }

// Reductions over all of a tensor's spatial axes and no others.
bool IsOverPositions(const ResolvedNode& node, const ReduceParams& params) {
  const size_t rank = node.in[0].size();
  if (rank < 3 || rank > 5 || params.axes.size() != rank - 2) return false;
  uint32_t axes = 0;
  for (int64_t a : params.axes) axes |= 1u << a;
  return axes == (1u << (rank - 1)) - 2;
}

// Plans the passes with one level of weights.
class PassPlanner {
 public:
  PassPlanner(const PlanOptions& options, PassPlan* plan) : options_(options), plan_(*plan) {}

  // False: no plan keeps to the budget; needed() does, when all are looked at.
  Result<bool> Choose(int lean, double most_seconds, bool look_at_all);
  uint64_t needed() const { return needed_; }

 private:
  PlanOptions OptionsOf(const Pass& pass, int lean) const;

  const PlanOptions& options_;
  PassPlan& plan_;
  uint64_t needed_ = 0;
};

PlanOptions PassPlanner::OptionsOf(const Pass& pass, int lean) const {
  PlanOptions options = options_;
  options.approximate = false;
  options.streaming = true;
  options.lean = lean;
  options.fixed_bytes =
      options_.fixed_bytes + plan_.known_bytes + plan_.kept_bytes + plan_.state_bytes + plan_.whole.packed_weight_bytes;
  for (int n : pass.nodes) {
    if (!plan_.whole.packed_ahead[Index(n)]) continue;
    options.fixed_bytes -= Align(static_cast<uint64_t>(plan_.whole.operators[Index(n)].PackedFloats()) * sizeof(float));
  }
  if (!pass.known.empty()) {
    options.tile = {0, 0, 0};
    options.band_rows = -1;
  }
  if (pass.statistics.empty()) return options;
  const Statistic& first = plan_.statistics[Index(pass.statistics[0])];
  const Port& output = plan_.whole.graph.graph->outputs[0];
  const Dims& final_dims = plan_.whole.graph.dims[Index(output.value)];
  const int rank = static_cast<int>(first.dims.size());
  for (int s = 0; s < 3; ++s) {
    const int axis = SpatialAxis(s, rank);
    // Cells lie along all spatial axes but the first of the tensor.
    if (axis > 1) options.lattice[Index(s)] = kernels::kMomentCell;
    if (options.tile[Index(s)] == 0 || axis < 1) continue;
    const size_t letter = output.axes.find("zyx"[s]);
    const int64_t all = letter == std::string::npos ? 1 : final_dims[letter];
    options.tile[Index(s)] = std::max<int64_t>(1, options.tile[Index(s)] * first.dims[Index(axis)] / all);
  }
  return options;
}

// Stands for all that a pass's strategy depends on beside the options: passes of equal blocks of a network are alike.
uint64_t FingerprintOf(const Pass& pass, const Plan& whole) {
  Fingerprint print;
  const auto add = [&](auto... numbers) { (print.Add(static_cast<int64_t>(numbers)), ...); };
  std::vector<int> names(pass.plan.graph.dims.size(), -1);
  const auto name = [&](int value) { return value == kNoValue ? -2 : names[Index(value)]; };
  int next = 0;
  for (const Port& port : pass.graph->inputs) {
    names[Index(port.value)] = next++;
    for (const int64_t d : pass.plan.graph.dims[Index(port.value)]) add(d);
  }
  for (size_t n = 0; n < pass.nodes.size(); ++n) {
    const ResolvedNode& node = pass.plan.graph.nodes[n];
    const NodeLinks& links = pass.plan.links[n];
    for (const char* c = pass.plan.operators[n].kernel_name(); *c != 0; ++c) add(*c);
    add(node.kind, whole.packed_ahead[Index(pass.nodes[n])], pass.plan.packable[n]);
    for (size_t i = 0; i < links.inputs.size(); ++i) {
      if (i < node.node->inputs.size()) add(name(node.node->inputs[i]));
      for (const AxisLink& link : links.inputs[i]) {
        add(link.kind, link.out_axis, link.in_size, link.out_size, link.offset, link.stride, link.dilation, link.kernel,
            link.factor, 1e6 * link.scale);
      }
    }
    for (const std::vector<int64_t>* numbers : {&node.out, &links.align, &links.phase}) {
      for (const int64_t number : *numbers) add(number);
    }
    names[Index(node.node->output)] = next++;
  }
  for (const Port& port : pass.graph->outputs) add(name(port.value));
  add(pass.statistics.size(), pass.known.size());
  return print.value();
}

Result<bool> PassPlanner::Choose(int lean, double most_seconds, bool look_at_all) {
  const MachineRates rates = NominalRates(options_.cap);
  plan_.seconds = plan_.redundant = 0;
  plan_.block_bytes = 0;
  needed_ = 0;
  SetWeights(options_, lean, &plan_.whole);
  bool fits = true;
  std::map<uint64_t, Strategy> chosen_before;
  std::vector<uint8_t> made(plan_.whole.operators.size(), 0);  // of each node of the whole graph: by an earlier pass
  for (Pass& pass : plan_.passes) {
    const PlanOptions options = OptionsOf(pass, lean);
    pass.plan.fixed_bytes = options.fixed_bytes;
    pass.plan.streaming = true;
    Strategist strategist(options, &pass.plan);
    const auto [alike, is_new] = chosen_before.try_emplace(FingerprintOf(pass, plan_.whole));
    Status chosen = is_new ? OkStatus() : strategist.Follow(alike->second);
    if (is_new || !chosen.ok()) chosen = strategist.Choose();
    alike->second = strategist.applied();
    if (chosen.code() == StatusCode::kOverBudget) {
      needed_ = std::max(needed_, chosen.needed_bytes());
      fits = false;
      if (!look_at_all) return false;
      continue;
    }
    FOVEA_RETURN_IF_ERROR(chosen);
    if (!fits) continue;
    std::vector<double> each;
    const Cost cost = PredictCost(pass.plan, options.threads, rates, &each);
    pass.seconds = cost.seconds;
    plan_.seconds += cost.seconds;
    plan_.redundant += cost.redundant;
    for (size_t i = 0; i < pass.nodes.size(); ++i) {
      uint8_t& before = made[Index(pass.nodes[i])];
      if (before) plan_.redundant += each[i];
      before = 1;
    }
    plan_.block_bytes = std::max(plan_.block_bytes, Align(pass.plan.arena_bytes) + Align(pass.plan.tile_buffer_bytes));
    if (plan_.seconds >= most_seconds) return true;
  }
  return fits;
}

}  // namespace

bool TakesStatistics(const ResolvedNode& node) {
  if (node.kind == OpKind::kGroupNorm) return true;
  if (node.kind != OpKind::kReduce) return false;
  return IsOverPositions(node, std::get<ReduceParams>(node.node->params));
}

bool SumsPositions(const ResolvedNode& node) {
  if (node.kind != OpKind::kReduce || !TakesStatistics(node)) return false;
  const ReduceFn fn = std::get<ReduceParams>(node.node->params).fn;
  return fn == ReduceFn::kSum || fn == ReduceFn::kMean || fn == ReduceFn::kMax || fn == ReduceFn::kMin;
}

bool LoosenBarriers(Plan* plan) {
  bool found = false;
  for (size_t n = 0; n < plan->graph.nodes.size(); ++n) {
    const ResolvedNode& node = plan->graph.nodes[n];
    if (!TakesStatistics(node)) continue;
    NodeLinks& links = plan->links[n];
    for (size_t a = 1; a + 1 < node.in[0].size(); ++a) {
      AxisLink& link = links.inputs[0][a];
      if (node.kind == OpKind::kGroupNorm) {
        link.kind = LinkKind::kSame;
        link.out_axis = static_cast<int>(a);
        link.out_size = node.out[a];
        links.align[a] = 1;
      } else {
        link.kind = LinkKind::kHeld;
      }
    }
    found = true;
  }
  return found;
}

uint64_t StateBytes(const Statistic& s) {
  const size_t rank = s.dims.size();
  const int64_t rows = rank > 3 ? s.dims[rank - 3] : 1, columns = s.dims[rank - 2];
  const int64_t cells =
      kernels::MomentRowCells(s.layer.spatial, rows) * kernels::MomentColumnCells(s.layer.spatial, columns);
  return kDouble * static_cast<uint64_t>(s.dims[0] * cells * kernels::MomentFields(s.layer.fn) *
                                         kernels::MomentChannels(s.dims.back()));
}

uint64_t KnownBytes(const Dims& dims) { return Align(static_cast<uint64_t>(Elements(dims)) * sizeof(float)); }

uint64_t PassPlan::total_bytes() const {
  uint64_t most = 0;
  for (const Pass& pass : passes) most = std::max(most, pass.plan.total_bytes());
  return most;
}

double LeastPassSeconds(const Plan& plan, kernels::Isa cap, int threads) {
  const std::vector<ResolvedNode>& nodes = plan.graph.nodes;
  if (std::none_of(nodes.begin(), nodes.end(), TakesStatistics)) return 0;
  const MachineRates rates = NominalRates(cap);
  double seconds = 0;
  for (size_t n = 0; n < nodes.size(); ++n) seconds += LeastSeconds(plan, n, threads, rates);
  return seconds;
}

namespace {

// Where kept values lie.
void PlaceKept(PassPlan* plan) {
  std::vector<ArenaBlock> blocks;
  for (const KeptValue& kept : plan->kept) {
    blocks.push_back({KnownBytes(plan->whole.graph.dims[Index(kept.value)]), kept.first, kept.last, 0});
  }
  plan->kept_bytes = PlaceBlocks(blocks);
  for (size_t k = 0; k < blocks.size(); ++k) plan->kept[k].offset = blocks[k].offset;
}

// With values of at most most_kept bytes kept. Stops where it takes at least most_seconds.
// kOverBudget: with what it needs, unless values are kept.
Result<PassPlan> PlanPasses(const ResolvedGraph& graph, const PlanOptions& options, uint64_t most_kept,
                            double most_seconds) {
  PassPlan plan;
  plan.whole = PreparePlan(graph, options);
  plan.whole.fixed_bytes = options.fixed_bytes;
  FOVEA_RETURN_IF_ERROR(CutIntoPasses(most_kept, &plan));
  if (plan.passes.size() < 2) return Unsupported("the network takes no statistics of the image");
  PlaceKept(&plan);
  if (options.memory_bytes > 0 && most_kept > 0 && plan.kept_bytes >= options.memory_bytes) {
    return OverBudget("values that are kept take more than the budget", 0);
  }
  // Statistics of different sources in one pass are summed at once.
  plan.state_bytes = 0;
  for (Pass& pass : plan.passes) {
    uint64_t bytes = 0;
    for (int s : pass.statistics) bytes += Align(StateBytes(plan.statistics[Index(s)]));
    plan.state_bytes = std::max(plan.state_bytes, bytes);
    for (size_t n = 0; n < pass.nodes.size(); ++n) {
      exec::Operator& op = pass.plan.operators.emplace_back(pass.plan.graph.nodes[n], options.cap, options.exact_order);
      op.SetPhase(pass.plan.links[n].phase);
      pass.plan.multiply_adds += MultiplyAdds(pass.plan.graph.nodes[n]);
    }
  }
  plan.state_bytes += plan.passes.size() * std::min<uint64_t>(kPassBytes, plan.whole.operators.size() * 4096);
  PassPlanner planner(options, &plan);
  int best = -1;
  double seconds = most_seconds;
  uint64_t least = UINT64_MAX;
  std::vector<uint8_t> before;
  const auto better = [&] { return options.smallest ? plan.total_bytes() < least : plan.seconds < seconds; };
  for (int lean = 0; lean < kLeanLevels; ++lean) {
    SetWeights(options, lean, &plan.whole);
    if (lean > 0 && plan.whole.packed_ahead == before) continue;
    before = plan.whole.packed_ahead;
    FOVEA_ASSIGN_OR_RETURN(const bool fits, planner.Choose(lean, options.smallest ? 1e300 : seconds, most_kept == 0));
    if (fits && better()) {
      best = lean;
      seconds = plan.seconds;
      least = plan.total_bytes();
    }
    if (best < 0) least = std::min(least, planner.needed());
    if (fits && options.memory_bytes == 0 && !options.smallest) break;
  }
  if (best < 0) {
    return OverBudget("the model needs at least " + std::to_string(least) + " bytes, the budget is " +
                          std::to_string(options.memory_bytes) + " bytes",
                      least);
  }
  FOVEA_RETURN_IF_ERROR(planner.Choose(best, 1e300, true).status());
  return plan;
}

// Sizes of what statistics are taken of, largest first.
std::vector<uint64_t> SourceBytes(const ResolvedGraph& graph) {
  std::vector<uint64_t> sizes;
  for (const ResolvedNode& node : graph.nodes) {
    if (TakesStatistics(node)) sizes.push_back(KnownBytes(node.in[0]));
  }
  std::sort(sizes.begin(), sizes.end(), std::greater<>());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return sizes;
}

}  // namespace

Result<PassPlan> MakePassPlan(ResolvedGraph graph, const PlanOptions& options) {
  if (options.cap == kernels::Isa::kReference) return Unsupported("reference kernels have no passes");
  // The more is kept, the less is made again; but what is kept may leave too little for the passes themselves. One plan
  // is held at a time: it takes megabytes.
  uint64_t best = 0;
  double seconds = 1e300;
  int found = 0;
  for (const uint64_t bytes : SourceBytes(graph)) {
    if (options.smallest || (options.memory_bytes > 0 && bytes >= options.memory_bytes)) continue;
    const auto keeping = PlanPasses(graph, options, bytes, seconds);
    if (keeping.status().code() == StatusCode::kUnsupported) return keeping.status();
    if (keeping.ok() && keeping->seconds < seconds) {
      best = bytes;
      seconds = keeping->seconds;
    }
    found += keeping.ok() || found > 0 ? 1 : 0;
    if (found > 1) break;  // nor does keeping less still
  }
  return PlanPasses(graph, options, best, 1e300);
}

}  // namespace fovea::plan
