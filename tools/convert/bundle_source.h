// A bundle as a source of fovea-convert: which weights are converted, and what the description adds to the network.
#ifndef FOVEA_TOOLS_CONVERT_BUNDLE_SOURCE_H_
#define FOVEA_TOOLS_CONVERT_BUNDLE_SOURCE_H_

#include <optional>
#include <string>
#include <vector>

#include "converter/convert.h"
#include "formats/bundle/bundle.h"
#include "tools/cli/temporary.h"

namespace fovea::cli {

struct BundleSource {
  formats::Bundle bundle;
  formats::Bundle::Weights weights;
  std::optional<TemporaryFolder> unpacked;  // of a zip
  std::string model_path;                   // what the converter reads
  bool ignore_sha256 = false;
  std::vector<std::string> other_files;  // weights that are not those of the description, with ignore_sha256

  // kCorruptFile for a file that is not the one that the description means; with ignore_sha256 OK, and `told` says so.
  Status Verify(const std::string& file, const std::string& sha256, std::vector<std::string>* told) const;
};

// Opens, chooses weights, checks their sha256, unpacks them from a zip.
Result<BundleSource> OpenBundleSource(const std::string& path, bool ignore_sha256);

// What the description says of reading the network: tag and signature of a SavedModel, where the user says none.
void FillReadingOptions(const BundleSource& source, converter::Options* options);

// Name, authors, licence, ... of a description as metadata of the graph.
void AddMetadata(const formats::BundleDescription& description, ir::Graph* graph);

// Puts axes, sizes, steps and metadata into the graph and the published test tensors into the options; what could not
// be used goes to the graph's warnings. Options that the user gave win.
Status AddDescription(const BundleSource& source, converter::Options* options, ir::Graph* graph);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CONVERT_BUNDLE_SOURCE_H_
