// That bands end, and make every row once, in order, from rows that are there and kept: without memory or kernels.
#include "runtime/plan/bands.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

#include "runtime/plan/recompute.h"
#include "runtime/plan/row_steps.h"
#include "tests/support/random_graph.h"
#include "tests/support/sanitizers.h"

namespace fovea::plan {
namespace {

using test::NetBuilder;

constexpr size_t kRows = 1;
size_t Index(int v) { return static_cast<size_t>(v); }

// Levels with odd sizes, strides of 2 and 3, dilation, skip connections that are added, concatenated or cut, a second
// image, and outputs at several sizes.
NetBuilder RandomUNet(uint32_t seed, Dims* image, Dims* other) {
  NetBuilder net(seed);
  *image = {1, net.Pick(5, 90), net.Pick(5, 24), 2};
  *other = {1, (*image)[1], (*image)[2], 1};
  const auto input = [&](const Dims& dims) {
    return net.Input("byxc", std::vector<DimExpr>(dims.begin(), dims.end()));
  };
  int x = input(*image);
  x = net.Concat({net.Conv(x, 4, 3), input(*other)});
  std::vector<int> skips;
  const int64_t levels = net.Pick(1, 4);
  const auto least = [&](int v) { return std::min(net.sizes(v)[kRows], net.sizes(v)[2]); };
  for (int64_t level = 0; level < levels && least(x) > 4; ++level) {
    skips.push_back(x = net.Conv(x, 16, net.Pick(0, 2) * 2 + 1, 1, net.Chance(0.2) ? 2 : 1));
    x = net.Chance(0.5) ? net.Pool(x, kernels::PoolKind::kMax, 2, 2, 0, net.Chance(0.5))
                        : net.Conv(x, 16, 3, net.Chance(0.8) ? 2 : 3);
  }
  x = net.Conv(x, 16, 3);
  const int lowest = x;
  for (; !skips.empty(); skips.pop_back()) {
    const int skip = skips.back();
    if (net.Chance(0.3)) x = net.ConvTranspose(x, 16, net.Pick(2, 3), 2);
    const bool linear = net.Chance(0.5);
    x = net.ResizeLike(x, net.dims(skip), linear ? kernels::ResizeMode::kLinear : kernels::ResizeMode::kNearest,
                       linear ? kernels::ResizeCoordinates::kHalfPixel : kernels::ResizeCoordinates::kAsymmetric);
    if (net.Chance(0.5)) {
      x = net.Concat({skip, x});
    } else if (net.Chance(0.5) && least(x) > 4) {
      x = net.Pad(net.Binary(kernels::BinaryFn::kAdd, net.Crop(x, 1), net.Crop(skip, 1)), kernels::PadMode::kReflect, 1,
                  1);
    } else {
      x = net.Conv(x, 16, 3, 1, 1, 1, {}, skip);
    }
    x = net.Conv(x, 16, 3);
  }
  net.Output(x = net.Conv(x, 2, 1));
  if (net.Chance(0.3)) net.Output(net.Conv(net.Crop(x, 1), 1, 3));  // which does not read the last rows
  if (net.Chance(0.4)) net.Output(net.Conv(lowest, 1, 3));
  return net;
}

// What is late, at which pace and in which steps: as a budget may choose it, or as nobody would.
void ChooseRows(std::mt19937& random, Plan* plan) {
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  FindRowReads(plan);
  ChooseRowSteps(static_cast<RowPolicy>(pick(0, 2)), plan);
  if (pick(0, 1) == 0) return;
  plan->late.assign(plan->graph.dims.size(), 0);
  for (uint8_t& late : plan->late) late = pick(0, 1) == 0 ? 1 : 0;
  for (size_t n = 0; n < plan->row_steps.size(); ++n) {
    const NodeLinks& links = plan->links[n];
    if (links.align.size() <= kRows || links.align[kRows] < 1) continue;
    const int64_t times = pick(1, 3);
    plan->row_steps[n] = {times * links.align[kRows], links.phase[kRows], pick(0, 20)};
  }
}

class Walk {
 public:
  Walk(const Plan& plan, size_t s) : plan_(plan), s_(s), state_(MakeTileState(plan)) {}

  void Go(const std::array<int64_t, 3>& tile) {
    LayOutTile(plan_, tile, &state_);
    const TileState whole = state_;
    const Segment& segment = plan_.segments[s_];
    std::vector<int64_t> made(plan_.graph.dims.size(), -1);
    int64_t rows = 0;
    for (int n = segment.first; n < segment.end; ++n) {
      const Interval tile_rows = Rows(whole, Output(n));
      made[Output(n)] = tile_rows.begin;
      rows += tile_rows.size();
    }
    BeginBands(plan_, s_, &state_);
    int64_t bands = 0;
    while (NextBand(plan_, s_, &state_)) {
      // Each makes a row of something, but for those in which the images come into view.
      ASSERT_LE(++bands, rows + CeilDiv(state_.band_total, segment.rows)) << "bands do not end";
      for (int n = segment.first; n < segment.end; ++n) ASSERT_NO_FATAL_FAILURE(Make(n, whole, &made));
    }
    EndBands(plan_, s_, &state_);
    for (int n = segment.first; n < segment.end; ++n) EXPECT_EQ(made[Output(n)], Rows(whole, Output(n)).end);
  }

 private:
  size_t Output(int n) const { return Index(plan_.graph.nodes[Index(n)].node->output); }
  // Of constants and of what nobody reads: none.
  Interval Rows(const TileState& state, size_t value) const {
    if (plan_.constant[value] || IsEmpty(state.regions[value], plan_.graph.dims[value].size())) return {};
    return state.regions[value].axis[kRows];
  }
  void Make(int n, const TileState& whole, std::vector<int64_t>* made) const {
    const size_t out = Output(n);
    if (Rows(whole, out).empty()) return;
    const Interval rows = state_.regions[out].axis[kRows];
    ASSERT_EQ(rows.begin, (*made)[out]);
    ASSERT_GE(rows.end, rows.begin);
    (*made)[out] = rows.end;
    if (rows.empty()) return;
    for (const RowRead& read : plan_.row_reads[Index(n)]) {
      const size_t in = Index(read.value);
      const Interval need = Needed(plan_.links[Index(n)], plan_.links[Index(n)].inputs[read.input][kRows], rows);
      if (need.empty()) continue;
      const int64_t there = (*made)[in] >= 0 ? (*made)[in] : state_.bands[in].until;
      ASSERT_LE(std::min(need.end, Rows(whole, in).end), there) << "reads what is not made";
      ASSERT_GE(need.begin, state_.bands[in].keep) << "reads what was dropped";
    }
  }

  const Plan& plan_;
  const size_t s_;
  TileState state_;
};

class Bands : public testing::TestWithParam<uint32_t> {};

TEST_P(Bands, EndWhateverIsLateAndMakeEveryRowOnceFromRowsThatAreThere) {
  Dims image, other;
  NetBuilder net = RandomUNet(GetParam(), &image, &other);
  std::mt19937 random(GetParam());
  int64_t banded = 0;
  for (const kernels::Isa isa : kernels::SupportedIsas()) {
    for (int round = 0; round < 8; ++round) {
      PlanOptions options;
      options.cap = isa;
      auto resolved = Resolve(net.graph(), std::vector<Dims>{image, other}, {});
      ASSERT_TRUE(resolved.ok()) << resolved.status().message();
      Plan plan = PreparePlan(*std::move(resolved), options);
      const int levels = SkipLevels(plan);
      if (levels > 0 && round % 3 == 2) plan = Recompute(plan, levels, options);
      ChooseRows(random, &plan);
      const int64_t rows = std::uniform_int_distribution<int64_t>(1, 20)(random);
      plan.segments = ChooseSegments(plan, {.rows = rows, .weight_bytes = UINT64_MAX});
      plan.whole_channels.assign(plan.graph.dims.size(), 0);
      plan.grid.size = {1, plan.graph.dims[Index(net.graph().outputs[0].value)][kRows], image[2]};
      plan.grid.tile = {1, round % 2 == 0 ? plan.grid.size[1] : CeilDiv(plan.grid.size[1], 2), image[2]};
      plan.grid.count = {1, CeilDiv(plan.grid.size[1], plan.grid.tile[1]), 1};
      plan.tiled = plan.grid.tiles() > 1;
      for (size_t s = 0; s < plan.segments.size(); ++s) {
        if (!plan.segments[s].banded()) continue;
        ++banded;
        for (int64_t h = 0; h < plan.grid.count[1]; ++h) {
          Walk(plan, s).Go({0, h, 0});
          ASSERT_FALSE(HasFailure()) << kernels::IsaName(isa) << ", round " << round << ", bands of " << rows;
        }
      }
    }
  }
  EXPECT_GT(banded, 0);
}

INSTANTIATE_TEST_SUITE_P(Random, Bands, testing::Range(0u, test::SomeOf(60)));

}  // namespace
}  // namespace fovea::plan
