// What `fovea bench` tells beside the time of a run: the layers, a trace, and how exact the results are.
#ifndef FOVEA_TOOLS_FOVEA_BENCH_REPORT_H_
#define FOVEA_TOOLS_FOVEA_BENCH_REPORT_H_

#include <span>
#include <string>
#include <vector>

#include "runtime/include/fovea/measure.h"
#include "runtime/include/fovea/session.h"
#include "tools/cli/describe.h"

namespace fovea::cli {

struct LayerTime {
  StepProfile step;
  double ms = 0;               // median
  double gflops = 0;           // 2 a multiply-add of the layer as the network states it: Winograd may pass the peak
  double percent_of_peak = 0;  // of the FMA peak; 0 when it is not known
  double intensity = 0;        // floating-point operations a byte that is moved
};

// Runs `repeat` times with the profile on.
Result<std::vector<LayerTime>> ProfileLayers(Session* session, std::span<const float* const> inputs,
                                             std::span<float* const> outputs, int64_t repeat, double peak_gflops);
void PrintLayers(const std::vector<LayerTime>& layers, double peak_gflops);
nlohmann::ordered_json LayersAsJson(const std::vector<LayerTime>& layers);

// One run, as a Chrome trace (chrome://tracing, Perfetto): a row of the steps and one of each thread's tasks.
Status WriteTrace(Session* session, std::span<const float* const> inputs, std::span<float* const> outputs,
                  const std::string& path);

// Prints, or fills `json`. True when every layer and output is within `tolerance` of the reference's range.
bool TellAccuracy(const AccuracyReport& report, double tolerance, nlohmann::ordered_json* json);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_BENCH_REPORT_H_
