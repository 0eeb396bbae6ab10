// Two files of the same network, run on the same numbers.
#ifndef FOVEA_TOOLS_CONVERT_COMPARE_H_
#define FOVEA_TOOLS_CONVERT_COMPARE_H_

#include <string>
#include <vector>

#include "runtime/include/fovea/model.h"

namespace fovea::cli {

// Of one output of both models, matched by name where both use the same names, else by position.
struct OutputDifference {
  std::string name, other_name;
  double max_difference = 0;  // infinite where only one of them gives a number
  double range = 0;           // largest less smallest finite value of the first model's output
};

// Runs both on seeded numbers in [-1, 1) at sizes that suit both: a size that one leaves open is the other's.
// kInvalidArgument when their inputs or outputs differ in number or size. Axes are compared in stored order, so that an
// NCHW file and an NHWC file of one network agree.
Result<std::vector<OutputDifference>> CompareModels(const Model& model, const Model& other);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CONVERT_COMPARE_H_
