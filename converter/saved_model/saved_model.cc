#include <algorithm>
#include <filesystem>

#include "archive/zip.h"
#include "converter/foreign.h"
#include "converter/saved_model/flatten.h"
#include "converter/saved_model/import.h"
#include "converter/saved_model/interface.h"
#include "converter/saved_model/parse.h"
#include "converter/saved_model/variables.h"

namespace fovea::converter {

using archive::OpenFolder;
using archive::OpenZip;
using archive::OpenZipBytes;

namespace {

namespace fs = std::filesystem;

constexpr const char* kGraphFile = "saved_model.pb";
constexpr const char* kNoModel =
    "there is no saved_model.pb in it (for other models name their file: .onnx, .h5, .pb or model.json)";
constexpr uint64_t kMaxInnerZipBytes = uint64_t{4} << 30;

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// The folder of saved_model.pb in the tree, "" or "model/"; the first of those nearest to the top where there is one
// only. An empty list of candidates is kNotFound.
Result<std::string> FindModel(const FileTree& tree) {
  std::vector<std::string> folders;
  for (const std::string& file : tree.files()) {
    if (file == kGraphFile) return std::string();
    if (EndsWith(file, std::string("/") + kGraphFile)) {
      folders.push_back(file.substr(0, file.size() - std::string(kGraphFile).size()));
    }
  }
  if (folders.empty()) return NotFound(kNoModel);
  if (folders.size() == 1) return folders[0];
  std::string list;
  for (size_t i = 0; i < std::min<size_t>(folders.size(), 10); ++i) list += (i > 0 ? ", " : "") + folders[i];
  return InvalidArgument("it holds several models: " + list);
}

// A zip whose only model lies in a zip inside it, as in bioimage.io packages.
Result<std::unique_ptr<FileTree>> OpenInner(FileTree* outer) {
  std::unique_ptr<FileTree> found;
  for (const std::string& file : outer->files()) {
    if (!EndsWith(file, ".zip")) continue;
    FOVEA_ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> source, outer->Open(file));
    FOVEA_ASSIGN_OR_RETURN(std::string bytes, ReadAll(source.get(), kMaxInnerZipBytes));
    FOVEA_ASSIGN_OR_RETURN(std::unique_ptr<FileTree> inner, OpenZipBytes(std::move(bytes), "'" + file + "'"));
    if (FindModel(*inner).status().code() == StatusCode::kNotFound) continue;
    if (found != nullptr) return InvalidArgument("it holds several zips with models");
    found = std::move(inner);
  }
  if (found == nullptr) return NotFound(kNoModel);
  return found;
}

Result<std::unique_ptr<FileTree>> OpenModel(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return OpenFolder(path);
  if (fs::path(path).extension() == ".pb") {
    const fs::path folder = fs::path(path).parent_path();
    return OpenFolder(folder.empty() ? "." : folder.string());
  }
  return OpenZip(path);
}

}  // namespace

Result<TfGraph> ReadSavedModel(FileTree* tree, const Options& options, std::vector<std::string>* warnings) {
  std::unique_ptr<FileTree> inner;
  Result<std::string> folder = FindModel(*tree);
  if (folder.status().code() == StatusCode::kNotFound) {
    Result<std::unique_ptr<FileTree>> opened = OpenInner(tree);
    if (opened.status().code() == StatusCode::kNotFound) {
      const std::string foreign = ForeignTree(tree->files());
      return foreign.empty() ? opened.status() : Unsupported(foreign);
    }
    FOVEA_ASSIGN_OR_RETURN(inner, std::move(opened));
    tree = inner.get();
    folder = FindModel(*tree);
  }
  if (!folder.ok()) return folder.status();
  tfproto::SavedModel model;
  {
    FOVEA_ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> source, tree->Open(*folder + kGraphFile));
    const Status parsed = ParseMessage(source.get(), &model);
    if (!parsed.ok()) return parsed.Prefixed(*folder + kGraphFile);
  }
  FOVEA_ASSIGN_OR_RETURN(tfproto::MetaGraphDef* const meta, ChooseMetaGraph(&model, options.tag));

  TfGraph graph;
  graph.source_format = "SavedModel";
  for (const std::string& tag : meta->meta_info_def().tags()) graph.tag += (graph.tag.empty() ? "" : ",") + tag;
  if (!meta->meta_info_def().tensorflow_version().empty()) {
    graph.source_format += ", TensorFlow " + meta->meta_info_def().tensorflow_version();
  }
  Interface interface;
  if (options.inputs.empty() && options.outputs.empty()) {
    FOVEA_ASSIGN_OR_RETURN(const tfproto::SignatureEntry* const signature, ChooseSignature(*meta, options.signature));
    if (signature != nullptr) {
      interface = FromSignature(signature->value());
      graph.source_format += ", signature " + signature->key();
      graph.signature = signature->key();
    }
  }
  if (interface.outputs.empty()) {
    Result<Interface> named = FromNames(meta->graph_def(), options);
    if (!named.ok()) return named.status().Prefixed("it has no signature for tensors of numbers");
    interface = std::move(*named);
  }
  FOVEA_ASSIGN_OR_RETURN(
      const std::unique_ptr<Flattener> flattener,
      Flattener::Create(meta->mutable_graph_def(), &meta->meta_info_def().stripped_op_list(), options));
  FOVEA_RETURN_IF_ERROR(Flatten(interface, flattener.get(), &graph));
  FOVEA_RETURN_IF_ERROR(
      LoadVariables(flattener.get(), meta->saver_def().restore_op_name(), tree, *folder, options, warnings));
  graph.nodes = std::move(flattener->nodes());
  graph.metadata.source_format = graph.source_format;
  return graph;
}

Result<TfGraph> ReadSavedModel(const std::string& path, const Options& options, std::vector<std::string>* warnings) {
  FOVEA_ASSIGN_OR_RETURN(const std::unique_ptr<FileTree> tree, OpenModel(path));
  Result<TfGraph> graph = ReadSavedModel(tree.get(), options, warnings);
  if (!graph.ok()) return graph.status().Prefixed(path);
  return graph;
}

}  // namespace fovea::converter
