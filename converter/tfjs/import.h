// TF.js models: model.json and the shards of weights beside it, into the converter's IR.
//
// Graph models hold a TensorFlow GraphDef as JSON and go the way of frozen graphs; layers models hold a Keras
// configuration and go the way of HDF5 files. Quantised weights (uint8, uint16, float16) become float32. Shards are
// read from the folder of model.json or below it, nowhere else.
//
// Errors: kNotFound, kIo, kCorruptFile (one sentence that names the file), kInvalidArgument, kUnsupported (every node
// or layer is listed in report->unsupported). Format: https://www.tensorflow.org/js/guide/save_load and
// tfjs-core/src/io/types.ts.
#ifndef FOVEA_CONVERTER_TFJS_IMPORT_H_
#define FOVEA_CONVERTER_TFJS_IMPORT_H_

#include <functional>
#include <string>
#include <string_view>

#include "converter/convert.h"

namespace fovea::converter {

Status ImportTfjs(const std::string& path, const Options& options, ir::Graph* graph, Report* report);

// The same from memory. read_shard gives the bytes of a path in the manifest, at most `limit` of them; name: for
// messages.
using ShardReader = std::function<Result<std::string>(const std::string& shard, uint64_t limit)>;
Status ImportTfjsFromText(std::string_view model_json, const ShardReader& read_shard, const std::string& name,
                          const Options& options, ir::Graph* graph, Report* report);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_TFJS_IMPORT_H_
