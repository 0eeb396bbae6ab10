// fovea bench: times a network on this machine.
#include <algorithm>
#include <cstdio>

#include "tools/cli/program.h"
#include "tools/cli/seeded.h"
#include "tools/fovea/commands.h"
#include "tools/fovea/common.h"

namespace fovea::cli {
namespace {

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

}  // namespace

int BenchCommand(const std::vector<std::string>& words) {
  Args args("fovea bench", "MODEL --size [D]xHxW [--threads N] [--repeat K]",
            "Loads a network, runs it on seeded noise and prints the smallest and the median time of K runs after one "
            "warm-up.");
  std::vector<std::string> free;
  std::string size_text;
  int64_t repeat = 5;
  bool json = false, profile = false;
  uint64_t memory = 0;
  ExecutionOptions execution;
  args.Text("--size", &size_text, "[D]xHxW", "image size (default: a small one)");
  execution.Declare(&args);
  args.Integer("--repeat", &repeat, 1, 100000, "K", "runs that count (default 5)");
  args.Bytes("--memory", &memory, "BYTES", "budget for weights, intermediate tensors and tile buffers");
  args.Flag("--profile", &profile, "also a table of the layers");
  args.Flag("--json", &json, "print one JSON object");
  args.Positional("MODEL", &free, 1, 1);
  bool help = false;
  const Status parsed = args.Parse(words, &help);
  if (!parsed.ok()) return Fail("fovea bench", parsed);
  if (help) return std::fputs(args.Help().c_str(), stdout), kDone;
  CatchInterrupts();
  auto options = execution.ToSession();
  if (!options.ok()) return Fail("fovea bench", options.status());
  options->memory_bytes = memory;

  const double load_start = Seconds();
  const Result<Model> model = Model::Load(free[0]);
  if (!model.ok()) return Fail("fovea bench", model.status());
  std::vector<std::vector<int64_t>> sizes = model->DefaultSizes();
  if (!size_text.empty()) {
    const auto size = ParseSize(size_text);
    if (!size.ok()) return Fail("fovea bench", size.status());
    auto chosen = InputSizes(*model, *size);
    if (!chosen.ok()) return Fail("fovea bench", chosen.status());
    sizes = *chosen;
  }
  auto session = Session::Create(*model, sizes, *options);
  if (!session.ok()) return Fail("fovea bench", session.status());
  const double load_ms = 1e3 * (Seconds() - load_start);
  session->SetCancel(Interrupted);

  std::vector<std::vector<float>> inputs, outputs;
  std::vector<const float*> in;
  std::vector<float*> out;
  for (const auto& d : session->input_dims()) inputs.push_back(SeededInput(ElementCount(d)));
  for (const auto& d : session->output_dims()) outputs.emplace_back(ElementCount(d));
  for (auto& tensor : inputs) in.push_back(tensor.data());
  for (auto& tensor : outputs) out.push_back(tensor.data());
  std::vector<double> ms;
  for (int64_t i = -1; i < repeat; ++i) {
    const double start = Seconds();
    const Status status = session->Run(in, out);
    if (!status.ok()) return Fail("fovea bench", status);
    if (i >= 0) ms.push_back(1e3 * (Seconds() - start));
  }
  const PlanReport& report = session->report();
  const double min_ms = *std::min_element(ms.begin(), ms.end()), median_ms = Median(ms);
  const double gflop = 2e-9 * static_cast<double>(report.multiply_adds);
  nlohmann::ordered_json result = {{"model", free[0]},
                                   {"input_dims", session->input_dims()},
                                   {"min_ms", min_ms},
                                   {"median_ms", median_ms},
                                   {"runs_ms", ms},
                                   {"load_ms", load_ms},
                                   {"peak_rss_bytes", PeakResidentBytes()},
                                   {"gflop", gflop},
                                   {"gflops", gflop / (1e-3 * median_ms)},
                                   {"threads", report.threads},
                                   {"isa", report.isa},
                                   {"precision", execution.precision},
                                   {"strategy", report.strategy},
                                   {"tiles", report.tiles},
                                   {"planned_bytes", report.total_bytes()}};
  if (!report.weight_cache.empty()) result["weight_cache"] = report.weight_cache;
  std::vector<StepProfile> steps;
  if (profile) {
    session->EnableProfile(true);
    const Status status = session->Run(in, out);
    if (!status.ok()) return Fail("fovea bench", status);
    steps = session->Profile();
    for (const StepProfile& step : steps) {
      result["profile"].push_back({{"node", step.node},
                                   {"kind", step.kind},
                                   {"kernel", step.kernel},
                                   {"ms", step.ms},
                                   {"multiply_adds", step.multiply_adds},
                                   {"bytes_moved", step.bytes_moved}});
    }
  }
  if (json) {
    std::printf("%s\n", result.dump(2).c_str());
    return kDone;
  }
  std::printf(
      "min %.2f ms, median %.2f ms over %d runs, %d thread%s, %s; %.1f GFLOP, %.1f GFLOP/s; load %.1f ms; peak %s\n",
      min_ms, median_ms, static_cast<int>(repeat), report.threads, report.threads == 1 ? "" : "s", report.isa.c_str(),
      gflop, gflop / (1e-3 * median_ms), load_ms, HumanBytes(PeakResidentBytes()).c_str());
  if (!report.weight_cache.empty()) std::printf("packed weights: %s\n", report.weight_cache.c_str());
  if (profile) {
    std::printf("%9s %6s %9s %8s  %-14s %-34s %s\n", "ms", "%", "GFLOP/s", "GB/s", "operator", "kernel", "node");
    double total = 0;
    for (const StepProfile& step : steps) total += step.ms;
    for (const StepProfile& step : steps) {
      const double s = 1e-3 * std::max(step.ms, 1e-9);
      std::printf("%9.3f %6.1f %9.1f %8.1f  %-14s %-34s %s\n", step.ms, 100 * step.ms / total,
                  2e-9 * static_cast<double>(step.multiply_adds) / s, 1e-9 * static_cast<double>(step.bytes_moved) / s,
                  step.kind.c_str(), step.kernel.c_str(), step.node.c_str());
    }
  }
  return kDone;
}

}  // namespace fovea::cli
