#include "runtime/exec/thread_pool.h"

#include <gtest/gtest.h>
#ifdef __linux__
#include <sched.h>
#endif

#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace fovea::exec {
namespace {

struct Job {
  std::vector<int> done;                   // of each task; written by one thread each
  std::array<std::atomic<int>, 8> busy{};  // of each thread number
  std::atomic<bool> clash{false};
  static void Body(void* context, int64_t task, int thread) {
    Job& job = *static_cast<Job*>(context);
    if (job.busy[static_cast<size_t>(thread)].fetch_add(1) != 0) job.clash = true;
    ++job.done[static_cast<size_t>(task)];
    job.busy[static_cast<size_t>(thread)].fetch_sub(1);
  }
};

TEST(ThreadPool, RunsEveryTaskOnceForManyJobsInARow) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int64_t tasks : {0, 1, 2, 3, 7, 100}) {
      for (int round = 0; round < 200; ++round) {
        Job job;
        job.done.assign(static_cast<size_t>(tasks), 0);
        pool.Run(tasks, Job::Body, &job);
        for (int n : job.done) ASSERT_EQ(n, 1);
        ASSERT_FALSE(job.clash);
      }
    }
  }
}

TEST(ThreadPool, WakesFromSleepAndEndsAsleep) {
  ThreadPool pool(3);
  for (int round = 0; round < 5; ++round) {
    // Long after spinning ends.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    Job job;
    job.done.assign(50, 0);
    pool.Run(50, Job::Body, &job);
    for (int n : job.done) ASSERT_EQ(n, 1);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

// The caller stays in one task until the worker has done all the others, those of the caller's own share among them.
TEST(ThreadPool, WhoIsDoneTakesFromTheOthers) {
  ThreadPool pool(2);
  struct Wait {
    std::atomic<int> by_worker{0};
    std::atomic<bool> caller_is_in{false};
    static void Body(void* context, int64_t, int thread) {
      auto& self = *static_cast<Wait*>(context);
      if (thread == 1) {
        while (!self.caller_is_in) std::this_thread::yield();
        ++self.by_worker;
      } else if (!self.caller_is_in.exchange(true)) {
        while (self.by_worker < 99) std::this_thread::yield();
      }
    }
  } wait;
  pool.Run(100, Wait::Body, &wait);
  EXPECT_EQ(wait.by_worker, 99);
}

#ifdef __linux__
TEST(ThreadPool, PinsNobody) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  ThreadPool pool(3);
  struct Look {
    const cpu_set_t* expected;
    std::atomic<int> others{0};
    static void Body(void* context, int64_t, int) {
      auto& self = *static_cast<Look*>(context);
      cpu_set_t now;
      if (sched_getaffinity(0, sizeof(now), &now) != 0 || !CPU_EQUAL(&now, self.expected)) ++self.others;
      const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(200);
      while (std::chrono::steady_clock::now() < end) {
      }
    }
  } look{&before, {}};
  for (int round = 0; round < 20; ++round) pool.Run(60, Look::Body, &look);
  EXPECT_EQ(look.others, 0);
}
#endif

}  // namespace
}  // namespace fovea::exec
