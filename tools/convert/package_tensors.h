// What a package says of a network's tensors: names, axes, sizes, halos, pixel sizes.
#ifndef FOVEA_TOOLS_CONVERT_PACKAGE_TENSORS_H_
#define FOVEA_TOOLS_CONVERT_PACKAGE_TENSORS_H_

#include <vector>

#include "formats/bundle/description.h"
#include "runtime/include/fovea/model.h"

namespace fovea::cli {

// Fills inputs and outputs from the model and an example that was run (source order), and gives the steps the names of
// the package's tensors. Pixel sizes are taken from the description, in units in which all sizes come out exactly.
void DescribeTensors(const Model& model, const std::vector<SelfTestCase::Tensor>& inputs,
                     const std::vector<SelfTestCase::Tensor>& outputs, formats::BundleDescription* description);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CONVERT_PACKAGE_TENSORS_H_
