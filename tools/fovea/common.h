// What several sub-commands need: options about execution, and words for shapes and sizes.
#ifndef FOVEA_TOOLS_FOVEA_COMMON_H_
#define FOVEA_TOOLS_FOVEA_COMMON_H_

#include <string>
#include <vector>

#include "runtime/include/fovea/session.h"
#include "tools/cli/args.h"
#include "tools/cli/describe.h"

namespace fovea::cli {

// --threads, --isa, --precision, --exact-conv, --bands, --tiling, --cache, --provider, --executor: how to execute.
struct ExecutionOptions {
  int64_t threads = 0;  // 0: all that the process may use
  std::string isa, precision = "f32", executor = "fast", provider = "fovea";
  bool exact_conv = false;
  std::string bands = "auto", cache, tiling = "exact";

  void Declare(Args* args);
  // Checks the words and fills what they decide.
  Result<SessionOptions> ToSession() const;
};

// Of at least one number.
double Median(std::vector<double> values);

// Reads FOVEA_ISA as the runtime will, and refuses a word it would ignore.
Status CheckIsaEnvironment();

// Sizes of all inputs for one spatial size {D, H, W}; axes that the rules fix keep their size. Fails when D, H, W does
// not fit.
Result<std::vector<std::vector<int64_t>>> InputSizes(const Model& model, const std::vector<int64_t>& size_dhw);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_COMMON_H_
