#include "converter/tfjs/import.h"

#include <filesystem>
#include <fstream>

#include "converter/keras/json.h"
#include "converter/tfjs/graph_model.h"

namespace fovea::converter {

namespace fs = std::filesystem;

namespace {

using keras::Find;
using keras::FindString;

Result<std::string> ReadFile(const fs::path& path, uint64_t limit) {
  std::error_code error;
  if (!fs::exists(path, error)) return NotFound("no such file");
  if (!fs::is_regular_file(path, error)) return InvalidArgument("not a file");
  const uint64_t size = fs::file_size(path, error);
  if (error) return IoError("cannot be read");
  if (size > limit) return CorruptFile(std::to_string(size) + " bytes, more than such a file can have");
  std::string bytes(size, '\0');
  std::ifstream in(path, std::ios::binary);
  in.read(bytes.data(), static_cast<std::streamsize>(size));
  if (!in) return IoError("cannot be read");
  return bytes;
}

// True where `inner` lies below `outer`; both canonical.
bool IsBelow(const fs::path& outer, const fs::path& inner) {
  auto i = inner.begin();
  for (const fs::path& part : outer) {
    if (i == inner.end() || *i != part) return false;
    ++i;
  }
  return i != inner.end();
}

Result<std::string> ReadShard(const fs::path& folder, const std::string& shard, uint64_t limit) {
  const std::string where = "the shard '" + shard + "'";
  const fs::path relative(shard);
  bool leaves = shard.empty() || relative.is_absolute() || shard.find('\0') != std::string::npos;
  for (const fs::path& part : relative) leaves = leaves || part == "..";
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  if (error) return IoError("cannot resolve the folder " + folder.string());
  const fs::path file = leaves ? fs::path() : fs::canonical(root / relative, error);
  if (!leaves && error) return NotFound(where + " is missing beside the model");
  if (leaves || !IsBelow(root, file)) return CorruptFile(where + " lies outside the model's folder");
  Result<std::string> bytes = ReadFile(file, limit);
  if (!bytes.ok()) return bytes.status().Prefixed(where);
  return bytes;
}

Status Import(std::string_view model_json, const ShardReader& read_shard, const Options& options, ir::Graph* graph,
              Report* report) {
  FOVEA_ASSIGN_OR_RETURN(const keras::Json model, keras::ParseJson(model_json, "the file"));
  const keras::Json* topology = Find(model, "modelTopology");
  const std::string format = FindString(model, "format").value_or("");
  if (topology == nullptr && Find(model, "weightsManifest") == nullptr) {
    return Unsupported("a JSON file, but not a TF.js model: it has no modelTopology");
  }
  if (topology == nullptr) return CorruptFile("it has weights but no modelTopology, so it does not say the network");
  if (format == "graph-model" || (format.empty() && Find(*topology, "node") != nullptr)) {
    return tfjs::ImportGraphModel(model, read_shard, options, graph, report);
  }
  if (format == "layers-model" || format.empty()) {
    return tfjs::ImportLayersModel(model, read_shard, options, graph, report);
  }
  return Unsupported("TF.js format '" + format + "'; graph-model and layers-model are supported");
}

}  // namespace

Status ImportTfjsFromText(std::string_view model_json, const ShardReader& read_shard, const std::string& name,
                          const Options& options, ir::Graph* graph, Report* report) {
  return Import(model_json, read_shard, options, graph, report).Prefixed(name);
}

Status ImportTfjs(const std::string& path, const Options& options, ir::Graph* graph, Report* report) {
  std::error_code error;
  const fs::path file = fs::is_directory(path, error) ? fs::path(path) / "model.json" : fs::path(path);
  Result<std::string> text = ReadFile(file, keras::kMaxJsonBytes);
  if (!text.ok()) return text.status().Prefixed(file.string());
  fs::path folder = file.parent_path();
  if (folder.empty()) folder = ".";
  const ShardReader read_shard = [&](const std::string& shard, uint64_t limit) {
    return ReadShard(folder, shard, limit);
  };
  return ImportTfjsFromText(*text, read_shard, file.string(), options, graph, report);
}

}  // namespace fovea::converter
