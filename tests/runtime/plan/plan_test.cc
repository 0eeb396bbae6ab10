// What a plan promises, checked without the planner's own bookkeeping.
#include "runtime/plan/plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/random_graph.h"

namespace fovea::plan {
namespace {

using test::NetBuilder;

Result<Plan> PlanOf(NetBuilder& net, const std::vector<Dims>& dims, const PlanOptions& options) {
  FOVEA_ASSIGN_OR_RETURN(ResolvedGraph graph, Resolve(net.graph(), dims, {}));
  return MakePlan(std::move(graph), options);
}

// Plays a tile: every element of memory remembers which value's element it holds; reading an element that holds
// something else is an error.
class Player {
 public:
  Player(const Plan& plan, const std::array<int64_t, 3>& tile) : plan_(plan), state_(MakeTileState(plan)) {
    LayOutTile(plan_, tile, &state_);
    int64_t end = 64 + static_cast<int64_t>(plan.arena_bytes / sizeof(float));
    for (const Buffer& buffer : plan.buffers) {
      base_.push_back(buffer.home == Home::kArena ? 64 + static_cast<int64_t>(buffer.offset / sizeof(float)) : end);
      if (buffer.home != Home::kArena) end += static_cast<int64_t>(buffer.bytes / sizeof(float));
    }
    memory_.assign(static_cast<size_t>(end), {kNoValue, 0});
  }

  void Play() {
    const Graph& graph = *plan_.graph.graph;
    for (const Port& port : graph.inputs) Write(port.value);
    for (size_t n = 0; n < plan_.graph.nodes.size(); ++n) {
      const ResolvedNode& node = plan_.graph.nodes[n];
      const int out = node.node->output;
      if (IsEmpty(state_.regions[Index(out)], node.out.size())) continue;
      for (size_t i = 0; i < node.in.size(); ++i) {
        if (!node.Has(i) || plan_.constant[Index(node.node->inputs[i])]) continue;
        const int in = node.node->inputs[i];
        Read(NarrowToNeed(plan_, state_, n, i, Held(in)), in, node.node->name);
      }
      Scratch(n);
      Write(out);
    }
    for (size_t o = 0; o < graph.outputs.size(); ++o) {
      if (!plan_.constant[Index(graph.outputs[o].value)])
        Read(Held(graph.outputs[o].value), graph.outputs[o].value, "output");
    }
  }

 private:
  static size_t Index(int v) { return static_cast<size_t>(v); }
  // Concatenations and reshapes keep their elements: each goes by its first name.
  std::pair<int, int64_t> FirstName(int value, int64_t id) const {
    for (const ResolvedNode& node : plan_.graph.nodes) {
      if (node.node->output != value) continue;
      if (node.kind == OpKind::kReshape) return FirstName(node.node->inputs[0], id);
      if (node.kind != OpKind::kConcat) break;
      int64_t channel = id % node.out.back();
      const int64_t pixel = id / node.out.back();
      for (size_t i = 0; i < node.in.size(); ++i) {
        if (channel < node.in[i].back()) return FirstName(node.node->inputs[i], pixel * node.in[i].back() + channel);
        channel -= node.in[i].back();
      }
    }
    return {value, id};
  }
  exec::Operand Held(int value) const {
    const Group& group = plan_.groups[Index(plan_.slots[Index(value)].group)];
    // Offsets stand for addresses.
    return OperandOf(plan_, state_, value, reinterpret_cast<float*>(base_[Index(group.buffer)] * 4));
  }
  template <class Fn>
  void ForEach(const exec::Operand& operand, const Fn& fn) const {
    const int64_t n = RegionElements(operand.region, operand.rank);
    for (int64_t i = 0; i < n; ++i) {
      int64_t rest = i, at = reinterpret_cast<int64_t>(operand.data) / 4, id = 0, scale = 1;
      for (size_t a = operand.rank; a-- > 0;) {
        const int64_t k = rest % operand.size(a);
        rest /= operand.size(a);
        at += k * operand.strides[a];
        id += (operand.begin(a) + k) * scale;
        scale *= operand.dims[a];
      }
      fn(at, id);
    }
  }
  void Write(int value) {
    ForEach(Held(value), [&](int64_t at, int64_t id) {
      ASSERT_GE(at, 64);
      ASSERT_LT(at, static_cast<int64_t>(memory_.size()));
      memory_[static_cast<size_t>(at)] = FirstName(value, id);
    });
  }
  void Scratch(size_t n) {
    const Temporary& t = plan_.temporaries[n];
    for (uint64_t i = 0; i < t.scratch_bytes / 4; ++i) memory_[64 + t.scratch_offset / 4 + i] = {kNoValue, 0};
    for (uint64_t i = 0; i < t.packed_bytes / 4; ++i) memory_[64 + t.packed_offset / 4 + i] = {kNoValue, 0};
  }
  void Read(const exec::Operand& operand, int value, const std::string& who) {
    int64_t wrong = 0;
    ForEach(operand,
            [&](int64_t at, int64_t id) { wrong += memory_[static_cast<size_t>(at)] == FirstName(value, id) ? 0 : 1; });
    EXPECT_EQ(wrong, 0) << who << " reads what is not value " << value;
  }

  const Plan& plan_;
  TileState state_;
  std::vector<int64_t> base_;
  std::vector<std::pair<int, int64_t>> memory_;
};

class Plans : public testing::TestWithParam<uint32_t> {};

TEST_P(Plans, NoValueIsOverwrittenBeforeItIsRead) {
  const Dims sizes{1, 21, 26, 3};
  NetBuilder net = test::RandomNet(GetParam() + 500, sizes, 14);
  for (int64_t tile : {0, 8, 13}) {
    PlanOptions options;
    options.threads = 2;
    options.tile = {0, tile, tile};
    auto plan = PlanOf(net, {sizes}, options);
    ASSERT_TRUE(plan.ok()) << plan.status().message();
    for (int64_t h = 0; h < plan->grid.count[1]; ++h) {
      for (int64_t w = 0; w < plan->grid.count[2]; ++w) {
        Player(*plan, {0, h, w}).Play();
        if (HasFailure()) {
          FAIL() << plan->ToString();
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Random, Plans, testing::Range(0u, 60u));

// Bytes of the arena that values need, scratch left out.
uint64_t ValueBytes(const Plan& plan) {
  uint64_t end = 0;
  for (const Buffer& buffer : plan.buffers) {
    if (buffer.home == Home::kArena) end = std::max(end, buffer.offset + buffer.bytes);
  }
  return end;
}

TEST(Plan, SkipConnectionsAreWrittenWhereTheyAreConcatenated) {
  NetBuilder net(1);
  const int x = net.Input("byxc", {1, 16, 16, 2});
  const int skip = net.Conv(x, 4, 3);
  const int down = net.Pool(skip, kernels::PoolKind::kMax, 2, 2);
  const int up = net.ConvTranspose(net.Conv(down, 8, 3), 6, 2, 2);
  const int joined = net.Concat({skip, up});
  net.Output(net.Conv(joined, 1, 1));
  auto plan = PlanOf(net, {{1, 16, 16, 2}}, {});
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  const auto slot = [&](int v) { return plan->slots[static_cast<size_t>(v)]; };
  EXPECT_EQ(slot(skip).group, slot(joined).group);
  EXPECT_EQ(slot(up).group, slot(joined).group);
  EXPECT_EQ(slot(skip).channel, 0);
  EXPECT_EQ(slot(up).channel, 4);
  // skip and up share 16x16x10; with the input of up (8x8x8) alive beside it, and nothing else of size.
  EXPECT_EQ(ValueBytes(*plan), 16u * 16 * 10 * 4 + 8 * 8 * 8 * 4 + 8 * 8 * 4 * 4);
}

// A skip connection that waits for a window of 60 rows: 4 rows a band are copied at the ring's end, not 60 moved.
TEST(Plan, RowsThatWaitForLongLieInARing) {
  NetBuilder net(1);
  const int skip = net.Conv(net.Input("byxc", {1, 512, 32, 2}), 4, 3);
  int deep = skip;
  for (int i = 0; i < 30; ++i) deep = net.Conv(deep, 4, 3);
  net.Output(net.Conv(net.Concat({skip, deep}), 1, 1));
  PlanOptions options;
  options.band_rows = 4;
  auto plan = PlanOf(net, {{1, 512, 32, 2}}, options);
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  const Group& group = plan->groups[static_cast<size_t>(plan->slots[static_cast<size_t>(skip)].group)];
  ASSERT_GE(group.rolling, 0);
  EXPECT_GT(group.ring_rows, 30);
  // A band's rows and the window of the convolution behind it, less one.
  EXPECT_GE(group.window_rows, group.ring_rows + 5);
  EXPECT_LE(group.window_rows, group.ring_rows + 8);
  EXPECT_EQ(group.RingRow(group.ring_rows + 3), 3);
  EXPECT_EQ(group.RingRow(-1), group.ring_rows - 1);
  const double image = 512.0 * 32 * 4 * 4;
  EXPECT_LT(plan->work.moved_bytes, 32 * image);  // each of the 32 windows moves less than it makes
}

// Of a U-Net with four poolings: tiles of four rows at a sixteenth of the size are 64 rows of the image at once.
TEST(Plan, SkipConnectionsWaitForTheReceptiveFieldAndOneStep) {
  NetBuilder net(1);
  const auto two = [&](int x) { return net.Conv(net.Conv(x, 32, 3), 32, 3); };
  int x = two(net.Input("byxc", {1, 2048, 256, 2}));
  std::vector<int> skips;
  for (int level = 0; level < 4; ++level) {
    skips.push_back(x);
    x = two(net.Pool(x, kernels::PoolKind::kMax, 2, 2));
  }
  for (int level = 4; level-- > 0;) {
    x = net.Upsample2(x, kernels::ResizeMode::kNearest, kernels::ResizeCoordinates::kAsymmetric);
    x = two(net.Concat({skips[static_cast<size_t>(level)], net.Conv(x, 32, 3)}));
  }
  net.Output(net.Conv(x, 1, 1));
  // Two convolutions at each size, down and up: 2 (2 + 4 + 8) 2 + 2 16; those of the doubled images: 8 + 4 + 2 + 1.
  constexpr int64_t kReach = 4 * (2 + 4 + 8) + 32 + 15;
  // A pooling may wait for the other row of a pair, at each size.
  constexpr int64_t kPairs = 1 + 2 + 4 + 8, kBand = 8, kTile = 4;
  for (const kernels::Isa isa : kernels::SupportedIsas()) {
    PlanOptions options;
    options.cap = isa;
    options.band_rows = kBand;
    auto plan = PlanOf(net, {{1, 2048, 256, 2}}, options);
    ASSERT_TRUE(plan.ok()) << plan.status().message();
    const int64_t step = 16 * (isa == kernels::Isa::kReference ? 1 : kTile);
    const Group& group = plan->groups[static_cast<size_t>(plan->slots[static_cast<size_t>(skips[0])].group)];
    ASSERT_GT(group.ring_rows, 0);
    EXPECT_GE(group.ring_rows, kReach);
    EXPECT_LE(group.ring_rows, kReach + kPairs + step + kBand + kTile) << kernels::IsaName(isa);
  }
}

// A second output of 3 x 3 has no part in most tiles, but where it has, it reads more than the first.
TEST(Plan, BuffersHoldTilesOfEveryOutput) {
  NetBuilder net(1);
  const int x = net.Conv(net.Input("byxc", {1, 48, 48, 2}), 4, 3);
  net.Output(net.Conv(x, 1, 3));
  net.Output(net.Pool(x, kernels::PoolKind::kAverage, 16, 16));
  PlanOptions options;
  options.tile = {0, 8, 8};
  auto plan = PlanOf(net, {{1, 48, 48, 2}}, options);
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  ASSERT_EQ(plan->grid.tiles(), 36);
  uint64_t most = 0;
  TileState state = MakeTileState(*plan);
  for (int64_t t = 0; t < 36; ++t) {
    LayOutTile(*plan, {0, t / 6, t % 6}, &state);
    for (size_t g = 0; g < plan->groups.size(); ++g) {
      const auto elements = static_cast<uint64_t>(RegionElements(state.memory[g], 4));
      EXPECT_LE(elements * sizeof(float), plan->buffers[static_cast<size_t>(plan->groups[g].buffer)].bytes) << t;
      if (plan->groups[g].root == net.graph().inputs[0].value) most = std::max(most, elements);
    }
  }
  EXPECT_GE(most, 18u * 18 * 2);  // what a window of the second output's reads, with the convolution's border
}

TEST(Plan, ElementwiseOperatorsWorkInPlaceAndResultsGoStraightToTheCaller) {
  NetBuilder net(1);
  int x = net.Input("byxc", {1, 8, 8, 2});
  x = net.Conv(x, 4, 3);
  x = net.Unary(x, {kernels::UnaryFn::kTanh});
  x = net.Unary(x, {kernels::UnaryFn::kExp});
  net.Output(x);
  auto plan = PlanOf(net, {{1, 8, 8, 2}}, {});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(ValueBytes(*plan), 0u);
  EXPECT_TRUE(plan->direct[0]);
}

TEST(Plan, TilesAreRefusedWithTheNodeThatLooksAtTheWholeImage) {
  NetBuilder net(1);
  int x = net.Input("byxc", {1, 32, 32, 2});
  x = net.Conv(x, 2, 3);
  GroupNormParams norm;
  x = net.Add(norm, {x, kNoValue, kNoValue});
  const std::string name = net.graph().nodes.back().name;
  net.Output(x);
  PlanOptions options;
  options.tile = {0, 16, 16};
  auto plan = PlanOf(net, {{1, 32, 32, 2}}, options);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(plan.status().message().find(name), std::string::npos) << plan.status().message();
  EXPECT_TRUE(PlanOf(net, {{1, 32, 32, 2}}, {}).ok());
  // Over channels it is a matter of one pixel.
  NetBuilder softmax(1);
  softmax.Output(softmax.Add(SoftmaxParams{3, false}, {softmax.Input("byxc", {1, 32, 32, 2})}));
  EXPECT_TRUE(PlanOf(softmax, {{1, 32, 32, 2}}, options).ok());
}

// Also where computing skip connections twice, band by band, would need less.
TEST(Plan, WithoutBandsThereAreNoneWhateverTheBudget) {
  NetBuilder net(2);
  int x = net.Conv(net.Input("byxc", {1, 160, 96, 1}), 16, 3);
  const int down = net.Conv(net.Pool(x, kernels::PoolKind::kMax, 2, 2), 16, 3);
  x = net.Concat({x, net.Upsample2(down, kernels::ResizeMode::kNearest, kernels::ResizeCoordinates::kAsymmetric)});
  net.Output(net.Conv(x, 2, 3));
  const std::vector<Dims> dims{{1, 160, 96, 1}};
  for (const bool may : {false, true}) {
    PlanOptions options;
    options.band_rows = may ? 0 : -1;
    options.smallest = true;
    const auto least = PlanOf(net, dims, options);
    ASSERT_TRUE(least.ok()) << least.status().message();
    EXPECT_EQ(least->band_rows() > 0, may);
    options.smallest = false;
    for (const uint64_t percent : {100, 120, 160}) {
      options.memory_bytes = least->total_bytes() * percent / 100;
      const auto plan = PlanOf(net, dims, options);
      ASSERT_TRUE(plan.ok()) << plan.status().message();
      EXPECT_TRUE(may || plan->band_rows() == 0) << percent;
    }
  }
}

TEST(Plan, TheSmallestBudgetThatIsNamedWorksAndOneByteLessDoesNot) {
  NetBuilder net(2);
  int x = net.Input("byxc", {1, 96, 80, 1});
  x = net.Conv(x, 8, 3);
  const int down = net.Conv(net.Pool(x, kernels::PoolKind::kMax, 2, 2), 16, 3);
  x = net.Concat({x, net.Upsample2(down, kernels::ResizeMode::kNearest, kernels::ResizeCoordinates::kAsymmetric)});
  net.Output(net.Conv(x, 2, 3));
  const std::vector<Dims> dims{{1, 96, 80, 1}};
  PlanOptions options;
  auto whole = PlanOf(net, dims, options);
  ASSERT_TRUE(whole.ok());
  EXPECT_FALSE(whole->tiled);
  options.memory_bytes = 1;
  auto none = PlanOf(net, dims, options);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.status().code(), StatusCode::kOverBudget);
  const std::string message = none.status().message();
  const uint64_t least = std::stoull(message.substr(message.find("least ") + 6));
  options.memory_bytes = least;
  auto smallest = PlanOf(net, dims, options);
  ASSERT_TRUE(smallest.ok()) << smallest.status().message();
  EXPECT_LE(smallest->total_bytes(), least);
  EXPECT_TRUE(smallest->tiled);
  EXPECT_LT(least, whole->total_bytes());
  options.memory_bytes = least - 1;
  EXPECT_EQ(PlanOf(net, dims, options).status().code(), StatusCode::kOverBudget);
  int64_t tiles = smallest->grid.tiles();
  for (uint64_t budget = least; budget < whole->total_bytes(); budget += (whole->total_bytes() - least) / 7 + 1) {
    options.memory_bytes = budget;
    auto plan = PlanOf(net, dims, options);
    ASSERT_TRUE(plan.ok()) << plan.status().message();
    EXPECT_LE(plan->total_bytes(), budget);
    EXPECT_LE(plan->grid.tiles(), tiles) << "more memory, more tiles";
    tiles = plan->grid.tiles();
  }
  options.memory_bytes = whole->total_bytes();
  EXPECT_FALSE(PlanOf(net, dims, options)->tiled);
}

}  // namespace
}  // namespace fovea::plan
