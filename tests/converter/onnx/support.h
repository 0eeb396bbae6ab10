// What the ONNX tests share: tensors from .pb and .npy files, models made by hand, and running a model from its source
// tensors to its source tensors.
#ifndef FOVEA_TESTS_CONVERTER_ONNX_SUPPORT_H_
#define FOVEA_TESTS_CONVERTER_ONNX_SUPPORT_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "converter/convert.h"
#include "converter/onnx/onnx.pb.h"
#include "runtime/include/fovea/session.h"

namespace fovea::testing {

// Source axis order, row-major. Double holds every value that the files have (integers up to 2^53).
struct Tensor {
  std::string type;  // numpy's name
  std::vector<int64_t> dims;
  std::vector<double> values;
};

// NAME_PID in the folder for temporary files: tests may run side by side.
std::filesystem::path TemporaryPath(const std::string& name);

std::string ReadBytes(const std::string& path);
// An ONNX TensorProto file, read without the converter's own reader.
Tensor ReadPb(const std::string& path);
// A little-endian C-order float32 .npy file.
Tensor ReadNpy(const std::string& path);

// The model's outputs for these inputs (both in the model's order).
Result<std::vector<Tensor>> Run(const Model& model, const std::vector<Tensor>& inputs, const SessionOptions& options);
// Convert, Emit and load.
Result<Model> ConvertAndLoad(const std::string& path, const converter::Options& options, converter::Report* report);
// The same from a model in memory, through a temporary file.
Result<Model> ConvertAndLoad(const onnx::ModelProto& model, const converter::Options& options,
                             converter::Report* report);

// Empty, or where the first difference beyond atol + rtol |want| lies. NaN equals NaN.
std::string Compare(const Tensor& got, const Tensor& want, double rtol, double atol);

// A model being written. Sizes below 0 are open.
class ModelMaker {
 public:
  explicit ModelMaker(int64_t opset, int64_t ir_version = 8);
  ModelMaker& Input(const std::string& name, const std::vector<int64_t>& dims, int type = 1);
  ModelMaker& Output(const std::string& name);
  ModelMaker& Weights(const std::string& name, const std::vector<int64_t>& dims, const std::vector<float>& data);
  ModelMaker& Integers(const std::string& name, const std::vector<int64_t>& dims, const std::vector<int64_t>& data);
  onnx::NodeProto& Node(const std::string& op, const std::vector<std::string>& inputs,
                        const std::vector<std::string>& outputs);
  onnx::ModelProto model;
};
void SetInt(onnx::NodeProto& node, const std::string& name, int64_t value);
void SetInts(onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values);
void SetFloat(onnx::NodeProto& node, const std::string& name, float value);
void SetFloats(onnx::NodeProto& node, const std::string& name, const std::vector<float>& values);
void SetString(onnx::NodeProto& node, const std::string& name, const std::string& value);

// Numbers in [-1, 1) with a period far beyond any tensor here; multiples of 1/64, so that short sums are exact.
std::vector<float> Pattern(size_t count, uint32_t seed);
Tensor PatternTensor(const std::vector<int64_t>& dims, uint32_t seed);

}  // namespace fovea::testing

#endif  // FOVEA_TESTS_CONVERTER_ONNX_SUPPORT_H_
