// The TensorFlow frontends for SavedModel (folders and zips) and frozen GraphDef files.
//
// Both read a container into a TfGraph - functions inlined, variables as constants, pruned to the interface - and hand
// it to ImportTfGraph. Tensors keep TensorFlow's axis order (NHWC). Errors: kNotFound, kCorruptFile, kUnsupported,
// kInvalidArgument (a choice that the user must make; the message lists what there is). The formats: tensorflow/core/
// protobuf/saved_model.proto, meta_graph.proto, tensor_bundle.proto.
#ifndef FOVEA_CONVERTER_SAVED_MODEL_IMPORT_H_
#define FOVEA_CONVERTER_SAVED_MODEL_IMPORT_H_

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "archive/file_tree.h"
#include "converter/convert.h"
#include "converter/tensorflow/tf_graph.h"

namespace fovea::converter {

using archive::ByteSource;
using archive::FileTree;

// path: a folder with saved_model.pb, that file, or a zip; in folders and zips also one level down, and in zips also
// inside one zip.
Result<TfGraph> ReadSavedModel(const std::string& path, const Options& options, std::vector<std::string>* warnings);
Result<TfGraph> ReadSavedModel(FileTree* tree, const Options& options, std::vector<std::string>* warnings);
Status ImportSavedModel(const std::string& path, const Options& options, ir::Graph* graph, Report* report);

Result<TfGraph> ReadFrozenGraph(const std::string& path, const Options& options);
Result<TfGraph> ReadFrozenGraph(ByteSource* source, const Options& options);
Status ImportFrozenGraph(const std::string& path, const Options& options, ir::Graph* graph, Report* report);

// Whether a file begins like these formats. head: its first bytes, 16 or more where it has them.
bool LooksLikeZip(std::span<const unsigned char> head);
bool LooksLikeSavedModel(std::span<const unsigned char> head);
bool LooksLikeGraphDef(std::span<const unsigned char> head);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_SAVED_MODEL_IMPORT_H_
