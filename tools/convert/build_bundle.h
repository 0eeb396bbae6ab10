// fovea-convert --bundle: a network, an example and what its author says of it become a package that others can run.
//
// The example is run, its peak memory and time are measured, and the package gets the weights as they came, the example
// and the result as test tensors with their sha256, and a description: a bioimage.io 0.5 package (folder, or zip when
// its name ends so), the folder of a DeepImageJ 1 bundle, or a .fov file. Nothing appears under its name before it is
// complete.
#ifndef FOVEA_TOOLS_CONVERT_BUILD_BUNDLE_H_
#define FOVEA_TOOLS_CONVERT_BUILD_BUNDLE_H_

#include <string>
#include <vector>

#include "converter/convert.h"
#include "formats/bundle/description.h"
#include "runtime/include/fovea/model.h"

namespace fovea::cli {

struct BundleLine {
  std::string out;                     // --bundle
  std::string format = "bioimage.io";  // --bundle-format: bioimage.io or deepimagej1
  std::string example, metadata;       // --example, --metadata
  std::string name, description, licence, pre, post;
  std::vector<std::string> authors, citations;  // "Name; affiliation", "Text; doi or url"
  bool ask = false;
};

// What the metadata file and the options say, over what `description` holds already (of a bundle that came in). With
// --ask, what is missing is asked for on the terminal.
Status FillDescription(const BundleLine& line, formats::BundleDescription* description);

// Whether --bundle is to write a .fov file, by its name.
bool IsModelFile(const BundleLine& line);

// Runs the example: it becomes the self-test of the file that `options` emit, and what it took goes to the description.
Status AddExample(const BundleLine& line, const Model& model, converter::Options* options,
                  formats::BundleDescription* description);

// source: what was converted (a file, folder or zip); model: the result, with the steps of the description.
Status BuildBundle(const BundleLine& line, const std::string& source, const std::string& source_format,
                   const Model& model, formats::BundleDescription description);

// The weights as the package holds them, copied into `folder`; kUnsupported for kinds that packages don't take.
Result<formats::WeightsDescription> PackWeights(const std::string& source, const std::string& source_format,
                                                bool as_folder, const std::string& folder);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CONVERT_BUILD_BUNDLE_H_
