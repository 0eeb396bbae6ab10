// Processing steps on a whole tensor in memory: what self-tests need. Images go through `fovea run`, which streams;
// both choose steps by StepsOfTensor and leave all arithmetic to StepChain.
#ifndef FOVEA_TOOLS_CLI_APPLY_STEPS_H_
#define FOVEA_TOOLS_CLI_APPLY_STEPS_H_

#include <span>
#include <string>
#include <vector>

#include "runtime/include/fovea/model.h"
#include "runtime/include/fovea/step.h"

namespace fovea::cli {

// Those that name this tensor, or none.
std::vector<Step> StepsOfTensor(std::span<const Step> steps, const std::string& name);

// Tensors that steps may refer to by name: the network's inputs before their steps, in source order.
struct ReferenceTensor {
  const TensorSpec* spec;
  const SelfTestCase::Tensor* tensor;
};

// Applies those of `steps` that belong to the tensor of `spec` (source order); every image of the batch is a sample,
// all of them together the data set. Steps may change its sizes. Errors: kInvalidArgument and kUnsupported for steps
// that can't be done; the message names the step.
Status ApplySteps(std::span<const Step> steps, const TensorSpec& spec, const std::vector<ReferenceTensor>& references,
                  SelfTestCase::Tensor* tensor);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CLI_APPLY_STEPS_H_
