// TF.js models made by tests: model.json and shards in a folder of their own.
#ifndef FOVEA_TESTS_CONVERTER_TFJS_SUPPORT_H_
#define FOVEA_TESTS_CONVERTER_TFJS_SUPPORT_H_

#include <cstring>
#include <string>
#include <vector>

#include "tests/converter/keras/support.h"

namespace fovea::testing {

class TfjsFolder {
 public:
  TfjsFolder();
  ~TfjsFolder();
  TfjsFolder(const TfjsFolder&) = delete;
  TfjsFolder& operator=(const TfjsFolder&) = delete;

  // A weight at the end of the shards: element type, shape, stored bytes, quantization (null: none).
  void Add(const std::string& name, const std::string& dtype, const std::vector<int64_t>& dims,
           const std::string& bytes, const Json& quantization = nullptr);
  void AddFloats(const Array& array);

  // Writes model.json (`model` with the manifest of the weights added) and the weights in `shards` files.
  void Write(Json model, int shards = 1);
  void WriteText(const std::string& name, const std::string& text);
  void Remove(const std::string& name);
  std::string path(const std::string& name = "model.json") const { return folder_ + "/" + name; }
  const std::string& folder() const { return folder_; }

  Json weights = Json::array();  // of the manifest
  Json paths = Json::array();    // empty: shard names of our own

 private:
  std::string folder_, bytes_;
};

template <class T>
std::string BytesOf(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// GraphDef as protobuf writes it in JSON.
Json Node(const std::string& op, const std::string& name, const std::vector<std::string>& inputs,
          Json attrs = Json::object());
Json Placeholder(const std::string& name, const std::vector<int64_t>& dims);
Json Constant(const std::string& name, const std::string& type = "DT_FLOAT");
Json GraphModel(const std::vector<Json>& nodes);

// A model that is right: y = Relu(Conv2D(x, w) + b) on [1, h, w, 2], with its weights in the folder.
Json SmallGraph(TfjsFolder* folder);
ir::Tensor SmallGraphResult(const ir::Tensor& x, const Array& w, const Array& b);

std::vector<ir::Tensor> RunModel(const std::string& path, const std::vector<ir::Tensor>& inputs);

}  // namespace fovea::testing

#endif  // FOVEA_TESTS_CONVERTER_TFJS_SUPPORT_H_
