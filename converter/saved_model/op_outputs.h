// Where an operator's named output begins among its outputs.
//
// Inside functions a tensor is called "node:output_name:index", in graphs "node:index". The names are those of the
// operators' definitions: the file's own list where it carries one (stripped_op_list), else a table of the operators
// with several named outputs. An operator that is in neither has one (list of) output.
#ifndef FOVEA_CONVERTER_SAVED_MODEL_OP_OUTPUTS_H_
#define FOVEA_CONVERTER_SAVED_MODEL_OP_OUTPUTS_H_

#include <cstdint>
#include <map>
#include <string>

#include "converter/saved_model/tensorflow.pb.h"

namespace fovea::converter {

class OpOutputs {
 public:
  // `list` outlives this; may be null.
  explicit OpOutputs(const tfproto::OpList* list);
  int64_t Begin(const tfproto::NodeDef& node, const std::string& output) const;

 private:
  std::map<std::string, const tfproto::OpDef*> definitions_;
};

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_SAVED_MODEL_OP_OUTPUTS_H_
