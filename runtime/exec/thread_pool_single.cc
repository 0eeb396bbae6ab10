// The pool where there are no threads: every task runs on the caller.
#include "runtime/exec/thread_pool.h"

namespace fovea::exec {

struct ThreadPool::Worker {};

ThreadPool::ThreadPool(int) {}
ThreadPool::~ThreadPool() = default;

void ThreadPool::Run(int64_t tasks, Body body, void* context) {
  for (int64_t task = 0; task < tasks; ++task) body(context, task, 0);
}

}  // namespace fovea::exec
