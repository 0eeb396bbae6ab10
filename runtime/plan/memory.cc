#include "runtime/plan/memory.h"

#include <algorithm>
#include <set>
#include <utility>

#include "runtime/plan/arena.h"
#include "runtime/plan/bands.h"

namespace fovea::plan {
namespace {

constexpr uint64_t kFloat = sizeof(float);
constexpr uint64_t Align(uint64_t bytes) { return (bytes + 63) / 64 * 64; }
// Tiles whose scratch is looked at one by one; above it the classes of each axis are.
constexpr size_t kMaxCombinations = 256;

// An address that is never used, for binding calls whose only purpose is to ask for their scratch.
float* NoMemory() { return reinterpret_cast<float*>(uintptr_t{1} << 40); }

}  // namespace

void MemoryPlanner::LayOut() {
  plan_.tiled = plan_.grid.tiles() > 1;
  Forbidden forbidden{std::vector<uint8_t>(plan_.graph.nodes.size(), 0),
                      std::vector<uint8_t>(plan_.graph.graph->outputs.size(), 0)};
  // Each round forbids at least one sharing, so this ends.
  do {
    ShareMemory(forbidden, &plan_, &aliases_);
    state_ = MakeTileState(plan_);
  } while (!MeasureTiles(&forbidden));
  MeasureBuffers();
  MeasureTemporaries();
  PlaceAll();
}

bool MemoryPlanner::MeasureTiles(Forbidden* forbidden) {
  largest_.assign(plan_.groups.size(), {});
  plan_.bands = 1;
  for (auto& classes : classes_) classes.clear();
  for (size_t s = 0; s < 3; ++s) {
    std::set<std::vector<int64_t>> seen;
    for (int64_t t = 0; t < plan_.grid.count[s]; ++t) {
      TileIndex tile{0, 0, 0};
      tile[s] = t;
      LayOutTile(plan_, tile, &state_);
      if (!CheckSharing(tile, forbidden)) return false;
      std::vector<int64_t> extents;
      for (size_t g = 0; g < plan_.groups.size(); ++g) {
        const size_t rank = Rank(plan_.groups[g].root);
        if (IsEmpty(state_.memory[g], rank)) continue;
        for (size_t a = 0; a < rank; ++a) {
          extents.push_back(state_.memory[g].axis[a].size());
          largest_[g][a] = std::max(largest_[g][a], state_.memory[g].axis[a].size());
        }
      }
      MeasureWindows();
      if (seen.insert(std::move(extents)).second) classes_[s].push_back(t);
    }
  }
  return true;
}

void MemoryPlanner::MeasureWindows() {
  // A window of no rows slides before every band: it begins at the first row that is kept.
  std::vector<int64_t> rows(plan_.groups.size());
  for (size_t g = 0; g < plan_.groups.size(); ++g) rows[g] = std::exchange(plan_.groups[g].window_rows, 0);
  for (size_t s = 0; s < plan_.segments.size(); ++s) {
    if (!plan_.segments[s].banded()) continue;
    BeginBands(plan_, s, &state_);
    for (int64_t band = 1; NextBand(plan_, s, &state_); ++band) {
      plan_.bands = std::max(plan_.bands, band);
      for (size_t g = 0; g < plan_.groups.size(); ++g) {
        if (plan_.groups[g].rolling == static_cast<int>(s))
          rows[g] = std::max(rows[g], state_.memory[g].axis[1].size());
      }
    }
    EndBands(plan_, s, &state_);
  }
  for (size_t g = 0; g < plan_.groups.size(); ++g) plan_.groups[g].window_rows = rows[g];
}

bool MemoryPlanner::CheckSharing(const TileIndex& tile, Forbidden* forbidden) {
  bool good = true;
  for (size_t n = 0; n < aliases_.size(); ++n) {
    if (!aliases_[n]) continue;
    const Node& node = *plan_.graph.nodes[n].node;
    const int in = node.inputs[0], out = node.output;
    const Region& of_out = state_.regions[static_cast<size_t>(out)];
    if (IsEmpty(of_out, Rank(out))) continue;
    const exec::Operand held = OperandOf(plan_, state_, in, NoMemory());
    const exec::Operand need = NarrowToNeed(plan_, state_, n, 0, held);
    if (need.region == held.region && FillsMemory(in) && FillsMemory(out)) continue;
    forbidden->alias[n] = 1;
    good = false;
  }
  for (size_t o = 0; o < plan_.direct.size(); ++o) {
    const int value = plan_.graph.graph->outputs[o].value;
    if (!plan_.direct[o] || !plan_.has_tile_buffers()) continue;
    const Region& memory = state_.memory[static_cast<size_t>(plan_.slots[static_cast<size_t>(value)].group)];
    Region wanted = OutputTile(plan_, o, tile);
    for (size_t a = Rank(value); a < wanted.axis.size(); ++a) wanted.axis[a] = memory.axis[a];
    if (memory == wanted) continue;
    forbidden->direct[o] = 1;
    good = false;
  }
  return good;
}

bool MemoryPlanner::FillsMemory(int value) const {
  const size_t v = static_cast<size_t>(value);
  const Region& memory = state_.memory[static_cast<size_t>(plan_.slots[v].group)];
  for (size_t a = 0; a < Rank(value); ++a) {
    if (!(memory.axis[a] == state_.regions[v].axis[a])) return false;
  }
  return plan_.slots[v].channel == 0;
}

void MemoryPlanner::MeasureBuffers() {
  for (size_t g = 0; g < plan_.groups.size(); ++g) {
    const Group& group = plan_.groups[g];
    uint64_t bytes = kFloat;
    for (size_t a = 0; a < Rank(group.root); ++a) {
      bytes *= static_cast<uint64_t>(a == 1 && group.rolling >= 0 ? group.window_rows : largest_[g][a]);
    }
    Buffer& buffer = plan_.buffers[static_cast<size_t>(group.buffer)];
    buffer.bytes = std::max(buffer.bytes, bytes);
  }
  // Outputs that are copied to still need a tile's worth of memory. (Also when untiled: Run(source, sink) of a session
  // that was not planned for it.)
  for (size_t o = 0; o < plan_.direct.size(); ++o) {
    Buffer& buffer = plan_.buffers[static_cast<size_t>(plan_.port_buffers[1][o])];
    const int group = plan_.slots[static_cast<size_t>(plan_.graph.graph->outputs[o].value)].group;
    if (plan_.direct[o] && plan_.groups[static_cast<size_t>(group)].rolling >= 0) continue;
    const Dims& dims = plan_.graph.dims[static_cast<size_t>(plan_.graph.graph->outputs[o].value)];
    std::array<int64_t, kMaxTensorRank> largest{};
    for (size_t s = 0; s < 3; ++s) {
      for (int64_t t = 0; t < plan_.grid.count[s]; ++t) {
        TileIndex tile{0, 0, 0};
        tile[s] = t;
        const Region region = OutputTile(plan_, o, tile);
        for (size_t a = 0; a < dims.size(); ++a) largest[a] = std::max(largest[a], region.axis[a].size());
      }
    }
    uint64_t bytes = kFloat;
    for (size_t a = 0; a < dims.size(); ++a) bytes *= static_cast<uint64_t>(largest[a]);
    buffer.bytes = std::max(buffer.bytes, bytes);
  }
}

void MemoryPlanner::MeasureTemporaries() {
  plan_.temporaries.assign(plan_.graph.nodes.size(), {});
  for (size_t n = 0; n < plan_.graph.nodes.size(); ++n) {
    if (!plan_.packed_ahead[n]) {
      plan_.temporaries[n].packed_bytes = static_cast<uint64_t>(plan_.operators[n].PackedFloats()) * kFloat;
    }
  }
  const bool all = classes_[0].size() * classes_[1].size() * classes_[2].size() <= kMaxCombinations;
  if (all) {
    for (int64_t d : classes_[0]) {
      for (int64_t h : classes_[1]) {
        for (int64_t w : classes_[2]) MeasureScratch({d, h, w});
      }
    }
    return;
  }
  for (size_t s = 0; s < 3; ++s) {
    for (int64_t t : classes_[s]) {
      TileIndex tile{plan_.grid.count[0] / 2, plan_.grid.count[1] / 2, plan_.grid.count[2] / 2};
      tile[s] = t;
      MeasureScratch(tile);
    }
  }
}

void MemoryPlanner::MeasureEveryTile() {
  const TileIndex& count = plan_.grid.count;
  for (int64_t t = 0; t < plan_.grid.tiles(); ++t) {
    MeasureScratch({t / (count[1] * count[2]), t / count[2] % count[1], t % count[2]});
  }
  PlaceAll();
}

void MemoryPlanner::MeasureScratch(const TileIndex& tile) {
  LayOutTile(plan_, tile, &state_);
  for (size_t s = 0; s < plan_.segments.size(); ++s) {
    const Segment& segment = plan_.segments[s];
    const auto measure = [&] {
      for (int n = segment.first; n < segment.end; ++n) MeasureScratch(static_cast<size_t>(n));
    };
    if (!segment.banded()) {
      measure();
      continue;
    }
    BeginBands(plan_, s, &state_);
    while (NextBand(plan_, s, &state_)) measure();
    EndBands(plan_, s, &state_);
  }
}

void MemoryPlanner::MeasureScratch(size_t n) {
  const ResolvedNode& node = plan_.graph.nodes[n];
  // A runtime pad value would be read through the operand; padding has no scratch.
  if (node.kind == OpKind::kPad || plan_.constant[static_cast<size_t>(node.node->output)]) return;
  if (IsEmpty(state_.regions[static_cast<size_t>(node.node->output)], node.out.size())) return;
  in_.clear();
  for (size_t i = 0; i < node.in.size(); ++i) {
    const int value = node.Has(i) ? node.node->inputs[i] : kNoValue;
    if (value == kNoValue) {
      in_.emplace_back();
    } else if (plan_.slots[static_cast<size_t>(value)].group < 0) {
      const Dims& dims = plan_.graph.dims[static_cast<size_t>(value)];
      in_.push_back(NarrowToNeed(plan_, state_, n, i, exec::TightOperand(NoMemory(), dims, WholeRegion(dims))));
    } else {
      in_.push_back(NarrowToNeed(plan_, state_, n, i, OperandOf(plan_, state_, value, NoMemory())));
    }
  }
  const exec::Operand out = OperandOf(plan_, state_, node.node->output, NoMemory() + (int64_t{1} << 36));
  const exec::Operator& op = plan_.operators[n];
  exec::Call call;
  for (int64_t c = 0; c < op.CallCount(in_, out); ++c) {
    op.Bind(c, in_, out, NoMemory(), &call);
    uint64_t& bytes = plan_.temporaries[n].scratch_bytes;
    bytes = std::max(bytes, Align(static_cast<uint64_t>(call.ScratchFloats()) * kFloat));
  }
}

void MemoryPlanner::PlaceAll() {
  std::vector<ArenaBlock> blocks;
  for (const Buffer& buffer : plan_.buffers) {
    const bool used = buffer.home == Home::kArena && buffer.first <= buffer.last;
    blocks.push_back({used ? buffer.bytes : 0, buffer.first, buffer.last, 0});
  }
  const uint64_t threads = static_cast<uint64_t>(threads_);
  for (size_t n = 0; n < plan_.temporaries.size(); ++n) {
    const int step = static_cast<int>(n);
    blocks.push_back({plan_.temporaries[n].scratch_bytes * threads, step, step, 0});
    blocks.push_back({plan_.temporaries[n].packed_bytes, step, step, 0});
  }
  plan_.arena_bytes = PlaceBlocks(blocks);
  size_t next = 0;
  plan_.tile_buffer_bytes = 0;
  for (Buffer& buffer : plan_.buffers) {
    buffer.offset = blocks[next++].offset;
    if (plan_.has_tile_buffers() && buffer.home != Home::kArena) plan_.tile_buffer_bytes += Align(buffer.bytes);
  }
  for (Temporary& temporary : plan_.temporaries) {
    temporary.scratch_offset = blocks[next++].offset;
    temporary.packed_offset = blocks[next++].offset;
  }
}

}  // namespace fovea::plan
