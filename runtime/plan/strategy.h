// Strategies: the ways to follow a network that a budget leaves, and which of them is chosen.
//
// A strategy is a grid of tiles, bands of rows within a tile or none, which convolutions' weights are packed when they
// are used instead of ahead, and how many rows nodes make at once. All of them give the same bits. The
// predicted time (cost.h, nominal rates) decides among those that keep to the budget, so that the choice is a function
// of the network, the image and the options alone.
#ifndef FOVEA_RUNTIME_PLAN_STRATEGY_H_
#define FOVEA_RUNTIME_PLAN_STRATEGY_H_

#include <array>
#include <string>
#include <vector>

#include "runtime/plan/memory.h"
#include "runtime/plan/row_steps.h"

namespace fovea::plan {

struct Strategy {
  std::array<int64_t, 3> tile{0, 0, 0};  // D, H, W of output tiles; 0: whole axis
  int64_t band_rows = 0;                 // as PlanOptions::band_rows
  int lean = 0;                          // index into the levels of weights packed when used, 0: none
  RowPolicy row_policy = RowPolicy::kLate;
};

// Levels of weights packed when used: 0 packs all ahead (but for PlanOptions::packed_limit), higher ones fewer.
inline constexpr int kLeanLevels = 4;
// Decides which weights are packed ahead, and what that takes. Needs graph and operators.
void SetWeights(const PlanOptions& options, int lean, Plan* plan);

class Strategist {
 public:
  // plan: with graph, links and operators; follows the strategy that was applied last.
  Strategist(const PlanOptions& options, Plan* plan);

  // Decides on a strategy and lays the plan out. kOverBudget names the smallest budget that would do; kUnsupported:
  // tiles are asked for and the network looks at the whole image.
  Status Choose();
  // Lays the plan out for a strategy that Choose found for a plan just like it.
  Status Follow(const Strategy& strategy);
  const Strategy& applied() const { return applied_; }

 private:
  struct Outcome {
    Strategy strategy;
    uint64_t bytes = 0;
    double seconds = 0;
    std::string kind;  // Plan::Strategy(), and "lean" with weights packed when used
    std::string words;
  };

  bool fits() const { return options_.memory_bytes == 0 || plan_.total_bytes() <= options_.memory_bytes; }
  bool may_tile() const { return barrier_.empty(); }
  Outcome Apply(const Strategy& strategy);
  // Notes what Apply found; keeps the best that fits and the smallest of all.
  bool Consider(const Strategy& strategy);
  bool ConsiderWeights(Strategy strategy);
  // In bands of every height, at all weights: the widest strips that fit and some narrower ones, or the tiles as asked.
  void ConsiderBands();
  void ConsiderBands(RowPolicy policy);
  void ConsiderBands(const Strategy& start, const std::vector<std::array<int64_t, 3>>& strips);
  // Where nothing else fits: smaller windows for longer waits need less memory when next to nothing waits. True when
  // something fits now.
  bool ConsiderEager();
  void ConsiderTiles();
  bool is_asked() const { return options_.tile[0] > 0 || options_.tile[1] > 0 || options_.tile[2] > 0; }
  Strategy Asked() const;
  Status ChooseAsAsked();
  // For the reader: of each other kind, the fastest that fits, or the smallest.
  void ListAlternatives(const Outcome& chosen);
  Status TooLittle();
  void SetTile(const std::array<int64_t, 3>& tile);
  bool Halve(std::array<int64_t, 3>* tile) const;
  void Grow(int lean, std::array<int64_t, 3>* tile);

  const PlanOptions& options_;
  Plan& plan_;
  MemoryPlanner planner_;
  std::array<int64_t, 3> lattice_{1, 1, 1};
  std::string barrier_;
  std::vector<int> lean_levels_;         // those that differ for this network
  std::vector<RowPolicy> row_policies_;  // likewise, but for kEager
  bool laid_out_ = false;                // as applied_ says
  Strategy applied_;
  bool eager_considered_ = false;
  std::vector<Outcome> found_;  // all that were tried
  int best_ = -1, least_ = -1;  // of found_
};

}  // namespace fovea::plan

#endif  // FOVEA_RUNTIME_PLAN_STRATEGY_H_
