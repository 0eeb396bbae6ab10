// Tensors of an ONNX file as numbers: every plain element type, in raw or typed fields, inside the file or beside it.
//
// Sizes are checked against the data before anything is allocated. Errors: kCorruptFile (data that do not match the
// dims), kUnsupported (strings, complex, 8-bit floats, 4-bit integers).
#ifndef FOVEA_CONVERTER_ONNX_TENSOR_H_
#define FOVEA_CONVERTER_ONNX_TENSOR_H_

#include <cstdint>
#include <string>
#include <vector>

#include "converter/onnx/onnx.pb.h"
#include "runtime/include/fovea/dtype.h"
#include "runtime/include/fovea/status.h"

namespace fovea::converter {

// Numbers of TensorProto.DataType that messages and importers name.
enum OnnxType : int32_t {
  kOnnxFloat = 1,
  kOnnxUInt8 = 2,
  kOnnxInt8 = 3,
  kOnnxUInt16 = 4,
  kOnnxInt16 = 5,
  kOnnxInt32 = 6,
  kOnnxInt64 = 7,
  kOnnxBool = 9,
  kOnnxFloat16 = 10,
  kOnnxDouble = 11,
  kOnnxUInt32 = 12,
  kOnnxUInt64 = 13,
  kOnnxBFloat16 = 16,
};

// bfloat16 values are float32 values: kFloat32.
Result<DType> ElementType(int32_t onnx_type);

struct TensorData {
  DType dtype = DType::kFloat32;
  std::vector<int64_t> dims;
  // Row-major; integers and bools are in `integers`, all others in `floats`.
  std::vector<float> floats;
  std::vector<int64_t> integers;

  bool is_integer() const { return !IsFloat(dtype); }
  std::vector<float> AsFloats() const;
};

Result<TensorData> ReadTensor(const onnx::TensorProto& tensor, const std::string& folder);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_ONNX_TENSOR_H_
