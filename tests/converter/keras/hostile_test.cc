// Keras files that are broken or malicious: each is refused with one sentence that names the file, and none crashes the
// importer.
#include <gtest/gtest.h>
#include <hdf5.h>

#include <fstream>

#include "converter/keras/import.h"
#include "tests/converter/keras/support.h"

namespace fovea::testing {
namespace {

namespace fs = std::filesystem;

Json Conv(const std::string& name, const std::string& from) {
  Json layer = Layer("Conv2D", name, {{"filters", 2}, {"kernel_size", {3, 3}}, {"padding", "same"}});
  layer["inbound_nodes"] = Json::array({Inbound({from})});
  return layer;
}

KerasFile Sound() {
  KerasFile file;
  file.config = Functional({InputLayer("x", {1, 8, 8, 2}), Conv("a", "x"), Conv("b", "a")}, {"x"}, {"b"});
  for (const std::string name : {"a", "b"}) {
    file.layers.push_back(
        {name, {MakeArray(name + "/kernel:0", {3, 3, 2, 2}, 1), MakeArray(name + "/bias:0", {2}, 2)}});
  }
  return file;
}
Json& LayerOf(KerasFile& file, size_t i) { return file.config["config"]["layers"][i]; }

Status Import(const std::string& path) {
  ir::Graph graph;
  converter::Report report;
  return converter::ImportKeras(path, {}, &graph, &report);
}
Status Import(const KerasFile& file) {
  const TemporaryFile h5(".h5");
  WriteKeras(file, h5.path());
  Status status = Import(h5.path());
  EXPECT_TRUE(status.ok() || status.message().rfind(h5.path() + ": ", 0) == 0) << status.message();
  return status;
}
Status ImportBytes(const std::string& bytes) {
  ir::Graph graph;
  converter::Report report;
  return converter::ImportKerasFromBytes(std::as_bytes(std::span(bytes)), "made.h5", {}, &graph, &report);
}
void ExpectRefused(const Status& status, StatusCode code, const std::string& part) {
  EXPECT_EQ(status.code(), code) << status.message();
  EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
}
std::string BytesOf(const KerasFile& file) {
  const TemporaryFile h5(".h5");
  WriteKeras(file, h5.path());
  return ReadFile(h5.path());
}

TEST(KerasHostile, SoundFilePasses) {
  EXPECT_TRUE(Import(Sound()).ok()) << Import(Sound()).message();
  EXPECT_TRUE(ImportBytes(BytesOf(Sound())).ok());
}

TEST(KerasHostile, WeightsAlone) {
  KerasFile file = Sound();
  file.config = nullptr;
  ExpectRefused(Import(file), StatusCode::kUnsupported, "save the whole model");
  file.group = "";
  ExpectRefused(Import(file), StatusCode::kUnsupported, "save the whole model");
  file.layers.clear();
  ExpectRefused(Import(file), StatusCode::kUnsupported, "not one that Keras wrote");
}

TEST(KerasHostile, NotHdf5) {
  EXPECT_EQ(Import("/nowhere/at/all.h5").code(), StatusCode::kNotFound);
  ExpectRefused(ImportBytes(""), StatusCode::kCorruptFile, "not an HDF5 file");
  ExpectRefused(ImportBytes(std::string(5000, 'x')), StatusCode::kCorruptFile, "not an HDF5 file");
  ExpectRefused(ImportBytes("\x89HDF\r\n\x1a\n"), StatusCode::kCorruptFile, "not an HDF5 file");
}

TEST(KerasHostile, EveryTruncationIsRefused) {
  const std::string bytes = BytesOf(Sound());
  for (size_t length = 0; length < bytes.size(); length += 61) {
    ExpectRefused(ImportBytes(bytes.substr(0, length)), StatusCode::kCorruptFile, "");
  }
}

TEST(KerasHostile, WrongJson) {
  for (const char* config : {"", "{", "[]", "null", "3", "{\"class_name\": 3}", "{\"class_name\": \"Model\"}",
                             "{\"class_name\": \"Model\", \"config\": {\"layers\": 3, \"input_layers\": []}}"}) {
    KerasFile file = Sound();
    file.config = config;
    EXPECT_EQ(Import(file).code(), StatusCode::kCorruptFile) << config << ": " << Import(file).message();
  }
  KerasFile file = Sound();
  file.config = std::string(5000, '[') + std::string(5000, ']');
  ExpectRefused(Import(file), StatusCode::kCorruptFile, "nested");
  file.config = {{"class_name", "MyModel"}, {"config", {{"units", 3}}}};
  ExpectRefused(Import(file), StatusCode::kUnsupported, "MyModel");
}

TEST(KerasHostile, Connections) {
  KerasFile file = Sound();
  LayerOf(file, 1)["inbound_nodes"][0][0][0] = "nobody";
  ExpectRefused(Import(file), StatusCode::kCorruptFile, "'nobody', which is not there");
  file = Sound();
  LayerOf(file, 1)["inbound_nodes"][0][0][0] = "b";
  ExpectRefused(Import(file), StatusCode::kCorruptFile, "cycle");
  file = Sound();
  LayerOf(file, 1)["inbound_nodes"][0][0][0] = "a";
  ExpectRefused(Import(file), StatusCode::kCorruptFile, "cycle");
  file = Sound();
  LayerOf(file, 1)["inbound_nodes"][0][0][1] = -1;
  ExpectRefused(Import(file), StatusCode::kCorruptFile, "node -1");
  file = Sound();
  LayerOf(file, 1)["inbound_nodes"][0][0][2] = 5;
  ExpectRefused(Import(file), StatusCode::kCorruptFile, "has no result 5");
  file = Sound();
  LayerOf(file, 1)["inbound_nodes"] = Json::array();
  ExpectRefused(Import(file), StatusCode::kCorruptFile, "never called");
  file = Sound();
  LayerOf(file, 2)["name"] = "a";
  ExpectRefused(Import(file), StatusCode::kCorruptFile, "two layers named 'a'");
  for (const Json& nodes : {Json(3), Json("x"), Json::array({3}), Json::array({Json::array({3})}),
                            Json::array({{{"args", 3}}}), Json::array({Json::array({Json::array({"x"})})})}) {
    file = Sound();
    LayerOf(file, 1)["inbound_nodes"] = nodes;
    EXPECT_EQ(Import(file).code(), StatusCode::kCorruptFile) << nodes;
  }
}

TEST(KerasHostile, ConfigurationsOutOfRange) {
  const std::vector<std::pair<const char*, Json>> wrong = {{"strides", 0},          {"strides", -1},
                                                           {"strides", {1, 2, 3}},  {"strides", "two"},
                                                           {"strides", 1e18},       {"dilation_rate", 0},
                                                           {"dilation_rate", 1e12}, {"groups", 0},
                                                           {"groups", -2},          {"groups", 1e15},
                                                           {"padding", 3},          {"data_format", "upside_down"},
                                                           {"use_bias", "perhaps"}, {"dilation_rate", {1, nullptr}}};
  for (const auto& [key, value] : wrong) {
    KerasFile file = Sound();
    LayerOf(file, 1)["config"][key] = value;
    EXPECT_EQ(Import(file).code(), StatusCode::kCorruptFile) << key << " " << value << ": " << Import(file).message();
  }
  for (const Json& shape : {Json::array({nullptr, -7, 8, 2}), Json::array({nullptr, 0, 8, 2}), Json("big"),
                            Json::array(), Json::array({nullptr, 1e17, 1e17, 2}), Json::array({nullptr, "8", 8, 2})}) {
    KerasFile file = Sound();
    LayerOf(file, 0)["config"]["batch_input_shape"] = shape;
    EXPECT_EQ(Import(file).code(), StatusCode::kCorruptFile) << shape;
  }
}

TEST(KerasHostile, WeightsThatDoNotFit) {
  KerasFile file = Sound();
  file.layers.pop_back();
  ExpectRefused(Import(file), StatusCode::kCorruptFile, "layer 'b'");
  file = Sound();
  file.layers[1].arrays.pop_back();
  ExpectRefused(Import(file), StatusCode::kCorruptFile, "layer 'b'");
  file = Sound();
  file.layers[0].arrays[0] = MakeArray("a/kernel:0", {3, 3, 5, 2}, 1);
  ExpectRefused(Import(file), StatusCode::kCorruptFile, "layer 'a' (Conv2D)");
  file.layers[0].arrays[0] = MakeArray("a/kernel:0", {18, 2}, 1);
  ExpectRefused(Import(file), StatusCode::kCorruptFile, "18x2");
  file.layers[0].arrays[0] = MakeArray("a/kernel:0", {0, 3, 2, 2}, 1);
  EXPECT_EQ(Import(file).code(), StatusCode::kCorruptFile);
}

// Models in models, each called twice: 2^40 calls in all.
TEST(KerasHostile, ExponentialNesting) {
  Json inner = Layer("Activation", "m", {{"activation", "relu"}});
  for (int depth = 0; depth < 14; ++depth) {
    Json model = inner;
    model["name"] = model["config"]["name"] = "m";
    model["inbound_nodes"] = Json::array();
    for (int call = 0; call < 8; ++call) {
      model["inbound_nodes"].push_back(Inbound({call == 0 ? "x" : "m"}));
      if (call > 0) model["inbound_nodes"].back()[0][1] = call - 1;
    }
    inner = Functional({InputLayer("x", {1, 4}), model}, {"x"}, {"m"});
    inner["config"]["output_layers"][0][1] = 7;
  }
  KerasFile file;
  file.config = inner;
  ExpectRefused(Import(file), StatusCode::kCorruptFile, "more than 100,000 calls");
}

TEST(KerasHostile, DeepNesting) {
  Json model = Layer("Activation", "m", {{"activation", "relu"}});
  for (int depth = 0; depth < 30; ++depth) model = Sequential({InputLayer("x", {1, 4}), model});
  KerasFile file;
  file.config = model;
  ExpectRefused(Import(file), StatusCode::kCorruptFile, "nested");
}

class KerasHdf5Tricks : public ::testing::Test {
 protected:
  // Replaces a's kernel by what `make` puts there.
  template <class Make>
  Status WithKernel(Make make) {
    WriteKeras(Sound(), h5_.path());
    const hid_t file = H5Fopen(h5_.path().c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    EXPECT_GE(H5Ldelete(file, kPath, H5P_DEFAULT), 0);
    make(file);
    H5Fclose(file);
    return Import(h5_.path());
  }
  static constexpr const char* kPath = "model_weights/a/a/kernel:0";
  TemporaryFile h5_{".h5"};
};

TEST_F(KerasHdf5Tricks, LinksToOtherFilesAreNotFollowed) {
  const TemporaryFile other(".h5");
  WriteKeras(Sound(), other.path());
  ExpectRefused(WithKernel([&](hid_t file) {
                  H5Lcreate_external(other.path().c_str(), kPath, file, kPath, H5P_DEFAULT, H5P_DEFAULT);
                }),
                StatusCode::kCorruptFile, "missing");
  ExpectRefused(WithKernel([&](hid_t file) {
                  H5Lcreate_soft("/model_weights/b/b/kernel:0", file, kPath, H5P_DEFAULT, H5P_DEFAULT);
                }),
                StatusCode::kCorruptFile, "missing");
}

TEST_F(KerasHdf5Tricks, DataInOtherFilesAreNotRead) {
  const TemporaryFile raw(".raw");
  std::ofstream(raw.path(), std::ios::binary) << std::string(3 * 3 * 2 * 2 * 4, '\0');
  ExpectRefused(WithKernel([&](hid_t file) {
                  const hsize_t dims[] = {3, 3, 2, 2};
                  const hid_t space = H5Screate_simple(4, dims, nullptr), how = H5Pcreate(H5P_DATASET_CREATE);
                  H5Pset_external(how, raw.path().c_str(), 0, H5F_UNLIMITED);
                  H5Dclose(H5Dcreate2(file, kPath, H5T_IEEE_F32LE, space, H5P_DEFAULT, how, H5P_DEFAULT));
                  H5Pclose(how);
                  H5Sclose(space);
                }),
                StatusCode::kUnsupported, "another one");
}

TEST_F(KerasHdf5Tricks, SizesThatTheFileDoesNotHold) {
  for (const bool chunked : {false, true}) {
    ExpectRefused(WithKernel([&](hid_t file) {
                    const hsize_t dims[] = {3, 3, hsize_t{1} << 20, hsize_t{1} << 20}, chunk[] = {3, 3, 64, 64};
                    const hid_t space = H5Screate_simple(4, dims, nullptr), how = H5Pcreate(H5P_DATASET_CREATE);
                    if (chunked) H5Pset_chunk(how, 4, chunk);
                    H5Dclose(H5Dcreate2(file, kPath, H5T_IEEE_F32LE, space, H5P_DEFAULT, how, H5P_DEFAULT));
                    H5Pclose(how);
                    H5Sclose(space);
                  }),
                  StatusCode::kCorruptFile, "larger than what the file holds");
  }
}

TEST_F(KerasHdf5Tricks, OtherTypes) {
  const auto make = [&](hid_t type) {
    return WithKernel([&](hid_t file) {
      const hsize_t dims[] = {3, 3, 2, 2};
      const hid_t space = H5Screate_simple(4, dims, nullptr);
      std::vector<char> bytes(36 * 64);
      const hid_t data = H5Dcreate2(file, kPath, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data());
      H5Dclose(data);
      H5Sclose(space);
    });
  };
  EXPECT_TRUE(make(H5T_IEEE_F64BE).ok());
  EXPECT_TRUE(make(H5T_STD_I8LE).ok());
  ExpectRefused(make(H5T_C_S1), StatusCode::kUnsupported, "neither integers nor floats");
}

}  // namespace
}  // namespace fovea::testing
