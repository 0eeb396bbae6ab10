// An image that is not there, of one size, for plans: floats without steps between them and the network's channels, as
// a NumPy file has them.
#ifndef FOVEA_TOOLS_FOVEA_SIZED_IMAGE_H_
#define FOVEA_TOOLS_FOVEA_SIZED_IMAGE_H_

#include <memory>
#include <vector>

#include "formats/image/image.h"
#include "runtime/include/fovea/model.h"

namespace fovea::cli {

// size: D, H, W, or empty: the smallest that the network is run on by default. Errors: kInvalidArgument (planes for a
// network of single ones are not: they are a stack).
Result<std::unique_ptr<formats::ImageReader>> MakeSizedImage(const Model& model, const std::vector<int64_t>& size);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_FOVEA_SIZED_IMAGE_H_
