// TF.js graph models and layers models, each to where its kind is imported.
#ifndef FOVEA_CONVERTER_TFJS_GRAPH_MODEL_H_
#define FOVEA_CONVERTER_TFJS_GRAPH_MODEL_H_

#include "converter/keras/json.h"
#include "converter/tfjs/import.h"

namespace fovea::converter::tfjs {

// model: the whole of model.json.
Status ImportGraphModel(const keras::Json& model, const ShardReader& read_shard, const Options& options,
                        ir::Graph* graph, Report* report);
Status ImportLayersModel(const keras::Json& model, const ShardReader& read_shard, const Options& options,
                         ir::Graph* graph, Report* report);

}  // namespace fovea::converter::tfjs

#endif  // FOVEA_CONVERTER_TFJS_GRAPH_MODEL_H_
