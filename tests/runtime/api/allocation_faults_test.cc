// Every allocation of load and plan made to fail in turn: a Status, no crash, nothing left behind (the sanitizers'
// build looks for leaks), and the next try works.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "runtime/include/fovea/session.h"
#include "tests/support/fail_allocations.h"
#include "tests/support/small_nets.h"

namespace fovea {
namespace {

// Runs body with its allocation `n` failing, n = 0, 1, .. until it does not get that far. Returns how many failed.
// body: the Status of what was tried.
template <class Body>
int64_t FailEach(const Body& body) {
  for (int64_t n = 0;; n += 1 + n / 400) {  // all of the first ones, fewer of the many that follow
    test::FailAllocation(n);
    const Status status = body();
    const bool reached = test::StopFailing();
    if (!reached) {
      EXPECT_TRUE(status.ok()) << status.message();
      return n;
    }
    // A heap that can't give a buffer for sorting makes do without.
    if (status.ok()) continue;
    EXPECT_EQ(status.code(), StatusCode::kOutOfMemory) << "allocation " << n << ": " << status.message();
    if (::testing::Test::HasFailure()) return n;
  }
}

class AllocationFaultsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(test::UNet(2).Write(path_).ok()); }
  void TearDown() override { std::filesystem::remove(path_); }
  const std::string path_ = ::testing::TempDir() + "allocation_faults.fov";
};

TEST_F(AllocationFaultsTest, Load) {
  EXPECT_GT(FailEach([&] { return Model::Load(path_).status(); }), 100);
  EXPECT_TRUE(Model::Load(path_).ok());
}

TEST_F(AllocationFaultsTest, PlanAndCreate) {
  const auto model = Model::Load(path_);
  ASSERT_TRUE(model.ok());
  const std::vector<std::vector<int64_t>> sizes = {{1, 64, 96, 1}};
  SessionOptions options;
  options.threads = 2;
  const auto create = [&] { return Session::Create(*model, sizes, options).status(); };
  EXPECT_GT(FailEach(create), 200);
  EXPECT_GT(FailEach([&] { return Session::Plan(*model, sizes, options).status(); }), 200);
  // In bands, in tiles, and with everything that a budget makes it look at.
  options.streaming = true;
  options.tile[1] = options.tile[2] = 32;
  EXPECT_GT(FailEach(create), 200);
  options.tile[1] = options.tile[2] = 0;
  options.band_rows = 8;
  EXPECT_GT(FailEach(create), 200);
  options.band_rows = 0;
  const auto free = Session::Plan(*model, sizes, options);
  ASSERT_TRUE(free.ok());
  options.memory_bytes = free->total_bytes() / 2;
  EXPECT_GT(FailEach(create), 200);
  EXPECT_TRUE(create().ok());
}

TEST_F(AllocationFaultsTest, BlocksOfTheCallersAllocator) {
  const auto model = Model::Load(path_);
  ASSERT_TRUE(model.ok());
  struct Fault {
    int64_t left = 0, held = 0;
  } fault;
  SessionOptions options;
  options.streaming = true;
  options.allocator.context = &fault;
  options.allocator.allocate = [](void* context, size_t bytes) -> void* {
    auto* f = static_cast<Fault*>(context);
    if (f->left-- == 0) return nullptr;
    ++f->held;
    return std::aligned_alloc(64, bytes);
  };
  options.allocator.release = [](void* context, void* block, size_t) {
    --static_cast<Fault*>(context)->held;
    std::free(block);
  };
  int64_t failed = 0;
  for (;; ++failed) {
    fault.left = failed;
    const auto session = Session::Create(*model, {{1, 64, 64, 1}}, options);
    if (session.ok()) break;
    EXPECT_EQ(session.status().code(), StatusCode::kOutOfMemory) << session.status().message();
    EXPECT_EQ(fault.held, 0);
    ASSERT_LT(failed, 100);
  }
  EXPECT_GE(failed, 2);  // packed weights and the arena at least
  EXPECT_EQ(fault.held, 0);
}

}  // namespace
}  // namespace fovea
