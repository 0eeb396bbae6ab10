#include "runtime/exec/thread_pool.h"

#include <pthread.h>

namespace fovea::exec {
namespace {

// About as long as a small layer takes, so that workers stay awake from layer to layer.
constexpr int kSpins = 2000;

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
};

ThreadPool::ThreadPool(int threads) {
  for (int t = 1; t < threads; ++t) {
    auto worker = std::make_unique<Worker>();
    worker->pool = this;
    worker->thread = t;
    if (pthread_create(&worker->handle, nullptr, Main, worker.get()) != 0) break;
    workers_.push_back(std::move(worker));
  }
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

void ThreadPool::Work(int thread) {
  for (;;) {
    const int64_t task = next_.fetch_add(1, std::memory_order_relaxed);
    if (task >= tasks_) return;
    body_(context_, task, thread);
  }
}

void ThreadPool::Run(int64_t tasks, Body body, void* context) {
  if (workers_.empty() || tasks < 2) {
    for (int64_t task = 0; task < tasks; ++task) body(context, task, 0);
    return;
  }
  tasks_ = tasks;
  body_ = body;
  context_ = context;
  next_.store(0, std::memory_order_relaxed);
  busy_.store(static_cast<uint32_t>(workers_.size()), std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  Work(0);
  for (uint32_t busy = busy_.load(std::memory_order_acquire); busy != 0; busy = busy_.load(std::memory_order_acquire)) {
    WaitWhile(busy_, busy);
  }
}

}  // namespace fovea::exec
