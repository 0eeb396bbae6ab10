#include <algorithm>
#include <deque>

#include "converter/passes/frames.h"
#include "converter/passes/rewrite.h"

namespace fovea::converter {
namespace {

// A transpose against a reshape, which only renames axes. The unit is arbitrary.
constexpr int64_t kTransposeCost = 16, kReshapeCost = 1;
constexpr int kFixed = -1;

// A value on its way from where it is produced to a reader: the reader's axis i is the value's axis perm[i].
struct Edge {
  int from = kFixed, to = kFixed;  // variables
  Frame perm;
  ir::ValueId value = kNoValue;
  bool from_spatial = false, to_spatial = false;
};

bool IsSpatial(OpKind kind) {
  return kind == OpKind::kConv || kind == OpKind::kConvTranspose || kind == OpKind::kPool ||
         kind == OpKind::kDepthToSpace || kind == OpKind::kSpaceToDepth || kind == OpKind::kGroupNorm;
}

// Variables are the flexible nodes, then the model inputs.
class Chooser {
 public:
  explicit Chooser(const ir::Graph& graph) : graph_(graph) {
    variable_.assign(graph.nodes.size(), kFixed);
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      if (!IsFlexible(graph, graph.nodes[n])) continue;
      variable_[n] = static_cast<int>(node_.size());
      node_.push_back(static_cast<int>(n));
    }
    first_input_ = static_cast<int>(node_.size());
    frame_.resize(node_.size() + graph.inputs.size());
    touching_.resize(frame_.size());
    AddEdges();
  }

  void Choose() {
    Spread(true);
    Spread(false);
    for (size_t x = 0; x < frame_.size(); ++x) {
      if (!frame_[x].empty() || RankOf(static_cast<int>(x)) == 0) continue;
      std::deque<std::pair<int, Frame>> start{{static_cast<int>(x), IdentityFrame(RankOf(static_cast<int>(x)))}};
      SpreadFrom(std::move(start));
    }
    for (int round = 0; round < kMaxRounds && ImproveOnce(); ++round) {
    }
  }

  Frames Result() const {
    Frames frames;
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      frames.nodes.push_back(variable_[n] == kFixed ? Frame() : At(variable_[n]));
    }
    for (size_t i = 0; i < graph_.inputs.size(); ++i) {
      frames.inputs.push_back(At(first_input_ + static_cast<int>(i)));
    }
    return frames;
  }

 private:
  static constexpr int kMaxRounds = 64;

  const Frame& At(int x) const { return frame_[static_cast<size_t>(x)]; }

  size_t RankOf(int x) const {
    if (x < first_input_) return FrameRank(graph_, NodeOf(x));
    return ValueOf(graph_, graph_.inputs[static_cast<size_t>(x - first_input_)].value).dims.size();
  }
  const ir::Node& NodeOf(int x) const { return graph_.nodes[static_cast<size_t>(node_[static_cast<size_t>(x)])]; }

  Frame OutputFrameOf(int x, const Frame& frame) const {
    return x >= first_input_ ? frame : OutputFrame(graph_, NodeOf(x), frame);
  }
  // In which frame a reader, or the fixed frame, wants the root of an edge.
  Frame Wanted(const Edge& edge) const {
    return edge.to == kFixed ? edge.perm : Compose(edge.perm, InputFrame(graph_, NodeOf(edge.to), At(edge.to)));
  }

  void AddEdges() {
    std::vector<int> input_of(graph_.values.size(), kFixed);
    for (size_t i = 0; i < graph_.inputs.size(); ++i) {
      input_of[static_cast<size_t>(graph_.inputs[i].value)] = first_input_ + static_cast<int>(i);
    }
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      const ir::Node& node = graph_.nodes[n];
      if (std::holds_alternative<TransposeParams>(node.params)) continue;
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] == kNoValue) continue;
        const TransposedSource source = TraceTransposes(graph_, node.inputs[i]);
        const ir::Value& root = ValueOf(graph_, source.root);
        if (root.is_const()) continue;
        Edge edge{kFixed, kFixed, source.perm, source.root, false, false};
        if (root.producer < 0) {
          edge.from = input_of[static_cast<size_t>(source.root)];
        } else {
          edge.from = variable_[static_cast<size_t>(root.producer)];
          edge.from_spatial = IsSpatial(KindOf(graph_.nodes[static_cast<size_t>(root.producer)].params));
        }
        if (variable_[n] != kFixed && InputFollowsFrame(graph_, node, i)) edge.to = variable_[n];
        edge.to_spatial = IsSpatial(KindOf(node.params)) && i == 0;
        if (edge.from == kFixed && edge.to == kFixed) continue;
        const size_t e = edges_.size();
        edges_.push_back(std::move(edge));
        if (edges_[e].from != kFixed) touching_[static_cast<size_t>(edges_[e].from)].push_back(e);
        if (edges_[e].to != kFixed) touching_[static_cast<size_t>(edges_[e].to)].push_back(e);
      }
    }
  }

  // The frame that an edge suggests for one of its ends, empty when the other end has none yet or tells nothing.
  Frame Suggestion(const Edge& edge, bool for_to) const {
    if (for_to) {
      if (edge.from != kFixed && At(edge.from).empty()) return {};
      const Frame from =
          edge.from == kFixed ? IdentityFrame(edge.perm.size()) : OutputFrameOf(edge.from, At(edge.from));
      return FrameForInput(graph_, NodeOf(edge.to), Compose(Inverse(edge.perm), from)).value_or(Frame());
    }
    if (edge.to != kFixed && At(edge.to).empty()) return {};
    if (edge.from >= first_input_) return Wanted(edge);
    return FrameForOutput(graph_, NodeOf(edge.from), Wanted(edge)).value_or(Frame());
  }

  void SpreadFrom(std::deque<std::pair<int, Frame>> open) {
    while (!open.empty()) {
      auto [x, frame] = std::move(open.front());
      open.pop_front();
      if (!At(x).empty() || frame.empty()) continue;
      frame_[static_cast<size_t>(x)] = std::move(frame);
      for (const size_t e : touching_[static_cast<size_t>(x)]) {
        const Edge& edge = edges_[e];
        if (edge.to != kFixed && edge.to != x) open.emplace_back(edge.to, Suggestion(edge, true));
        if (edge.from != kFixed && edge.from != x) open.emplace_back(edge.from, Suggestion(edge, false));
      }
    }
  }

  void Spread(bool spatial) {
    std::deque<std::pair<int, Frame>> start;
    for (const Edge& edge : edges_) {
      if (edge.to == kFixed && edge.to_spatial == spatial) start.emplace_back(edge.from, Suggestion(edge, false));
      if (edge.from == kFixed && edge.from_spatial == spatial) start.emplace_back(edge.to, Suggestion(edge, true));
    }
    SpreadFrom(std::move(start));
  }

  int64_t EdgeCost(const Edge& edge) const {
    const size_t rank = edge.perm.size();
    const Frame have = edge.from == kFixed ? IdentityFrame(rank) : OutputFrameOf(edge.from, At(edge.from));
    const Frame want = Wanted(edge);
    if (have == want) return 0;
    std::vector<DimExpr> dims;
    for (const int64_t axis : have) dims.push_back(ValueOf(graph_, edge.value).dims[static_cast<size_t>(axis)]);
    return MovesOnlyUnitAxes(dims, Compose(Inverse(have), want)) ? kReshapeCost : kTransposeCost;
  }

  // Operands with fewer axes are given leading ones and then have to follow the node's frame.
  int64_t OwnCost(int x) const {
    if (x >= first_input_) return 0;
    const ir::Node& node = NodeOf(x);
    if (!std::holds_alternative<BinaryParams>(node.params) && !std::holds_alternative<SelectParams>(node.params)) {
      return 0;
    }
    int64_t cost = 0;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ir::Value& operand = ValueOf(graph_, node.inputs[i]);
      if (operand.is_const() || operand.dims.empty() || InputFollowsFrame(graph_, node, i)) continue;
      std::vector<DimExpr> dims(At(x).size() - operand.dims.size(), 1);
      dims.insert(dims.end(), operand.dims.begin(), operand.dims.end());
      if (At(x) != IdentityFrame(At(x).size())) {
        cost += MovesOnlyUnitAxes(dims, At(x)) ? kReshapeCost : kTransposeCost;
      }
    }
    return cost;
  }

  int64_t CostAround(const std::vector<int>& variables) const {
    std::vector<size_t> edges;
    int64_t cost = 0;
    for (const int x : variables) {
      cost += OwnCost(x);
      edges.insert(edges.end(), touching_[static_cast<size_t>(x)].begin(), touching_[static_cast<size_t>(x)].end());
    }
    std::sort(edges.begin(), edges.end());
    edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
    for (const size_t e : edges) cost += EdgeCost(edges_[e]);
    return cost;
  }

  // Tries to give x the frame, alone or with all that it is at one with; keeps what is cheaper than now.
  bool TryFrame(int x, const Frame& frame, bool with_area) {
    std::vector<int> area{x};
    std::vector<std::pair<int, Frame>> changes{{x, frame}};
    std::vector<bool> in_area(frame_.size(), false);
    in_area[static_cast<size_t>(x)] = true;
    if (with_area) {
      std::vector<bool> satisfied(edges_.size());
      for (size_t e = 0; e < edges_.size(); ++e) satisfied[e] = EdgeCost(edges_[e]) == 0;
      const std::vector<Frame> before = frame_;
      frame_[static_cast<size_t>(x)] = frame;
      for (size_t next = 0; next < area.size(); ++next) {
        for (const size_t e : touching_[static_cast<size_t>(area[next])]) {
          const Edge& edge = edges_[e];
          const int other = edge.from == area[next] ? edge.to : edge.from;
          if (!satisfied[e] || other == kFixed || in_area[static_cast<size_t>(other)]) continue;
          Frame moved = Suggestion(edge, other == edge.to);
          if (moved.empty()) continue;
          in_area[static_cast<size_t>(other)] = true;
          area.push_back(other);
          frame_[static_cast<size_t>(other)] = moved;
          changes.emplace_back(other, std::move(moved));
        }
      }
      frame_ = before;
    }
    const int64_t before = CostAround(area);
    for (auto& [y, f] : changes) std::swap(frame_[static_cast<size_t>(y)], f);
    if (CostAround(area) < before) return true;
    for (auto& [y, f] : changes) std::swap(frame_[static_cast<size_t>(y)], f);
    return false;
  }

  bool ImproveOnce() {
    bool improved = false;
    for (size_t e = 0; e < edges_.size(); ++e) {
      const Edge& edge = edges_[e];
      for (const bool with_area : {false, true}) {
        for (const bool for_to : {true, false}) {
          const int x = for_to ? edge.to : edge.from;
          if (x == kFixed || EdgeCost(edge) == 0) continue;
          const Frame frame = Suggestion(edge, for_to);
          if (!frame.empty()) improved = TryFrame(x, frame, with_area) || improved;
        }
      }
    }
    return improved;
  }

  const ir::Graph& graph_;
  std::vector<int> variable_;  // of each node
  std::vector<int> node_;      // of each variable that is one
  int first_input_ = 0;
  std::vector<Frame> frame_;  // of each variable; empty: not chosen yet (or rank 0)
  std::vector<Edge> edges_;
  std::vector<std::vector<size_t>> touching_;  // edges of each variable
};

}  // namespace

Frames ChooseFrames(const ir::Graph& graph) {
  Chooser chooser(graph);
  chooser.Choose();
  return chooser.Result();
}

}  // namespace fovea::converter
