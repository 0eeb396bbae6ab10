#include "runtime/plan/memory.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "runtime/plan/arena.h"
#include "runtime/plan/bands.h"
#include "runtime/plan/fingerprint.h"

namespace fovea::plan {
namespace {

constexpr uint64_t kFloat = sizeof(float);
constexpr uint64_t Align(uint64_t bytes) { return (bytes + 63) / 64 * 64; }
// Tiles whose scratch is looked at one by one; above it the classes of each axis are.
constexpr size_t kMaxCombinations = 256;

// Windows and scratch grow in the first bands of a tile, if at all: so many are looked at when plans are compared.
constexpr int64_t kLeastBands = 64, kScratchBands = 24;
// Of all tiles: up to so many are looked at one by one.
constexpr int64_t kMostBands = 4096;

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
  SizeWindows();
  scratch_.assign(plan_.graph.nodes.size(), {0, 0});
  sampled_.assign(plan_.graph.nodes.size(), {});
  SampleScratch();
  Place();
}

void MemoryPlanner::Place() {
  MeasureBuffers();
  SizeTemporaries();
  PlaceAll();
}

bool MemoryPlanner::MeasureTiles(Forbidden* forbidden) {
  largest_.assign(plan_.groups.size(), {});
  for (auto* rows : {&tight_, &kept_, &advance_, &reach_}) rows->assign(plan_.groups.size(), 0);
  moved_.assign(plan_.groups.size(), 0);
  plan_.bands = 1;
  for (auto& classes : classes_) classes.clear();
  for (size_t s = 0; s < 3; ++s) {
    std::set<std::vector<int64_t>> seen;
    for (int64_t t = 0; t < plan_.grid.count[s]; ++t) {
      TileIndex tile{0, 0, 0};
      tile[s] = t;
      LayOutTile(plan_, tile, &state_);
      if (!CheckSharing(tile, forbidden)) return false;
      CountMade(s, t);
      std::vector<int64_t> extents;
      for (size_t v = 0; v < state_.regions.size(); ++v) {
        const size_t rank = Rank(static_cast<int>(v));
        if (IsEmpty(state_.regions[v], rank)) continue;
        for (size_t a = 0; a < rank; ++a) extents.push_back(state_.regions[v].axis[a].size());
      }
      for (size_t n = 0; n < plan_.graph.nodes.size(); ++n) AddNeeds(n, &extents);
      for (size_t g = 0; g < plan_.groups.size(); ++g) {
        const size_t rank = Rank(plan_.groups[g].root);
        if (IsEmpty(state_.memory[g], rank)) continue;
        for (size_t a = 0; a < rank; ++a) {
          extents.push_back(state_.memory[g].axis[a].size());
          largest_[g][a] = std::max(largest_[g][a], state_.memory[g].axis[a].size());
        }
      }
      if (!seen.insert(std::move(extents)).second) continue;
      classes_[s].push_back(t);
      if (s == 0 || t > 0) MeasureWindows(s == 0 && t == 0);
    }
  }
  return IsSeparable() || MeasureAllTiles(forbidden);
}

// What has no positions along one axis of a tile is not read along the others, either: where that happens, tiles along
// the axes do not show all extents.
bool MemoryPlanner::IsSeparable() const {
  if (!plan_.tiled) return true;
  for (const ResolvedNode& node : plan_.graph.nodes) {
    if (node.kind != OpKind::kConcat) continue;
    if (std::get<ConcatParams>(node.node->params).axis + 1 != static_cast<int64_t>(node.out.size())) return false;
  }
  for (size_t s = 0; s < 3; ++s) {
    for (int64_t t = 0; t < plan_.grid.count[s]; ++t) {
      TileIndex tile{0, 0, 0};
      tile[s] = t;
      for (size_t o = 0; o < plan_.graph.graph->outputs.size(); ++o) {
        if (IsEmpty(OutputTile(plan_, o, tile), Rank(plan_.graph.graph->outputs[o].value))) return false;
      }
    }
  }
  return true;
}

bool MemoryPlanner::MeasureAllTiles(Forbidden* forbidden) {
  const TileIndex& count = plan_.grid.count;
  for (int64_t t = 0; t < plan_.grid.tiles(); ++t) {
    const TileIndex tile{t / (count[1] * count[2]), t / count[2] % count[1], t % count[2]};
    LayOutTile(plan_, tile, &state_);
    if (!CheckSharing(tile, forbidden)) return false;
    for (size_t g = 0; g < plan_.groups.size(); ++g) {
      const size_t rank = Rank(plan_.groups[g].root);
      if (IsEmpty(state_.memory[g], rank)) continue;
      for (size_t a = 0; a < rank; ++a) largest_[g][a] = std::max(largest_[g][a], state_.memory[g].axis[a].size());
    }
  }
  for (size_t s = 0; s < 3; ++s) {
    classes_[s].resize(static_cast<size_t>(count[s]));
    std::iota(classes_[s].begin(), classes_[s].end(), int64_t{0});
  }
  return true;
}

// Extents of what node n reads.
void MemoryPlanner::AddNeeds(size_t n, std::vector<int64_t>* extents) const {
  const ResolvedNode& node = plan_.graph.nodes[n];
  const Region& out = state_.regions[static_cast<size_t>(node.node->output)];
  if (IsEmpty(out, node.out.size())) return;
  for (const std::vector<AxisLink>& axes : plan_.links[n].inputs) {
    for (const AxisLink& link : axes) {
      if (link.kind == LinkKind::kUnused || link.out_axis < 0) continue;
      extents->push_back(Needed(plan_.links[n], link, out.axis[static_cast<size_t>(link.out_axis)]).size());
    }
  }
}

// Regions are separable: what all tiles make of a value is a product over the axes of the grid.
void MemoryPlanner::CountMade(size_t axis, int64_t tile) {
  std::vector<double>& made = plan_.work.made;
  if (axis == 0 && tile == 0) {
    made.assign(state_.regions.size(), 1);
    first_.resize(state_.regions.size());
    for (size_t v = 0; v < first_.size(); ++v) {
      const size_t rank = Rank(static_cast<int>(v));
      first_[v] = IsEmpty(state_.regions[v], rank) ? 0 : static_cast<double>(RegionElements(state_.regions[v], rank));
    }
    along_.assign(first_.size(), 0);
  }
  for (size_t v = 0; v < first_.size(); ++v) {
    const size_t rank = Rank(static_cast<int>(v));
    if (first_[v] == 0 || IsEmpty(state_.regions[v], rank)) continue;
    along_[v] += static_cast<double>(RegionElements(state_.regions[v], rank)) / first_[v];
  }
  if (tile + 1 < plan_.grid.count[axis]) return;
  for (size_t v = 0; v < first_.size(); ++v) made[v] *= along_[v] * (axis == 2 ? first_[v] : 1);
  along_.assign(first_.size(), 0);
}

void MemoryPlanner::MeasureWindows(bool counts) {
  if (counts) {
    plan_.work.runs.assign(plan_.graph.nodes.size(), 0);
  }
  const auto tiles = static_cast<double>(plan_.grid.tiles());
  // A window of no rows slides before every band: it begins at the first row that is kept.
  for (Group& group : plan_.groups) group.window_rows = group.ring_rows = 0;
  for (size_t s = 0; s < plan_.segments.size(); ++s) {
    const Segment& segment = plan_.segments[s];
    if (!segment.banded()) {
      for (int n = segment.first; counts && n < segment.end; ++n) plan_.work.runs[static_cast<size_t>(n)] = tiles;
      continue;
    }
    BeginBands(plan_, s, &state_);
    const int64_t total = CeilDiv(state_.band_total, segment.rows);
    std::vector<double> runs(plan_.graph.nodes.size(), 0), moved(plan_.groups.size(), 0);
    int64_t band = 0, grown = 0;
    while (NextBand(plan_, s, &state_)) {
      ++band;
      for (size_t g = 0; g < plan_.groups.size(); ++g) {
        if (plan_.groups[g].rolling != static_cast<int>(s)) continue;
        const int64_t size = state_.memory[g].axis[1].size();
        if (size > tight_[g]) grown = band;
        tight_[g] = std::max(tight_[g], size);
        advance_[g] = std::max(advance_[g], Advance(g));
      }
      MeasureReach(s);
      for (size_t i = 0; i < state_.slide_count; ++i) {
        const size_t g = static_cast<size_t>(state_.slides[i].group);
        kept_[g] = std::max(kept_[g], state_.slides[i].count);
        moved[g] += static_cast<double>(state_.slides[i].count) * RowBytes(g);
      }
      for (int n = segment.first; n < segment.end; ++n) {
        const size_t v = static_cast<size_t>(plan_.graph.nodes[static_cast<size_t>(n)].node->output);
        if (state_.regions[v].axis[1].size() > 0) runs[static_cast<size_t>(n)] += 1;
      }
      if (band >= kLeastBands && band >= 2 * grown && band < total) break;
    }
    EndBands(plan_, s, &state_);
    plan_.bands = std::max({plan_.bands, band, total});
    const double share =
        tiles * static_cast<double>(std::max(band, total)) / static_cast<double>(std::max<int64_t>(1, band));
    if (!counts) continue;
    for (size_t g = 0; g < moved.size(); ++g) moved_[g] += share * moved[g];
    for (int n = segment.first; n < segment.end; ++n) {
      plan_.work.runs[static_cast<size_t>(n)] = share * runs[static_cast<size_t>(n)];
    }
  }
}

int64_t MemoryPlanner::Advance(size_t g) const {
  const Segment& segment = plan_.segments[static_cast<size_t>(plan_.groups[g].rolling)];
  const int64_t rows = state_.tile_rows[static_cast<size_t>(plan_.groups[g].root)].size();
  return std::max<int64_t>(1, rows * segment.rows / std::max<int64_t>(1, state_.band_total));
}

double MemoryPlanner::RowBytes(size_t g) const {
  auto bytes = static_cast<double>(kFloat);
  for (size_t a = 2; a < Rank(plan_.groups[g].root); ++a) bytes *= static_cast<double>(state_.memory[g].axis[a].size());
  return bytes;
}

void MemoryPlanner::MeasureReach(size_t segment) {
  const auto note = [&](int value, int64_t rows) {
    const int g = plan_.slots[static_cast<size_t>(value)].group;
    if (g >= 0) reach_[static_cast<size_t>(g)] = std::max(reach_[static_cast<size_t>(g)], rows);
  };
  for (int n = plan_.segments[segment].first; n < plan_.segments[segment].end; ++n) {
    const ResolvedNode& node = plan_.graph.nodes[static_cast<size_t>(n)];
    const NodeLinks& links = plan_.links[static_cast<size_t>(n)];
    const Region& out = state_.regions[static_cast<size_t>(node.node->output)];
    if (IsEmpty(out, node.out.size())) continue;
    note(node.node->output, out.axis[1].size());
    for (size_t i = 0; i < node.in.size(); ++i) {
      if (!node.Has(i) || links.inputs[i].size() < 2) continue;
      const AxisLink& link = links.inputs[i][1];
      if (link.kind == LinkKind::kUnused || link.out_axis < 0) continue;
      note(node.node->inputs[i], Needed(links, link, out.axis[static_cast<size_t>(link.out_axis)]).size());
    }
  }
}

void MemoryPlanner::SizeWindows() {
  plan_.work.moved_bytes = 0;
  for (size_t g = 0; g < plan_.groups.size(); ++g) {
    Group& group = plan_.groups[g];
    if (group.rolling < 0) continue;
    group.window_rows = std::min(largest_[g][1], tight_[g]);
    group.ring_rows = 0;
    // Where most rows wait, and few of them are looked at at once, a ring repeats less than would be moved.
    const int64_t again = reach_[g] - 1;
    const bool waits = 2 * kept_[g] >= tight_[g] && 2 * again <= tight_[g] && tight_[g] + again < largest_[g][1];
    const bool alone =
        group.members.size() == 1 && plan_.buffers[static_cast<size_t>(group.buffer)].home == Home::kArena;
    double moved = moved_[g];
    if (waits && alone) {
      group.ring_rows = tight_[g];
      group.window_rows += again;
      moved *= static_cast<double>(advance_[g] * again) / static_cast<double>(kept_[g] * tight_[g]);
    }
    plan_.work.moved_bytes += moved;
  }
}

bool MemoryPlanner::FitsWindows(size_t segment) {
  bool fits = true;
  MeasureReach(segment);
  for (size_t g = 0; g < plan_.groups.size(); ++g) {
    if (plan_.groups[g].rolling != static_cast<int>(segment)) continue;
    const int64_t size = state_.memory[g].axis[1].size();
    Group& group = plan_.groups[g];
    const int64_t ring = group.ring_rows == 0 ? 0 : std::max(group.ring_rows, size);
    const int64_t rows = std::max(group.window_rows, ring == 0 ? size : ring + reach_[g] - 1);
    fits &= rows == group.window_rows && ring == group.ring_rows;
    group.window_rows = rows;
    group.ring_rows = ring;
  }
  return fits;
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
  for (Buffer& buffer : plan_.buffers) buffer.bytes = 0;
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

void MemoryPlanner::SizeTemporaries() {
  plan_.temporaries.assign(plan_.graph.nodes.size(), {});
  for (size_t n = 0; n < plan_.graph.nodes.size(); ++n) {
    const auto floats = static_cast<uint64_t>(plan_.operators[n].SliceFloats());
    plan_.temporaries[n].packed_bytes = plan_.packed_ahead[n] ? 0 : floats * kFloat;
    plan_.temporaries[n].scratch_bytes = scratch_[n][plan_.packed_ahead[n]];
  }
}

void MemoryPlanner::SampleScratch() {
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
  // Windows follow the rows of every tile. Scratch follows the extents of operands; where there are too many tiles to
  // look at all, one of each class will do.
  const size_t rows = plan_.grid.size[0] > 1 ? 0 : 1, other = 1 - rows;
  const auto tiles_along = [&](size_t s) {
    if (plan_.grid.tiles() * plan_.bands > kMostBands) return classes_[s];
    std::vector<int64_t> all(static_cast<size_t>(count[s]));
    std::iota(all.begin(), all.end(), int64_t{0});
    return all;
  };
  const std::vector<int64_t> others = tiles_along(other), columns = tiles_along(2);
  every_band_ = windows_fit_ = true;
  for (int64_t r = 0; r < count[rows]; ++r) {
    for (int64_t o : others) {
      for (int64_t w : columns) {
        TileIndex tile{0, 0, w};
        tile[rows] = r;
        tile[other] = o;
        MeasureScratch(tile);
      }
    }
  }
  every_band_ = false;
  if (!windows_fit_) MeasureBuffers();
  SizeTemporaries();
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
    for (int64_t band = 1; NextBand(plan_, s, &state_); ++band) {
      windows_fit_ &= FitsWindows(s);
      measure();
      if (!every_band_ && band >= kScratchBands) break;
    }
    EndBands(plan_, s, &state_);
  }
}

// Most bands are like others: what decides scratch is how much is read and made, and how that lies to a kernel's tiles.
bool MemoryPlanner::WasSampled(size_t n, const exec::Operand& out) {
  constexpr int64_t kTiles = 16;
  Fingerprint sample;
  for (size_t a = 0; a < out.rank; ++a) {
    sample.Add(out.region.axis[a].size());
    sample.Add(out.region.axis[a].begin % kTiles);
  }
  for (const exec::Operand& in : in_) {
    for (size_t a = 0; a < in.rank; ++a) sample.Add(in.region.axis[a].size());
  }
  if (std::find(sampled_[n].begin(), sampled_[n].end(), sample.value()) != sampled_[n].end()) return true;
  sampled_[n].push_back(sample.value());
  return false;
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
  if (!every_band_ && WasSampled(n, out)) return;
  const exec::Operator& op = plan_.operators[n];
  exec::Call call;
  const auto measure = [&](bool ahead) {
    uint64_t& bytes = scratch_[n][ahead];
    bytes = std::max(bytes, Align(static_cast<uint64_t>(call.ScratchFloats()) * kFloat));
  };
  for (const bool ahead : {false, true}) {
    const bool sliced = op.slices() > 1 && !ahead;
    const int64_t calls = sliced ? op.slices() : op.CallCount(in_, out);
    for (int64_t c = 0; c < calls; ++c) {
      const float* const packed = op.packs_when_run() && !ahead ? nullptr : NoMemory();
      sliced ? op.BindSlice(c, in_, out, packed, &call) : op.Bind(c, in_, out, packed, &call);
      measure(ahead);
    }
    // Other operators pack nothing.
    if (op.PackedFloats() == 0) {
      scratch_[n][1] = scratch_[n][0];
      break;
    }
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
