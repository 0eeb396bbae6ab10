// Two files of the same network, run on the same numbers.
#ifndef FOVEA_TOOLS_CONVERT_COMPARE_H_
#define FOVEA_TOOLS_CONVERT_COMPARE_H_

#include <string>
#include <vector>

#include "runtime/include/fovea/model.h"

namespace fovea::cli {

// Of output i of both models, matched by position.
struct OutputDifference {
  std::string name, other_name;
  double max_difference = 0, range = 0;  // range: largest less smallest value of the first model's output
};

// Runs both on seeded numbers in [-1, 1) at the first model's default sizes. kInvalidArgument when their inputs or
// outputs differ in number or size. Axes are compared in stored order, so that an NCHW file and an NHWC file of one
// network agree.
Result<std::vector<OutputDifference>> CompareModels(const Model& model, const Model& other);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CONVERT_COMPARE_H_
