#include "runtime/exec/thread_pool.h"

#include <pthread.h>
#ifdef __linux__
#include <sched.h>
#endif

#include <algorithm>
#include <chrono>

namespace fovea::exec {
namespace {

#ifdef __linux__
int PresentProcessor() { return sched_getcpu(); }

// Processors that the calling thread may use, as a set.
bool AllowedProcessors(cpu_set_t* allowed) { return sched_getaffinity(0, sizeof(*allowed), allowed) == 0; }
#endif

// About as long as a small layer takes, so that workers stay awake from layer to layer.
constexpr int kSpins = 2000;

// A worker moves at most so often.
constexpr auto kMoveInterval = std::chrono::milliseconds(1);

void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Returns when `value` is no longer `old`.
void WaitWhile(const std::atomic<uint32_t>& value, uint32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    Pause();
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

}  // namespace

struct ThreadPool::Worker {
  ThreadPool* pool = nullptr;
  int thread = 0;
  pthread_t handle{};
  std::chrono::steady_clock::time_point moved{};
};

// Schedulers of small virtual machines may keep two busy threads on one processor for seconds while another has nothing
// to do. A worker that finds itself where a thread before it works goes to a processor that no thread of the pool is
// on. It is free to be moved from there at once: nothing is pinned, and where processors are shared with other programs
// the scheduler still decides.
void ThreadPool::Spread([[maybe_unused]] int thread) {
#ifdef __linux__
  const int here = PresentProcessor();
  lanes_[static_cast<size_t>(thread)].processor.store(here, std::memory_order_relaxed);
  if (thread == 0) return;  // the caller's thread is the caller's
  bool together = false;
  for (int t = 0; t < thread; ++t) {
    together = together || lanes_[static_cast<size_t>(t)].processor.load(std::memory_order_relaxed) == here;
  }
  if (!together) return;
  Worker& worker = *workers_[static_cast<size_t>(thread - 1)];
  const auto now = std::chrono::steady_clock::now();
  if (now - worker.moved < kMoveInterval) return;
  worker.moved = now;
  cpu_set_t allowed;
  if (!AllowedProcessors(&allowed) || CPU_COUNT(&allowed) < threads()) return;
  cpu_set_t free = allowed;
  for (const Lane& lane : lanes_) {
    const int processor = lane.processor.load(std::memory_order_relaxed);
    if (processor >= 0 && processor < CPU_SETSIZE) CPU_CLR(static_cast<size_t>(processor), &free);
  }
  if (CPU_COUNT(&free) > 0 && sched_setaffinity(0, sizeof(free), &free) == 0) {
    sched_setaffinity(0, sizeof(allowed), &allowed);
  }
#endif
}

ThreadPool::ThreadPool(int threads) : lanes_(static_cast<size_t>(threads)) {
  // All memory before the first thread: should there not be enough, no thread is left behind.
  for (int t = 1; t < threads; ++t) {
    workers_.push_back(std::make_unique<Worker>());
    workers_.back()->pool = this;
    workers_.back()->thread = t;
  }
  size_t started = 0;
  while (started < workers_.size() &&
         pthread_create(&workers_[started]->handle, nullptr, Main, workers_[started].get()) == 0) {
    ++started;
  }
  workers_.resize(started);
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (const auto& worker : workers_) pthread_join(worker->handle, nullptr);
}

void* ThreadPool::Main(void* argument) {
  Worker& worker = *static_cast<Worker*>(argument);
  ThreadPool& pool = *worker.pool;
  for (uint32_t seen = 0;;) {
    WaitWhile(pool.epoch_, seen);
    ++seen;  // the next job is only published when this one is done
    if (pool.stop_) return nullptr;
    pool.Work(worker.thread);
    if (pool.busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) pool.busy_.notify_one();
  }
}

int64_t ThreadPool::Take(int thread) {
  const auto from = [](std::atomic<uint64_t>& span, bool front) -> int64_t {
    uint64_t old = span.load(std::memory_order_relaxed);
    for (;;) {
      const uint64_t begin = old >> 32, end = old & kMostTasks;
      if (begin >= end) return -1;
      const uint64_t left = front ? (begin + 1) << 32 | end : begin << 32 | (end - 1);
      if (span.compare_exchange_weak(old, left, std::memory_order_relaxed)) {
        return static_cast<int64_t>(front ? begin : end - 1);
      }
    }
  };
  for (int k = 0; k < threads(); ++k) {
    const size_t owner = static_cast<size_t>((thread + k) % threads());
    const int64_t task = from(lanes_[owner].tasks, k == 0);
    if (task >= 0) return task;
  }
  return -1;
}

void ThreadPool::Work(int thread) {
  for (int64_t task = Take(thread); task >= 0; task = Take(thread)) {
    Spread(thread);
    body_(context_, first_ + task, thread);
  }
  lanes_[static_cast<size_t>(thread)].processor.store(-1, std::memory_order_relaxed);
}

void ThreadPool::Run(int64_t tasks, Body body, void* context) {
  if (workers_.empty() || tasks < 2) {
    for (int64_t task = 0; task < tasks; ++task) body(context, task, 0);
    return;
  }
  body_ = body;
  context_ = context;
  for (first_ = 0; first_ < tasks; first_ += kMostTasks) RunJob(std::min<int64_t>(tasks - first_, kMostTasks));
}

void ThreadPool::RunJob(int64_t tasks) {
  const int64_t count = threads();
  for (int64_t t = 0; t < count; ++t) {
    const auto begin = static_cast<uint64_t>(tasks * t / count), end = static_cast<uint64_t>(tasks * (t + 1) / count);
    lanes_[static_cast<size_t>(t)].tasks.store(begin << 32 | end, std::memory_order_relaxed);
  }
  busy_.store(static_cast<uint32_t>(workers_.size()), std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  Work(0);
  for (uint32_t busy = busy_.load(std::memory_order_acquire); busy != 0; busy = busy_.load(std::memory_order_acquire)) {
    WaitWhile(busy_, busy);
  }
}

}  // namespace fovea::exec
