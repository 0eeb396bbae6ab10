#include "runtime/plan/recompute.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

namespace fovea::plan {
namespace {

size_t Index(int i) { return static_cast<size_t>(i); }

// Samples times pixels.
int64_t Positions(const Dims& dims) {
  int64_t positions = 1;
  for (size_t a = 0; a + 1 < dims.size(); ++a) positions *= dims[a];
  return positions;
}

// Inputs of a node that are joined position by position.
std::vector<size_t> JoinedInputs(const ResolvedNode& node) {
  switch (node.kind) {
    case OpKind::kConcat:
    case OpKind::kBinary: {
      std::vector<size_t> all;
      for (size_t i = 0; i < node.in.size(); ++i) {
        if (node.Has(i)) all.push_back(i);
      }
      return all;
    }
    case OpKind::kConv:  // the residual
      if (node.Has(3)) return {0, 3};
      return {};
    default: return {};
  }
}

class SkipFinder {
 public:
  explicit SkipFinder(const Plan& plan) : plan_(plan), makers_(plan.graph.dims.size(), -1) {
    const std::vector<ResolvedNode>& nodes = plan.graph.nodes;
    smallest_.assign(plan.graph.dims.size(), INT64_MAX);
    for (const Port& port : plan.graph.graph->inputs) {
      smallest_[Index(port.value)] = Positions(plan.graph.dims[Index(port.value)]);
    }
    for (size_t n = 0; n < nodes.size(); ++n) {
      const int out = nodes[n].node->output;
      makers_[Index(out)] = static_cast<int>(n);
      if (plan.constant[Index(out)]) continue;
      int64_t& smallest = smallest_[Index(out)];
      smallest = Positions(nodes[n].out);
      for (int input : nodes[n].node->inputs) {
        if (input != kNoValue) smallest = std::min(smallest, smallest_[Index(input)]);
      }
      for (size_t i : JoinedInputs(nodes[n])) FindWaiting(n, i);
    }
  }

  struct Skip {
    int64_t positions = 0;
    size_t join = 0, input = 0;
  };
  const std::vector<Skip>& skips() const { return skips_; }

  // Nodes that the value follows from.
  std::set<size_t> Makers(int value) const {
    std::set<size_t> found;
    std::vector<int> open = {value};
    while (!open.empty()) {
      const int v = open.back();
      open.pop_back();
      if (v == kNoValue || plan_.constant[Index(v)] || makers_[Index(v)] < 0) continue;
      const auto n = Index(makers_[Index(v)]);
      if (!found.insert(n).second) continue;
      for (int input : plan_.graph.nodes[n].node->inputs) open.push_back(input);
    }
    return found;
  }

 private:
  // Input i waits when another one was smaller on its way than it ever was itself.
  void FindWaiting(size_t n, size_t i) {
    const ResolvedNode& node = plan_.graph.nodes[n];
    const auto smallest = [&](size_t input) { return smallest_[Index(node.node->inputs[input])]; };
    const int value = node.node->inputs[i];
    if (plan_.constant[Index(value)] || makers_[Index(value)] < 0) return;
    for (size_t other : JoinedInputs(node)) {
      if (smallest(other) >= smallest(i)) continue;
      skips_.push_back({Positions(plan_.graph.dims[Index(value)]), n, i});
      return;
    }
  }

  const Plan& plan_;
  std::vector<int> makers_;        // of every value: its node
  std::vector<int64_t> smallest_;  // of every value: positions of the smallest that it follows from; constants: none
  std::vector<Skip> skips_;
};

std::set<int64_t, std::greater<>> SizesOf(const SkipFinder& finder) {
  std::set<int64_t, std::greater<>> sizes;
  for (const SkipFinder::Skip& skip : finder.skips()) sizes.insert(skip.positions);
  return sizes;
}

}  // namespace

int SkipLevels(const Plan& plan) { return static_cast<int>(SizesOf(SkipFinder(plan)).size()); }

Plan Recompute(const Plan& plan, int levels, const PlanOptions& options) {
  const SkipFinder finder(plan);
  const std::set<int64_t, std::greater<>> sizes = SizesOf(finder);
  const int64_t least = *std::next(sizes.begin(), std::min<std::ptrdiff_t>(levels, std::ssize(sizes)) - 1);
  const std::vector<ResolvedNode>& nodes = plan.graph.nodes;

  // What the waiting values follow from, and what the others do: copies are needed of what is in both.
  std::set<size_t> late, early;
  std::map<size_t, std::vector<size_t>> moved;  // node: inputs that are read from copies
  for (const SkipFinder::Skip& skip : finder.skips()) {
    if (skip.positions < least) continue;
    const ResolvedNode& join = nodes[skip.join];
    late.merge(finder.Makers(join.node->inputs[skip.input]));
    for (size_t other : JoinedInputs(join)) {
      if (other != skip.input) early.merge(finder.Makers(join.node->inputs[other]));
    }
    moved[skip.join].push_back(skip.input);
  }
  std::set<size_t> copied;
  std::set_intersection(late.begin(), late.end(), early.begin(), early.end(), std::inserter(copied, copied.end()));
  // Makers of a waiting value that nothing else needs read copies.
  for (size_t n : copied) late.erase(n);
  for (size_t n : late) {
    for (size_t i = 0; i < nodes[n].in.size(); ++i) moved[n].push_back(i);
  }

  Plan again;
  again.recomputed = levels;
  again.fixed_bytes = plan.fixed_bytes;
  again.streaming = plan.streaming;
  again.multiply_adds = plan.multiply_adds;
  again.constant = plan.constant;
  again.graph.dims = plan.graph.dims;
  again.graph.own_nodes = plan.graph.own_nodes;
  auto graph = std::make_shared<Graph>();
  graph->values = plan.graph.graph->values;
  graph->inputs = plan.graph.graph->inputs;
  graph->outputs = plan.graph.graph->outputs;
  std::vector<int> copies(plan.graph.dims.size(), kNoValue);
  for (size_t n : copied) {
    const int value = nodes[n].node->output;
    copies[Index(value)] = static_cast<int>(graph->values.size());
    graph->values.push_back(graph->values[Index(value)]);
    again.graph.dims.push_back(plan.graph.dims[Index(value)]);
    again.constant.push_back(0);
  }

  const auto add = [&](size_t n, bool is_copy, const std::vector<size_t>& from_copies) {
    ResolvedNode node = nodes[n];
    auto own = std::make_shared<Node>(*node.node);
    for (size_t i : from_copies) {
      int& input = own->inputs[i];
      if (input != kNoValue && copies[Index(input)] != kNoValue) input = copies[Index(input)];
    }
    if (is_copy) {
      own->output = copies[Index(own->output)];
      own->name += " (again)";
      node.again = true;
    }
    node.late = is_copy || late.count(n) > 0;
    node.node = own.get();
    again.graph.own_nodes.push_back(std::move(own));
    again.graph.nodes.push_back(std::move(node));
    again.links.push_back(plan.links[n]);
    again.packable.push_back(plan.packable[n]);
  };
  bool made = false;
  for (size_t n = 0; n < nodes.size(); ++n) {
    const auto rewired = moved.find(n);
    if (rewired != moved.end() && !made) {
      for (size_t c : copied) {
        std::vector<size_t> all(nodes[c].in.size());
        for (size_t i = 0; i < all.size(); ++i) all[i] = i;
        add(c, true, all);
      }
      made = true;
    }
    add(n, false, rewired == moved.end() ? std::vector<size_t>() : rewired->second);
  }
  again.graph.own_graph = graph;
  again.graph.graph = graph.get();
  again.operators.reserve(again.graph.nodes.size());
  for (size_t n = 0; n < again.graph.nodes.size(); ++n) {
    again.operators.emplace_back(again.graph.nodes[n], options.cap, options.exact_order).SetPhase(again.links[n].phase);
  }
  return again;
}

}  // namespace fovea::plan
