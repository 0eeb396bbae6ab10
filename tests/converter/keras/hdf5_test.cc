// Our HDF5 reader against files that HDF5's own library writes: element types, layouts, filters, large groups, both
// forms of structures.
#include <gtest/gtest.h>
#include <hdf5.h>

#include <fstream>

#include "converter/keras/hdf5_file.h"
#include "tests/converter/keras/support.h"

namespace fovea::testing {
namespace {

using converter::keras::Hdf5File;
using converter::keras::Weight;

// A file with one dataset "d".
class Hdf5 : public ::testing::Test {
 protected:
  Result<Weight> RoundTrip(hid_t type, const std::vector<hsize_t>& dims, const std::vector<float>& data,
                           const std::vector<hsize_t>& chunk = {}, const std::vector<int>& filters = {},
                           bool compact = false) {
    const hid_t file = H5Fcreate(h5_.path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
    const hid_t how = H5Pcreate(H5P_DATASET_CREATE);
    if (!chunk.empty()) H5Pset_chunk(how, static_cast<int>(chunk.size()), chunk.data());
    if (compact) H5Pset_layout(how, H5D_COMPACT);
    for (const int filter : filters) {
      if (filter == H5Z_FILTER_SHUFFLE) H5Pset_shuffle(how);
      if (filter == H5Z_FILTER_DEFLATE) H5Pset_deflate(how, 6);
      if (filter == H5Z_FILTER_FLETCHER32) H5Pset_fletcher32(how);
      if (filter == H5Z_FILTER_NBIT) H5Pset_nbit(how);
    }
    const hid_t set = H5Dcreate2(file, "d", type, space, H5P_DEFAULT, how, H5P_DEFAULT);
    H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, data.data());
    H5Dclose(set);
    H5Pclose(how);
    H5Sclose(space);
    H5Fclose(file);
    FOVEA_ASSIGN_OR_RETURN(Hdf5File opened, Hdf5File::Open(h5_.path()));
    return opened.Array("d");
  }
  void ExpectRead(const Result<Weight>& got, const std::vector<float>& want) {
    ASSERT_TRUE(got.ok()) << got.status().message();
    EXPECT_EQ(got->data, want);
  }
  TemporaryFile h5_{".h5"};
};

TEST_F(Hdf5, ElementTypes) {
  const std::vector<float> fractions = Numbers(24, 1);
  const hid_t half = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(half, 15, 10, 5, 0, 10);
  H5Tset_size(half, 2);
  H5Tset_ebias(half, 15);
  for (const hid_t type : {H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE, half}) {
    const Result<Weight> got = RoundTrip(type, {2, 3, 4}, fractions);
    ExpectRead(got, fractions);
    EXPECT_EQ(got->dims, (std::vector<int64_t>{2, 3, 4}));
  }
  // Sub-normal and special numbers of 16 bits.
  ExpectRead(RoundTrip(half, {3}, {std::ldexp(3.0f, -24), -INFINITY, 65504}),
             {std::ldexp(3.0f, -24), -INFINITY, 65504});
  H5Tclose(half);
  for (const hid_t type : {H5T_STD_I8LE, H5T_STD_I16BE, H5T_STD_I32LE, H5T_STD_I64BE}) {
    ExpectRead(RoundTrip(type, {4}, {-128, -1, 0, 127}), {-128, -1, 0, 127});
  }
  for (const hid_t type : {H5T_STD_U8LE, H5T_STD_U16LE, H5T_STD_U32BE, H5T_STD_U64LE}) {
    ExpectRead(RoundTrip(type, {3}, {0, 128, 255}), {0, 128, 255});
  }
}

TEST_F(Hdf5, Layouts) {
  const std::vector<float> data = Numbers(7 * 5 * 6, 2);
  ExpectRead(RoundTrip(H5T_IEEE_F32LE, {7, 5, 6}, data, {}, {}, true), data);
  for (const std::vector<int>& filters :
       std::vector<std::vector<int>>{{},
                                     {H5Z_FILTER_DEFLATE},
                                     {H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE},
                                     {H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE, H5Z_FILTER_FLETCHER32},
                                     {H5Z_FILTER_FLETCHER32, H5Z_FILTER_DEFLATE}}) {
    // Chunks that end inside the array and beyond it; and enough of them for a tree of several levels.
    ExpectRead(RoundTrip(H5T_IEEE_F32LE, {7, 5, 6}, data, {3, 2, 4}, filters), data);
    ExpectRead(RoundTrip(H5T_IEEE_F32LE, {7, 5, 6}, data, {1, 1, 1}, filters), data);
    ExpectRead(RoundTrip(H5T_IEEE_F64BE, {210}, data, {16}, filters), data);
  }
  const Result<Weight> packed = RoundTrip(H5T_IEEE_F32LE, {7, 5, 6}, data, {3, 2, 4}, {H5Z_FILTER_NBIT});
  EXPECT_EQ(packed.status().code(), StatusCode::kUnsupported);
}

TEST_F(Hdf5, ScalarsAndEmptyArrays) {
  ExpectRead(RoundTrip(H5T_IEEE_F32LE, {0, 3}, {}), {});
  const hid_t file = H5Fopen(h5_.path().c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const hid_t scalar = H5Screate(H5S_SCALAR), null = H5Screate(H5S_NULL);
  const float value = 2.5f;
  const hid_t one = H5Dcreate2(file, "one", H5T_IEEE_F32LE, scalar, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(one, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value);
  H5Dclose(one);
  H5Dclose(H5Dcreate2(file, "none", H5T_IEEE_F32LE, null, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Fclose(file);
  Result<Hdf5File> opened = Hdf5File::Open(h5_.path());
  ASSERT_TRUE(opened.ok());
  ExpectRead(opened->Array("one"), {2.5f});
  EXPECT_EQ(opened->Array("none").status().code(), StatusCode::kCorruptFile);
  EXPECT_EQ(opened->Array("two").status().code(), StatusCode::kCorruptFile);
  EXPECT_EQ(opened->Array("").status().code(), StatusCode::kCorruptFile);
}

TEST_F(Hdf5, LargeGroupsAndLongAttributes) {
  KerasFile keras;
  keras.config = std::string(200'000, 'x');  // beyond what an attribute holds in place
  keras.fixed_strings = false;
  for (int i = 0; i < 1500; ++i) {
    const std::string name = "layer_" + std::to_string(i);
    keras.layers.push_back({name, {{name + "/kernel:0", {1}, {static_cast<float>(i)}}}});
  }
  keras.split_names = true;
  WriteKeras(keras, h5_.path());
  Result<Hdf5File> file = Hdf5File::Open(h5_.path());
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->Text("", "model_config")->value(), keras.config.get<std::string>());
  const auto names = file->Texts("model_weights", "layer_names");
  ASSERT_TRUE(names.ok() && names->has_value()) << names.status().message();
  ASSERT_EQ((*names)->size(), 1500u);
  for (int i = 0; i < 1500; ++i) {
    const std::string& name = (**names)[static_cast<size_t>(i)];
    ExpectRead(file->Array("model_weights/" + name + "/" + name + "/kernel:0"), {static_cast<float>(i)});
  }
}

TEST_F(Hdf5, LatestFormat) {
  KerasFile keras;
  keras.latest_format = true;
  keras.config = {{"class_name", "Nothing"}};
  const auto add = [&](int count) {
    keras.layers.clear();
    for (int i = 0; i < count; ++i) {
      const std::string name = "layer_" + std::to_string(i);
      keras.layers.push_back({name, {{name + "/kernel", {2}, {1, 2}}}});
    }
    WriteKeras(keras, h5_.path());
  };
  add(5);
  Result<Hdf5File> file = Hdf5File::Open(h5_.path());
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->Text("", "keras_version")->value(), "2.2.4");
  ExpectRead(file->Array("model_weights/layer_4/layer_4/kernel"), {1, 2});
  // More members than fit into the group's header.
  add(50);
  file = Hdf5File::Open(h5_.path());
  ASSERT_TRUE(file.ok());
  const Status dense = file->Array("model_weights/layer_4/layer_4/kernel").status();
  EXPECT_EQ(dense.code(), StatusCode::kUnsupported);
  EXPECT_NE(dense.message().find("h5repack"), std::string::npos) << dense.message();
}

// Every byte of the structures changed in turn: an error or a result, and never for long.
TEST_F(Hdf5, EveryByteChanged) {
  KerasFile keras;
  keras.config = {{"class_name", "Nothing"}};
  keras.fixed_strings = false;
  keras.layers = {{"a", {MakeArray("a/kernel:0", {2, 3}, 1)}}, {"b", {}}};
  WriteKeras(keras, h5_.path());
  const std::string sound = ReadFile(h5_.path());
  for (size_t at = 0; at < sound.size(); ++at) {
    for (const char value : {'\0', '\x7f', '\xff', static_cast<char>(sound[at] + 1)}) {
      std::string bytes = sound;
      bytes[at] = value;
      Result<Hdf5File> file = Hdf5File::FromBytes(std::as_bytes(std::span(bytes)));
      if (!file.ok()) continue;
      (void)file->Text("", "model_config").ok();
      (void)file->Texts("model_weights/a", "weight_names").ok();
      const Result<Weight> weight = file->Array("model_weights/a/a/kernel:0");
      EXPECT_TRUE(weight.ok() || !weight.status().message().empty());
    }
  }
}

}  // namespace
}  // namespace fovea::testing
