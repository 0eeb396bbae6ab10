#include "runtime/plan/passes.h"

#include <algorithm>

#include "runtime/plan/cost.h"
#include "runtime/plan/receptive_field.h"
#include "runtime/plan/strategy.h"

namespace fovea::plan {
namespace {

using kernels::MomentFn;
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

MomentFn FnOf(const ResolvedNode& node) {
  if (node.kind == OpKind::kGroupNorm) return MomentFn::kSquares;
  switch (std::get<ReduceParams>(node.node->params).fn) {
    case ReduceFn::kMax: return MomentFn::kMax;
    case ReduceFn::kMin: return MomentFn::kMin;
    default: return MomentFn::kSum;
  }
}

// Letters of a tensor with axes N, [D,] [H,] W, C.
std::string SpatialLetters(size_t rank) {
  const std::string all = "bzyxc";
  return "b" + all.substr(6 - rank);
}

// Cuts the whole graph into passes.
class Cutter {
 public:
  explicit Cutter(PassPlan* plan) : plan_(*plan), graph_(*plan->whole.graph.graph) {}

  Status Run();

 private:
  Status FindStatistics();
  // Statistics that can be taken now, of sources of one size; empty when all are taken.
  std::vector<int> NextStatistics() const;
  void AddStatisticsPass(const std::vector<int>& statistics);
  // What follows from the statistics that are known alone, and others read.
  void AddValuesPass();
  // The part of the graph that makes `outputs`. axes: letters of the outputs.
  void AddPass(Pass pass, const std::vector<Port>& outputs);
  bool IsKnown(int value) const { return value == kNoValue || known_[Index(value)] != 0; }

  PassPlan& plan_;
  const Graph& graph_;
  std::vector<uint8_t> known_;  // of each value: constant, or made by an earlier pass
  std::vector<uint8_t> small_;  // follows from what is known
  std::vector<uint8_t> taken_;  // of each statistic
  std::vector<int> norms_;      // of each node: its statistic, -1: not a norm
  std::vector<Value> values_;   // of the pass graphs
  std::vector<Dims> dims_;      // of these
};

Status Cutter::FindStatistics() {
  const std::vector<ResolvedNode>& nodes = plan_.whole.graph.nodes;
  dims_ = plan_.whole.graph.dims;
  values_ = graph_.values;
  norms_.assign(nodes.size(), -1);
  for (size_t n = 0; n < nodes.size(); ++n) {
    const ResolvedNode& node = nodes[n];
    const bool norm = node.kind == OpKind::kGroupNorm;
    if (!norm && !SumsPositions(node)) continue;
    Statistic s;
    s.node = static_cast<int>(n);
    s.source = node.node->inputs[0];
    s.dims = node.in[0];
    s.layer = {FnOf(node), static_cast<int>(s.dims.size()) - 2};
    s.value = node.node->output;
    if (norm) {
      norms_[n] = static_cast<int>(plan_.statistics.size());
      s.value = static_cast<int>(values_.size());
      values_.emplace_back();
      values_.back().name = node.node->name + ": statistics";
      const auto floats = static_cast<int64_t>(kDouble / sizeof(float));
      dims_.push_back({s.dims[0], 3, floats * kernels::MomentChannels(s.dims.back())});
    }
    plan_.known_bytes += KnownBytes(dims_[Index(s.value)]);
    plan_.statistics.push_back(std::move(s));
  }
  return OkStatus();
}

std::vector<int> Cutter::NextStatistics() const {
  // Whether something that is not taken yet lies above each value.
  const std::vector<ResolvedNode>& nodes = plan_.whole.graph.nodes;
  std::vector<uint8_t> open(values_.size(), 0);
  std::vector<int> next;
  size_t at = 0;
  for (size_t n = 0; n < nodes.size(); ++n) {
    const size_t out = Index(nodes[n].node->output);
    for (int input : nodes[n].node->inputs) {
      if (input != kNoValue && open[Index(input)]) open[out] = 1;
    }
    if (at == plan_.statistics.size() || Index(plan_.statistics[at].node) != n) continue;
    const Statistic& s = plan_.statistics[at];
    if (!taken_[at] && !open[Index(s.source)]) {
      const auto positions = [](const Dims& dims) { return Dims(dims.begin(), dims.end() - 1); };
      const bool alike = next.empty() || positions(plan_.statistics[Index(next[0])].dims) == positions(s.dims);
      if (alike) next.push_back(static_cast<int>(at));
    }
    if (!taken_[at]) open[out] = 1;
    ++at;
  }
  return next;
}

void Cutter::AddPass(Pass pass, const std::vector<Port>& outputs) {
  const Plan& whole = plan_.whole;
  const std::vector<ResolvedNode>& nodes = whole.graph.nodes;
  std::vector<uint8_t> wanted(values_.size(), 0), used(nodes.size(), 0);
  for (const Port& port : outputs) wanted[Index(port.value)] = 1;
  for (size_t n = nodes.size(); n-- > 0;) {
    const int out = nodes[n].node->output;
    if (!wanted[Index(out)] || (known_[Index(out)] && nodes[n].kind != OpKind::kDims)) continue;
    used[n] = 1;
    for (int input : nodes[n].node->inputs) {
      if (input != kNoValue) wanted[Index(input)] = 1;
    }
  }
  pass.graph = std::make_unique<Graph>();
  Graph& graph = *pass.graph;
  graph.values = values_;
  for (size_t v = 0; v < values_.size(); ++v) graph.values[v].is_const = known_[v] != 0;
  graph.inputs = graph_.inputs;
  graph.outputs = outputs;
  for (size_t n = 0; n < nodes.size(); ++n) {
    if (!used[n]) continue;
    pass.nodes.push_back(static_cast<int>(n));
    graph.nodes.push_back(*nodes[n].node);
    if (norms_[n] < 0) continue;
    graph.nodes.back().inputs.resize(4, kNoValue);
    graph.nodes.back().inputs[3] = plan_.statistics[Index(norms_[n])].value;
  }
  Plan& plan = pass.plan;
  plan.graph.graph = pass.graph.get();
  plan.graph.dims = dims_;
  for (size_t i = 0; i < pass.nodes.size(); ++i) {
    const size_t n = Index(pass.nodes[i]);
    ResolvedNode node = nodes[n];
    node.node = &graph.nodes[i];
    NodeLinks links = whole.links[n];
    if (norms_[n] >= 0) {
      const Dims& statistics = dims_[Index(node.node->inputs[3])];
      node.in.resize(4);
      node.in[3] = statistics;
      links.inputs.resize(4);
      for (int64_t d : statistics) links.inputs[3].emplace_back().in_size = d;
      for (size_t a = 1; a + 1 < node.out.size(); ++a) {
        AxisLink& link = links.inputs[0][a];
        link.kind = LinkKind::kSame;
        link.out_axis = static_cast<int>(a);
        link.out_size = node.out[a];
        links.align[a] = 1;
      }
    }
    plan.graph.nodes.push_back(std::move(node));
    plan.links.push_back(std::move(links));
    plan.packable.push_back(whole.packable[n]);
  }
  for (const Value& value : graph.values) plan.constant.push_back(value.is_const ? 1 : 0);
  plan_.passes.push_back(std::move(pass));
}

void Cutter::AddStatisticsPass(const std::vector<int>& statistics) {
  Pass pass;
  std::vector<Port> outputs;
  for (int s : statistics) {
    const Statistic& statistic = plan_.statistics[Index(s)];
    const auto same = [&](const Port& port) { return port.value == statistic.source; };
    auto port = std::find_if(outputs.begin(), outputs.end(), same);
    if (port == outputs.end()) {
      outputs.emplace_back();
      port = outputs.end() - 1;
      port->name = graph_.values[Index(statistic.source)].name;
      port->value = statistic.source;
      port->axes = SpatialLetters(statistic.dims.size());
    }
    pass.statistics.push_back(s);
    pass.outputs.push_back(static_cast<int>(port - outputs.begin()));
    taken_[Index(s)] = 1;
  }
  AddPass(std::move(pass), outputs);
  for (int s : statistics) known_[Index(plan_.statistics[Index(s)].value)] = 1;
}

void Cutter::AddValuesPass() {
  const std::vector<ResolvedNode>& nodes = plan_.whole.graph.nodes;
  small_ = known_;
  for (const ResolvedNode& node : nodes) {
    const std::vector<int>& inputs = node.node->inputs;
    const bool follows = !inputs.empty() && std::all_of(inputs.begin(), inputs.end(), [&](int input) {
      return input == kNoValue || small_[Index(input)] != 0;
    });
    if (follows) small_[Index(node.node->output)] = 1;
  }
  // Statistics of what is known are like any other node of it.
  for (size_t s = 0; s < taken_.size(); ++s) {
    const Statistic& statistic = plan_.statistics[s];
    if (taken_[s] || !small_[Index(statistic.source)]) continue;
    taken_[s] = 1;
    norms_[Index(statistic.node)] = -1;
  }
  std::vector<uint8_t> read(values_.size(), 0);
  for (const ResolvedNode& node : nodes) {
    if (small_[Index(node.node->output)]) continue;
    for (int input : node.node->inputs) {
      if (input != kNoValue) read[Index(input)] = 1;
    }
  }
  Pass pass;
  std::vector<Port> outputs;
  for (const ResolvedNode& node : nodes) {
    const int value = node.node->output;
    if (!small_[Index(value)] || known_[Index(value)] || !read[Index(value)]) continue;
    Port port;
    port.name = graph_.values[Index(value)].name;
    port.value = value;
    port.axes = std::string(node.out.size(), 'i');
    outputs.push_back(port);
    pass.known.push_back(value);
    plan_.known_bytes += KnownBytes(node.out);
  }
  if (outputs.empty()) return;
  AddPass(std::move(pass), outputs);
  for (const Port& port : outputs) known_[Index(port.value)] = 1;
}

Status Cutter::Run() {
  FOVEA_RETURN_IF_ERROR(FindStatistics());
  known_ = plan_.whole.constant;
  known_.resize(values_.size(), 0);
  taken_.assign(plan_.statistics.size(), 0);
  for (std::vector<int> next = NextStatistics(); !next.empty(); next = NextStatistics()) {
    AddStatisticsPass(next);
    AddValuesPass();
  }
  AddPass(Pass(), graph_.outputs);
  for (const Pass& pass : plan_.passes) {
    const std::string barrier = FindTileBarrier(pass.plan.graph, pass.plan.links);
    if (!barrier.empty()) return Unsupported(barrier);
  }
  return OkStatus();
}

// Plans the passes with one level of weights.
class PassPlanner {
 public:
  PassPlanner(const PlanOptions& options, PassPlan* plan) : options_(options), plan_(*plan) {}

  // False: no plan keeps to the budget; needed() does.
  Result<bool> Choose(int lean, double most_seconds);
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
  options.fixed_bytes = options_.fixed_bytes + plan_.known_bytes + plan_.state_bytes + plan_.whole.packed_weight_bytes;
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

Result<bool> PassPlanner::Choose(int lean, double most_seconds) {
  const MachineRates rates = NominalRates(options_.cap);
  plan_.seconds = plan_.redundant = 0;
  plan_.block_bytes = 0;
  needed_ = 0;
  SetWeights(options_, lean, &plan_.whole);
  bool fits = true;
  for (Pass& pass : plan_.passes) {
    const PlanOptions options = OptionsOf(pass, lean);
    pass.plan.fixed_bytes = options.fixed_bytes;
    pass.plan.streaming = true;
    const Status chosen = Strategist(options, &pass.plan).Choose();
    if (chosen.code() == StatusCode::kOverBudget) {
      needed_ = std::max(needed_, chosen.needed_bytes());
      fits = false;
      continue;
    }
    FOVEA_RETURN_IF_ERROR(chosen);
    if (!fits) continue;
    const Cost cost = PredictCost(pass.plan, options.threads, rates);
    pass.seconds = cost.seconds;
    plan_.seconds += cost.seconds;
    plan_.redundant += pass.is_last() ? cost.redundant : cost.seconds;
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
  const MachineRates rates = NominalRates(cap);
  // Statistics one after another above each value: those of level l can't be taken before pass l.
  std::vector<int> level(plan.graph.dims.size(), 0);
  int levels = 0;
  for (const ResolvedNode& node : nodes) {
    int& own = level[Index(node.node->output)];
    for (size_t i = 0; i < node.in.size(); ++i) {
      if (node.Has(i)) own = std::max(own, level[Index(node.node->inputs[i])]);
    }
    own += TakesStatistics(node) ? 1 : 0;
    levels = std::max(levels, own);
  }
  // What the values that are marked need; the results of reductions are known by then.
  const auto seconds_of = [&](std::vector<uint8_t> wanted) {
    double seconds = 0;
    for (size_t n = nodes.size(); n-- > 0;) {
      if (!wanted[Index(nodes[n].node->output)] || SumsPositions(nodes[n])) continue;
      seconds += LeastSeconds(plan, n, threads, rates);
      for (size_t i = 0; i < nodes[n].in.size(); ++i) {
        if (nodes[n].Has(i)) wanted[Index(nodes[n].node->inputs[i])] = 1;
      }
    }
    return seconds;
  };
  if (levels == 0) return 0;
  std::vector<uint8_t> wanted(level.size(), 0);
  for (const Port& port : plan.graph.graph->outputs) wanted[Index(port.value)] = 1;
  double seconds = seconds_of(wanted);
  for (int l = 1; l <= levels; ++l) {
    double most = 0;
    for (const ResolvedNode& node : nodes) {
      if (!TakesStatistics(node) || level[Index(node.node->output)] != l) continue;
      std::fill(wanted.begin(), wanted.end(), 0);
      wanted[Index(node.node->inputs[0])] = 1;
      most = std::max(most, seconds_of(wanted));
    }
    seconds += most;
  }
  return seconds;
}

Result<PassPlan> MakePassPlan(ResolvedGraph graph, const PlanOptions& options) {
  if (options.cap == kernels::Isa::kReference) return Unsupported("reference kernels have no passes");
  PassPlan plan;
  plan.whole = PreparePlan(std::move(graph), options);
  plan.whole.fixed_bytes = options.fixed_bytes;
  FOVEA_RETURN_IF_ERROR(Cutter(&plan).Run());
  if (plan.passes.size() < 2) return Unsupported("the network takes no statistics of the image");
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
  double seconds = 1e300;
  uint64_t least = UINT64_MAX;
  std::vector<uint8_t> before;
  const auto better = [&] { return options.smallest ? plan.total_bytes() < least : plan.seconds < seconds; };
  for (int lean = 0; lean < kLeanLevels; ++lean) {
    SetWeights(options, lean, &plan.whole);
    if (lean > 0 && plan.whole.packed_ahead == before) continue;
    before = plan.whole.packed_ahead;
    FOVEA_ASSIGN_OR_RETURN(const bool fits, planner.Choose(lean, options.smallest ? 1e300 : seconds));
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
  FOVEA_RETURN_IF_ERROR(planner.Choose(best, 1e300).status());
  return plan;
}

}  // namespace fovea::plan
