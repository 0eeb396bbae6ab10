#include "runtime/plan/cut_passes.h"

#include <algorithm>

#include "runtime/plan/receptive_field.h"

namespace fovea::plan {
namespace {

using kernels::MomentFn;
using kernels::ReduceFn;

constexpr uint64_t kDouble = sizeof(double);
size_t Index(int v) { return static_cast<size_t>(v); }

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
  // most_kept: values of more bytes are not kept.
  Cutter(uint64_t most_kept, PassPlan* plan) : plan_(*plan), graph_(*plan->whole.graph.graph), most_kept_(most_kept) {}

  Status Run();

 private:
  Status FindStatistics();
  // Statistics that can be taken now, of sources of one size; empty when all are taken.
  std::vector<int> NextStatistics() const;
  void AddStatisticsPass(const std::vector<int>& statistics);
  // What follows from the statistics that are known alone, and others read.
  void AddValuesPass();
  // Nodes that make `outputs` of what is known and kept.
  std::vector<uint8_t> NodesFor(const std::vector<Port>& outputs) const;
  // Marks outputs of the pass to keep, and adds some.
  void ChooseKept(Pass* pass, std::vector<Port>* outputs);
  // A value that the pass makes, that a later one would make again, and that is better kept; kNoValue: there is none.
  int NextToKeep(const Pass& pass, const std::vector<uint8_t>& used) const;
  // Whether making `value` by nodes that are marked takes work, or kept values that could go when it is kept.
  bool IsWorthKeeping(int value, const std::vector<uint8_t>& nodes) const;
  void Keep(int value, size_t output, Pass* pass);
  Port PortOf(int value) const;
  // The part of the graph that makes `outputs`.
  void AddPass(Pass pass, const std::vector<Port>& outputs);
  bool IsKnown(int value) const { return value == kNoValue || known_[Index(value)] != 0; }

  PassPlan& plan_;
  const Graph& graph_;
  const uint64_t most_kept_;
  std::vector<uint8_t> kept_;   // of each value
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

std::vector<uint8_t> Cutter::NodesFor(const std::vector<Port>& outputs) const {
  const std::vector<ResolvedNode>& nodes = plan_.whole.graph.nodes;
  std::vector<uint8_t> wanted(values_.size(), 0), used(nodes.size(), 0);
  for (const Port& port : outputs) wanted[Index(port.value)] = 1;
  const auto is_output = [&](int value) {
    return std::any_of(outputs.begin(), outputs.end(), [&](const Port& port) { return port.value == value; });
  };
  for (size_t n = nodes.size(); n-- > 0;) {
    const int out = nodes[n].node->output;
    if (!wanted[Index(out)] || (known_[Index(out)] && nodes[n].kind != OpKind::kDims)) continue;
    if (kept_[Index(out)] && !is_output(out)) continue;
    used[n] = 1;
    for (int input : nodes[n].node->inputs) {
      if (input != kNoValue) wanted[Index(input)] = 1;
    }
  }
  return used;
}

void Cutter::AddPass(Pass pass, const std::vector<Port>& outputs) {
  const Plan& whole = plan_.whole;
  const std::vector<ResolvedNode>& nodes = whole.graph.nodes;
  const std::vector<uint8_t> used = NodesFor(outputs);
  pass.graph = std::make_unique<Graph>();
  Graph& graph = *pass.graph;
  graph.values = values_;
  for (size_t v = 0; v < values_.size(); ++v) graph.values[v].is_const = known_[v] != 0;
  graph.inputs = graph_.inputs;
  graph.outputs = outputs;
  std::vector<uint8_t> read(values_.size(), 0), made(values_.size(), 0);
  for (size_t n = 0; n < nodes.size(); ++n) {
    if (!used[n]) continue;
    made[Index(nodes[n].node->output)] = 1;
    for (int input : nodes[n].node->inputs) {
      if (input != kNoValue) read[Index(input)] = 1;
    }
  }
  for (KeptValue& kept : plan_.kept) {
    if (!read[Index(kept.value)] || made[Index(kept.value)]) continue;
    graph.inputs.push_back(PortOf(kept.value));
    kept.last = static_cast<int>(plan_.passes.size());
  }
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
      outputs.push_back(PortOf(statistic.source));
      port = outputs.end() - 1;
    }
    pass.statistics.push_back(s);
    pass.outputs.push_back(static_cast<int>(port - outputs.begin()));
    taken_[Index(s)] = 1;
  }
  ChooseKept(&pass, &outputs);
  AddPass(std::move(pass), outputs);
  for (int s : statistics) known_[Index(plan_.statistics[Index(s)].value)] = 1;
}

Port Cutter::PortOf(int value) const {
  Port port;
  port.name = graph_.values[Index(value)].name;
  port.value = value;
  port.axes = SpatialLetters(dims_[Index(value)].size());
  return port;
}

void Cutter::Keep(int value, size_t output, Pass* pass) {
  pass->keeps.resize(std::max(pass->keeps.size(), output + 1), 0);
  pass->keeps[output] = 1;
  const int index = static_cast<int>(plan_.passes.size());
  plan_.kept.push_back({value, index, index, 0});
}

bool Cutter::IsWorthKeeping(int value, const std::vector<uint8_t>& nodes) const {
  std::vector<uint8_t> wanted(values_.size(), 0);
  wanted[Index(value)] = 1;
  int kept = 0;
  for (size_t n = plan_.whole.graph.nodes.size(); n-- > 0;) {
    const ResolvedNode& node = plan_.whole.graph.nodes[n];
    if (!nodes[n] || !wanted[Index(node.node->output)]) continue;
    if (MultiplyAdds(node) > 0) return true;
    for (int input : node.node->inputs) {
      if (input == kNoValue || wanted[Index(input)]) continue;
      wanted[Index(input)] = 1;
      kept += kept_[Index(input)];
    }
  }
  return kept > 1;
}

int Cutter::NextToKeep(const Pass& pass, const std::vector<uint8_t>& used) const {
  const std::vector<ResolvedNode>& nodes = plan_.whole.graph.nodes;
  const Dims& source = plan_.statistics[Index(pass.statistics[0])].dims;
  const std::vector<uint8_t> later = NodesFor(graph_.outputs);
  std::vector<uint8_t> again(nodes.size(), 0), read(values_.size(), 0);
  for (size_t n = 0; n < nodes.size(); ++n) {
    again[n] = used[n] && later[n] ? 1 : 0;
    if (!later[n] || used[n]) continue;
    for (int input : nodes[n].node->inputs) {
      if (input != kNoValue) read[Index(input)] = 1;
    }
  }
  for (size_t n = 0; n < nodes.size(); ++n) {
    const int value = nodes[n].node->output;
    const Dims& dims = nodes[n].out;
    const bool alike = dims.size() == source.size() && std::equal(dims.begin(), dims.end() - 1, source.begin());
    if (again[n] && read[Index(value)] && alike && KnownBytes(dims) <= most_kept_ && IsWorthKeeping(value, again)) {
      return value;
    }
  }
  return kNoValue;
}

void Cutter::ChooseKept(Pass* pass, std::vector<Port>* outputs) {
  if (most_kept_ == 0) return;
  const std::vector<uint8_t> used = NodesFor(*outputs);
  // Of this pass; what is kept already is an input of it.
  std::vector<std::pair<int, size_t>> chosen;
  for (size_t o = 0; o < outputs->size(); ++o) {
    const int value = (*outputs)[o].value;
    if (kept_[Index(value)] || KnownBytes(dims_[Index(value)]) > most_kept_) continue;
    chosen.emplace_back(value, o);
    kept_[Index(value)] = 1;
  }
  for (int value = NextToKeep(*pass, used); value != kNoValue; value = NextToKeep(*pass, used)) {
    chosen.emplace_back(value, outputs->size());
    outputs->push_back(PortOf(value));
    kept_[Index(value)] = 1;
  }
  for (const auto& [value, output] : chosen) Keep(value, output, pass);
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
  kept_.assign(values_.size(), 0);
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

}  // namespace

Status CutIntoPasses(uint64_t most_kept, PassPlan* plan) { return Cutter(most_kept, plan).Run(); }

}  // namespace fovea::plan
