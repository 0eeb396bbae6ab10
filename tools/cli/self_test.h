// Running the self-test that a model carries.
#ifndef FOVEA_TOOLS_CLI_SELF_TEST_H_
#define FOVEA_TOOLS_CLI_SELF_TEST_H_

#include <functional>
#include <vector>

#include "runtime/include/fovea/session.h"

namespace fovea::cli {

// Of one output. A mismatch is an element with |result - expected| > atol + rtol |expected|, or a NaN.
struct SelfTestResult {
  double max_error = 0, mean_error = 0, mismatches_per_million = 0;
  double correlation = 1;  // Pearson's; 1 where both are constant and equal, 0 where one is constant
  bool passed = true;
};

// Inputs (source order) through the network, and through the steps around it where asked: the outputs in source order.
Result<std::vector<SelfTestCase::Tensor>> RunTensors(const Model& model,
                                                     const std::vector<SelfTestCase::Tensor>& inputs, bool with_steps,
                                                     const SessionOptions& options, std::function<bool()> cancelled);

Result<std::vector<SelfTestResult>> RunSelfTest(const Model& model, const SelfTestCase& test,
                                                const SessionOptions& options, std::function<bool()> cancelled);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CLI_SELF_TEST_H_
