// Keras files made by tests: HDF5 written through its C library, configurations as JSON in the dialects of Keras 1, 2
// and 3, and running what the converter makes of them.
#ifndef FOVEA_TESTS_CONVERTER_KERAS_SUPPORT_H_
#define FOVEA_TESTS_CONVERTER_KERAS_SUPPORT_H_

#include <cmath>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "converter/convert.h"
#include "converter/ir/evaluate.h"

namespace fovea::testing {

using Json = nlohmann::ordered_json;

struct Array {
  std::string name;
  std::vector<int64_t> dims;
  std::vector<float> data;
};
struct LayerWeights {
  std::string layer;
  std::vector<Array> arrays;
};

// What goes into an .h5 file.
struct KerasFile {
  Json config;  // null: none
  std::string keras_version = "2.2.4", backend = "tensorflow";
  std::vector<LayerWeights> layers;
  bool fixed_strings = true;   // attributes of fixed length, as Python 2 and bytes have them; else variable length
  bool split_names = false;    // weight_names0, weight_names1
  bool latest_format = false;  // HDF5's newest structures rather than those that every version reads
  std::string group = "model_weights";  // "" for files of save_weights
};

// A path of its own in the folder for temporary files; the file goes with the object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& suffix);
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void WriteKeras(const KerasFile& file, const std::string& path);
std::string ReadFile(const std::string& path);

// Multiples of 1/16 in [-1, 1): short sums of products are exact in float32.
std::vector<float> Numbers(size_t count, uint32_t seed);
Array MakeArray(const std::string& name, const std::vector<int64_t>& dims, uint32_t seed);
ir::Tensor MakeTensor(const std::vector<int64_t>& dims, uint32_t seed);

// Configurations.
Json Layer(const std::string& class_name, const std::string& name, Json config = Json::object());
Json InputLayer(const std::string& name, const std::vector<int64_t>& dims, bool keras3 = false);
// A model of one layer, called with all inputs, in the dialect of the version (1, 2 or 3).
Json OneLayer(const Json& layer, const std::vector<std::vector<int64_t>>& input_dims, int version);
Json Sequential(const std::vector<Json>& layers);
// Inbound node of version 1 and 2, and of 3.
Json Inbound(const std::vector<std::string>& names, int version = 2);
Json Functional(std::vector<Json> layers, const std::vector<std::string>& inputs,
                const std::vector<std::string>& outputs, int version = 2);

// Converts the file and runs the graph; fails the test with the message when either fails.
Result<ir::Graph> ConvertKeras(const KerasFile& file, converter::Report* report = nullptr);
std::vector<ir::Tensor> RunKeras(const KerasFile& file, const std::vector<ir::Tensor>& inputs);
// The only layer's result.
ir::Tensor RunLayer(const Json& layer, const std::vector<Array>& weights, const std::vector<ir::Tensor>& inputs,
                    int version = 2, const std::string& backend = "tensorflow");

// Same dims; every element within `ulps` units in the last place of the largest value wanted.
void ExpectNear(const ir::Tensor& got, const ir::Tensor& want, double ulps = 0);
// Index arithmetic for the expectations: a tensor from a function of its indices.
ir::Tensor FromIndices(const std::vector<int64_t>& dims,
                       const std::function<double(const std::vector<int64_t>&)>& value);
// Element at the indices; 0 outside.
double At(const ir::Tensor& x, const std::vector<int64_t>& at);
double At(const Array& x, const std::vector<int64_t>& at);
ir::Tensor Map(const ir::Tensor& x, const std::function<double(double)>& f);

}  // namespace fovea::testing

#endif  // FOVEA_TESTS_CONVERTER_KERAS_SUPPORT_H_
