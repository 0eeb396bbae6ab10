// Weights that an ONNX file keeps in a second file ("external data").
//
// The location is a path relative to the model's folder. Paths that leave the folder (absolute, "..", a symbolic link
// that points out) are refused, and offset and length are checked against the file's size before anything is allocated.
#ifndef FOVEA_CONVERTER_ONNX_EXTERNAL_DATA_H_
#define FOVEA_CONVERTER_ONNX_EXTERNAL_DATA_H_

#include <string>

#include "converter/onnx/onnx.pb.h"
#include "runtime/include/fovea/status.h"

namespace fovea::converter {

// The bytes of `tensor`, whose data_location is EXTERNAL; `bytes` is what its dims and type ask for.
Result<std::string> ReadExternalData(const onnx::TensorProto& tensor, const std::string& folder, size_t bytes);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_ONNX_EXTERNAL_DATA_H_
