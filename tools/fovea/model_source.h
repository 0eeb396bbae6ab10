// The model that a command names: a .fov file, or a bundle as it was downloaded, which the fovea-convert beside this
// program turns into one for the time being.
#ifndef FOVEA_TOOLS_FOVEA_MODEL_SOURCE_H_
#define FOVEA_TOOLS_FOVEA_MODEL_SOURCE_H_

#include <string>

#include "runtime/include/fovea/model.h"

namespace fovea::cli {

// A bundle is converted into a temporary file that is gone when this returns; warnings of the conversion go to stderr.
// Errors: those of Model::Load; what fovea-convert says of a bundle; kInvalidArgument for networks that come without a
// description, with what to do; kCancelled.
// for_test: a bundle without a self-test is worth a warning.
Result<Model> LoadModel(const std::string& path, bool for_test = false);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_MODEL_SOURCE_H_
