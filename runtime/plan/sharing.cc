#include "runtime/plan/sharing.h"

#include <algorithm>
#include <climits>

namespace fovea::plan {
namespace {

// Nodes are visited last to first, so that a value's final place is known before its producer is asked to write there.
// A value joins at most one slot. Two rules keep contents alive:
//   - an input that is overwritten in place dies at that node;
//   - a value that joins memory which is overwritten at step t (in place, by a later member) is last read before t.
class Sharer {
 public:
  Sharer(const Forbidden& forbidden, Plan* plan, std::vector<uint8_t>* aliases)
      : forbidden_(forbidden), plan_(*plan), aliases_(*aliases) {}

  void Run() {
    const ResolvedGraph& graph = plan_.graph;
    const size_t values = graph.dims.size();
    plan_.slots.assign(values, {});
    plan_.groups.clear();
    plan_.buffers.clear();
    plan_.whole_channels.assign(values, 0);
    aliases_.assign(graph.nodes.size(), 0);
    def_.assign(values, -1);
    first_read_.assign(values, INT_MAX);
    readers_.assign(values, 0);
    last_.assign(values, -1);
    overwritten_.assign(values, INT_MAX);
    tight_.assign(values, 0);
    const int end = static_cast<int>(graph.nodes.size());
    for (int n = 0; n < end; ++n) {
      const ResolvedNode& node = graph.nodes[static_cast<size_t>(n)];
      const exec::Operator& op = plan_.operators[static_cast<size_t>(n)];
      def_[Index(node.node->output)] = n;
      if (op.NeedsTightOutput()) tight_[Index(node.node->output)] = 1;
      for (size_t i = 0; i < node.in.size(); ++i) {
        if (!node.Has(i)) continue;
        last_[Index(node.node->inputs[i])] = n;
        int& first = first_read_[Index(node.node->inputs[i])];
        first = std::min(first, n);
        ++readers_[Index(node.node->inputs[i])];
        if (op.NeedsTight(i)) tight_[Index(node.node->inputs[i])] = 1;
      }
    }
    segment_.assign(graph.nodes.size() + 1, -1);
    for (size_t s = 0; s < plan_.segments.size(); ++s) {
      if (!plan_.segments[s].banded()) continue;
      for (int n = plan_.segments[s].first; n < plan_.segments[s].end; ++n) segment_[Index(n)] = static_cast<int>(s);
    }
    for (const Port& port : graph.graph->outputs) last_[Index(port.value)] = end;
    AddPorts();
    for (int n = end; n-- > 0;) Visit(n);
    for (const Group& group : plan_.groups) {
      Buffer& buffer = plan_.buffers[static_cast<size_t>(group.buffer)];
      if (group.placed) plan_.whole_channels[Index(group.root)] = 1;
      for (const Member& member : group.members) {
        buffer.first = std::min(buffer.first, def_[Index(member.value)]);
        buffer.last = std::max(buffer.last, last_[Index(member.value)]);
        // Slices of slices: a placed concatenation's inputs are placed with it.
        if (group.placed) plan_.whole_channels[Index(member.value)] = 1;
      }
    }
    for (Group& group : plan_.groups) group.rolling = RollingSegment(group);
    for (Buffer& buffer : plan_.buffers) LiveForBands(&buffer);
  }

 private:
  static size_t Index(int v) { return static_cast<size_t>(v); }

  int AddBuffer(Home home, int port) {
    plan_.buffers.push_back({home, port, INT_MAX, -1, 0, 0});
    return static_cast<int>(plan_.buffers.size()) - 1;
  }

  void AddGroup(int value, int buffer) {
    plan_.slots[Index(value)] = {static_cast<int>(plan_.groups.size()), 0};
    const bool external = plan_.buffers[static_cast<size_t>(buffer)].home != Home::kArena;
    plan_.groups.push_back({value, buffer, false, external && !plan_.has_tile_buffers(), -1, 0, 0, {{value, 0}}});
  }

  void Join(int value, Slot slot) {
    plan_.slots[Index(value)] = slot;
    plan_.groups[static_cast<size_t>(slot.group)].members.push_back({value, slot.channel});
  }

  void AddPorts() {
    const Graph& graph = *plan_.graph.graph;
    for (auto& buffers : plan_.port_buffers) buffers.clear();
    for (size_t i = 0; i < graph.inputs.size(); ++i) {
      plan_.port_buffers[0].push_back(AddBuffer(Home::kInput, static_cast<int>(i)));
      if (!graph.inputs[i].is_shape) AddGroup(graph.inputs[i].value, plan_.port_buffers[0].back());
    }
    plan_.direct.assign(graph.outputs.size(), 0);
    for (size_t o = 0; o < graph.outputs.size(); ++o) {
      plan_.port_buffers[1].push_back(AddBuffer(Home::kOutput, static_cast<int>(o)));
      const int value = graph.outputs[o].value;
      const bool computed = def_[Index(value)] >= 0 && !plan_.constant[Index(value)];
      if (!computed || plan_.slots[Index(value)].group >= 0 || forbidden_.direct[o]) continue;
      AddGroup(value, plan_.port_buffers[1].back());
      plan_.direct[o] = 1;
    }
  }

  // True when `value` may still be given a place, beside memory of `beside` that it would share. In bands only values
  // with one reader: "before" is said of a band only, an older reader would still want rows of the bands above; and a
  // value that waits for long (a skip connection) would make the rows beside it wait, too.
  bool MayJoin(int value, int beside) const {
    const bool banded = def_[Index(value)] >= 0 && segment_[Index(def_[Index(value)])] >= 0;
    if (banded && readers_[Index(value)] > 1) return false;
    return def_[Index(value)] >= 0 && !plan_.constant[Index(value)] && plan_.slots[Index(value)].group < 0 &&
           !tight_[Index(value)] && last_[Index(value)] < overwritten_[Index(beside)] &&
           segment_[Index(def_[Index(value)])] == segment_[Index(def_[Index(beside)])];
  }

  // The segment whose bands make and use up all of the group's values; -1: there is none, all rows are kept.
  int RollingSegment(const Group& group) const {
    const Home home = plan_.buffers[Index(group.buffer)].home;
    if (group.whole || (home != Home::kArena && !plan_.has_tile_buffers())) return -1;
    if (home == Home::kInput && group.members.size() > 1) return -1;
    const Dims& root = plan_.graph.dims[Index(group.root)];
    if (root.size() < 3 || root[0] != 1) return -1;
    int segment = -1;
    for (const Member& member : group.members) {
      const size_t v = Index(member.value);
      const int made = home == Home::kInput ? first_read_[v] : def_[v];
      if (made < 0 || made == INT_MAX || segment_[Index(made)] < 0) return -1;
      if (segment >= 0 && segment != segment_[Index(made)]) return -1;
      segment = segment_[Index(made)];
      if (LastRead(member.value) >= plan_.segments[Index(segment)].end) return -1;
      for (size_t o = 0; o < plan_.direct.size(); ++o) {
        const bool is_output = plan_.graph.graph->outputs[o].value == member.value;
        if (is_output && (home != Home::kOutput || !plan_.direct[o])) return -1;
      }
    }
    return segment;
  }

  int LastRead(int value) const {
    const int end = static_cast<int>(plan_.graph.nodes.size());
    if (last_[Index(value)] < end) return last_[Index(value)];
    int last = -1;
    for (int n = 0; n < end; ++n) {
      for (int input : plan_.graph.nodes[Index(n)].node->inputs) last = input == value ? n : last;
    }
    return last;
  }

  // The steps of a banded segment are repeated for every band.
  void LiveForBands(Buffer* buffer) const {
    for (const Segment& segment : plan_.segments) {
      if (!segment.banded()) continue;
      if (buffer->first > segment.first && buffer->first < segment.end) buffer->first = segment.first;
      if (buffer->last >= segment.first && buffer->last < segment.end) buffer->last = segment.end - 1;
    }
  }

  void Visit(int n) {
    const ResolvedNode& node = plan_.graph.nodes[static_cast<size_t>(n)];
    const int out = node.node->output;
    if (plan_.constant[Index(out)]) return;
    if (plan_.slots[Index(out)].group < 0) AddGroup(out, AddBuffer(Home::kArena, -1));
    const Slot slot = plan_.slots[Index(out)];
    if (node.kind == OpKind::kConcat) return Place(node, slot);
    if (node.kind == OpKind::kReshape) return Alias(n, node, slot);
    for (size_t i = 0; i < node.in.size(); ++i) {
      if (!node.Has(i) || !plan_.operators[static_cast<size_t>(n)].AllowsInPlace(i)) continue;
      const int in = node.node->inputs[i];
      // It dies here, so it is older than anything that overwrites the output later.
      if (last_[Index(in)] != n || !MayJoin(in, out)) continue;
      // A residual may be overwritten, the image that the windows still read may not.
      if (node.kind == OpKind::kConv && in == node.node->inputs[0]) continue;
      Join(in, slot);
      overwritten_[Index(in)] = n;
      return;
    }
  }

  void Place(const ResolvedNode& node, Slot slot) {
    const size_t axis = static_cast<size_t>(std::get<ConcatParams>(node.node->params).axis);
    if (axis + 1 != node.out.size()) return;
    int64_t channel = slot.channel;
    for (size_t i = 0; i < node.in.size(); ++i) {
      const int in = node.node->inputs[i];
      if (MayJoin(in, node.node->output)) {
        plan_.groups[static_cast<size_t>(slot.group)].placed = true;
        Join(in, {slot.group, channel});
        overwritten_[Index(in)] = overwritten_[Index(node.node->output)];
      }
      channel += node.in[i].back();
    }
  }

  void Alias(int n, const ResolvedNode& node, Slot slot) {
    const int in = node.node->inputs[0];
    const Group& group = plan_.groups[static_cast<size_t>(slot.group)];
    if (forbidden_.alias[static_cast<size_t>(n)] || group.placed || !MayJoin(in, node.node->output)) return;
    aliases_[static_cast<size_t>(n)] = 1;
    overwritten_[Index(in)] = overwritten_[Index(node.node->output)];
    AddGroup(in, group.buffer);
  }

  const Forbidden& forbidden_;
  Plan& plan_;
  std::vector<uint8_t>& aliases_;
  std::vector<int> def_, last_, first_read_;  // steps
  std::vector<int> readers_;                  // inputs of nodes that a value is
  std::vector<int> segment_;                  // of every step: the banded segment it is in, or -1
  std::vector<int> overwritten_;              // step at which another value takes the value's memory
  std::vector<uint8_t> tight_;
};

}  // namespace

void ShareMemory(const Forbidden& forbidden, Plan* plan, std::vector<uint8_t>* aliases) {
  Sharer(forbidden, plan, aliases).Run();
}

}  // namespace fovea::plan
