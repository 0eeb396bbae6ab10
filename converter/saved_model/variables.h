// Values for the variables of a flattened graph.
//
// Which tensor of the checkpoint belongs to a variable is said, in this order, by the graph's own restore operations
// (RestoreV2 followed by Assign or AssignVariableOp, in the graph or in the restore function of TensorFlow 2), by the
// variable's name, and by the full names in the checkpoint's object graph.
#ifndef FOVEA_CONVERTER_SAVED_MODEL_VARIABLES_H_
#define FOVEA_CONVERTER_SAVED_MODEL_VARIABLES_H_

#include <string>
#include <vector>

#include "archive/file_tree.h"
#include "converter/convert.h"
#include "converter/saved_model/flatten.h"

namespace fovea::converter {

using archive::FileTree;

// Fills every node of flattener->variables(). `folder`: what the names in the tree begin with, empty or "model/".
// With options.no_weights the values are zeros, the checkpoint is not read, and a warning says so.
Status LoadVariables(Flattener* flattener, const std::string& restore_op, FileTree* tree, const std::string& folder,
                     const Options& options, std::vector<std::string>* warnings);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_SAVED_MODEL_VARIABLES_H_
