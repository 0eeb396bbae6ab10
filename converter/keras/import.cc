#include "converter/keras/import.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "converter/keras/hdf5_file.h"
#include "converter/keras/importer.h"

namespace fovea::converter {

namespace {

using keras::Hdf5File;

constexpr const char* kGroup = "model_weights";

class Hdf5Weights : public keras::WeightSource {
 public:
  explicit Hdf5Weights(Hdf5File* file) : file_(file) {}

  Result<std::vector<std::string>> Names(const std::string& layer) override {
    const auto known = names_.find(layer);
    if (known != names_.end()) return known->second;
    std::vector<std::string> names;
    const std::string group = std::string(kGroup) + "/" + layer;
    FOVEA_ASSIGN_OR_RETURN(const bool has_group, file_->HasGroup(group));
    if (has_group) {
      FOVEA_ASSIGN_OR_RETURN(auto listed, file_->Texts(group, "weight_names"));
      if (listed.has_value()) names = std::move(*listed);
    }
    names_[layer] = names;
    return names;
  }
  Result<keras::Weight> Read(const std::string& layer, size_t index) override {
    FOVEA_ASSIGN_OR_RETURN(const std::vector<std::string> names, Names(layer));
    return file_->Array(std::string(kGroup) + "/" + layer + "/" + names[index]);
  }
  bool IsPerLayer() const override { return true; }

 private:
  Hdf5File* file_;
  std::map<std::string, std::vector<std::string>> names_;
};

// Files without model_config: weights alone, or something else altogether.
Status WithoutConfiguration(Hdf5File* file) {
  const Result<std::optional<std::vector<std::string>>> layers = file->Texts("", "layer_names");
  bool weights_only = layers.ok() && layers->has_value();
  for (const char* group : {"layers", "_layer_checkpoint_dependencies", kGroup}) {
    const Result<bool> has_group = file->HasGroup(group);
    weights_only = weights_only || (has_group.ok() && *has_group);
  }
  if (!weights_only) return Unsupported("an HDF5 file, but not one that Keras wrote: it has no model_config");
  return Unsupported(
      "it holds weights alone, without the network they belong to; save the whole model with model.save('model.h5') "
      "instead of save_weights");
}

Status Import(Hdf5File* file, const Options& options, ir::Graph* graph, Report* report) {
  FOVEA_ASSIGN_OR_RETURN(const std::optional<std::string> config, file->Text("", "model_config"));
  if (!config.has_value()) return WithoutConfiguration(file);
  const auto text = [&](const char* name) {
    for (const char* group : {"", kGroup}) {
      const Result<std::optional<std::string>> found = file->Text(group, name);
      if (found.ok() && found->has_value()) return **found;
    }
    return std::string();
  };
  keras::Source source;
  FOVEA_ASSIGN_OR_RETURN(source.model, keras::ParseJson(*config, "model_config"));
  source.writer = keras::MakeWriter(text("keras_version"), text("backend"));
  source.format = "Keras " + (source.writer.keras_version.empty() ? "1" : source.writer.keras_version) + " HDF5";
  Hdf5Weights weights(file);
  return ImportModel(source, &weights, options, graph, report);
}

}  // namespace

Status ImportKeras(const std::string& path, const Options& options, ir::Graph* graph, Report* report) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return NotFound(path + ": no such file");
  if (!std::filesystem::is_regular_file(path, error)) return InvalidArgument(path + ": not a file");
  Result<Hdf5File> file = Hdf5File::Open(path);
  if (!file.ok()) return file.status().Prefixed(path);
  return Import(&*file, options, graph, report).Prefixed(path);
}

Status ImportKerasFromBytes(std::span<const std::byte> bytes, const std::string& name, const Options& options,
                            ir::Graph* graph, Report* report) {
  Result<Hdf5File> file = Hdf5File::FromBytes(bytes);
  if (!file.ok()) return file.status().Prefixed(name);
  return Import(&*file, options, graph, report).Prefixed(name);
}

}  // namespace fovea::converter
