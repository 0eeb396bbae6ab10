// ONNX files: operator sets 1 to 24 of the default domain, IR versions from 1, into the converter's IR.
//
// Sizes that the file leaves open (dim_param, or no value) become DimExpr::InputDim, the batch included; Options.size
// fixes them. Integer inputs that only decide sizes ("shape", "pads", "sizes") become shape inputs. Inputs whose values
// decide the structure (axes) must be given through Options.set. Tensors keep the file's axis order (N, C, spatial);
// spatial operators stand between two Transposes.
//
// Errors: kNotFound, kIo, kCorruptFile (one sentence that names the file and the node), kInvalidArgument (options that
// name no input), kUnsupported: report->unsupported lists every node, not only the first.
// Specification: https://onnx.ai/onnx/operators/ and https://onnx.ai/onnx/repo-docs/IR.html
#ifndef FOVEA_CONVERTER_ONNX_IMPORT_H_
#define FOVEA_CONVERTER_ONNX_IMPORT_H_

#include <cstddef>
#include <span>
#include <string>

#include "converter/convert.h"

namespace fovea::converter {

Status ImportOnnx(const std::string& path, const Options& options, ir::Graph* graph, Report* report);

// The same from memory. name: for messages. folder: where external data may be read from; empty: nowhere.
Status ImportOnnxFromBytes(std::span<const std::byte> bytes, const std::string& name, const std::string& folder,
                           const Options& options, ir::Graph* graph, Report* report);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_ONNX_IMPORT_H_
