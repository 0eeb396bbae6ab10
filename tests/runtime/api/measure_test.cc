#include "runtime/include/fovea/measure.h"

#include <gtest/gtest.h>

#include "kernels/kernels.h"
#include "tests/support/random_graph.h"
#include "tests/support/run_session.h"

namespace fovea {
namespace {

// 1e8 + 1 - 1e8: a chain of floats gives 0, one of doubles 1.
TEST(DoubleSums, KeepWhatFloatsLose) {
  kernels::ConvTransposeLayer layer;
  layer.in_channels = 3;
  layer.out_channels = 1;
  const float weights[] = {1e8f, 1, -1e8f}, pixel[] = {1, 1, 1};
  const auto run = [&](const auto& row) {
    float packed[16], result = -1;
    alignas(64) float scratch[16];
    row.pack(layer, weights, nullptr, packed, 0, 1);
    kernels::ConvArgs args;
    args.src.data = pixel;
    args.dst.data = &result;
    args.src.rank = args.dst.rank = 5;
    for (int a = 0; a < 5; ++a) {
      args.src.dims[a] = a == 4 ? 3 : 1;
      args.src.strides[a] = a == 4 ? 1 : 3;
      args.dst.dims[a] = args.dst.strides[a] = 1;
    }
    args.packed = packed;
    EXPECT_LE(row.scratch_floats(layer, args), 16);
    row.run(layer, args, 0, row.units(layer, args), scratch);
    return result;
  };
  EXPECT_EQ(run(kernels::ConvKernels().back()), 0);
  EXPECT_EQ(run(kernels::ConvKernelOfDoubles()), 1);
  EXPECT_EQ(run(kernels::ConvTransposeKernels().back()), 0);
  EXPECT_EQ(run(kernels::ConvTransposeKernelOfDoubles()), 1);
}

// Any operators, any kernels: errors stay small, and those of the network are the outputs' distance from an independent
// run of the reference executor, up to that executor's own rounding.
TEST(Accuracy, RandomNetworks) {
  const std::vector<int64_t> sizes{1, 24, 28, 3};
  for (uint32_t seed = 0; seed < 8; ++seed) {
    const auto model = test::RandomNet(seed, sizes, 12).Build();
    ASSERT_TRUE(model.ok()) << model.status().message();
    const test::Tensors inputs = test::RandomTensors({sizes}, seed);
    const float* in[] = {inputs[0].data()};
    SessionOptions options;
    options.threads = 2;
    const auto report = MeasureAccuracy(*model, {sizes}, options, in);
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_GT(report->steps.size(), 5u);
    for (const StepAccuracy& step : report->steps) EXPECT_LE(step.relative(), 5e-5) << seed << " " << step.kernel;
    auto fast = Session::Create(*model, {sizes}, options);
    options.executor = Executor::kReference;
    auto reference = Session::Create(*model, {sizes}, options);
    ASSERT_TRUE(fast.ok() && reference.ok());
    const test::Tensors got = test::RunSession(*fast, inputs), want = test::RunSession(*reference, inputs);
    ASSERT_EQ(report->outputs.size(), got.size());
    for (size_t o = 0; o < got.size(); ++o) {
      double error = 0;
      for (size_t i = 0; i < got[o].size(); ++i) {
        error = std::max(error, std::fabs(static_cast<double>(got[o][i]) - static_cast<double>(want[o][i])));
      }
      EXPECT_NEAR(report->outputs[o].error, error, 1e-5 * std::max(1.0, report->outputs[o].range)) << seed;
    }
  }
}

TEST(Accuracy, CanBeCancelled) {
  const std::vector<int64_t> sizes{1, 24, 28, 3};
  const auto model = test::RandomNet(1, sizes, 12).Build();
  ASSERT_TRUE(model.ok());
  const test::Tensors inputs = test::RandomTensors({sizes}, 1);
  const float* in[] = {inputs[0].data()};
  const auto report = MeasureAccuracy(*model, {sizes}, {}, in, [] { return true; });
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.status().code(), StatusCode::kCancelled);
}

TEST(FmaPeak, IsMeasured) {
  EXPECT_EQ(*FmaPeakGflops("reference", 1), 0);
  EXPECT_EQ(*FmaPeakGflops("", 1) > 1, kernels::BestIsa() != kernels::Isa::kReference);
  EXPECT_FALSE(FmaPeakGflops("mmx", 1).ok());
}

}  // namespace
}  // namespace fovea
