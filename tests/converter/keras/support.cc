#include "tests/converter/keras/support.h"

#include <gtest/gtest.h>
#include <hdf5.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace fovea::testing {

namespace {

void WriteText(hid_t object, const std::string& name, const std::vector<std::string>& texts, bool fixed, bool scalar) {
  size_t width = 1;
  for (const std::string& text : texts) width = std::max(width, text.size());
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, fixed ? width : H5T_VARIABLE);
  if (fixed) H5Tset_strpad(type, H5T_STR_NULLPAD);
  const hsize_t count = texts.size();
  const hid_t space = scalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &count, nullptr);
  const hid_t attribute = H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
  if (fixed) {
    std::string bytes;
    for (std::string text : texts) {
      text.resize(width, '\0');
      bytes += text;
    }
    H5Awrite(attribute, type, bytes.data());
  } else {
    std::vector<const char*> pointers;
    for (const std::string& text : texts) pointers.push_back(text.c_str());
    H5Awrite(attribute, type, pointers.data());
  }
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
}

void WriteNames(hid_t object, const std::string& name, const std::vector<std::string>& names, const KerasFile& file) {
  if (!file.split_names || names.size() < 2) return WriteText(object, name, names, file.fixed_strings, false);
  const auto middle = names.begin() + static_cast<ptrdiff_t>(names.size() / 2);
  WriteText(object, name + "0", {names.begin(), middle}, file.fixed_strings, false);
  WriteText(object, name + "1", {middle, names.end()}, file.fixed_strings, false);
}

size_t Offset(const std::vector<int64_t>& dims, const std::vector<int64_t>& at, bool* inside) {
  size_t offset = 0;
  *inside = true;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (at[i] < 0 || at[i] >= dims[i]) *inside = false;
    offset = offset * static_cast<size_t>(dims[i]) + static_cast<size_t>(std::max<int64_t>(at[i], 0));
  }
  return offset;
}

int64_t Count(const std::vector<int64_t>& dims) {
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  return count;
}

}  // namespace

TemporaryFile::TemporaryFile(const std::string& suffix) {
  static int number = 0;
  path_ = (std::filesystem::temp_directory_path() /
           ("fovea_keras_" + std::to_string(::getpid()) + "_" + std::to_string(number++) + suffix))
              .string();
}

void WriteKeras(const KerasFile& keras, const std::string& path) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (keras.latest_format) H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  H5Pclose(access);
  // Attributes beyond 64 KB only fit as variable-length strings.
  if (!keras.config.is_null()) {
    WriteText(file, "model_config", {keras.config.is_string() ? keras.config.get<std::string>() : keras.config.dump()},
              keras.fixed_strings && keras.config.dump().size() < 60'000, true);
  }
  if (!keras.keras_version.empty()) WriteText(file, "keras_version", {keras.keras_version}, keras.fixed_strings, true);
  if (!keras.backend.empty()) WriteText(file, "backend", {keras.backend}, keras.fixed_strings, true);
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  const hid_t top = keras.group.empty() ? H5Gopen2(file, "/", H5P_DEFAULT)
                                        : H5Gcreate2(file, keras.group.c_str(), links, H5P_DEFAULT, H5P_DEFAULT);
  std::vector<std::string> layer_names;
  for (const LayerWeights& layer : keras.layers) {
    layer_names.push_back(layer.layer);
    const hid_t group = H5Gcreate2(top, layer.layer.c_str(), links, H5P_DEFAULT, H5P_DEFAULT);
    std::vector<std::string> names;
    for (const Array& array : layer.arrays) {
      names.push_back(array.name);
      std::vector<hsize_t> dims(array.dims.begin(), array.dims.end());
      const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
      const hid_t data = H5Dcreate2(group, array.name.c_str(), H5T_IEEE_F32LE, space, links, H5P_DEFAULT, H5P_DEFAULT);
      H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.data.data());
      H5Dclose(data);
      H5Sclose(space);
    }
    if (!names.empty()) WriteNames(group, "weight_names", names, keras);
    H5Gclose(group);
  }
  if (!layer_names.empty()) WriteNames(top, "layer_names", layer_names, keras);
  H5Gclose(top);
  H5Pclose(links);
  H5Fclose(file);
}

std::string ReadFile(const std::string& path) {
  std::stringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

std::vector<float> Numbers(size_t count, uint32_t seed) {
  std::vector<float> numbers(count);
  uint32_t state = seed * 2654435761u + 1;
  for (float& number : numbers) {
    state = state * 1664525u + 1013904223u;
    number = (static_cast<float>(state >> 27) - 16) / 16;
  }
  return numbers;
}

Array MakeArray(const std::string& name, const std::vector<int64_t>& dims, uint32_t seed) {
  return {name, dims, Numbers(static_cast<size_t>(Count(dims)), seed)};
}

ir::Tensor MakeTensor(const std::vector<int64_t>& dims, uint32_t seed) {
  return {dims, Numbers(static_cast<size_t>(Count(dims)), seed)};
}

Json Layer(const std::string& class_name, const std::string& name, Json config) {
  config["name"] = name;
  return {{"class_name", class_name}, {"config", std::move(config)}, {"name", name}};
}

Json InputLayer(const std::string& name, const std::vector<int64_t>& dims, bool keras3) {
  Json shape = Json::array({nullptr});
  for (size_t i = 1; i < dims.size(); ++i) shape.push_back(dims[i] < 0 ? Json() : Json(dims[i]));
  Json layer = Layer("InputLayer", name, {{keras3 ? "batch_shape" : "batch_input_shape", shape}, {"dtype", "float32"}});
  layer["inbound_nodes"] = Json::array();
  return layer;
}

Json Inbound(const std::vector<std::string>& names, int version) {
  Json tensors = Json::array();
  for (const std::string& name : names) {
    if (version < 3) {
      Json entry = Json::array({name, 0, 0});
      if (version == 2) entry.push_back(Json::object());
      tensors.push_back(entry);
    } else {
      tensors.push_back({{"class_name", "__keras_tensor__"},
                         {"config", {{"shape", {nullptr, 4}}, {"keras_history", Json::array({name, 0, 0})}}}});
    }
  }
  if (version < 3) return tensors;
  Json args = Json::array();
  args.push_back(names.size() == 1 ? tensors[0] : tensors);
  return {{"args", args}, {"kwargs", Json::object()}};
}

Json Functional(std::vector<Json> layers, const std::vector<std::string>& inputs,
                const std::vector<std::string>& outputs, int version) {
  Json in = Json::array(), out = Json::array(), list = Json::array();
  for (const std::string& name : inputs) in.push_back(Json::array({name, 0, 0}));
  for (const std::string& name : outputs) out.push_back(Json::array({name, 0, 0}));
  if (version == 3 && outputs.size() == 1) out = out[0];
  for (Json& layer : layers) list.push_back(std::move(layer));
  return {{"class_name", version == 3 ? "Functional" : "Model"},
          {"config", {{"name", "made"}, {"layers", list}, {"input_layers", in}, {"output_layers", out}}}};
}

Json Sequential(const std::vector<Json>& layers) {
  Json list = Json::array();
  for (const Json& layer : layers) list.push_back(layer);
  return {{"class_name", "Sequential"}, {"config", {{"name", "made"}, {"layers", list}}}};
}

Json OneLayer(const Json& layer, const std::vector<std::vector<int64_t>>& input_dims, int version) {
  std::vector<Json> layers;
  std::vector<std::string> names;
  for (size_t i = 0; i < input_dims.size(); ++i) {
    names.push_back("in" + std::to_string(i));
    layers.push_back(InputLayer(names.back(), input_dims[i], version == 3));
  }
  Json called = layer;
  called["inbound_nodes"] = Json::array({Inbound(names, version)});
  layers.push_back(called);
  return Functional(std::move(layers), names, {layer["name"].get<std::string>()}, version);
}

Result<ir::Graph> ConvertKeras(const KerasFile& file, converter::Report* report) {
  const TemporaryFile h5(".h5");
  WriteKeras(file, h5.path());
  return converter::Convert(h5.path(), {}, report);
}

std::vector<ir::Tensor> RunKeras(const KerasFile& file, const std::vector<ir::Tensor>& inputs) {
  const Result<ir::Graph> graph = ConvertKeras(file);
  if (!graph.ok()) {
    ADD_FAILURE() << graph.status().message();
    return {};
  }
  const Result<std::vector<ir::Tensor>> outputs = ir::Evaluate(*graph, inputs);
  if (outputs.ok()) return *outputs;
  ADD_FAILURE() << outputs.status().message() << "\n" << graph->ToString();
  return {};
}

ir::Tensor RunLayer(const Json& layer, const std::vector<Array>& weights, const std::vector<ir::Tensor>& inputs,
                    int version, const std::string& backend) {
  std::vector<std::vector<int64_t>> dims;
  for (const ir::Tensor& input : inputs) dims.push_back(input.dims);
  KerasFile file;
  file.config = OneLayer(layer, dims, version);
  file.keras_version = version == 1 ? "1.2.2" : version == 2 ? "2.3.1" : "3.4.1";
  file.backend = backend;
  file.fixed_strings = version < 3;
  const std::string name = layer["name"].get<std::string>();
  file.layers.push_back({name, weights});
  for (Array& array : file.layers[0].arrays) {
    array.name = version == 1 ? name + "_" + array.name : name + "/" + array.name + (version == 2 ? ":0" : "");
  }
  std::vector<ir::Tensor> outputs = RunKeras(file, inputs);
  return outputs.empty() ? ir::Tensor{} : outputs[0];
}

void ExpectNear(const ir::Tensor& got, const ir::Tensor& want, double ulps) {
  ASSERT_EQ(got.dims, want.dims);
  double largest = 0;
  for (const float x : want.data) largest = std::max(largest, std::fabs(static_cast<double>(x)));
  const double tolerance = ulps * std::ldexp(largest, -23);
  for (size_t i = 0; i < want.data.size(); ++i) {
    ASSERT_NEAR(got.data[i], want.data[i], tolerance) << "element " << i;
  }
}

ir::Tensor FromIndices(const std::vector<int64_t>& dims,
                       const std::function<double(const std::vector<int64_t>&)>& value) {
  ir::Tensor out{dims, {}};
  std::vector<int64_t> at(dims.size(), 0);
  for (int64_t n = Count(dims); n > 0; --n) {
    out.data.push_back(static_cast<float>(value(at)));
    for (size_t i = dims.size(); i-- > 0;) {
      if (++at[i] < dims[i]) break;
      at[i] = 0;
    }
  }
  return out;
}

double At(const ir::Tensor& x, const std::vector<int64_t>& at) {
  bool inside = true;
  const size_t offset = Offset(x.dims, at, &inside);
  return inside ? static_cast<double>(x.data[offset]) : 0;
}
double At(const Array& x, const std::vector<int64_t>& at) {
  bool inside = true;
  const size_t offset = Offset(x.dims, at, &inside);
  return inside ? static_cast<double>(x.data[offset]) : 0;
}

ir::Tensor Map(const ir::Tensor& x, const std::function<double(double)>& f) {
  ir::Tensor y = x;
  for (float& value : y.data) value = static_cast<float>(f(static_cast<double>(value)));
  return y;
}

}  // namespace fovea::testing
