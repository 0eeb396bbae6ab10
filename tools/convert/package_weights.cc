// Weights as packages take them: an ONNX file, a SavedModel (as a zip, or as its folder), a Keras file.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>

#include "archive/zip.h"
#include "archive/zip_writer.h"
#include "formats/bundle/sha256.h"
#include "tools/cli/temporary.h"
#include "tools/convert/build_bundle.h"
#include "tools/convert/package_files.h"

namespace fovea::cli {
namespace {

namespace fs = std::filesystem;
using formats::WeightsFormat;

// "13" of "ONNX IR 7, opset 13, pytorch": digits and points after the word.
std::string After(const std::string& text, const std::string& word) {
  size_t at = text.find(word);
  if (at == std::string::npos) return "";
  std::string out;
  for (at += word.size(); at < text.size(); ++at) {
    const char c = text[at];
    if (std::isdigit(static_cast<unsigned char>(c)) == 0 && c != '.') break;
    out += c;
  }
  while (!out.empty() && out.back() == '.') out.pop_back();
  return out;
}

Status CopyFile(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::copy_file(from, to, error);
  return error ? IoError(to + ": can't be written: " + error.message()) : OkStatus();
}

// The files of a SavedModel (folder, zip, or the saved_model.pb itself) into `to`.
Status CopySavedModel(const std::string& source, const std::string& to) {
  std::error_code error;
  const bool is_folder = fs::is_directory(source, error);
  const bool is_file_of_folder = fs::path(source).filename() == "saved_model.pb";
  const std::string folder = is_folder ? source : fs::path(source).parent_path().string();
  FOVEA_ASSIGN_OR_RETURN(const auto tree, is_folder || is_file_of_folder
                                              ? archive::OpenFolder(folder.empty() ? "." : folder)
                                              : archive::OpenZip(source));
  std::string prefix;
  bool found = false;
  for (const std::string& file : tree->files()) {
    if (fs::path(file).filename() != "saved_model.pb") continue;
    prefix = file.substr(0, file.size() - std::string("saved_model.pb").size());
    found = true;
    break;
  }
  if (!found) return Unsupported(source + ": has no saved_model.pb that could be packed");
  for (const std::string& file : tree->files()) {
    const std::string name = file.compare(0, prefix.size(), prefix) == 0 ? file.substr(prefix.size()) : "";
    const bool belongs = name == "saved_model.pb" || name.rfind("variables/", 0) == 0 || name.rfind("assets/", 0) == 0;
    if (!belongs) continue;
    FOVEA_ASSIGN_OR_RETURN(const auto bytes, tree->Open(file));
    FOVEA_ASSIGN_OR_RETURN(const std::string content, archive::ReadAll(bytes.get(), bytes->size()));
    FOVEA_RETURN_IF_ERROR(archive::CreateFoldersBelow(to, name));
    FOVEA_RETURN_IF_ERROR(WriteFile(fs::path(to) / name, content));
  }
  return OkStatus();
}

}  // namespace

Result<std::string> HashOfFile(const std::string& path) {
  FOVEA_ASSIGN_OR_RETURN(const auto source, archive::OpenFile(path));
  formats::Sha256 hash;
  std::vector<std::byte> piece(std::min<uint64_t>(source->size(), uint64_t{1} << 20));
  for (uint64_t at = 0; at < source->size(); at += piece.size()) {
    const auto part = std::span(piece).first(std::min<uint64_t>(piece.size(), source->size() - at));
    FOVEA_RETURN_IF_ERROR(source->Read(at, part));
    hash.Add(part);
  }
  return hash.Finish();
}

Status WriteFile(const std::filesystem::path& path, const std::string& content) {
  std::ofstream out(path, std::ios::binary);
  out << content;
  out.close();
  return out ? OkStatus() : IoError(path.string() + ": can't be written; is there room, and may you write to it?");
}

Result<formats::WeightsDescription> PackWeights(const std::string& source, const std::string& source_format,
                                                bool as_folder, const std::string& folder) {
  formats::WeightsDescription weights;
  if (source_format.rfind("ONNX", 0) == 0 && !as_folder) {
    weights.format = WeightsFormat::kOnnx;
    weights.format_name = "onnx";
    weights.file.source = "weights.onnx";
    weights.opset_version = After(source_format, "opset ");
    FOVEA_RETURN_IF_ERROR(CopyFile(source, folder + "/weights.onnx"));
  } else if (source_format.rfind("SavedModel", 0) == 0) {
    weights.format = WeightsFormat::kSavedModel;
    weights.format_name = "tensorflow_saved_model_bundle";
    weights.tensorflow_version = After(source_format, "TensorFlow ");
    if (as_folder) {
      FOVEA_RETURN_IF_ERROR(CopySavedModel(source, folder));
      return weights;
    }
    weights.file.source = "tensorflow_saved_model_bundle.zip";
    FOVEA_ASSIGN_OR_RETURN(const TemporaryFolder unpacked, TemporaryFolder::Create());
    FOVEA_RETURN_IF_ERROR(CopySavedModel(source, unpacked.path()));
    FOVEA_RETURN_IF_ERROR(archive::WriteZip(unpacked.path(), folder + "/" + weights.file.source));
  } else if (source_format.rfind("Keras", 0) == 0 && !as_folder) {
    weights.format = WeightsFormat::kKeras;
    weights.format_name = "keras_hdf5";
    weights.file.source = "keras_weights.h5";
    weights.tensorflow_version = After(source_format, "TensorFlow ");
    FOVEA_RETURN_IF_ERROR(CopyFile(source, folder + "/keras_weights.h5"));
  } else {
    return Unsupported(source + ": is " + source_format + "; " +
                       (as_folder ? "DeepImageJ 1 bundles hold SavedModels only: write a bioimage.io package"
                                  : "packages hold ONNX, SavedModel or Keras HDF5 weights"));
  }
  FOVEA_ASSIGN_OR_RETURN(weights.file.sha256, HashOfFile(folder + "/" + weights.file.source));
  return weights;
}

}  // namespace fovea::cli
