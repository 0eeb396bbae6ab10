// fovea bench: times a network on this machine.
#include <algorithm>
#include <cstdio>

#include "formats/image/npy.h"
#include "tools/cli/program.h"
#include "tools/cli/seeded.h"
#include "tools/fovea/bench_report.h"
#include "tools/fovea/commands.h"
#include "tools/fovea/common.h"
#include "tools/fovea/model_source.h"

namespace fovea::cli {
namespace {

// Inputs and outputs of a session, with the pointers that Run takes.
struct Tensors {
  std::vector<std::vector<float>> inputs, outputs;
  std::vector<const float*> in;
  std::vector<float*> out;

  void Point() {
    for (auto& tensor : inputs) in.push_back(tensor.data());
    for (auto& tensor : outputs) out.push_back(tensor.data());
  }
};

// Stored order: seeded noise, or what the NPY file holds for a model of one input.
Result<std::vector<std::vector<float>>> MakeInputs(const std::vector<std::vector<int64_t>>& dims,
                                                   const std::string& path) {
  std::vector<std::vector<float>> inputs;
  if (path.empty()) {
    for (const auto& d : dims) inputs.push_back(SeededInput(ElementCount(d)));
    return inputs;
  }
  FOVEA_ASSIGN_OR_RETURN(const formats::NpyArray array, formats::ReadNpy(path));
  std::vector<float> values = formats::ToFloatVector(array);
  if (dims.size() != 1 || values.size() != ElementCount(dims[0])) {
    return InvalidArgument(path + ": has " + std::to_string(values.size()) + " numbers; the model wants " +
                           (dims.size() == 1 ? std::to_string(ElementCount(dims[0])) + " at this --size"
                                             : std::to_string(dims.size()) + " inputs, which --input can't give"));
  }
  inputs.push_back(std::move(values));
  return inputs;
}

}  // namespace

int BenchCommand(const std::vector<std::string>& words) {
  Args args("fovea bench", "MODEL --size [D]xHxW [--threads N] [--repeat K]",
            "Loads a network, runs it on seeded noise and prints the smallest and the median time of K runs after one "
            "warm-up.");
  std::vector<std::string> free;
  std::string size_text;
  int64_t repeat = 5;
  bool json = false, profile = false, accuracy = false;
  std::string trace, input;
  double tolerance = 5e-5;
  uint64_t memory = 0;
  ExecutionOptions execution;
  args.Text("--size", &size_text, "[D]xHxW", "image size (default: a small one)");
  execution.Declare(&args);
  args.Integer("--repeat", &repeat, 1, 100000, "K", "runs that count (default 5)");
  args.Bytes("--memory", &memory, "BYTES", "budget for weights, intermediate tensors and tile buffers");
  args.Flag("--profile", &profile, "also a table of the layers, medians of K further runs, beside the FMA peak");
  args.Text("--trace", &trace, "FILE.json", "also one run's steps, and each thread's tasks, as a Chrome trace");
  args.Flag("--accuracy", &accuracy,
            "no timing: each layer's largest error against sums in float64, over its output's range, and the whole "
            "network's; exit code 1 beyond --tolerance. Slow");
  args.Number("--tolerance", &tolerance, "T", "of --accuracy (default 5e-5)");
  args.Text("--input", &input, "FILE.npy", "numbers to run on, in the model's stored axis order, instead of noise");
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
  const Result<Model> model = LoadModel(free[0]);
  if (!model.ok()) return Fail("fovea bench", model.status());
  std::vector<std::vector<int64_t>> sizes = model->DefaultSizes();
  if (!size_text.empty()) {
    const auto size = ParseSize(size_text);
    if (!size.ok()) return Fail("fovea bench", size.status());
    auto chosen = InputSizes(*model, *size);
    if (!chosen.ok()) return Fail("fovea bench", chosen.status());
    sizes = *chosen;
  }
  if (accuracy) {
    const auto inputs = MakeInputs(sizes, input);
    if (!inputs.ok()) return Fail("fovea bench", inputs.status());
    std::vector<const float*> in;
    for (const auto& tensor : *inputs) in.push_back(tensor.data());
    const auto report = MeasureAccuracy(*model, sizes, *options, in, Interrupted);
    if (!report.ok()) return Fail("fovea bench", report.status());
    nlohmann::ordered_json object = {{"model", free[0]}, {"input_dims", sizes}};
    const bool good = TellAccuracy(*report, tolerance, json ? &object : nullptr);
    if (json) std::printf("%s\n", object.dump(2).c_str());
    return good ? kDone : kCheckFailed;
  }
  auto session = Session::Create(*model, sizes, *options);
  if (!session.ok()) return Fail("fovea bench", session.status());
  const double load_ms = 1e3 * (Seconds() - load_start);
  session->SetCancel(Interrupted);

  Tensors tensors;
  auto inputs = MakeInputs(session->input_dims(), input);
  if (!inputs.ok()) return Fail("fovea bench", inputs.status());
  tensors.inputs = *std::move(inputs);
  for (const auto& d : session->output_dims()) tensors.outputs.emplace_back(ElementCount(d));
  tensors.Point();
  std::vector<double> ms;
  for (int64_t i = -1; i < repeat; ++i) {
    const double start = Seconds();
    const Status status = session->Run(tensors.in, tensors.out);
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
  std::vector<LayerTime> layers;
  double peak = 0;
  if (profile) {
    const auto measured = FmaPeakGflops(report.isa, report.threads);
    if (!measured.ok()) return Fail("fovea bench", measured.status());
    peak = *measured;
    auto profiled = ProfileLayers(&*session, tensors.in, tensors.out, repeat, peak);
    if (!profiled.ok()) return Fail("fovea bench", profiled.status());
    layers = *std::move(profiled);
    result["fma_peak_gflops"] = peak;
    result["profile"] = LayersAsJson(layers);
  }
  if (!trace.empty()) {
    const Status written = WriteTrace(&*session, tensors.in, tensors.out, trace);
    if (!written.ok()) return Fail("fovea bench", written);
    result["trace"] = trace;
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
  if (profile) PrintLayers(layers, peak);
  return kDone;
}

}  // namespace fovea::cli
