#include "bench/threads.h"

#include <pthread.h>
#include <sched.h>

namespace fovea::bench {
namespace {

std::vector<int> ReadProcessors() {
  cpu_set_t allowed;
  std::vector<int> processors;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return processors;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) processors.push_back(cpu);
  }
  return processors;
}

}  // namespace

void KeepToProcessor(int index) {
  static const std::vector<int> processors = ReadProcessors();
  if (processors.empty()) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(processors[static_cast<size_t>(index) % processors.size()], &one);
  pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
}

ThreadTeam::ThreadTeam(int threads) : threads_(threads), meet_(threads) {
  KeepToProcessor(0);
  for (int i = 1; i < threads; ++i) {
    workers_.emplace_back([this, i] {
      KeepToProcessor(i);
      for (;;) {
        meet_.arrive_and_wait();
        if (body_ == nullptr) return;
        (*body_)(i);
        meet_.arrive_and_wait();
      }
    });
  }
}

ThreadTeam::~ThreadTeam() {
  body_ = nullptr;
  meet_.arrive_and_wait();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadTeam::Run(const std::function<void(int)>& body) {
  if (threads_ == 1) return body(0);
  body_ = &body;
  meet_.arrive_and_wait();
  body(0);
  meet_.arrive_and_wait();
}

}  // namespace fovea::bench
