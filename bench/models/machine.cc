// What this machine could do at best: multiply-adds in registers, and bytes streamed through memory.
//
// usage: bench_machine THREADS
// Prints one JSON object: threads, isa, peak_gflops (a multiply-add counts as 2), bandwidth_gb_s (1e9 bytes a second,
// read and written bytes of b[i] = 3 a[i] as STREAM counts them, over arrays far larger than any cache). Every thread
// keeps to a processor of its own, so that the figures are the machine's and not the scheduler's.
#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "bench/kernels/peak.h"
#include "bench/threads.h"
#include "kernels/isa.h"

namespace fovea::bench {
namespace {

constexpr size_t kArrayBytes = size_t{256} << 20;
constexpr int kTries = 5;

double PeakOf(ThreadTeam& team, kernels::Isa isa) {
  std::vector<double> best(static_cast<size_t>(team.threads()));
  std::barrier together(team.threads());
  team.Run([&](int thread) {
    for (int i = 0; i < kTries; ++i) {
      together.arrive_and_wait();
      double& mine = best[static_cast<size_t>(thread)];
      mine = std::max(mine, PeakGflops(isa));
    }
  });
  return std::accumulate(best.begin(), best.end(), 0.0);
}

double BandwidthOf(ThreadTeam& team) {
  using Clock = std::chrono::steady_clock;
  const size_t count = kArrayBytes / sizeof(float);
  std::vector<float> a(count, 1.0f), b(count, 0.0f);
  const auto threads = static_cast<size_t>(team.threads());
  std::barrier together(team.threads());
  double best = 0;
  Clock::time_point begin;
  team.Run([&](int thread) {
    const size_t from = count * static_cast<size_t>(thread) / threads;
    const size_t to = count * static_cast<size_t>(thread + 1) / threads;
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
  ThreadTeam team(threads);
  const kernels::Isa isa = kernels::BestIsa();
  std::printf("{\"threads\": %d, \"isa\": \"%s\", \"peak_gflops\": %.1f, \"bandwidth_gb_s\": %.1f}\n", threads,
              kernels::IsaName(isa), PeakOf(team, isa), BandwidthOf(team));
  return 0;
}

}  // namespace
}  // namespace fovea::bench

int main(int argc, char** argv) { return fovea::bench::Main(argc, argv); }
