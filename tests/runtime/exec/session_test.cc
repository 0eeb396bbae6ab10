// Session's promises beside the numbers: no allocation in Run, cancelling, rectangles, allocators, the caller's
// threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <utility>

#include "runtime/model/model_file.h"
#include "tests/support/count_allocations.h"
#include "tests/support/random_graph.h"
#include "tests/support/run_session.h"
#include "tests/support/small_nets.h"

namespace fovea {
namespace {

using test::NetBuilder;
using test::RandomNet;
using test::RunSession;
using test::Tensors;

Model BuildModel(const NetBuilder& net) {
  auto model = net.Build();
  EXPECT_TRUE(model.ok()) << model.status().message();
  return *std::move(model);
}

const std::vector<int64_t> kSizes{1, 40, 36, 3};

TEST(Session, RunAllocatesNothing) {
  int used = 0;
  for (uint32_t seed = 0; seed < 12; ++seed) {
    const Model model = BuildModel(RandomNet(seed, kSizes, 12));
    for (int64_t tile : {0, 16}) {
      SessionOptions options{.threads = 2, .tile = {0, tile, tile}};
      int blocks = 0;
      options.allocator = {&blocks,
                           [](void* count, size_t bytes) {
                             ++*static_cast<int*>(count);
                             return std::aligned_alloc(64, bytes);
                           },
                           [](void*, void* block, size_t) { std::free(block); }};
      auto session = Session::Create(model, {kSizes}, options);
      ASSERT_TRUE(session.ok()) << session.status().message();
      const Tensors inputs = test::RandomTensors({kSizes}, seed);
      Tensors outputs;
      std::vector<const float*> in{inputs[0].data()};
      std::vector<float*> out;
      for (const auto& d : session->output_dims()) outputs.emplace_back(static_cast<size_t>(test::Count(d)));
      for (auto& t : outputs) out.push_back(t.data());
      used += blocks;
      blocks = 0;
      test::StartCountingAllocations();
      const bool ok = session->Run(in, out).ok();
      const int allocations = test::StopCountingAllocations();
      EXPECT_TRUE(ok);
      EXPECT_EQ(allocations, 0) << "seed " << seed << " tile " << tile;
      EXPECT_EQ(blocks, 0);
    }
  }
  EXPECT_GT(used, 12);  // the allocator is what gives the large blocks
}

TEST(Session, TheReportIsWhatTheAllocatorGave) {
  NetBuilder net(1);
  const int x = net.Conv(net.Input("byxc", {1, 40, 36, 3}), 8, 3);
  const int down = net.Conv(net.Pool(x, kernels::PoolKind::kMax, 2, 2), 8, 3);
  net.Output(net.Conv(net.Concat({x, net.ConvTranspose(down, 8, 2, 2)}), 2, 3));
  const Model model = BuildModel(net);
  for (const auto& [tile, streaming] : {std::pair{0, false}, {16, false}, {0, true}, {16, true}}) {
    size_t bytes = 0;
    SessionOptions options{.threads = 2, .tile = {0, tile, tile}, .streaming = streaming};
    options.allocator = {&bytes,
                         [](void* sum, size_t n) {
                           *static_cast<size_t*>(sum) += n;
                           return std::aligned_alloc(64, n);
                         },
                         [](void* sum, void* block, size_t n) {
                           *static_cast<size_t*>(sum) -= n;
                           std::free(block);
                         }};
    {
      auto session = Session::Create(model, {kSizes}, options);
      ASSERT_TRUE(session.ok());
      EXPECT_EQ(session->report().total_bytes(), bytes);
      EXPECT_EQ(session->report().tiles > 1, tile > 0);
      if (tile == 0) {
        // 40 x 36 pixels, 3 channels in and 2 out.
        EXPECT_EQ(session->report().tile_buffer_bytes, streaming ? 40u * 36 * (3 + 2) * 4 : 0u);
      }
    }
    EXPECT_EQ(bytes, 0u);
  }
}

class Constant : public TensorSource, public TensorSink {
 public:
  Status Read(int, const TensorRegion& region, float* dst) override {
    std::fill(dst, dst + test::Count(region.size), 1.0f);
    return OkStatus();
  }
  Status Write(int, const TensorRegion&, const float*) override { return OkStatus(); }
};

TEST(Session, StreamingIsPlannedAheadOrAllocatesOnce) {
  const Model model = BuildModel(RandomNet(4, kSizes, 12));
  for (const auto& [tile, streaming] : {std::pair{0, false}, {0, true}, {16, false}, {16, true}}) {
    int blocks = 0;
    SessionOptions options{.threads = 2, .tile = {0, tile, tile}, .streaming = streaming};
    options.allocator = {&blocks,
                         [](void* count, size_t bytes) {
                           ++*static_cast<int*>(count);
                           return std::aligned_alloc(64, bytes);
                         },
                         [](void*, void* block, size_t) { std::free(block); }};
    auto session = Session::Create(model, {kSizes}, options);
    ASSERT_TRUE(session.ok());
    Constant image;
    for (int round = 0; round < 2; ++round) {
      blocks = 0;
      test::StartCountingAllocations();
      const bool ok = session->Run(image, image).ok();
      const int allocations = test::StopCountingAllocations();
      EXPECT_TRUE(ok);
      EXPECT_EQ(allocations, 0) << tile << " " << streaming;
      EXPECT_EQ(blocks, tile == 0 && !streaming && round == 0 ? 1 : 0) << tile << " " << streaming;
    }
  }
}

TEST(Session, StreamingBuffersCountInTheBudget) {
  const Model model = BuildModel(test::UNet(2));
  const std::vector<int64_t> sizes{1, 128, 128, 1};
  auto whole = Session::Create(model, {sizes});
  ASSERT_TRUE(whole.ok());
  const uint64_t budget = whole->report().total_bytes();
  EXPECT_EQ(Session::Create(model, {sizes}, {.memory_bytes = budget})->report().tiles, 1);
  auto streaming = Session::Create(model, {sizes}, {.memory_bytes = budget, .streaming = true});
  ASSERT_TRUE(streaming.ok());
  EXPECT_GT(streaming->report().tiles, 1);
  EXPECT_LE(streaming->report().total_bytes(), budget);
}

TEST(Session, EveryFailedAllocationIsAStatus) {
  const Model model = BuildModel(RandomNet(3, kSizes, 12));
  for (Executor executor : {Executor::kFast, Executor::kReference}) {
    for (int fail = 0;; ++fail) {
      ASSERT_LT(fail, 20);
      int left = fail;
      SessionOptions options{.executor = executor, .tile = {0, 16, 0}};
      options.allocator = {&left,
                           [](void* n, size_t bytes) -> void* {
                             return (*static_cast<int*>(n))-- > 0 ? std::aligned_alloc(64, bytes) : nullptr;
                           },
                           [](void*, void* block, size_t) { std::free(block); }};
      auto session = Session::Create(model, {kSizes}, options);
      if (session.ok()) {
        EXPECT_GT(fail, 1);
        break;
      }
      EXPECT_EQ(session.status().code(), StatusCode::kOutOfMemory);
    }
  }
}

TEST(Session, CancelStopsTheRunAndTheNextRunIsWhole) {
  const Model model = BuildModel(RandomNet(7, kSizes, 12));
  const Tensors inputs = test::RandomTensors({kSizes}, 1);
  for (Executor executor : {Executor::kFast, Executor::kReference}) {
    auto session = Session::Create(model, {kSizes}, {.threads = 2, .executor = executor});
    ASSERT_TRUE(session.ok());
    const Tensors expected = RunSession(*session, inputs);
    Tensors outputs = expected;
    std::vector<const float*> in{inputs[0].data()};
    std::vector<float*> out;
    for (auto& t : outputs) out.push_back(t.data());
    for (int after : {0, 1, 3}) {
      std::atomic<int> polls{0};
      session->SetCancel([&] { return polls++ >= after; });
      EXPECT_EQ(session->Run(in, out).code(), StatusCode::kCancelled);
      EXPECT_GT(polls, after);
    }
    session->SetCancel(nullptr);
    EXPECT_EQ(test::FirstDifference(RunSession(*session, inputs), expected), "");
  }
}

class WholeImage : public TensorSource, public TensorSink {
 public:
  WholeImage(const std::vector<int64_t>& in, const std::vector<float>& image,
             const std::vector<std::vector<int64_t>>& out)
      : in_(in), image_(image), out_(out) {
    for (const auto& d : out) results.emplace_back(static_cast<size_t>(test::Count(d)), NAN);
  }
  Status Read(int, const TensorRegion& region, float* dst) override {
    ++reads;
    Walk(in_, region, [&](size_t at) { *dst++ = image_[at]; });
    return OkStatus();
  }
  Status Write(int output, const TensorRegion& region, const float* src) override {
    if (fail) return IoError("the disk is full");
    const size_t o = static_cast<size_t>(output);
    Walk(out_[o], region, [&](size_t at) {
      EXPECT_TRUE(std::isnan(results[o][at])) << "written twice";
      results[o][at] = *src++;
    });
    return OkStatus();
  }
  Tensors results;
  int reads = 0;
  bool fail = false;

 private:
  template <class Fn>
  static void Walk(const std::vector<int64_t>& dims, const TensorRegion& region, const Fn& fn) {
    ASSERT_EQ(region.begin.size(), dims.size());
    for (int64_t i = 0; i < test::Count(region.size); ++i) {
      int64_t rest = i, at = 0, stride = 1;
      for (size_t a = dims.size(); a-- > 0;) {
        const int64_t position = region.begin[a] + rest % region.size[a];
        ASSERT_GE(position, 0);
        ASSERT_LT(position, dims[a]);
        rest /= region.size[a];
        at += position * stride;
        stride *= dims[a];
      }
      fn(static_cast<size_t>(at));
    }
  }
  const std::vector<int64_t> in_;
  const std::vector<float>& image_;
  const std::vector<std::vector<int64_t>> out_;
};

TEST(Session, RectanglesGiveWhatWholeTensorsGive) {
  for (uint32_t seed = 40; seed < 52; ++seed) {
    const Model model = BuildModel(RandomNet(seed, kSizes, 10));
    const Tensors inputs = test::RandomTensors({kSizes}, seed);
    for (Executor executor : {Executor::kFast, Executor::kReference}) {
      auto whole = Session::Create(model, {kSizes}, {.executor = executor});
      ASSERT_TRUE(whole.ok());
      const Tensors expected = RunSession(*whole, inputs);
      for (int64_t tile : {0, 10}) {
        const bool streaming = seed % 2 == 0;
        auto session =
            Session::Create(model, {kSizes}, {.executor = executor, .tile = {0, tile, tile}, .streaming = streaming});
        ASSERT_TRUE(session.ok());
        int64_t done = 0;
        session->SetProgress([&](int64_t now, int64_t total) {
          EXPECT_EQ(now, ++done);
          EXPECT_EQ(total, session->report().tiles);
        });
        WholeImage image(kSizes, inputs[0], session->output_dims());
        const Status status = session->Run(image, image);
        ASSERT_TRUE(status.ok()) << status.message();
        EXPECT_EQ(test::FirstDifference(image.results, expected), "") << seed << " tile " << tile;
        EXPECT_EQ(done, session->report().tiles);
        EXPECT_EQ(image.reads, session->report().tiles);
        session->SetProgress(nullptr);
        image.fail = true;
        EXPECT_EQ(session->Run(image, image).code(), StatusCode::kIo);
      }
    }
  }
}

TEST(Session, TheCallersThreadsAreUsed) {
  const Model model = BuildModel(RandomNet(7, {1, 200, 180, 3}, 8));
  const Tensors inputs = test::RandomTensors({{1, 200, 180, 3}}, 1);
  auto plain = Session::Create(model, {{1, 200, 180, 3}});
  ASSERT_TRUE(plain.ok());
  for (const int64_t rows : {-1, 7}) {
    int jobs = 0;
    SessionOptions options{.threads = 3, .band_rows = rows};
    options.parallel_for = {&jobs, [](void* count, int64_t tasks, void (*body)(void*, int64_t, int), void* context) {
                              ++*static_cast<int*>(count);
                              EXPECT_GT(tasks, 1) << "a job that needs nobody's threads";
                              for (int64_t task = tasks; task-- > 0;) body(context, task, static_cast<int>(task % 3));
                            }};
    auto session = Session::Create(model, {{1, 200, 180, 3}}, options);
    ASSERT_TRUE(session.ok());
    EXPECT_EQ(session->report().bands > 1, rows > 0);
    EXPECT_EQ(test::FirstDifference(RunSession(*session, inputs), RunSession(*plain, inputs)), "");
    EXPECT_GT(jobs, 0);
  }
}

TEST(Session, ProfilesNameTheKernels) {
  const Model model = BuildModel(RandomNet(7, kSizes, 8));
  auto session = Session::Create(model, {kSizes});
  ASSERT_TRUE(session.ok());
  session->EnableProfile(true);
  RunSession(*session, test::RandomTensors({kSizes}, 1));
  const std::vector<StepProfile> steps = session->Profile();
  ASSERT_EQ(steps.size(), model.file()->graph().nodes.size());
  int64_t multiply_adds = 0;
  for (const StepProfile& step : steps) {
    EXPECT_NE(step.kernel, "");
    EXPECT_GE(step.ms, 0);
    multiply_adds += step.multiply_adds;
  }
  EXPECT_EQ(multiply_adds, session->report().multiply_adds);
  auto refused = Session::Create(model, {kSizes}, {.isa = "pentium"});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace fovea
