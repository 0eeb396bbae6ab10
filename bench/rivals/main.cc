// Times a rival's convolutions and fovea's picked kernels in turns, over the layers of the benchmark networks.
//
// usage: bench_RIVAL [--threads N] [--repeat K] [--filter TEXT]
// Both results are checked against the reference kernel first; a wrong one ends the program with exit code 1.
// --filter takes lines whose network or shape contains TEXT; a shape that an earlier network had is not repeated.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>

#include "bench/rivals/rival.h"

namespace fovea::bench {
namespace {

struct Times {
  std::vector<double> ms;
  double min() const { return *std::min_element(ms.begin(), ms.end()); }
  double median() {
    std::sort(ms.begin(), ms.end());
    const size_t n = ms.size();
    return n % 2 == 1 ? ms[n / 2] : 0.5 * (ms[n / 2 - 1] + ms[n / 2]);
  }
};

// One run that does not count, in which the other side's threads stop spinning, and one that does.
template <class Kernel>
void TimeOnce(Kernel& kernel, Times* times) {
  kernel.Run();
  const auto begin = std::chrono::steady_clock::now();
  kernel.Run();
  times->ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
}

bool Check(const Problem& problem, const std::string& who, const std::vector<float>& result) {
  const double error = RelativeError(problem, result);
  if (error <= 1) return true;
  std::fprintf(stderr, "%s %s: %s is wrong: %.3g times the error that float32 allows\n", problem.layer.network,
               problem.Describe().c_str(), who.c_str(), error);
  return false;
}

bool TimeLayer(const Problem& problem, int repeat, Rival& rival, ThreadTeam& team) {
  const std::string shape = problem.Describe();
  const std::unique_ptr<RivalKernel> theirs = rival.Prepare(problem);
  if (theirs == nullptr) {
    std::printf("%-14s %-28s %s\n", problem.layer.network, shape.c_str(), "not offered");
    return true;
  }
  OurKernel ours(problem, team);
  theirs->Run();
  ours.Run();
  if (!Check(problem, theirs->name(), theirs->result()) || !Check(problem, ours.name(), ours.result())) return false;
  Times their_times, our_times;
  for (int i = 0; i < repeat; ++i) {
    TimeOnce(*theirs, &their_times);
    TimeOnce(ours, &our_times);
  }
  const double their_median = their_times.median(), our_median = our_times.median();
  std::printf("%-14s %-28s %9.3f %9.3f %8.1f  %9.3f %9.3f %8.1f %6.2fx  %s | %s\n", problem.layer.network,
              shape.c_str(), our_times.min(), our_median, problem.flops / our_median * 1e-6, their_times.min(),
              their_median, problem.flops / their_median * 1e-6, their_median / our_median, ours.name(),
              theirs->name().c_str());
  std::fflush(stdout);
  return true;
}

int Main(int argc, char** argv) {
  int threads = 1, repeat = 7;
  std::string filter;
  for (int i = 1; i < argc; i += 2) {
    const std::string flag = argv[i];
    const bool known = flag == "--threads" || flag == "--repeat" || flag == "--filter";
    if (!known || i + 1 >= argc) {
      std::fprintf(stderr, "usage: %s [--threads N] [--repeat K] [--filter TEXT]\n", argv[0]);
      return 2;
    }
    if (flag == "--threads") threads = std::clamp(std::atoi(argv[i + 1]), 1, 1024);
    if (flag == "--repeat") repeat = std::max(1, std::atoi(argv[i + 1]));
    if (flag == "--filter") filter = argv[i + 1];
  }
  ThreadTeam team(threads);
  const std::unique_ptr<Rival> rival = MakeRival(threads);
  std::printf("fovea's pick against %s, %d thread%s, %d runs each in turns; GFLOP/s and ratio are of the medians\n",
              rival->version().c_str(), threads, threads > 1 ? "s" : "", repeat);
  std::printf("%-14s %-28s %9s %9s %8s  %9s %9s %8s %7s  %s\n", "network", "layer", "ours min", "median", "GFLOP/s",
              "their min", "median", "GFLOP/s", "faster", "kernels: ours | theirs");
  std::set<std::string> seen;
  for (const Layer& layer : Layers()) {
    // Rivals have no such operator; the last ones are no network's.
    if (layer.upsample > 1 || std::string(layer.network) == "odd channels") continue;
    const Problem problem(layer);
    const std::string shape = problem.Describe() + " pad " + std::to_string(layer.pad);
    if ((std::string(layer.network) + " " + shape).find(filter) == std::string::npos) continue;
    if (seen.insert(shape).second && !TimeLayer(problem, repeat, *rival, team)) return 1;
  }
  return 0;
}

}  // namespace
}  // namespace fovea::bench

int main(int argc, char** argv) { return fovea::bench::Main(argc, argv); }
