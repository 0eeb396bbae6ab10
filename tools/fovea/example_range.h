// Values that a network was made for, as far as its file tells: those of its example, the self-test's input, after the
// steps of the model. An image that reaches the network with others was not prepared as the authors did.
#ifndef FOVEA_TOOLS_FOVEA_EXAMPLE_RANGE_H_
#define FOVEA_TOOLS_FOVEA_EXAMPLE_RANGE_H_

#include <string>

#include "runtime/include/fovea/model.h"
#include "tools/fovea/run_options.h"

namespace fovea::cli {

// Empty where the file has no example of an image, or a large one: looking at it would take memory that no budget
// knows.
ValueRange ExampleRange(const Model& model);

// One sentence when values lie far from the example's: beyond it by more than four times its width, or all within a
// fiftieth of it; "" otherwise.
std::string ToldAgainst(const ValueRange& example, const ValueRange& values);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_EXAMPLE_RANGE_H_
