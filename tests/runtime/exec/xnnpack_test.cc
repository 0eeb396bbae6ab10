// The executor on XNNPACK against the reference: random networks, the operators one by one, what it refuses, and the
// memory that it hides.
#include <gtest/gtest.h>

#include <set>

#include "runtime/include/fovea/session.h"
#include "tests/support/count_allocations.h"
#include "tests/support/tolerance.h"

namespace fovea {
namespace {

using kernels::Activation;
using kernels::UnaryFn;
using test::NetBuilder;
using test::RunSession;
using test::Tensors;

class Xnnpack : public testing::Test {
 protected:
  // Runs `net` on random numbers by both executors; returns the kernels that XNNPACK's names.
  std::set<std::string> Compare(const NetBuilder& net, const std::vector<int64_t>& sizes, uint32_t seed, int threads) {
    std::set<std::string> kernels;
    auto model = net.Build();
    EXPECT_TRUE(model.ok()) << model.status().message();
    if (!model.ok()) return kernels;
    const Tensors inputs = test::RandomTensors({sizes}, seed);
    auto reference = Session::Create(*model, {sizes}, {.executor = Executor::kReference});
    auto session = Session::Create(*model, {sizes}, {.threads = threads, .executor = Executor::kXnnpack});
    EXPECT_TRUE(reference.ok()) << reference.status().message();
    EXPECT_TRUE(session.ok()) << session.status().message();
    if (!reference.ok() || !session.ok()) return kernels;
    const Tensors expected = RunSession(*reference, inputs), got = RunSession(*session, inputs);
    const double tolerance = test::Tolerance(net, expected);
    for (size_t o = 0; o < got.size(); ++o) {
      for (size_t i = 0; i < got[o].size(); ++i) {
        EXPECT_NEAR(got[o][i], expected[o][i], tolerance) << "seed " << seed << " output " << o << " element " << i;
        if (HasFailure()) return kernels;
      }
    }
    // Nothing is left over from the first run, and a run allocates nothing.
    EXPECT_EQ(test::FirstDifference(RunSession(*session, inputs), got), "") << seed;
    std::vector<std::vector<float>> outputs;
    for (const auto& dims : session->output_dims()) outputs.emplace_back(static_cast<size_t>(test::Count(dims)));
    std::vector<const float*> in{inputs[0].data()};
    std::vector<float*> out;
    for (auto& tensor : outputs) out.push_back(tensor.data());
    test::StartCountingAllocations();
    const Status again = session->Run(in, out);
    EXPECT_EQ(test::StopCountingAllocations(), 0);
    EXPECT_TRUE(again.ok());
    for (const StepProfile& step : session->Profile()) kernels.insert(step.kernel);
    return kernels;
  }

  Result<Session> Create(const NetBuilder& net, const std::vector<int64_t>& sizes, SessionOptions options) {
    options.executor = Executor::kXnnpack;
    auto model = net.Build();
    EXPECT_TRUE(model.ok()) << model.status().message();
    return Session::Create(*model, {sizes}, options);
  }
};

TEST_F(Xnnpack, RandomNetworks) {
  std::set<std::string> all;
  for (uint32_t seed = 0; seed < 96; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int64_t>(low, high)(random); };
    const std::vector<int64_t> sizes = {pick(1, 2), pick(13, 45), pick(15, 50), pick(1, 5)};
    const NetBuilder net = test::RandomNet(seed, sizes, 12, /*global=*/true);
    const auto kernels = Compare(net, sizes, seed, static_cast<int>(pick(1, 3)));
    all.insert(kernels.begin(), kernels.end());
    if (HasFailure()) return;
  }
  for (const char* kind : {"conv", "conv_transpose", "pool", "resize", "pad", "concat", "unary", "binary"}) {
    EXPECT_TRUE(all.contains(std::string(kind) + "/xnnpack")) << kind;
  }
}

TEST_F(Xnnpack, SoftmaxOverChannels) {
  for (const bool log : {false, true}) {
    NetBuilder net(2);
    const int x = net.Input("byxc", {2, 6, 7, 5});
    net.Output(net.Add(ConcatParams{3}, {net.Add(SoftmaxParams{3, log}, {x}), net.Add(SoftmaxParams{2, log}, {x})}));
    EXPECT_EQ(Compare(net, {2, 6, 7, 5}, 3, 2).contains("softmax/xnnpack"), !log);
  }
}

// Every activation that XNNPACK has, behind a convolution and alone; clipping that is the wrong way round is ours.
TEST_F(Xnnpack, Activations) {
  const std::vector<int64_t> sizes = {2, 9, 11, 5};
  const Activation acts[] = {{UnaryFn::kRelu},
                             {UnaryFn::kClip, -0.5f, 0.75f},
                             {UnaryFn::kClip, 0.5f, -0.5f},
                             {UnaryFn::kLeakyRelu, 0.3f},
                             {UnaryFn::kLeakyRelu, -0.3f},
                             {UnaryFn::kElu, 0.7f},
                             {UnaryFn::kSigmoid},
                             {UnaryFn::kAbs},
                             {UnaryFn::kNeg},
                             {UnaryFn::kSquare},
                             {UnaryFn::kHardSwish},
                             {UnaryFn::kTanh},
                             {UnaryFn::kGelu}};
  for (const Activation& act : acts) {
    NetBuilder net(3);
    const int x = net.Input("byxc", {2, 9, 11, 5});
    const int y = net.Conv(x, 7, 3, 1, 1, 1, act);
    net.Output(net.Binary(kernels::BinaryFn::kMul, net.Unary(y, act), y, act));
    const auto kernels = Compare(net, sizes, 5, 2);
    EXPECT_TRUE(kernels.contains("conv/xnnpack") && kernels.contains("binary/xnnpack")) << UnaryFnName(act.fn);
  }
}

// Rounding and roots, on numbers where they differ.
TEST_F(Xnnpack, Rounding) {
  const std::vector<int64_t> sizes = {1, 5, 7, 3};
  for (UnaryFn fn : {UnaryFn::kFloor, UnaryFn::kCeil, UnaryFn::kRound, UnaryFn::kTrunc, UnaryFn::kSqrt}) {
    NetBuilder net(4);
    int x = net.Input("byxc", {1, 5, 7, 3});
    if (fn == UnaryFn::kSqrt) x = net.Unary(x, {UnaryFn::kAbs});
    net.Output(net.Unary(x, {fn}));
    EXPECT_TRUE(Compare(net, sizes, 6, 1).contains("unary/xnnpack")) << UnaryFnName(fn);
  }
}

TEST_F(Xnnpack, BinaryFunctionsBroadcast) {
  using kernels::BinaryFn;
  const std::vector<int64_t> sizes = {2, 6, 5, 4};
  for (BinaryFn fn : {BinaryFn::kAdd, BinaryFn::kSub, BinaryFn::kMul, BinaryFn::kDiv, BinaryFn::kMin, BinaryFn::kMax,
                      BinaryFn::kSquaredDifference}) {
    for (const std::vector<int64_t>& other : {std::vector<int64_t>{4}, {1}, {6, 1, 4}, {5, 1}, {2, 6, 5, 4}}) {
      NetBuilder net(8);
      const int x = net.Input("byxc", {2, 6, 5, 4}), c = net.RandomConst(other, 0.1f, 1.5f);
      net.Output(net.Add(ConcatParams{0}, {net.Binary(fn, x, c, {UnaryFn::kRelu}), net.Binary(fn, c, x)}));
      const auto kernels = Compare(net, sizes, 7, 2);
      EXPECT_EQ(kernels, (std::set<std::string>{"binary/xnnpack", "concat/xnnpack"})) << BinaryFnName(fn);
    }
  }
}

TEST_F(Xnnpack, GroupedDepthwiseAndResidual) {
  const std::vector<int64_t> sizes = {1, 12, 10, 12};
  for (int64_t groups : {1, 2, 3, 12}) {
    NetBuilder net(9);
    const int x = net.Input("byxc", {1, 12, 10, 12});
    const int y = net.Conv(x, 12, 3, 1, 2, groups, {UnaryFn::kRelu}, x);
    net.Output(net.Conv(y, 24, 5, 2, 1, groups));
    EXPECT_EQ(Compare(net, sizes, 10, 2), std::set<std::string>{"conv/xnnpack"}) << groups;
  }
}

TEST_F(Xnnpack, DepthToSpaceAndTransposed) {
  for (int64_t kernel : {2, 3, 4}) {
    NetBuilder net(10);
    const int x = net.Input("byxc", {1, 7, 6, 8});
    DepthToSpaceParams blocks;
    blocks.block = {1, 2, 2};
    net.Output(net.Add(blocks, {net.ConvTranspose(x, 8, kernel, 2, {UnaryFn::kRelu})}));
    EXPECT_EQ(Compare(net, {1, 7, 6, 8}, 11, 2),
              (std::set<std::string>{"conv_transpose/xnnpack", "depth_to_space/xnnpack"}))
        << kernel;
  }
}

// Weights that the network computes stay with our kernels.
TEST_F(Xnnpack, ComputedWeights) {
  NetBuilder net(11);
  const int x = net.Input("byxc", {1, 9, 9, 3});
  const int weights = net.Unary(net.RandomConst({1, 3, 3, 3, 4}, 0.2f), {UnaryFn::kTanh});
  ConvParams p;
  p.kernel = {1, 3, 3};
  net.Output(net.Add(p, {x, weights}));
  const auto kernels = Compare(net, {1, 9, 9, 3}, 12, 2);
  EXPECT_FALSE(kernels.contains("conv/xnnpack"));
}

NetBuilder TwoConvolutions() {
  NetBuilder net(12);
  net.Output(net.Conv(net.Conv(net.Input("byxc", {1, 64, 64, 4}), 16, 3), 2, 3));
  return net;
}

// Packed weights at least, and a pointer a tap and output pixel of each 3x3 convolution.
TEST_F(Xnnpack, HiddenMemoryIsCounted) {
  const auto session = Create(TwoConvolutions(), {1, 64, 64, 4}, {});
  ASSERT_TRUE(session.ok()) << session.status().message();
  const PlanReport& report = session->report();
  const uint64_t pointers = 2 * 64 * 64 * 9 * sizeof(void*), weights = (9 * 4 * 16 + 9 * 16 * 2) * sizeof(float);
  EXPECT_GE(report.provider_bytes, pointers + weights);
  EXPECT_LT(report.provider_bytes, 2 * (pointers + weights));
  EXPECT_EQ(report.total_bytes(), report.provider_bytes + report.arena_bytes + report.weight_bytes);
  // The heap's blocks may come out a little larger or smaller the next time.
  constexpr uint64_t kHeap = 4096;
  const auto fits = Create(TwoConvolutions(), {1, 64, 64, 4}, {.memory_bytes = report.total_bytes() + kHeap});
  EXPECT_TRUE(fits.ok()) << fits.status().message();
  const auto refused = Create(TwoConvolutions(), {1, 64, 64, 4}, {.memory_bytes = report.total_bytes() - kHeap});
  ASSERT_EQ(refused.status().code(), StatusCode::kOverBudget);
  EXPECT_NE(refused.status().message().find("inside the library"), std::string::npos);
}

TEST_F(Xnnpack, RefusesWhatItCannotDo) {
  const std::vector<int64_t> sizes = {1, 64, 64, 4};
  EXPECT_EQ(Create(TwoConvolutions(), sizes, {.isa = "avx2"}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Create(TwoConvolutions(), sizes, {.tile = {0, 16, 16}}).status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(Create(TwoConvolutions(), sizes, {.band_rows = 8}).status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(Create(TwoConvolutions(), sizes, {.cache_directory = "x"}).status().code(), StatusCode::kUnsupported);
  NetBuilder deep(13);
  deep.Output(deep.Conv(deep.Input("bzyxc", {1, 4, 8, 8, 1}), 2, 3));
  const auto session = Create(deep, {1, 4, 8, 8, 1}, {});
  ASSERT_EQ(session.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(session.status().message().find("conv_0"), std::string::npos);
}

TEST_F(Xnnpack, CanBeCancelled) {
  auto session = Create(TwoConvolutions(), {1, 64, 64, 4}, {});
  ASSERT_TRUE(session.ok());
  session->SetCancel([] { return true; });
  std::vector<float> in(64 * 64 * 4), out(64 * 64 * 2);
  const float* inputs[] = {in.data()};
  float* outputs[] = {out.data()};
  EXPECT_EQ(session->Run(inputs, outputs).code(), StatusCode::kCancelled);
}

}  // namespace
}  // namespace fovea
