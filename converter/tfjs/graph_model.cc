#include "converter/tfjs/graph_model.h"

#include <map>
#include <set>
#include <string>

#include "converter/keras/importer.h"
#include "converter/saved_model/flatten.h"
#include "converter/saved_model/interface.h"
#include "converter/saved_model/tensor.h"
#include "converter/tfjs/graph_json.h"
#include "converter/tfjs/manifest.h"

namespace fovea::converter::tfjs {

namespace {

using keras::Find;
using keras::FindString;

// The weights become the values of the Const nodes that have their names.
Status FillConstants(const Json& manifest, const ShardReader& read_shard, tfproto::GraphDef* graph) {
  std::map<std::string, tfproto::NodeDef*> constants;
  for (tfproto::NodeDef& node : *graph->mutable_node()) {
    if (node.op() == "Const") constants[node.name()] = &node;
  }
  return ForEachWeight(manifest, read_shard, [&](const StoredWeight& weight, std::string_view bytes) -> Status {
    const auto node = constants.find(weight.name);
    if (node == constants.end() || weight.dtype == "string") return OkStatus();
    tfproto::TensorProto tensor;
    for (const int64_t size : weight.dims) tensor.mutable_tensor_shape()->add_dim()->set_size(size);
    if (weight.dtype == "int32" && weight.packed.empty()) {  // exact, as sizes must be
      tensor.set_dtype(kTfInt32);
      tensor.set_tensor_content(std::string(bytes));
    } else {
      FOVEA_ASSIGN_OR_RETURN(const std::vector<float> floats, Unpack(weight, bytes));
      const bool is_float = weight.dtype == "float32" || weight.dtype == "float16";
      if (is_float) {
        tensor.set_dtype(kTfFloat);
        tensor.set_tensor_content(
            std::string(reinterpret_cast<const char*>(floats.data()), floats.size() * sizeof(float)));
      } else {
        tensor.set_dtype(weight.dtype == "bool" ? kTfBool : kTfInt32);
        for (const float value : floats) {
          if (weight.dtype == "bool") tensor.add_bool_val(value != 0);
          if (weight.dtype != "bool") tensor.add_int_val(static_cast<int32_t>(value));
        }
      }
    }
    tfproto::AttrEntry* value = nullptr;
    for (tfproto::AttrEntry& entry : *node->second->mutable_attr()) {
      if (entry.key() == "value") value = &entry;
    }
    if (value == nullptr) {
      value = node->second->add_attr();
      value->set_key("value");
    }
    *value->mutable_value()->mutable_tensor() = std::move(tensor);
    return OkStatus();
  });
}

// Nodes that nobody reads and that compute something.
std::vector<std::string> Ends(const tfproto::GraphDef& graph) {
  std::set<std::string> read;
  for (const tfproto::NodeDef& node : graph.node()) {
    for (const std::string& input : node.input()) read.insert(input.substr(0, input.find(':')));
  }
  std::vector<std::string> ends;
  for (const tfproto::NodeDef& node : graph.node()) {
    const bool computes =
        node.op() != "Const" && node.op() != "NoOp" && node.op() != "Assert" && node.op().rfind("Placeholder", 0) != 0;
    if (computes && read.count(node.name()) == 0) ends.push_back(node.name());
  }
  return ends;
}

Result<Interface> ChooseInterface(const Json& model, const tfproto::GraphDef& graph, const Options& options,
                                  tfproto::SignatureDef* signature) {
  const Json* json = Find(model, "signature");
  if (json == nullptr) {
    const Json* metadata = Find(model, "userDefinedMetadata");
    json = metadata == nullptr ? nullptr : Find(*metadata, "signature");
  }
  if (json != nullptr && options.inputs.empty() && options.outputs.empty()) {
    FOVEA_RETURN_IF_ERROR(ReadSignature(*json, signature));
    if (signature->inputs_size() > 0 && signature->outputs_size() > 0) return FromSignature(*signature);
  }
  // The converter to TF.js has pruned the graph to its outputs: every end is one.
  Options choice = options;
  if (choice.outputs.empty()) choice.outputs = Ends(graph);
  return FromNames(graph, choice);
}

// The floats of a layers model by name.
class ManifestWeights : public keras::WeightSource {
 public:
  Status Load(const Json& manifest, const ShardReader& read_shard) {
    return ForEachWeight(manifest, read_shard, [&](const StoredWeight& weight, std::string_view bytes) -> Status {
      keras::Weight made;
      made.dims = weight.dims;
      FOVEA_ASSIGN_OR_RETURN(made.data, Unpack(weight, bytes));
      names_.push_back(weight.name);
      weights_.push_back(std::move(made));
      return OkStatus();
    });
  }
  Result<std::vector<std::string>> Names(const std::string&) override { return names_; }
  Result<keras::Weight> Read(const std::string&, size_t index) override { return weights_[index]; }
  bool IsPerLayer() const override { return false; }

 private:
  std::vector<std::string> names_;
  std::vector<keras::Weight> weights_;
};

}  // namespace

Status ImportGraphModel(const Json& model, const ShardReader& read_shard, const Options& options, ir::Graph* graph,
                        Report* report) {
  tfproto::GraphDef def;
  FOVEA_RETURN_IF_ERROR(ReadGraph(*Find(model, "modelTopology"), &def));
  const Json* manifest = Find(model, "weightsManifest");
  if (manifest != nullptr) FOVEA_RETURN_IF_ERROR(FillConstants(*manifest, read_shard, &def));
  tfproto::SignatureDef signature;
  FOVEA_ASSIGN_OR_RETURN(const Interface interface, ChooseInterface(model, def, options, &signature));
  TfGraph tf;
  {
    FOVEA_ASSIGN_OR_RETURN(const std::unique_ptr<Flattener> flattener, Flattener::Create(&def, nullptr, options));
    FOVEA_RETURN_IF_ERROR(Flatten(interface, flattener.get(), &tf));
    if (!flattener->variables().empty()) return Unsupported("the graph reads variables, which TF.js files cannot hold");
    tf.nodes = std::move(flattener->nodes());
  }
  def.Clear();
  tf.source_format = "TF.js graph model";
  if (const auto by = FindString(model, "generatedBy")) tf.source_format += ", TensorFlow " + *by;
  tf.metadata.source_format = tf.source_format;
  report->source_format = tf.source_format;
  return ImportTfGraph(tf, options, graph, report);
}

Status ImportLayersModel(const Json& model, const ShardReader& read_shard, const Options& options, ir::Graph* graph,
                         Report* report) {
  const Json& topology = *Find(model, "modelTopology");
  const Json* config = Find(topology, "model_config");
  keras::Source source;
  source.model = config != nullptr ? *config : topology;
  const std::string version = FindString(topology, "keras_version").value_or("");
  // Models that TF.js itself saved follow Keras 2.
  const bool own = version.empty() || version.find("tfjs") != std::string::npos;
  source.writer = keras::MakeWriter(own ? "2.4" : version, FindString(topology, "backend").value_or(""));
  source.writer.is_tfjs = version.find("tfjs") != std::string::npos;
  source.format = "TF.js layers model, " + (own ? version.empty() ? "Keras 2" : version : "Keras " + version);
  ManifestWeights weights;
  const Json* manifest = Find(model, "weightsManifest");
  if (manifest == nullptr) return CorruptFile("no weightsManifest: the model has no weights");
  FOVEA_RETURN_IF_ERROR(weights.Load(*manifest, read_shard));
  return keras::ImportModel(source, &weights, options, graph, report);
}

}  // namespace fovea::converter::tfjs
