#include "runtime/plan/strategy.h"

#include <algorithm>
#include <numeric>

#include "runtime/plan/bands.h"
#include "runtime/plan/cost.h"
#include "runtime/plan/receptive_field.h"
#include "runtime/plan/row_steps.h"

namespace fovea::plan {
namespace {

constexpr uint64_t kFloat = sizeof(float);
constexpr uint64_t Align(uint64_t bytes) { return (bytes + 63) / 64 * 64; }
int64_t RoundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Pages of the file that packing ahead holds at a time, and at most one convolution's more (exec/packing.cc).
constexpr uint64_t kLoadBytes = 16 << 20;

// Convolutions whose packed weights are larger than ahead_bytes pack them when they are used, slice_floats at a time.
struct LeanLevel {
  uint64_t ahead_bytes;
  int64_t slice_floats;
};
constexpr LeanLevel kLean[] = {{UINT64_MAX, 0}, {8u << 20, 4 << 20}, {2u << 20, 4 << 20}, {256u << 10, 1 << 20}};
static_assert(std::size(kLean) == kLeanLevels);

// Narrower strips than the widest that fit which are tried, too.
constexpr size_t kMoreStrips = 6;
constexpr size_t kMostAlternatives = 4;
// Arenas from which on it pays to look for something better than the first plan that fits: a run takes seconds, the
// search about a tenth of one.
constexpr uint64_t kLargeArena = uint64_t{512} << 20;

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

// Values of this size go out to memory and back between one node and the next; those of a band stay in the last cache.
// Measured on Zen 5 (1 MiB L2, 32 MiB L3), times without bands = 1: U-Net 32 at 512 x 512 0.93, StarDist 0.90, CARE
// 0.97; within 2 % of that for 8 to 32 MiB and 4 to 16 MiB of working set.
BandPolicy Policy(int64_t band_rows) {
  BandPolicy policy;
  policy.rows = std::max<int64_t>(0, band_rows);
  policy.large_bytes = band_rows < 0 ? UINT64_MAX : uint64_t{16} << 20;
  policy.weight_bytes = band_rows > 0 ? UINT64_MAX : uint64_t{4} << 20;
  policy.working_bytes = uint64_t{8} << 20;
  return policy;
}

std::string Bytes(uint64_t bytes) {
  return std::to_string(bytes) + " bytes (" + std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB)";
}

// Rows of a band, planes in 3-D, that are tried.
std::vector<int64_t> BandHeights(const Plan& plan) {
  const bool volume = plan.grid.size[0] > 1;
  // Against memory, which low bands need least of.
  if (plan.recomputed > 0) return volume ? std::vector<int64_t>{2, 1} : std::vector<int64_t>{16, 8};
  return volume ? std::vector<int64_t>{16, 8, 4, 2, 1} : std::vector<int64_t>{128, 64, 32, 16, 8};
}

// Tiles across the bands: 1, 2, 3 .. strips of planes; of volumes alternately more rows and columns of them.
std::vector<std::array<int64_t, 3>> Strips(const TileGrid& grid, const std::array<int64_t, 3>& lattice, bool volume) {
  std::vector<std::array<int64_t, 3>> strips;
  const int64_t least = 32;
  // Tiles end at times, so that a run that was stopped can go on, and empty parts of a slide can be left out.
  constexpr int64_t kMostRows = 8192, kRows = 4096;
  for (int64_t parts = 1; parts <= 4096; parts += std::max<int64_t>(1, parts / 6)) {
    std::array<int64_t, 3> tile = grid.size;
    const auto cut = [&](size_t s, int64_t count) {
      tile[s] = std::min(grid.size[s], RoundUp(CeilDiv(grid.size[s], count), lattice[s]));
    };
    if (volume) {
      cut(1, (parts + 1) / 2);
      cut(2, parts / 2 + 1);
    } else {
      cut(2, parts);
      if (grid.size[1] > kMostRows) cut(1, CeilDiv(grid.size[1], kRows));
    }
    if (!strips.empty() && tile == strips.back()) continue;
    strips.push_back(tile);
    if (tile[2] <= std::max(least, lattice[2]) && (!volume || tile[1] <= std::max(least, lattice[1]))) break;
  }
  return strips;
}

// Twice the rows are for packing half as often; with all weights packed they took 5 to 10 % more time.
bool MayPay(const Strategy& strategy) { return strategy.row_policy != RowPolicy::kDouble || strategy.lean > 0; }

}  // namespace

void SetWeights(const PlanOptions& options, int lean, Plan* plan) {
  const LeanLevel& level = kLean[lean];
  const uint64_t limit = lean == 0 && options.packed_limit > 0 ? options.packed_limit : level.ahead_bytes;
  plan->packed_weight_bytes = plan->mapped_bytes = plan->loading_bytes = 0;
  plan->packed_ahead.assign(plan->operators.size(), 0);
  uint64_t largest = 0;
  for (size_t n = 0; n < plan->operators.size(); ++n) {
    if (!plan->packable[n]) continue;
    exec::Operator& op = plan->operators[n];
    const ResolvedNode& node = plan->graph.nodes[n];
    const uint64_t bytes = Align(static_cast<uint64_t>(op.PackedFloats()) * kFloat);
    const auto readable = [&](size_t i) {
      return !node.Has(i) || (!options.in_place.empty() && options.in_place[static_cast<size_t>(node.node->inputs[i])]);
    };
    const bool ahead = bytes <= limit || !readable(1) || !readable(2);
    plan->packed_ahead[n] = ahead ? 1 : 0;
    op.Slice(ahead ? INT64_MAX : lean == 0 ? static_cast<int64_t>(limit / kFloat) : level.slice_floats);
    const uint64_t weights = static_cast<uint64_t>(Elements(node.in[1])) * kFloat;
    largest = std::max(largest, weights);
    if (ahead) {
      plan->packed_weight_bytes += bytes;
      plan->loading_bytes += weights;
    } else {
      plan->mapped_bytes = std::max(plan->mapped_bytes, weights);
    }
  }
  plan->loading_bytes = std::min(plan->loading_bytes, kLoadBytes + largest);
}

Strategist::Strategist(const PlanOptions& options, Plan* plan)
    : options_(options), plan_(*plan), planner_(plan, options.threads) {
  FindGrid(plan_, &plan_.grid, &lattice_);
  FindRowReads(&plan_);
  for (size_t s = 0; s < 3; ++s) lattice_[s] = std::lcm(lattice_[s], options.lattice[s]);
  barrier_ = FindTileBarrier(plan_.graph, plan_.links);
  std::vector<uint8_t> before;
  for (int lean = 0; lean < kLeanLevels; ++lean) {
    if (options.lean >= 0 && lean != options.lean) continue;
    SetWeights(options, lean, &plan_);
    if (!before.empty() && plan_.packed_ahead == before) continue;
    before = plan_.packed_ahead;
    lean_levels_.push_back(lean);
  }
  ChooseRowSteps(RowPolicy::kLate, &plan_);
  const std::vector<RowSteps> steps = plan_.row_steps;
  ChooseRowSteps(RowPolicy::kDouble, &plan_);
  row_policies_ = {RowPolicy::kLate};
  if (plan_.row_steps != steps) row_policies_.push_back(RowPolicy::kDouble);
}

void Strategist::SetTile(const std::array<int64_t, 3>& tile) {
  TileGrid& grid = plan_.grid;
  for (size_t s = 0; s < 3; ++s) {
    grid.tile[s] = tile[s] == 0 ? grid.size[s] : std::max<int64_t>(1, std::min(tile[s], grid.size[s]));
    grid.count[s] = CeilDiv(std::max<int64_t>(1, grid.size[s]), std::max<int64_t>(1, grid.tile[s]));
  }
}

Strategist::Outcome Strategist::Apply(const Strategy& strategy) {
  const bool same = laid_out_ && strategy.tile == applied_.tile && strategy.band_rows == applied_.band_rows &&
                    strategy.row_policy == applied_.row_policy;
  SetWeights(options_, strategy.lean, &plan_);
  if (same) {
    planner_.Place();
  } else {
    ChooseRowSteps(strategy.row_policy, &plan_);
    plan_.segments = ChooseSegments(plan_, Policy(strategy.band_rows));
    SetTile(strategy.tile);
    planner_.LayOut();
  }
  laid_out_ = true;
  applied_ = strategy;
  Outcome outcome{strategy, plan_.total_bytes(), 0, plan_.Strategy(), {}};
  outcome.seconds = PredictCost(plan_, options_.threads, NominalRates(options_.cap)).seconds;
  outcome.words = plan_.Words();
  if (plan_.packed_ahead != plan_.packable) outcome.kind += " lean";
  return outcome;
}

bool Strategist::Consider(const Strategy& strategy) {
  found_.push_back(Apply(strategy));
  const int at = static_cast<int>(found_.size()) - 1;
  const auto outcome = [&](int i) -> const Outcome& { return found_[static_cast<size_t>(i)]; };
  if (least_ < 0 || outcome(at).bytes < outcome(least_).bytes) least_ = at;
  if (!fits()) return false;
  if (best_ < 0 || outcome(at).seconds < outcome(best_).seconds) best_ = at;
  return true;
}

// All weights for one grid and one height of bands. True when all fit.
bool Strategist::ConsiderWeights(Strategy strategy) {
  bool all = true;
  for (int lean : lean_levels_) {
    strategy.lean = lean;
    if (MayPay(strategy)) all &= Consider(strategy);
  }
  return all;
}

void Strategist::ConsiderBands(RowPolicy policy) {
  const bool volume = plan_.grid.size[0] > 1;
  std::vector<int64_t> heights = BandHeights(plan_);
  if (options_.band_rows > 0) heights = {options_.band_rows};
  if (is_asked()) {
    Strategy strategy = Asked();
    for (const int64_t rows : heights) {
      strategy.band_rows = rows;
      strategy.row_policy = policy;
      ConsiderWeights(strategy);
    }
    return;
  }
  std::vector<std::array<int64_t, 3>> strips = Strips(plan_.grid, lattice_, volume);
  if (!may_tile()) strips.resize(1);
  for (const int64_t rows : heights) {
    if (rows >= plan_.grid.size[volume ? 0 : 1] && options_.band_rows == 0) continue;
    ConsiderBands({{}, rows, 0, policy}, strips);
  }
}

void Strategist::ConsiderBands() {
  if (options_.band_rows < 0) return;
  for (const RowPolicy policy : row_policies_) ConsiderBands(policy);
}

bool Strategist::ConsiderEager() {
  if (eager_considered_ || options_.band_rows < 0) return false;
  eager_considered_ = true;
  ConsiderBands(RowPolicy::kEager);
  return best_ >= 0;
}

// `start` at all weights, in the widest strips that fit and some narrower ones.
void Strategist::ConsiderBands(const Strategy& start, const std::vector<std::array<int64_t, 3>>& strips) {
  Strategy strategy = start;
  // The leanest weights need least, but for the room that packing takes itself.
  const auto fits = [&](size_t i) {
    strategy.tile = strips[i];
    return std::any_of(lean_levels_.rbegin(), lean_levels_.rend(), [&](int lean) {
      strategy.lean = lean;
      return MayPay(strategy) && Consider(strategy);
    });
  };
  // The widest strips that fit: fewer have less halo. Narrow images may need least when they are not cut.
  size_t bad = 0, good = strips.size() - 1;
  const bool narrowest = fits(good);
  if (good > 0 && fits(0)) {
    good = 0;
  } else if (!narrowest) {
    return;
  }
  while (good - bad > 1) {
    const size_t middle = (good + bad) / 2;
    (fits(middle) ? good : bad) = middle;
  }
  for (size_t i = good; i < strips.size() && i < good + kMoreStrips; ++i) {
    strategy.tile = strips[i];
    if (ConsiderWeights(strategy)) break;
  }
}

// The largest axis halved, on the lattice; false when no axis can be.
bool Strategist::Halve(std::array<int64_t, 3>* tile) const {
  int best = -1;
  for (size_t s = 0; s < 3; ++s) {
    const int64_t half = RoundUp(CeilDiv((*tile)[s], 2), lattice_[s]);
    if (half >= (*tile)[s]) continue;
    if (best < 0 || (*tile)[s] > (*tile)[static_cast<size_t>(best)]) best = static_cast<int>(s);
  }
  if (best < 0) return false;
  const size_t s = static_cast<size_t>(best);
  (*tile)[s] = RoundUp(CeilDiv((*tile)[s], 2), lattice_[s]);
  return true;
}

// Enlarges tiles that fit, which halving leaves up to half as long as they could be: every tile computes its halo, so
// fewer are faster. Then evens them out, so that the last is not a sliver.
void Strategist::Grow(int lean, std::array<int64_t, 3>* tile) {
  const std::array<int64_t, 3>& size = plan_.grid.size;
  std::array<int64_t, 3> best = *tile;
  std::array<size_t, 3> order{2, 1, 0};
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return best[a] < best[b]; });
  for (size_t s : order) {
    if (best[s] >= size[s]) continue;
    // In steps of the lattice: `good` fits, `bad` is not known to.
    int64_t good = CeilDiv(best[s], lattice_[s]);
    int64_t bad = std::min(2 * good, CeilDiv(size[s], lattice_[s])) + 1;
    while (bad - good > std::max<int64_t>(1, good / 16)) {
      const int64_t middle = (good + bad) / 2;
      std::array<int64_t, 3> larger = best;
      larger[s] = middle * lattice_[s];
      (Consider({larger, -1, lean}) ? good : bad) = middle;
    }
    best[s] = std::min(good * lattice_[s], size[s]);
  }
  for (size_t s = 0; s < 3; ++s) {
    (*tile)[s] = std::min(best[s], RoundUp(CeilDiv(size[s], CeilDiv(size[s], best[s])), lattice_[s]));
  }
}

void Strategist::ConsiderTiles() {
  for (int lean : lean_levels_) {
    std::array<int64_t, 3> tile = plan_.grid.size;
    bool good = Consider({tile, -1, lean});
    while (!good && may_tile() && Halve(&tile)) good = Consider({tile, -1, lean});
    if (!good || tile == plan_.grid.size) continue;
    Grow(lean, &tile);
    Consider({tile, -1, lean});
  }
}

Strategy Strategist::Asked() const {
  Strategy strategy;
  for (size_t s = 0; s < 3; ++s) strategy.tile[s] = options_.tile[s] > 0 ? RoundUp(options_.tile[s], lattice_[s]) : 0;
  strategy.band_rows = options_.band_rows;
  return strategy;
}

Status Strategist::ChooseAsAsked() {
  Strategy strategy = Asked();
  SetTile(strategy.tile);
  if (plan_.grid.tiles() > 1 && !may_tile()) return Unsupported("the model can't be run in tiles: " + barrier_);
  for (int lean : lean_levels_) {
    strategy.lean = lean;
    if (Consider(strategy) && options_.memory_bytes == 0) return OkStatus();
  }
  // What a search without these tiles may have found under the same budget.
  ConsiderBands();
  strategy.band_rows = -1;
  if (options_.band_rows == 0) ConsiderWeights(strategy);
  return OkStatus();
}

void Strategist::ListAlternatives(const Outcome& chosen) {
  plan_.alternatives.clear();
  std::vector<const Outcome*> kinds;
  const auto keeps = [&](const Outcome& o) { return options_.memory_bytes == 0 || o.bytes <= options_.memory_bytes; };
  for (const Outcome& outcome : found_) {
    if (outcome.kind == chosen.kind) continue;
    const auto same = [&](const Outcome* other) { return other->kind == outcome.kind; };
    const auto at = std::find_if(kinds.begin(), kinds.end(), same);
    if (at == kinds.end()) {
      kinds.push_back(&outcome);
    } else if (keeps(outcome) != keeps(**at) ? keeps(outcome)
               : keeps(outcome)              ? outcome.seconds < (*at)->seconds
                                             : outcome.bytes < (*at)->bytes) {
      *at = &outcome;
    }
  }
  // A reader wants to know what would be faster, and what comes next.
  std::stable_sort(kinds.begin(), kinds.end(), [](auto* a, auto* b) { return a->seconds < b->seconds; });
  if (kinds.size() > kMostAlternatives) kinds.resize(kMostAlternatives);
  for (const Outcome* o : kinds) plan_.alternatives.push_back({o->words, o->bytes, o->seconds, keeps(*o)});
}

Status Strategist::TooLittle() {
  Apply(found_[static_cast<size_t>(least_)].strategy);
  planner_.MeasureEveryTile();
  std::string message = "the model needs at least " + Bytes(plan_.total_bytes()) + ", the budget is " +
                        std::to_string(options_.memory_bytes) + " bytes";
  if (is_asked()) message += "; with the tiles asked for";
  if (!is_asked() && !barrier_.empty()) message += "; smaller tiles are not possible: " + barrier_;
  return OverBudget(message, plan_.total_bytes());
}

Status Strategist::Follow(const Strategy& strategy) {
  found_.push_back(Apply(strategy));
  least_ = static_cast<int>(found_.size()) - 1;
  planner_.MeasureEveryTile();
  laid_out_ = false;
  return fits() ? OkStatus() : TooLittle();
}

Status Strategist::Choose() {
  if (is_asked()) {
    FOVEA_RETURN_IF_ERROR(ChooseAsAsked());
  } else if (plan_.recomputed > 0) {
    ConsiderBands();  // without bands, nothing waits for long
    if (found_.empty()) Consider({{0, 0, 0}, BandHeights(plan_).back(), lean_levels_.back()});
  } else if (!Consider({{0, 0, 0}, options_.band_rows, lean_levels_.front()}) || options_.smallest) {
    ConsiderBands();
    ConsiderTiles();
  } else if (plan_.arena_bytes > kLargeArena && options_.band_rows == 0) {
    ConsiderBands();
  }
  if (options_.smallest) {
    ConsiderEager();
    best_ = -1;
    const Outcome least = Apply(found_[static_cast<size_t>(least_)].strategy);
    planner_.MeasureEveryTile();
    ListAlternatives(least);
    return OkStatus();
  }
  while (best_ >= 0 || ConsiderEager()) {
    Outcome& best = found_[static_cast<size_t>(best_)];
    Apply(best.strategy);
    ListAlternatives(best);
    if (options_.memory_bytes == 0 && !plan_.tiled && plan_.bands == 1) return OkStatus();
    planner_.MeasureEveryTile();
    laid_out_ = false;
    if (fits()) return OkStatus();
    // Some tile needs more than those that were looked at.
    best.bytes = plan_.total_bytes();
    best_ = -1;
    for (size_t i = 0; i < found_.size(); ++i) {
      const bool better = best_ < 0 || found_[i].seconds < found_[static_cast<size_t>(best_)].seconds;
      if (found_[i].bytes <= options_.memory_bytes && better) best_ = static_cast<int>(i);
    }
  }
  return TooLittle();
}

}  // namespace fovea::plan
