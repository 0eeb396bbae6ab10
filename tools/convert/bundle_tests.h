// The published test tensors of a bundle as a self-test of the converted model.
#ifndef FOVEA_TOOLS_CONVERT_BUNDLE_TESTS_H_
#define FOVEA_TOOLS_CONVERT_BUNDLE_TESTS_H_

#include "converter/describe.h"
#include "tools/convert/bundle_source.h"

namespace fovea::cli {

// From .npy files, with the oddities of those that DeepImageJ wrote, or, where a bundle has only images, from those.
// What is absent or cannot be used is a warning of the graph. kCorruptFile where a sha256 is not that of its file.
Status AddTests(const BundleSource& source, const converter::Description& description, converter::Options* options,
                ir::Graph* graph);

// An example image or array as the tensor of a port with these axes (letters in source order).
Result<converter::NamedTensor> ReadExample(const std::string& path, const std::string& letters);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CONVERT_BUNDLE_TESTS_H_
