// Which of a bundle's weights fovea takes, and where they are.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "formats/bundle/bundle.h"

namespace fovea::formats {
namespace {

namespace fs = std::filesystem;

constexpr WeightsFormat kOrder[] = {WeightsFormat::kOnnx, WeightsFormat::kSavedModel, WeightsFormat::kKeras,
                                    WeightsFormat::kTfjs};
constexpr uint64_t kPiece = uint64_t{1} << 20;

bool EndsWith(const std::string& text, std::string_view ending) {
  return text.size() >= ending.size() && text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

constexpr std::string_view kSavedModelFile = "saved_model.pb";

// Folders of the bundle that hold a saved_model.pb, each with a '/' at its end ("" for the bundle itself).
std::vector<std::string> SavedModelFolders(const std::vector<std::string>& files) {
  std::vector<std::string> folders;
  for (const std::string& file : files) {
    const size_t slash = file.rfind('/');
    const size_t base = slash == std::string::npos ? 0 : slash + 1;
    if (file.substr(base) == kSavedModelFile) folders.push_back(file.substr(0, base));
  }
  return folders;
}

// Endings by which weights that no description names are known.
std::vector<std::string> EndingsOf(WeightsFormat format) {
  switch (format) {
    case WeightsFormat::kOnnx: return {".onnx"};
    case WeightsFormat::kSavedModel: return {"tensorflow_saved_model_bundle.zip", "TF_SavedModel.zip"};
    case WeightsFormat::kKeras: return {".h5", ".hdf5"};
    case WeightsFormat::kTfjs: return {"model.json"};
    default: return {};
  }
}

Status NoWeights(const Bundle& bundle) {
  const BundleDescription& description = bundle.description();
  std::string missing, torch;
  for (const WeightsDescription& weights : description.weights) {
    const bool is_torch = weights.format == WeightsFormat::kTorchscript || weights.format == WeightsFormat::kStateDict;
    std::string& list = is_torch ? torch : missing;
    if (weights.format == WeightsFormat::kOther) continue;
    const std::string what = weights.file.empty() ? weights.format_name : weights.file.source;
    list += (list.empty() ? "" : ", ") + what;
  }
  if (!missing.empty()) {
    return NotFound(bundle.path() + ": the weights that its description names are not in it (" + missing +
                    "); download them into the folder");
  }
  if (!torch.empty()) {
    return Unsupported(bundle.path() + ": has weights of PyTorch only (" + torch +
                       "), which need PyTorch itself; export the network to ONNX (torch.onnx.export) and add it as "
                       "onnx weights, or look for a version of the model with ONNX weights");
  }
  return NotFound(bundle.path() + ": has no weights that fovea reads (ONNX, SavedModel, Keras, TensorFlow.js)");
}

}  // namespace

std::string Bundle::Find(const std::vector<std::string>& endings) const {
  for (const std::string& ending : endings) {
    for (const std::string& file : files()) {
      if (EndsWith(file, ending)) return file;
    }
  }
  return "";
}

Result<Bundle::Weights> Bundle::ChooseWeights() const {
  const std::vector<std::string> folders = SavedModelFolders(files());
  for (const WeightsFormat format : kOrder) {
    for (const WeightsDescription& listed : description_.weights) {
      if (listed.format != format) continue;
      const std::string file = Locate(listed.file);
      if (!file.empty()) return Weights{listed, file, false, true};
      // "./x.zip" may have been unpacked into x/ or into the bundle itself.
      if (format == WeightsFormat::kSavedModel && !folders.empty()) return Weights{listed, folders[0], true, true};
    }
  }
  for (const WeightsFormat format : kOrder) {
    Weights weights;
    weights.is_listed = false;
    weights.description.format = format;
    weights.file = Find(EndingsOf(format));
    if (!weights.file.empty()) return weights;
    if (format == WeightsFormat::kSavedModel && !folders.empty()) {
      weights.file = folders[0];
      weights.is_folder = true;
      return weights;
    }
  }
  return NoWeights(*this);
}

Result<std::string> Bundle::Extract(const Weights& weights, const std::string& to) const {
  const size_t slash = weights.file.rfind('/');
  const std::string base = weights.is_folder            ? weights.file
                           : slash == std::string::npos ? ""
                                                        : weights.file.substr(0, slash + 1);
  std::vector<char> piece(kPiece);
  for (const std::string& file : files()) {
    if (file.compare(0, base.size(), base) != 0) continue;
    const fs::path target = fs::path(to) / file.substr(base.size());
    FOVEA_RETURN_IF_ERROR(archive::CreateFoldersBelow(to, file.substr(base.size())));
    FOVEA_ASSIGN_OR_RETURN(const std::unique_ptr<archive::ByteSource> source, tree_->Open(file));
    std::ofstream out(target, std::ios::binary);
    for (uint64_t at = 0; at < source->size() && out; at += piece.size()) {
      const size_t n = static_cast<size_t>(std::min<uint64_t>(piece.size(), source->size() - at));
      FOVEA_RETURN_IF_ERROR(
          source->Read(at, std::as_writable_bytes(std::span(piece)).first(n)).Prefixed(path_ + ": " + file));
      out.write(piece.data(), static_cast<std::streamsize>(n));
    }
    out.close();
    if (!out) return IoError(to + ": no room to unpack " + file + " of " + path_);
  }
  return weights.is_folder ? to : (fs::path(to) / weights.file.substr(base.size())).string();
}

}  // namespace fovea::formats
