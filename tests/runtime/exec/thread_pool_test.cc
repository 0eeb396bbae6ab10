#include "runtime/exec/thread_pool.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace fovea::exec
