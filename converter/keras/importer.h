// The walk over a Keras model: calls in an order in which every argument is known, nested models in their place,
// weights found in the file.
#ifndef FOVEA_CONVERTER_KERAS_IMPORTER_H_
#define FOVEA_CONVERTER_KERAS_IMPORTER_H_

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "converter/convert.h"
#include "converter/keras/layer_context.h"

namespace fovea::converter::keras {

// Finds each layer's weights among the names that the source gives for the outermost layer around it. (find_weights.cc)
class WeightFinder {
 public:
  WeightFinder(const ModelDef& model, WeightSource* source);

  // The positions in source->Names(TopLayer(layer)) of the layer's roles, in the order of its row.
  Result<std::vector<size_t>> Find(const LayerDef& layer);
  // The layer of the outermost model that the layer is or lies in.
  const std::string& TopLayer(const LayerDef& layer) const;

 private:
  struct Place {
    const LayerDef* top = nullptr;
    std::vector<std::string> path;  // names of the models around it, from the outside
    bool frozen = false;            // not trainable, or inside a model that is not
  };
  void Visit(const ModelDef& model, const Place& around);
  std::optional<std::vector<size_t>> ByName(const LayerDef& layer, const std::vector<std::string>& names) const;
  Result<std::vector<size_t>> ByPosition(const LayerDef& layer, const std::vector<std::string>& names) const;

  const ModelDef& model_;
  WeightSource* source_;
  std::map<const LayerDef*, Place> places_;
  std::map<const LayerDef*, std::vector<const LayerDef*>> leaves_;  // of each outermost layer, in order
};

class Importer {
 public:
  Importer(const ModelDef& model, const Writer& writer, WeightSource* source, const Options& options, ir::Graph* graph,
           Report* report)
      : model_(model),
        writer_(writer),
        source_(source),
        options_(options),
        graph_(graph),
        report_(report),
        builder_(graph),
        finder_(model, source) {}

  Status Import();

  Result<ValueId> Param(const LayerDef& layer, const char* role, const std::function<Status(Weight*)>& arrange);
  void Warn(const std::string& text) { graph_->warnings.push_back(text); }
  const Options& options() const { return options_; }

 private:
  Status AddInputs(std::vector<ValueId>* values);
  Result<ValueId> AddInput(const LayerDef& layer);
  Status AddOutputs(const std::vector<ValueId>& values);
  // The outputs of a model for these inputs.
  Result<std::vector<ValueId>> Run(const ModelDef& model, const std::vector<ValueId>& inputs,
                                   const std::string& prefix);
  Result<std::vector<ValueId>> RunCall(const LayerDef& layer, const CallDef& call, const std::vector<Operand>& operands,
                                       const std::vector<std::pair<std::string, ValueId>>& named,
                                       const std::string& prefix);

  const ModelDef& model_;
  const Writer& writer_;
  WeightSource* source_;
  const Options& options_;
  ir::Graph* graph_;
  Report* report_;
  ir::Builder builder_;
  WeightFinder finder_;
  std::map<std::pair<const LayerDef*, std::string>, ValueId> params_;
  int64_t calls_ = 0;  // nested models included: models that call models can grow without end
};

// The front door for both containers: source_format, metadata, model and weights.
struct Source {
  Json model;  // {"class_name", "config"}
  Writer writer;
  std::string format;  // "Keras 2.2.4 HDF5"
};
Status ImportModel(const Source& source, WeightSource* weights, const Options& options, ir::Graph* graph,
                   Report* report);

// From "2.2.4-tf" and "tensorflow".
Writer MakeWriter(const std::string& keras_version, const std::string& backend);

}  // namespace fovea::converter::keras

#endif  // FOVEA_CONVERTER_KERAS_IMPORTER_H_
