// A small pool for one session: the caller works too, workers spin shortly between jobs and then sleep.
//
// Each thread begins with a run of neighbouring tasks of its own, the same share in every job, so that what it made of
// an image in one step is in its cache in the next; who is done takes from the ends of the others' runs.
//
// Not for use from several threads at once. Owns no global state; threads end with the pool. thread_pool.cc is the
// pool; thread_pool_single.cc takes its place in FOVEA_EMBEDDED builds, whose pools are the caller alone.
#ifndef FOVEA_RUNTIME_EXEC_THREAD_POOL_H_
#define FOVEA_RUNTIME_EXEC_THREAD_POOL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/include/fovea/session.h"

namespace fovea::exec {

class ThreadPool {
 public:
  using Body = void (*)(void* context, int64_t task, int thread);

  // threads counts the caller. Fewer are made when the system refuses.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // As ParallelFor: body(context, task, thread) for every task in [0, tasks), thread in [0, threads()). Allocates
  // nothing.
  void Run(int64_t tasks, Body body, void* context);

 private:
  struct Worker;
  static void* Main(void* worker);
  static constexpr int64_t kMostTasks = 0xffffffff;  // of a job

  void RunJob(int64_t tasks);
  void Work(int thread);
  // The next task for a thread, -1 when all are taken.
  int64_t Take(int thread);
  void Spread(int thread);

  // Written by Run before epoch_ is raised, read by workers after they see it.
  int64_t first_ = 0;
  Body body_ = nullptr;
  void* context_ = nullptr;
  bool stop_ = false;

  std::atomic<uint32_t> epoch_{0};
  std::atomic<uint32_t> busy_{0};  // workers that have not finished the job
  std::vector<std::unique_ptr<Worker>> workers_;

  // A cache line each.
  struct alignas(64) Lane {
    std::atomic<uint64_t> tasks{0};  // that are left of the thread's own: first in the upper half, end in the lower
    std::atomic<int> processor{-1};  // where the thread works at the moment, -1: nowhere
  };
  std::vector<Lane> lanes_;  // of every thread
};

}  // namespace fovea::exec

#endif  // FOVEA_RUNTIME_EXEC_THREAD_POOL_H_
