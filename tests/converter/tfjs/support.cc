#include "tests/converter/tfjs/support.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace fovea::testing {

namespace fs = std::filesystem;

TfjsFolder::TfjsFolder() {
  const TemporaryFile name("_tfjs");
  folder_ = name.path() + "_folder";
  fs::create_directories(folder_);
}
TfjsFolder::~TfjsFolder() { fs::remove_all(folder_); }

void TfjsFolder::Add(const std::string& name, const std::string& dtype, const std::vector<int64_t>& dims,
                     const std::string& bytes, const Json& quantization) {
  Json entry{{"name", name}, {"shape", dims}, {"dtype", dtype}};
  if (!quantization.is_null()) entry["quantization"] = quantization;
  weights.push_back(entry);
  bytes_ += bytes;
}
void TfjsFolder::AddFloats(const Array& array) { Add(array.name, "float32", array.dims, BytesOf(array.data)); }

void TfjsFolder::Write(Json model, int shards) {
  Json names = paths;
  const size_t part = bytes_.size() / static_cast<size_t>(shards) + 1;
  for (int i = 0; i < shards; ++i) {
    const std::string name = "group1-shard" + std::to_string(i + 1) + "of" + std::to_string(shards) + ".bin";
    const size_t begin = std::min(bytes_.size(), part * static_cast<size_t>(i));
    WriteText(name, bytes_.substr(begin, part));
    if (paths.empty()) names.push_back(name);
  }
  model["weightsManifest"] = Json::array({{{"paths", names}, {"weights", weights}}});
  WriteText("model.json", model.dump());
}
void TfjsFolder::WriteText(const std::string& name, const std::string& text) {
  std::ofstream(path(name), std::ios::binary) << text;
}
void TfjsFolder::Remove(const std::string& name) { fs::remove(path(name)); }

Json Node(const std::string& op, const std::string& name, const std::vector<std::string>& inputs, Json attrs) {
  if (!attrs.contains("T") && op != "Placeholder" && op != "Const") attrs["T"] = {{"type", "DT_FLOAT"}};
  return {{"name", name}, {"op", op}, {"input", inputs}, {"attr", std::move(attrs)}};
}

Json Placeholder(const std::string& name, const std::vector<int64_t>& dims) {
  Json list = Json::array();
  for (const int64_t dim : dims) list.push_back({{"size", std::to_string(dim)}});
  return Node("Placeholder", name, {}, {{"dtype", {{"type", "DT_FLOAT"}}}, {"shape", {{"shape", {{"dim", list}}}}}});
}

Json Constant(const std::string& name, const std::string& type) {
  return Node(
      "Const", name, {},
      {{"dtype", {{"type", type}}}, {"value", {{"tensor", {{"dtype", type}, {"tensorShape", Json::object()}}}}}});
}

Json GraphModel(const std::vector<Json>& nodes) {
  Json list = Json::array();
  for (const Json& node : nodes) list.push_back(node);
  return {{"format", "graph-model"}, {"generatedBy", "2.3.1"}, {"modelTopology", {{"node", list}}}};
}

Json SmallGraph(TfjsFolder* folder) {
  folder->AddFloats(MakeArray("w", {3, 3, 2, 4}, 2));
  folder->AddFloats(MakeArray("b", {4}, 3));
  // "U0FNRQ==" is SAME, "TkhXQw==" is NHWC.
  const Json attrs{{"strides", {{"list", {{"i", {"1", "1", "1", "1"}}}}}},
                   {"padding", {{"s", "U0FNRQ=="}}},
                   {"data_format", {{"s", "TkhXQw=="}}}};
  return GraphModel({Placeholder("x", {-1, -1, -1, 2}), Constant("w"), Constant("b"),
                     Node("Conv2D", "conv", {"x", "w"}, attrs), Node("BiasAdd", "biased", {"conv", "b"}),
                     Node("Relu", "y", {"biased"})});
}

ir::Tensor SmallGraphResult(const ir::Tensor& x, const Array& w, const Array& b) {
  return FromIndices({x.dims[0], x.dims[1], x.dims[2], 4}, [&](const std::vector<int64_t>& at) {
    double sum = At(b, {at[3]});
    for (int64_t i = 0; i < 3; ++i) {
      for (int64_t j = 0; j < 3; ++j) {
        for (int64_t c = 0; c < 2; ++c)
          sum += At(x, {at[0], at[1] + i - 1, at[2] + j - 1, c}) * At(w, {i, j, c, at[3]});
      }
    }
    return std::max(sum, 0.0);
  });
}

std::vector<ir::Tensor> RunModel(const std::string& path, const std::vector<ir::Tensor>& inputs) {
  const Result<ir::Graph> graph = converter::Convert(path, {}, nullptr);
  if (!graph.ok()) {
    ADD_FAILURE() << graph.status().message();
    return {ir::Tensor{}};
  }
  const Result<std::vector<ir::Tensor>> outputs = ir::Evaluate(*graph, inputs);
  if (outputs.ok()) return *outputs;
  ADD_FAILURE() << outputs.status().message() << "\n" << graph->ToString();
  return {ir::Tensor{}};
}

}  // namespace fovea::testing
