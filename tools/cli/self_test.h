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
  bool passed = true;
};

Result<std::vector<SelfTestResult>> RunSelfTest(const Model& model, const SelfTestCase& test,
                                                const SessionOptions& options, std::function<bool()> cancelled);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CLI_SELF_TEST_H_
