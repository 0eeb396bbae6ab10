// Measuring: what the processor can do at best, and how far the picked kernels are from exact results.
#ifndef FOVEA_MEASURE_H_
#define FOVEA_MEASURE_H_

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "fovea/model.h"
#include "fovea/session.h"

namespace fovea {

// GFLOP/s of multiply-adds in registers (2 a multiply-add) on `threads` threads at once, the best of several short
// tries; 0 for the instruction set "reference". isa: as SessionOptions::isa.
Result<double> FmaPeakGflops(const std::string& isa, int threads);

// Both figures of the machine, in about half a second. Errors: those of isa.
Result<MachineSpeed> MeasureSpeed(const std::string& isa, int threads);

struct StepAccuracy {
  std::string node, kind, kernel;
  double error = 0;        // largest |picked kernel - reference| over all elements
  double range = 0;        // largest minus smallest element of the reference
  bool in_double = false;  // the reference sums in float64 (convolutions), otherwise it is the float32 reference kernel
  double relative() const { return range > 0 ? error / range : error; }
};

struct AccuracyReport {
  std::vector<StepAccuracy> steps;    // operators in order
  std::vector<StepAccuracy> outputs;  // the network as a whole: node is the output's name
};

// Follows the network with reference kernels whose convolutions sum in float64 and round once, and runs each operator's
// picked kernel on the same inputs; then the session as a whole. inputs: stored order, one an input. Slow: a few
// multiply-adds a nanosecond. Errors: those of Session::Create, kCancelled.
Result<AccuracyReport> MeasureAccuracy(const Model& model, const std::vector<std::vector<int64_t>>& input_dims,
                                       const SessionOptions& options, std::span<const float* const> inputs,
                                       const std::function<bool()>& cancelled = {});

}  // namespace fovea

#endif  // FOVEA_MEASURE_H_
