// A published model as it is downloaded: a folder or zip of a description, weights and example images. Start here.
//
// Descriptions are found by name, in this order: rdf.yaml, bioimageio.yaml, model.yaml, *.bioimageio.yaml,
// *.model.yaml, config.xml, config.json, meta.json; where a zip holds everything in one folder, in that one. A path to
// the description itself works, too. What a DeepImageJ config.xml or a thresholds.json beside it adds is taken over.
// Everything comes from strangers: sizes are bounded, files are named by the bundle and never outside it. Errors name
// the file: kNotFound (no bundle), kCorruptFile, kUnsupported, kIo.
#ifndef FOVEA_FORMATS_BUNDLE_BUNDLE_H_
#define FOVEA_FORMATS_BUNDLE_BUNDLE_H_

#include <memory>
#include <string>
#include <vector>

#include "archive/file_tree.h"
#include "formats/bundle/description.h"
#include "runtime/include/fovea/status.h"

namespace fovea::formats {

// A folder, zip or description file that OpenBundle would read; looks at names only.
bool LooksLikeBundle(const std::string& path);

class Bundle {
 public:
  const std::string& path() const { return path_; }
  bool is_folder() const { return is_folder_; }
  // The folder that the tree shows, for a bundle that is one.
  const std::string& folder() const { return folder_; }
  const BundleDescription& description() const { return description_; }
  // Inside the bundle: "model.yaml".
  const std::string& description_file() const { return description_file_; }
  const std::vector<std::string>& files() const { return tree_->files(); }

  // The name inside the bundle of what a description calls "./x.npy" or "https://.../x.npy?download=1"; "" when the
  // bundle does not have it.
  std::string Locate(const FileReference& file) const;
  Result<std::string> Read(const std::string& name, uint64_t max_bytes) const;

  struct Weights {
    WeightsDescription description;
    std::string file;  // inside the bundle; of a SavedModel folder: the folder ("" for the bundle itself)
    bool is_folder = false;
    bool is_listed = true;  // false: the description does not name them
  };
  // The first of ONNX, SavedModel, Keras, TensorFlow.js that the bundle has. kUnsupported where it has only weights of
  // PyTorch, kNotFound where there are none; both say what to do.
  Result<Weights> ChooseWeights() const;
  // kCorruptFile when the file is not the one that the description means. OK where there is no sha256.
  Status Verify(const std::string& name, const std::string& sha256) const;
  // Files of the same folder as `name` and below it, copied into the folder `to`, which exists. The path of `name`
  // there.
  Result<std::string> Extract(const Weights& weights, const std::string& to) const;

 private:
  friend Result<Bundle> OpenBundle(const std::string& path);
  std::string Find(const std::vector<std::string>& endings) const;

  std::string path_, folder_, description_file_;
  std::string prefix_;  // of the description: "" or "folder/"
  bool is_folder_ = false;
  std::unique_ptr<archive::FileTree> tree_;
  BundleDescription description_;
};

Result<Bundle> OpenBundle(const std::string& path);

// What the text of a description file says; `file_name` decides the format.
Result<BundleDescription> ReadDescription(const std::string& text, const std::string& file_name);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_BUNDLE_BUNDLE_H_
