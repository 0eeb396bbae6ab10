#include "runtime/plan/bands.h"

#include <algorithm>

namespace fovea::plan {
namespace {

constexpr size_t kRows = 1;  // the axis that bands move along

size_t Index(int v) { return static_cast<size_t>(v); }

bool IsComputed(const Plan& plan, int value) {
  if (plan.constant[Index(value)]) return false;
  for (const Port& port : plan.graph.graph->inputs) {
    if (port.value == value) return !port.is_shape;
  }
  return true;
}

bool IsLate(const Plan& plan, size_t value) { return !plan.late.empty() && plan.late[value] != 0; }

bool IsInOrder(const AxisLink& link) {
  switch (link.kind) {
    case LinkKind::kSame:
    case LinkKind::kWindow:
    case LinkKind::kTransposed:
    case LinkKind::kResize:
    case LinkKind::kPad:
    case LinkKind::kExpand:
    case LinkKind::kShrink: return true;
    case LinkKind::kSlice: return link.stride > 0;
    default: return false;
  }
}

// Rows of what `read` reads that make rows `out` of node n. Empty when there are none to make.
Interval NeededRows(const Plan& plan, size_t n, const RowRead& read, Interval out) {
  return Needed(plan.links[n], plan.links[n].inputs[read.input][kRows], out);
}

bool IsActive(const Plan& plan, const TileState& state, size_t n) {
  const int value = plan.graph.nodes[n].node->output;
  return !plan.constant[Index(value)] && !IsEmpty(state.regions[Index(value)], kRows) &&
         !state.tile_rows[Index(value)].empty();
}

uint64_t RowBytes(const Dims& dims) {
  uint64_t bytes = sizeof(float);
  for (size_t a = kRows + 1; a < dims.size(); ++a) bytes *= static_cast<uint64_t>(dims[a]);
  return bytes;
}

uint64_t PackedBytes(const Plan& plan, size_t n) {
  return static_cast<uint64_t>(plan.operators[n].PackedFloats()) * sizeof(float);
}

// Bytes of the largest value that node n makes or reads.
uint64_t LargestBytes(const Plan& plan, size_t n) {
  const ResolvedNode& node = plan.graph.nodes[n];
  int64_t most = Elements(node.out);
  for (size_t i = 0; i < node.in.size(); ++i) {
    if (node.Has(i) && IsComputed(plan, node.node->inputs[i])) most = std::max(most, Elements(node.in[i]));
  }
  return static_cast<uint64_t>(most) * sizeof(float);
}

// 1: the node makes more rows than it reads (upsampling), -1: fewer, 0: as many.
int RowChange(const Plan& plan, size_t n) {
  const ResolvedNode& node = plan.graph.nodes[n];
  for (const RowRead& read : plan.row_reads[n]) {
    const size_t i = read.input;
    // Windows without padding trim a few rows.
    if (node.out[kRows] * 3 >= node.in[i][kRows] * 4) return 1;
    if (node.out[kRows] * 4 <= node.in[i][kRows] * 3) return -1;
    return 0;
  }
  return 0;
}

// Rows of the last node's output in a band, so that the values of a band take working_bytes; a power of two, so that
// lattices of kernels and levels nest. All when they fit.
int64_t RowsThatFit(const Plan& plan, const Segment& segment, uint64_t working_bytes) {
  const Dims& last = plan.graph.nodes[Index(segment.end - 1)].out;
  double bytes_a_row = 0;  // of the last node's output, over all values
  for (int n = segment.first; n < segment.end; ++n) {
    const Dims& dims = plan.graph.nodes[Index(n)].out;
    if (plan.constant[Index(plan.graph.nodes[Index(n)].node->output)]) continue;
    bytes_a_row += static_cast<double>(RowBytes(dims)) * static_cast<double>(dims[kRows]) /
                   static_cast<double>(std::max<int64_t>(1, last[kRows]));
  }
  int64_t rows = 1;
  while (2 * rows < last[kRows] && static_cast<double>(2 * rows) * bytes_a_row <= static_cast<double>(working_bytes)) {
    rows *= 2;
  }
  return rows;
}

}  // namespace

void FindRowReads(Plan* plan) {
  plan->row_reads.assign(plan->graph.nodes.size(), {});
  for (size_t n = 0; n < plan->graph.nodes.size(); ++n) {
    const ResolvedNode& node = plan->graph.nodes[n];
    for (size_t i = 0; i < node.in.size(); ++i) {
      if (!node.Has(i) || !IsComputed(*plan, node.node->inputs[i])) continue;
      const std::vector<AxisLink>& axes = plan->links[n].inputs[i];
      const bool rows =
          axes.size() > kRows && axes[kRows].kind != LinkKind::kUnused && axes[kRows].kind != LinkKind::kBroadcast;
      if (rows) plan->row_reads[n].push_back({node.node->inputs[i], i});
    }
  }
}

bool MakesRowsFromRows(const Plan& plan, size_t n) {
  const ResolvedNode& node = plan.graph.nodes[n];
  if (plan.approximate && node.kind == OpKind::kGroupNorm) return false;  // statistics of the tile
  if (node.kind == OpKind::kReshape || node.out.size() < 3 || node.out[0] != 1) return false;
  if (plan.constant[Index(node.node->output)] || plan.links[n].align[kRows] == 0) return false;
  if (plan.operators[n].PackedFloats() > 0 && !plan.packable[n]) return false;
  if (plan.operators[n].NeedsTightOutput()) return false;
  bool reads = false;
  for (size_t i = 0; i < node.in.size(); ++i) {
    if (!node.Has(i) || !IsComputed(plan, node.node->inputs[i])) continue;
    const std::vector<AxisLink>& axes = plan.links[n].inputs[i];
    if (axes.size() != node.out.size() || node.in[i][0] != 1 || plan.operators[n].NeedsTight(i)) return false;
    for (size_t a = 0; a < axes.size(); ++a) {
      if (a != kRows && axes[a].out_axis == static_cast<int>(kRows)) return false;
    }
    const AxisLink& rows = axes[kRows];
    if (rows.kind == LinkKind::kUnused) continue;
    if (rows.out_axis != static_cast<int>(kRows) || !IsInOrder(rows)) return false;
    reads = true;
  }
  return reads;
}

// Where it is speed that matters, a segment ends before the way back up begins: inside it, skip connections would have
// to wait for many bands.
std::vector<Segment> ChooseSegments(const Plan& plan, const BandPolicy& policy) {
  std::vector<Segment> segments;
  const int nodes = static_cast<int>(plan.graph.nodes.size());
  const auto wanted = [&](int n) {
    return MakesRowsFromRows(plan, Index(n)) && PackedBytes(plan, Index(n)) <= policy.weight_bytes &&
           (policy.rows > 0 ||
            (LargestBytes(plan, Index(n)) >= policy.large_bytes && plan.graph.nodes[Index(n)].out.size() == 4));
  };
  const auto add_plain = [&](int n) {
    if (!segments.empty() && !segments.back().banded()) {
      segments.back().end = n + 1;
    } else {
      segments.push_back({n, n + 1, 0});
    }
  };
  for (int n = 0; n < nodes;) {
    Segment segment{n, n, 0};
    bool reduced = false;
    for (; segment.end < nodes; ++segment.end) {
      const ResolvedNode& node = plan.graph.nodes[Index(segment.end)];
      if (plan.constant[Index(node.node->output)]) continue;
      if (!wanted(segment.end)) break;
      const int64_t change = RowChange(plan, Index(segment.end));
      if (policy.rows == 0 && reduced && change > 0) break;
      reduced |= change < 0;
    }
    while (segment.end > n && plan.constant[Index(plan.graph.nodes[Index(segment.end - 1)].node->output)]) {
      --segment.end;
    }
    if (segment.end > n) {
      segment.rows = policy.rows > 0 ? policy.rows : RowsThatFit(plan, segment, policy.working_bytes);
      if (segment.rows >= plan.graph.nodes[Index(segment.end - 1)].out[kRows]) segment.rows = 0;
    }
    if (segment.end - n < (policy.rows > 0 ? 1 : 2)) segment.rows = 0;
    if (segment.banded()) {
      segments.push_back(segment);
      n = segment.end;
    } else {
      const int end = std::max(n + 1, segment.end);
      for (; n < end; ++n) add_plain(n);
    }
  }
  return segments;
}

namespace {

// until of every value: what can be made of the rows that are there. Each node advances by at most the band's share of
// its rows (or its pace), also where more could be made, so that rows do not pile up in front of the next node. Late
// nodes make what is wanted of them; with `assume_late`, they are taken to have made everything.
void Advance(const Plan& plan, const Segment& segment, bool assume_late, TileState* state) {
  const int64_t total = std::max<int64_t>(1, state->band_total);
  const auto share = [&](int64_t size) { return std::max<int64_t>(1, CeilDiv(size * segment.rows, total)); };
  for (int n = segment.first; n < segment.end; ++n) {
    if (!IsActive(plan, *state, Index(n))) continue;
    const ResolvedNode& node = plan.graph.nodes[Index(n)];
    const size_t out = Index(node.node->output);
    BandRows& made = state->bands[out];
    const Interval tile = state->tile_rows[out];
    if (made.made >= tile.end) continue;
    const bool asked = IsLate(plan, out) && made.wanted >= 0;
    if (asked && assume_late) {
      made.until = tile.end;
      continue;
    }
    const RowSteps& steps = plan.row_steps[Index(n)];
    const auto can_make = [&](int64_t until) {
      for (const RowRead& read : plan.row_reads[Index(n)]) {
        const size_t in = Index(read.value);
        const Interval need = NeededRows(plan, Index(n), read, {made.made, until});
        if (!need.empty() && std::min(need.end, state->tile_rows[in].end) > state->bands[in].until) return false;
      }
      return true;
    };
    // In steps from `good`, which is made or can be.
    const int64_t most = std::max(share(tile.size()), steps.pace);
    int64_t good = made.made, bad = steps.Up(asked ? made.wanted : made.made + most) + 1;
    made.until = good;
    if (asked && made.wanted <= good) continue;
    if (bad > tile.end) {
      if (can_make(tile.end)) {
        made.until = tile.end;
        continue;
      }
      bad = tile.end;
    }
    while (true) {
      const int64_t middle = steps.Down(good + std::max<int64_t>((bad - good) / 2, 1));
      const int64_t at = middle > good ? middle : steps.Up(good + 1);
      if (at >= bad) break;
      (can_make(at) ? good : bad) = at;
    }
    made.until = good;
  }
}

// What readers ask of late nodes, to make their rows up to `until`.
void FindWanted(const Plan& plan, const Segment& segment, TileState* state) {
  for (int n = segment.end; n-- > segment.first;) {
    const ResolvedNode& node = plan.graph.nodes[Index(n)];
    if (!IsActive(plan, *state, Index(n))) continue;
    const size_t out = Index(node.node->output);
    BandRows& rows = state->bands[out];
    const int64_t end = state->tile_rows[out].end;
    const bool asked = IsLate(plan, out) && rows.wanted >= 0;
    // Rows that no reader needs in the end are made with the last ones that one does.
    if (asked && !rows.more) rows.wanted = end;
    const int64_t until = asked ? rows.wanted : rows.until;
    for (const RowRead& read : plan.row_reads[Index(n)]) {
      const size_t in = Index(read.value);
      if (!IsLate(plan, in)) continue;
      BandRows& from = state->bands[in];
      from.more |= until < end;
      if (until <= rows.made) continue;
      const int64_t aligned = std::min(end, plan.row_steps[Index(n)].Up(until));
      from.wanted = std::max(from.wanted, NeededRows(plan, Index(n), read, {rows.made, aligned}).end);
    }
  }
}

void FindUntil(const Plan& plan, const Segment& segment, TileState* state) {
  if (!plan.late.empty()) {
    for (int n = segment.first; n < segment.end; ++n) {
      BandRows& rows = state->bands[Index(plan.graph.nodes[Index(n)].node->output)];
      rows.wanted = -1;
      rows.more = false;
    }
    for (int n = segment.first; n < segment.end; ++n) {
      if (!IsActive(plan, *state, Index(n))) continue;
      for (const RowRead& read : plan.row_reads[Index(n)]) {
        BandRows& rows = state->bands[Index(read.value)];
        rows.wanted = rows.made;
      }
    }
    Advance(plan, segment, true, state);
    FindWanted(plan, segment, state);
  }
  Advance(plan, segment, false, state);
}

// keep of every value that rolls: what the rows that are still to be made read.
void FindKept(const Plan& plan, const Segment& segment, TileState* state) {
  for (int n = segment.first; n < segment.end; ++n) {
    if (!IsActive(plan, *state, Index(n))) continue;
    const size_t out = Index(plan.graph.nodes[Index(n)].node->output);
    const Interval left{state->bands[out].made, state->tile_rows[out].end};
    if (left.empty()) continue;
    for (const RowRead& read : plan.row_reads[Index(n)]) {
      BandRows& rows = state->bands[Index(read.value)];
      rows.keep = std::min(rows.keep, NeededRows(plan, Index(n), read, left).begin);
    }
  }
}

void SlideWindows(const Plan& plan, int s, TileState* state) {
  state->slide_count = 0;
  for (size_t g = 0; g < plan.groups.size(); ++g) {
    const Group& group = plan.groups[g];
    if (group.rolling != s) continue;
    int64_t keep = INT64_MAX, made = INT64_MIN, until = INT64_MIN;
    for (const Member& member : group.members) {
      if (state->tile_rows[Index(member.value)].empty()) continue;
      const BandRows& rows = state->bands[Index(member.value)];
      keep = std::min(keep, rows.keep);
      made = std::max(made, rows.made);
      until = std::max(until, rows.until);
    }
    if (keep == INT64_MAX) continue;
    Interval& window = state->memory[g].axis[kRows];
    if (group.ring_rows > 0) {
      window.begin = keep;
    } else if (until - window.begin > group.window_rows) {
      if (keep > window.begin && made > keep) {
        state->slides[state->slide_count++] = {static_cast<int>(g), window.begin, keep, made - keep};
      }
      window.begin = keep;
    }
    window.end = until;
  }
}

// Calls body(value) for values that the segment's nodes make, in order.
template <class Body>
void ForEachMade(const Plan& plan, const Segment& segment, const TileState& state, const Body& body) {
  for (int n = segment.first; n < segment.end; ++n) {
    if (IsActive(plan, state, Index(n))) body(Index(plan.graph.nodes[Index(n)].node->output));
  }
}

// Calls body(value) for values whose rows the segment's nodes read; values made outside more than once, perhaps.
template <class Body>
void ForEachRead(const Plan& plan, const Segment& segment, const TileState& state, const Body& body) {
  for (int n = segment.first; n < segment.end; ++n) {
    if (!IsActive(plan, state, Index(n))) continue;
    for (const RowRead& read : plan.row_reads[Index(n)]) body(Index(read.value));
  }
}

}  // namespace

void BeginBands(const Plan& plan, size_t s, TileState* state) {
  const Segment& segment = plan.segments[s];
  const auto begin = [&](size_t v) {
    state->tile_rows[v] = state->regions[v].wanted ? state->regions[v].axis[kRows] : Interval{};
    const int64_t first = state->tile_rows[v].begin;
    state->bands[v] = {first, first, first, true};
  };
  for (int n = segment.first; n < segment.end; ++n) begin(Index(plan.graph.nodes[Index(n)].node->output));
  ForEachRead(plan, segment, *state, begin);
  ForEachMade(plan, segment, *state, [&](size_t v) { state->bands[v].outside = false; });
  for (size_t g = 0; g < plan.groups.size(); ++g) {
    const Group& group = plan.groups[g];
    if (group.rolling != static_cast<int>(s)) continue;
    if (plan.buffers[Index(group.buffer)].home == Home::kInput) begin(Index(group.root));
    state->memory[g].axis[kRows].end = state->memory[g].axis[kRows].begin;
  }
  state->band = 0;
  state->band_total = 0;
  ForEachMade(plan, segment, *state, [&](size_t v) { state->band_total = state->tile_rows[v].size(); });
}

bool NextBand(const Plan& plan, size_t s, TileState* state) {
  const Segment& segment = plan.segments[s];
  const auto next = [&](size_t v) {
    BandRows& rows = state->bands[v];
    rows.made = rows.keep = rows.until;
  };
  bool left = false;
  ForEachMade(plan, segment, *state, [&](size_t v) {
    next(v);
    left |= state->bands[v].made < state->tile_rows[v].end;
  });
  if (!left) return false;
  ++state->band;
  // Values from outside are looked at in step with the last value of the segment, also those that are all there.
  ForEachRead(plan, segment, *state, [&](size_t v) {
    if (state->bands[v].outside) next(v);
  });
  FindKept(plan, segment, state);
  const int64_t total = std::max<int64_t>(1, state->band_total), done = std::min(total, state->band * segment.rows);
  ForEachRead(plan, segment, *state, [&](size_t v) {
    const Interval tile = state->tile_rows[v];
    if (state->bands[v].outside) state->bands[v].until = tile.begin + CeilDiv(tile.size() * done, total);
  });
  FindUntil(plan, segment, state);
  const auto set_rows = [&](size_t v) {
    state->regions[v].axis[kRows] = {state->bands[v].made, state->bands[v].until};
  };
  ForEachMade(plan, segment, *state, set_rows);
  for (const Group& group : plan.groups) {
    const bool input = plan.buffers[Index(group.buffer)].home == Home::kInput;
    if (group.rolling == static_cast<int>(s) && input) set_rows(Index(group.root));
  }
  SlideWindows(plan, static_cast<int>(s), state);
  return true;
}

void EndBands(const Plan& plan, size_t s, TileState* state) {
  const Segment& segment = plan.segments[s];
  for (int n = segment.first; n < segment.end; ++n) {
    const size_t v = Index(plan.graph.nodes[Index(n)].node->output);
    if (IsActive(plan, *state, Index(n))) state->regions[v].axis[kRows] = state->tile_rows[v];
  }
}

}  // namespace fovea::plan
