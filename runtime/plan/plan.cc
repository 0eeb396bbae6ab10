#include "runtime/plan/plan.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "runtime/plan/arena.h"
#include "runtime/plan/receptive_field.h"
#include "runtime/plan/sharing.h"

namespace fovea::plan {
namespace {

constexpr uint64_t kFloat = sizeof(float);
constexpr uint64_t Align(uint64_t bytes) { return (bytes + 63) / 64 * 64; }
// Tiles whose scratch is looked at one by one; above it the classes of each axis are.
constexpr size_t kMaxCombinations = 256;

using TileIndex = std::array<int64_t, 3>;

// An address that is never used, for binding calls whose only purpose is to ask for their scratch.
float* NoMemory() { return reinterpret_cast<float*>(uintptr_t{1} << 40); }

int64_t RoundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

class Planner {
 public:
  Planner(Plan* plan, const PlanOptions& options) : plan_(*plan), options_(options) {}

  // Lays out memory for the grid in the plan.
  void LayOut() {
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

 private:
  size_t Rank(int value) const { return plan_.graph.dims[static_cast<size_t>(value)].size(); }

  // Regions are separable, so walking each axis of the grid on its own meets every extent that any tile has. Returns
  // false, and forbids, where some tile's memory is not what a sharing needs.
  bool MeasureTiles(Forbidden* forbidden) {
    largest_.assign(plan_.groups.size(), {});
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
        if (seen.insert(std::move(extents)).second) classes_[s].push_back(t);
      }
    }
    return true;
  }

  bool CheckSharing(const TileIndex& tile, Forbidden* forbidden) {
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
      if (!plan_.direct[o] || !plan_.tiled) continue;
      const Region& memory = state_.memory[static_cast<size_t>(plan_.slots[static_cast<size_t>(value)].group)];
      Region wanted = OutputTile(plan_, o, tile);
      for (size_t a = Rank(value); a < wanted.axis.size(); ++a) wanted.axis[a] = memory.axis[a];
      if (memory == wanted) continue;
      forbidden->direct[o] = 1;
      good = false;
    }
    return good;
  }

  // The value's region is tight: all of its group's memory.
  bool FillsMemory(int value) const {
    const size_t v = static_cast<size_t>(value);
    const Region& memory = state_.memory[static_cast<size_t>(plan_.slots[v].group)];
    for (size_t a = 0; a < Rank(value); ++a) {
      if (!(memory.axis[a] == state_.regions[v].axis[a])) return false;
    }
    return plan_.slots[v].channel == 0;
  }

  void MeasureBuffers() {
    for (size_t g = 0; g < plan_.groups.size(); ++g) {
      const Group& group = plan_.groups[g];
      uint64_t bytes = kFloat;
      for (size_t a = 0; a < Rank(group.root); ++a) bytes *= static_cast<uint64_t>(largest_[g][a]);
      Buffer& buffer = plan_.buffers[static_cast<size_t>(group.buffer)];
      buffer.bytes = std::max(buffer.bytes, bytes);
    }
    // Outputs that are copied to still need a tile's worth of memory.
    if (!plan_.tiled) return;
    for (size_t o = 0; o < plan_.direct.size(); ++o) {
      Buffer& buffer = plan_.buffers[static_cast<size_t>(plan_.port_buffers[1][o])];
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

  void MeasureTemporaries() {
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

  void MeasureScratch(const TileIndex& tile) {
    LayOutTile(plan_, tile, &state_);
    std::vector<exec::Operand> in;
    exec::Call call;
    for (size_t n = 0; n < plan_.graph.nodes.size(); ++n) {
      const ResolvedNode& node = plan_.graph.nodes[n];
      // A runtime pad value would be read through the operand; padding has no scratch.
      if (node.kind == OpKind::kPad || plan_.constant[static_cast<size_t>(node.node->output)]) continue;
      if (IsEmpty(state_.regions[static_cast<size_t>(node.node->output)], node.out.size())) continue;
      in.clear();
      for (size_t i = 0; i < node.in.size(); ++i) {
        const int value = node.Has(i) ? node.node->inputs[i] : kNoValue;
        if (value == kNoValue) {
          in.emplace_back();
        } else if (plan_.slots[static_cast<size_t>(value)].group < 0) {
          const Dims& dims = plan_.graph.dims[static_cast<size_t>(value)];
          in.push_back(NarrowToNeed(plan_, state_, n, i, exec::TightOperand(NoMemory(), dims, WholeRegion(dims))));
        } else {
          in.push_back(NarrowToNeed(plan_, state_, n, i, OperandOf(plan_, state_, value, NoMemory())));
        }
      }
      const exec::Operand out = OperandOf(plan_, state_, node.node->output, NoMemory() + (int64_t{1} << 36));
      const exec::Operator& op = plan_.operators[n];
      for (int64_t c = 0; c < op.CallCount(in, out); ++c) {
        op.Bind(c, in, out, NoMemory(), &call);
        uint64_t& bytes = plan_.temporaries[n].scratch_bytes;
        bytes = std::max(bytes, Align(static_cast<uint64_t>(call.ScratchFloats()) * kFloat));
      }
    }
  }

  void PlaceAll() {
    std::vector<ArenaBlock> blocks;
    for (const Buffer& buffer : plan_.buffers) {
      const bool used = buffer.home == Home::kArena && buffer.first <= buffer.last;
      blocks.push_back({used ? buffer.bytes : 0, buffer.first, buffer.last, 0});
    }
    const uint64_t threads = static_cast<uint64_t>(options_.threads);
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
      if (plan_.tiled && buffer.home != Home::kArena) plan_.tile_buffer_bytes += Align(buffer.bytes);
    }
    for (Temporary& temporary : plan_.temporaries) {
      temporary.scratch_offset = blocks[next++].offset;
      temporary.packed_offset = blocks[next++].offset;
    }
  }

  Plan& plan_;
  const PlanOptions& options_;
  std::vector<uint8_t> aliases_;
  TileState state_;
  std::vector<std::array<int64_t, kMaxTensorRank>> largest_;  // of every group, over all tiles
  std::array<std::vector<int64_t>, 3> classes_;               // of each grid axis: tiles whose extents differ
};

// Sizes of the first output along D, H, W, and the lattice of its tiles.
void FindGrid(const Plan& plan, TileGrid* grid, std::array<int64_t, 3>* lattice) {
  *lattice = {1, 1, 1};
  if (plan.graph.graph->outputs.empty()) return;
  const Port& port = plan.graph.graph->outputs[0];
  const Dims& dims = plan.graph.dims[static_cast<size_t>(port.value)];
  const std::vector<int64_t> steps = StrideLattice(plan.graph, plan.links, port.value);
  for (size_t a = 0; a < std::min(dims.size(), port.axes.size()); ++a) {
    const size_t s = std::string("zyx").find(port.axes[a]);
    if (s == std::string::npos) continue;
    grid->size[s] = dims[a];
    (*lattice)[s] = steps[a];
  }
  grid->tile = grid->size;
}

void SetTile(const std::array<int64_t, 3>& tile, TileGrid* grid) {
  for (size_t s = 0; s < 3; ++s) {
    grid->tile[s] = std::max<int64_t>(1, std::min(tile[s], grid->size[s]));
    grid->count[s] = CeilDiv(std::max<int64_t>(1, grid->size[s]), grid->tile[s]);
  }
}

// The largest axis halved, on the lattice; false when no axis can be.
bool Halve(const TileGrid& grid, const std::array<int64_t, 3>& lattice, std::array<int64_t, 3>* tile) {
  int best = -1;
  for (size_t s = 0; s < 3; ++s) {
    const int64_t half = RoundUp(CeilDiv(grid.tile[s], 2), lattice[s]);
    if (half >= grid.tile[s]) continue;
    if (best < 0 || grid.tile[s] > grid.tile[static_cast<size_t>(best)]) best = static_cast<int>(s);
  }
  if (best < 0) return false;
  const size_t s = static_cast<size_t>(best);
  *tile = grid.tile;
  (*tile)[s] = RoundUp(CeilDiv(grid.tile[s], 2), lattice[s]);
  return true;
}

std::string Bytes(uint64_t bytes) {
  return std::to_string(bytes) + " bytes (" + std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB)";
}

// Kernels whose tiles are larger than one output get regions on their lattice.
void AlignToKernel(const exec::Operator& op, size_t rank, NodeLinks* links) {
  const std::array<int64_t, 3> lattice = op.lattice();
  for (int s = 0; s < 3; ++s) {
    const int axis = SpatialAxis(s, static_cast<int>(rank));
    if (axis < 1 || lattice[static_cast<size_t>(s)] == 1) continue;
    links->align.resize(std::max(links->align.size(), rank), 1);
    int64_t& align = links->align[static_cast<size_t>(axis)];
    if (align != 0) align = std::lcm(align, lattice[static_cast<size_t>(s)]);
  }
}

void PrepareOperators(const PlanOptions& options, Plan* plan) {
  const Graph& graph = *plan->graph.graph;
  plan->links = LinkNodes(plan->graph);
  plan->constant.assign(graph.values.size(), 0);
  for (size_t v = 0; v < graph.values.size(); ++v) plan->constant[v] = graph.values[v].is_const ? 1 : 0;
  plan->operators.reserve(plan->graph.nodes.size());
  for (const ResolvedNode& node : plan->graph.nodes) {
    const size_t n = plan->operators.size();
    const exec::Operator& op = plan->operators.emplace_back(node, options.cap, options.exact_order);
    AlignToKernel(op, plan->graph.dims[static_cast<size_t>(node.node->output)].size(), &plan->links[n]);
    if (node.kind == OpKind::kDims) plan->constant[static_cast<size_t>(node.node->output)] = 1;
    const auto known = [&](size_t i) {
      return !node.Has(i) || plan->constant[static_cast<size_t>(node.node->inputs[i])] != 0;
    };
    const bool ahead = op.PackedFloats() > 0 && known(1) && known(2);
    plan->packed_ahead.push_back(ahead ? 1 : 0);
    if (ahead) plan->packed_weight_bytes += Align(static_cast<uint64_t>(op.PackedFloats()) * kFloat);
    plan->multiply_adds += MultiplyAdds(node);
  }
}

}  // namespace

Result<Plan> MakePlan(ResolvedGraph graph, const PlanOptions& options) {
  Plan plan;
  plan.graph = std::move(graph);
  plan.fixed_bytes = options.fixed_bytes;
  PrepareOperators(options, &plan);
  std::array<int64_t, 3> lattice;
  FindGrid(plan, &plan.grid, &lattice);
  Planner planner(&plan, options);
  const bool asked = options.tile[0] > 0 || options.tile[1] > 0 || options.tile[2] > 0;
  std::array<int64_t, 3> tile = plan.grid.size;
  for (size_t s = 0; s < 3; ++s) {
    if (options.tile[s] > 0) tile[s] = RoundUp(options.tile[s], lattice[s]);
  }
  SetTile(tile, &plan.grid);
  const std::string barrier = FindTileBarrier(plan.graph, plan.links);
  if (plan.grid.tiles() > 1 && !barrier.empty()) {
    return Unsupported("the model can't be run in tiles: " + barrier);
  }
  planner.LayOut();
  uint64_t least = plan.total_bytes();
  while (options.memory_bytes > 0 && plan.total_bytes() > options.memory_bytes) {
    if (asked || !barrier.empty() || !Halve(plan.grid, lattice, &tile)) {
      std::string message = "the model needs at least " + Bytes(least) + ", the budget is " +
                            std::to_string(options.memory_bytes) + " bytes";
      if (asked) message += "; with the tiles asked for";
      if (!asked && !barrier.empty()) message += "; smaller tiles are not possible: " + barrier;
      return OverBudget(message);
    }
    SetTile(tile, &plan.grid);
    planner.LayOut();
    least = std::min(least, plan.total_bytes());
  }
  return plan;
}

std::string Plan::ToString() const {
  std::string text = tiled ? "tiles of " : "whole image ";
  for (size_t s = 0; s < 3; ++s) {
    if (s > 0) text += 'x';
    text += std::to_string(grid.tile[s]);
  }
  text += ", " + std::to_string(grid.tiles()) + " in all; arena " + std::to_string(arena_bytes) + ", packed weights " +
          std::to_string(packed_weight_bytes) + ", tile buffers " + std::to_string(tile_buffer_bytes) + " bytes\n";
  TileState state = MakeTileState(*this);
  LayOutTile(*this, {grid.count[0] / 2, grid.count[1] / 2, grid.count[2] / 2}, &state);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const ResolvedNode& node = graph.nodes[n];
    const size_t v = static_cast<size_t>(node.node->output);
    text += std::to_string(n) + " " + node.node->name + " " + OpKindName(node.kind) + " " + operators[n].kernel_name();
    for (size_t a = 0; a < node.out.size(); ++a) {
      const Interval& i = state.regions[v].axis[a];
      text += " [" + std::to_string(i.begin) + "," + std::to_string(i.end) + ")";
    }
    if (slots[v].group >= 0) {
      const Buffer& buffer = buffers[static_cast<size_t>(groups[static_cast<size_t>(slots[v].group)].buffer)];
      text += buffer.home == Home::kArena    ? " at " + std::to_string(buffer.offset)
              : buffer.home == Home::kOutput ? " in output " + std::to_string(buffer.port)
                                             : " in input " + std::to_string(buffer.port);
      if (slots[v].channel > 0) text += " channel " + std::to_string(slots[v].channel);
      text += ", " + std::to_string(buffer.bytes) + " bytes";
    }
    text += '\n';
  }
  return text;
}

}  // namespace fovea::plan
