#include "runtime/plan/plan.h"

#include <algorithm>
#include <numeric>

#include "runtime/plan/bands.h"
#include "runtime/plan/fuse_upsampling.h"
#include "runtime/plan/memory.h"
#include "runtime/plan/receptive_field.h"

namespace fovea::plan {
namespace {

constexpr uint64_t kFloat = sizeof(float);
constexpr uint64_t Align(uint64_t bytes) { return (bytes + 63) / 64 * 64; }
int64_t RoundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

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

// Enlarges tiles that fit, which halving leaves up to half as long as they could be: every tile computes its halo, so
// fewer are faster. Then evens them out, so that the last is not a sliver.
void Grow(const std::array<int64_t, 3>& lattice, uint64_t budget, MemoryPlanner* planner, Plan* plan) {
  const auto fits = [&](const std::array<int64_t, 3>& tile) {
    SetTile(tile, &plan->grid);
    planner->LayOut();
    return plan->total_bytes() <= budget;
  };
  std::array<int64_t, 3> best = plan->grid.tile;
  std::array<size_t, 3> order{2, 1, 0};
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return best[a] < best[b]; });
  for (size_t s : order) {
    if (best[s] >= plan->grid.size[s]) continue;
    // In steps of the lattice: `good` fits, `bad` is not known to.
    int64_t good = CeilDiv(best[s], lattice[s]);
    int64_t bad = std::min(2 * good, CeilDiv(plan->grid.size[s], lattice[s])) + 1;
    while (bad - good > std::max<int64_t>(1, good / 16)) {
      const int64_t middle = (good + bad) / 2;
      std::array<int64_t, 3> tile = best;
      tile[s] = middle * lattice[s];
      (fits(tile) ? good : bad) = middle;
    }
    best[s] = std::min(good * lattice[s], plan->grid.size[s]);
  }
  std::array<int64_t, 3> even = best;
  for (size_t s = 0; s < 3; ++s) {
    const int64_t count = CeilDiv(plan->grid.size[s], best[s]);
    even[s] = std::min(best[s], RoundUp(CeilDiv(plan->grid.size[s], count), lattice[s]));
  }
  if (!fits(even)) fits(best);
}

std::string Bytes(uint64_t bytes) {
  return std::to_string(bytes) + " bytes (" + std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB)";
}

Status TooLittle(uint64_t least, uint64_t budget, bool asked, const std::string& barrier) {
  std::string message =
      "the model needs at least " + Bytes(least) + ", the budget is " + std::to_string(budget) + " bytes";
  if (asked) message += "; with the tiles asked for";
  if (!asked && !barrier.empty()) message += "; smaller tiles are not possible: " + barrier;
  return OverBudget(message, least);
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

// Values of this size go out to memory and back between one node and the next; those of a band stay in the last cache.
// Measured on Zen 5 (1 MiB L2, 32 MiB L3), times without bands = 1: U-Net 32 at 512 x 512 0.93, StarDist 0.90, CARE
// 0.97; within 2 % of that for 8 to 32 MiB and 4 to 16 MiB of working set.
BandPolicy Policy(const PlanOptions& options) {
  BandPolicy policy;
  policy.rows = std::max<int64_t>(0, options.band_rows);
  policy.large_bytes = options.band_rows < 0 ? UINT64_MAX : uint64_t{16} << 20;
  policy.weight_bytes = options.band_rows > 0 ? UINT64_MAX : uint64_t{4} << 20;
  policy.working_bytes = uint64_t{8} << 20;
  return policy;
}

}  // namespace

Result<Plan> MakePlan(ResolvedGraph graph, const PlanOptions& options) {
  Plan plan;
  FuseUpsampling(options.cap, options.exact_order, &graph);
  plan.graph = std::move(graph);
  plan.fixed_bytes = options.fixed_bytes;
  plan.streaming = options.streaming;
  PrepareOperators(options, &plan);
  plan.segments = ChooseSegments(plan, Policy(options));
  std::array<int64_t, 3> lattice;
  FindGrid(plan, &plan.grid, &lattice);
  MemoryPlanner planner(&plan, options.threads);
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
  std::array<int64_t, 3> least_tile = plan.grid.tile;
  for (bool grow = !asked;; grow = false) {
    while (options.memory_bytes > 0 && plan.total_bytes() > options.memory_bytes) {
      if (asked || !barrier.empty() || !Halve(plan.grid, lattice, &tile)) {
        SetTile(least_tile, &plan.grid);
        planner.LayOut();
        planner.MeasureEveryTile();
        return TooLittle(plan.total_bytes(), options.memory_bytes, asked, barrier);
      }
      SetTile(tile, &plan.grid);
      planner.LayOut();
      if (plan.total_bytes() < least) {
        least = plan.total_bytes();
        least_tile = plan.grid.tile;
      }
    }
    if (!plan.tiled) break;
    if (grow) Grow(lattice, options.memory_bytes, &planner, &plan);
    planner.MeasureEveryTile();
    if (options.memory_bytes == 0 || plan.total_bytes() <= options.memory_bytes) break;
  }
  return plan;
}

}  // namespace fovea::plan
