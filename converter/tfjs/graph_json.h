// TensorFlow's GraphDef and SignatureDef out of protobuf's JSON form (proto3: 64-bit integers and bytes as text).
#ifndef FOVEA_CONVERTER_TFJS_GRAPH_JSON_H_
#define FOVEA_CONVERTER_TFJS_GRAPH_JSON_H_

#include "converter/keras/json.h"
#include "converter/saved_model/tensorflow.pb.h"

namespace fovea::converter::tfjs {

using keras::Json;

Status ReadGraph(const Json& json, tfproto::GraphDef* graph);
Status ReadSignature(const Json& json, tfproto::SignatureDef* signature);

}  // namespace fovea::converter::tfjs

#endif  // FOVEA_CONVERTER_TFJS_GRAPH_JSON_H_
