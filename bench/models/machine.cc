// What this machine could do at best: multiply-adds in registers, and bytes streamed through memory.
//
// usage: bench_machine THREADS
// Prints one JSON object: threads, isa, peak_gflops (a multiply-add counts as 2), bandwidth_gb_s (1e9 bytes a second,
// read and written bytes of b[i] = 3 a[i] as STREAM counts them, over arrays far larger than any cache). Every thread
// keeps to a processor of its own, so that the figures are the machine's and not the scheduler's.
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <thread>
#include <vector>

#include "bench/kernels/peak.h"
#include "kernels/isa.h"

namespace fovea::bench {
namespace {

constexpr size_t kArrayBytes = size_t{256} << 20;
constexpr int kTries = 5;

// The processors that this process may use.
std::vector<int> Processors() {
  cpu_set_t allowed;
  std::vector<int> processors;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return processors;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) processors.push_back(cpu);
  }
  return processors;
}

// body(thread) on `threads` threads at once, the i-th on the i-th processor; more threads than processors share.
void OnEveryThread(int threads, const std::function<void(int)>& body) {
  const std::vector<int> processors = Processors();
  std::vector<std::thread> pool;
  for (int i = 0; i < threads; ++i) {
    pool.emplace_back([&, i] {
      if (!processors.empty()) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(processors[static_cast<size_t>(i) % processors.size()], &one);
        pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
      }
      body(i);
    });
  }
  for (std::thread& thread : pool) thread.join();
}

double PeakOf(int threads, kernels::Isa isa) {
  std::vector<double> best(static_cast<size_t>(threads));
  std::barrier together(threads);
  OnEveryThread(threads, [&](int thread) {
    for (int i = 0; i < kTries; ++i) {
      together.arrive_and_wait();
      double& mine = best[static_cast<size_t>(thread)];
      mine = std::max(mine, PeakGflops(isa));
    }
  });
  return std::accumulate(best.begin(), best.end(), 0.0);
}

double BandwidthOf(int threads) {
  using Clock = std::chrono::steady_clock;
  const size_t count = kArrayBytes / sizeof(float);
  std::vector<float> a(count, 1.0f), b(count, 0.0f);
  std::barrier together(threads);
  double best = 0;
  Clock::time_point begin;
  OnEveryThread(threads, [&](int thread) {
    const size_t from = count * static_cast<size_t>(thread) / static_cast<size_t>(threads);
    const size_t to = count * static_cast<size_t>(thread + 1) / static_cast<size_t>(threads);
    for (int i = 0; i < kTries; ++i) {
      together.arrive_and_wait();
      if (thread == 0) begin = Clock::now();
      together.arrive_and_wait();
      for (size_t k = from; k < to; ++k) b[k] = 3.0f * a[k];
      together.arrive_and_wait();
      if (thread == 0) {
        const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
        best = std::max(best, 2e-9 * static_cast<double>(kArrayBytes) / seconds);
      }
    }
  });
  volatile float sink = b[count / 2];
  static_cast<void>(sink);
  return best;
}

int Main(int argc, char** argv) {
  const int threads = argc == 2 ? std::atoi(argv[1]) : 0;
  if (threads < 1 || threads > 1024) {
    std::fprintf(stderr, "usage: bench_machine THREADS\n");
    return 2;
  }
  const kernels::Isa isa = kernels::BestIsa();
  std::printf("{\"threads\": %d, \"isa\": \"%s\", \"peak_gflops\": %.1f, \"bandwidth_gb_s\": %.1f}\n", threads,
              kernels::IsaName(isa), PeakOf(threads, isa), BandwidthOf(threads));
  return 0;
}

}  // namespace
}  // namespace fovea::bench

int main(int argc, char** argv) { return fovea::bench::Main(argc, argv); }
