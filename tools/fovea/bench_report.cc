#include "tools/fovea/bench_report.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "tools/fovea/common.h"

namespace fovea::cli {

Result<std::vector<LayerTime>> ProfileLayers(Session* session, std::span<const float* const> inputs,
                                             std::span<float* const> outputs, int64_t repeat, double peak_gflops) {
  session->EnableProfile(true);
  std::vector<LayerTime> layers;
  for (StepProfile& step : session->Profile()) layers.push_back({std::move(step), 0, 0, 0, 0});
  std::vector<std::vector<double>> times(layers.size());
  for (int64_t i = 0; i < repeat; ++i) {
    FOVEA_RETURN_IF_ERROR(session->Run(inputs, outputs));
    const std::vector<StepProfile> steps = session->Profile();
    for (size_t s = 0; s < steps.size(); ++s) times[s].push_back(steps[s].ms);
  }
  session->EnableProfile(false);
  for (size_t s = 0; s < layers.size(); ++s) {
    LayerTime& layer = layers[s];
    layer.ms = Median(times[s]);
    const double flops = 2 * static_cast<double>(layer.step.multiply_adds);
    if (layer.ms > 0) layer.gflops = 1e-6 * flops / layer.ms;
    if (peak_gflops > 0) layer.percent_of_peak = 100 * layer.gflops / peak_gflops;
    if (layer.step.bytes_moved > 0) layer.intensity = flops / static_cast<double>(layer.step.bytes_moved);
  }
  return layers;
}

void PrintLayers(const std::vector<LayerTime>& layers, double peak_gflops) {
  double total = 0;
  for (const LayerTime& layer : layers) total += layer.ms;
  std::printf(
      "layers: median ms, share, effective GFLOP/s and their part of the FMA peak (%.1f GFLOP/s measured now), MB read "
      "and written, GB/s, FLOP a byte\n",
      peak_gflops);
  std::printf("%9s %6s %9s %7s %8s %7s %8s  %-14s %-34s %s\n", "ms", "%", "GFLOP/s", "of peak", "MB", "GB/s", "FLOP/B",
              "operator", "kernel", "node");
  for (const LayerTime& layer : layers) {
    const double mb = 1e-6 * static_cast<double>(layer.step.bytes_moved);
    std::printf("%9.3f %6.1f %9.1f %6.1f%% %8.2f %7.1f %8.1f  %-14s %-34s %s\n", layer.ms,
                total > 0 ? 100 * layer.ms / total : 0, layer.gflops, layer.percent_of_peak, mb,
                layer.ms > 0 ? mb / layer.ms : 0, layer.intensity, layer.step.kind.c_str(), layer.step.kernel.c_str(),
                layer.step.node.c_str());
  }
}

nlohmann::ordered_json LayersAsJson(const std::vector<LayerTime>& layers) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const LayerTime& layer : layers) {
    list.push_back({{"node", layer.step.node},
                    {"kind", layer.step.kind},
                    {"kernel", layer.step.kernel},
                    {"ms", layer.ms},
                    {"multiply_adds", layer.step.multiply_adds},
                    {"gflops", layer.gflops},
                    {"percent_of_peak", layer.percent_of_peak},
                    {"bytes_moved", layer.step.bytes_moved},
                    {"arithmetic_intensity", layer.intensity}});
  }
  return list;
}

Status WriteTrace(Session* session, std::span<const float* const> inputs, std::span<float* const> outputs,
                  const std::string& path) {
  session->EnableTrace();
  FOVEA_RETURN_IF_ERROR(session->Run(inputs, outputs));
  const std::vector<StepProfile> steps = session->Profile();
  nlohmann::ordered_json events = nlohmann::ordered_json::array();
  const auto name_row = [&](int row, const std::string& name) {
    events.push_back({{"name", "thread_name"}, {"ph", "M"}, {"pid", 1}, {"tid", row}, {"args", {{"name", name}}}});
  };
  name_row(0, "steps");
  for (int t = 0; t < session->report().threads; ++t) name_row(t + 1, "thread " + std::to_string(t));
  for (const TraceEvent& event : session->Trace()) {
    const StepProfile& step = steps[static_cast<size_t>(event.step)];
    events.push_back({{"name", step.node.empty() ? step.kind : step.node},
                      {"cat", step.kind},
                      {"ph", "X"},
                      {"pid", 1},
                      {"tid", event.thread + 1},
                      {"ts", 1e3 * event.begin_ms},
                      {"dur", 1e3 * (event.end_ms - event.begin_ms)},
                      {"args", {{"kernel", step.kernel}}}});
  }
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  const nlohmann::ordered_json trace = {{"traceEvents", events}, {"displayTimeUnit", "ms"}};
  file << trace.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
  file.close();
  if (!file) return IoError(path + ": the trace can't be written: " + std::strerror(errno));
  return OkStatus();
}

bool TellAccuracy(const AccuracyReport& report, double tolerance, nlohmann::ordered_json* json) {
  bool good = true;
  if (json == nullptr) {
    std::printf("largest error of the picked kernel, over the range of the reference's results (tolerance %.1e)\n",
                tolerance);
    std::printf("%9s %12s %12s  %-10s %-14s %-34s %s\n", "relative", "error", "range", "reference", "operator",
                "kernel", "node");
  }
  const auto tell = [&](const StepAccuracy& step, const char* list) {
    good = good && step.relative() <= tolerance;
    if (json != nullptr) {
      (*json)[list].push_back({{"node", step.node},
                               {"kind", step.kind},
                               {"kernel", step.kernel},
                               {"relative_error", step.relative()},
                               {"error", step.error},
                               {"range", step.range},
                               {"reference", step.in_double ? "float64" : "float32"}});
      return;
    }
    std::printf("%9.1e %12.4g %12.4g  %-10s %-14s %-34s %s%s\n", step.relative(), step.error, step.range,
                step.in_double ? "float64" : "float32", step.kind.c_str(), step.kernel.c_str(), step.node.c_str(),
                step.relative() <= tolerance ? "" : "  <- out of tolerance");
  };
  for (const StepAccuracy& step : report.steps) tell(step, "layers");
  for (const StepAccuracy& output : report.outputs) tell(output, "outputs");
  if (json != nullptr) {
    (*json)["tolerance"] = tolerance;
    (*json)["passed"] = good;
  }
  return good;
}

}  // namespace fovea::cli
