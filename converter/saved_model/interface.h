// Which tensors of a TensorFlow graph are the model's inputs and outputs: a signature says it, or the user by name, or
// the graph where it leaves no choice.
#ifndef FOVEA_CONVERTER_SAVED_MODEL_INTERFACE_H_
#define FOVEA_CONVERTER_SAVED_MODEL_INTERFACE_H_

#include <string>
#include <vector>

#include "converter/convert.h"
#include "converter/saved_model/flatten.h"
#include "converter/saved_model/tensorflow.pb.h"

namespace fovea::converter {

struct TensorChoice {
  std::string name, tensor;  // what the user sees; "node:0" in the graph
  int32_t tf_type = 1;
  const tfproto::TensorShapeProto* shape = nullptr;  // null: not said. Lives in the graph or signature.
};
struct Interface {
  std::vector<TensorChoice> inputs, outputs;
};

// The graph for options.tag; without one the only graph, or that for "serve". Errors list the tags.
Result<tfproto::MetaGraphDef*> ChooseMetaGraph(tfproto::SavedModel* model, const std::string& tag);
// The signature of that name; without one "serving_default", or the only one that takes numbers. Errors list them;
// null where the graph has no signature that could be meant.
Result<const tfproto::SignatureEntry*> ChooseSignature(const tfproto::MetaGraphDef& graph, const std::string& name);
Interface FromSignature(const tfproto::SignatureDef& signature);

// From options.inputs and options.outputs. Where they are empty: inputs are the Placeholders that the outputs depend
// on, or else the PlaceholderWithDefaults that are no switches; the output is the one node that depends on an input and
// that nobody reads. Several such nodes are listed in the error.
Result<Interface> FromNames(const tfproto::GraphDef& graph, const Options& options);

// Feeds the inputs, wants the outputs, runs, and names the ports of the result.
Status Flatten(const Interface& interface, Flattener* flattener, TfGraph* graph);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_SAVED_MODEL_INTERFACE_H_
