// ONNX files that are broken or malicious: each is refused with one sentence, and none crashes the importer.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "converter/onnx/import.h"
#include "tests/converter/onnx/support.h"

namespace fovea::testing {
namespace {

namespace fs = std::filesystem;
using converter::Options;
using converter::Report;

Status Import(const std::string& bytes, const std::string& folder = "") {
  ir::Graph graph;
  Report report;
  return converter::ImportOnnxFromBytes(std::as_bytes(std::span(bytes)), "made.onnx", folder, Options(), &graph,
                                        &report);
}
Status Import(const ModelMaker& maker) { return Import(maker.model.SerializeAsString()); }

void ExpectRefused(const Status& status, StatusCode code, const std::string& part) {
  EXPECT_EQ(status.code(), code) << status.message();
  EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  EXPECT_EQ(status.message().rfind("made.onnx: ", 0), 0u) << status.message();
}

// x -> Conv -> Relu -> y, with everything in order.
ModelMaker Sound() {
  ModelMaker maker(13);
  maker.Input("x", {1, 2, 8, 8}).Output("y").Weights("w", {3, 2, 3, 3}, Pattern(54, 1));
  maker.Node("Conv", {"x", "w"}, {"c"});
  maker.Node("Relu", {"c"}, {"y"});
  return maker;
}

TEST(OnnxHostile, SoundModelPasses) {
  const Status status = Import(Sound());
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(OnnxHostile, NodesInAnyOrder) {
  ModelMaker maker = Sound();
  maker.model.mutable_graph()->mutable_node()->SwapElements(0, 1);
  EXPECT_TRUE(Import(maker).ok());
}

TEST(OnnxHostile, Cycle) {
  ModelMaker maker = Sound();
  maker.model.mutable_graph()->mutable_node(0)->set_input(0, "y");
  ExpectRefused(Import(maker), StatusCode::kCorruptFile, "cycle");
}

TEST(OnnxHostile, MissingInput) {
  ModelMaker maker = Sound();
  maker.model.mutable_graph()->mutable_node(1)->set_input(0, "nobody");
  ExpectRefused(Import(maker), StatusCode::kCorruptFile, "nothing produces its input 'nobody'");
  maker = Sound();
  maker.model.mutable_graph()->mutable_node(0)->mutable_input()->RemoveLast();
  ExpectRefused(Import(maker), StatusCode::kCorruptFile, "is missing");
}

TEST(OnnxHostile, MissingOutput) {
  ModelMaker maker = Sound();
  maker.model.mutable_graph()->mutable_output(0)->set_name("nothing");
  ExpectRefused(Import(maker), StatusCode::kCorruptFile, "'nothing'");
  maker.model.mutable_graph()->clear_output();
  ExpectRefused(Import(maker), StatusCode::kCorruptFile, "no outputs");
}

TEST(OnnxHostile, NameProducedTwice) {
  ModelMaker maker = Sound();
  maker.Node("Relu", {"x"}, {"c"});
  ExpectRefused(Import(maker), StatusCode::kCorruptFile, "exists already");
  maker = Sound();
  maker.Weights("w", {1}, {0});
  ExpectRefused(Import(maker), StatusCode::kCorruptFile, "twice");
}

TEST(OnnxHostile, WeightsThatDoNotMatchTheirDims) {
  ModelMaker maker = Sound();
  maker.model.mutable_graph()->mutable_initializer(0)->mutable_float_data()->RemoveLast();
  ExpectRefused(Import(maker), StatusCode::kCorruptFile, "53 elements where its dims ask for 54");
  auto* tensor = maker.model.mutable_graph()->mutable_initializer(0);
  tensor->clear_float_data();
  tensor->set_raw_data(std::string(54 * 4 + 1, 'a'));
  ExpectRefused(Import(maker), StatusCode::kCorruptFile, "217 bytes where its dims ask for 216");
}

TEST(OnnxHostile, AbsurdDims) {
  for (const std::vector<int64_t>& dims : std::vector<std::vector<int64_t>>{{int64_t{1} << 62, 4, 3, 3},
                                                                            {int64_t{1} << 40, 2, 3, 3},
                                                                            {-1, 2, 3, 3},
                                                                            {int64_t{1} << 32, 1 << 30, 1, 1}}) {
    ModelMaker maker = Sound();
    auto* tensor = maker.model.mutable_graph()->mutable_initializer(0);
    tensor->clear_dims();
    for (const int64_t d : dims) tensor->add_dims(d);
    EXPECT_EQ(Import(maker).code(), StatusCode::kCorruptFile) << dims[0];
  }
  ModelMaker maker = Sound();
  maker.model.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(2)
      ->set_dim_value(int64_t{1} << 60);
  ExpectRefused(Import(maker), StatusCode::kCorruptFile, "size");
}

TEST(OnnxHostile, WeightsOfTheWrongShape) {
  ModelMaker maker = Sound();
  auto* tensor = maker.model.mutable_graph()->mutable_initializer(0);
  tensor->set_dims(0, 6);
  tensor->set_dims(1, 1);
  const Status status = Import(maker);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("Conv"), std::string::npos) << status.message();
}

TEST(OnnxHostile, AttributesOutOfRange) {
  for (const char* name : {"strides", "dilations", "kernel_shape"}) {
    for (const int64_t value : {int64_t{0}, int64_t{-1}, int64_t{1} << 50}) {
      ModelMaker maker = Sound();
      SetInts(*maker.model.mutable_graph()->mutable_node(0), name, {value, 1});
      EXPECT_EQ(Import(maker).code(), StatusCode::kCorruptFile) << name << " " << value;
    }
  }
  ModelMaker maker = Sound();
  SetInts(*maker.model.mutable_graph()->mutable_node(0), "pads", {1, 1, 1});
  EXPECT_EQ(Import(maker).code(), StatusCode::kCorruptFile);
  maker = Sound();
  SetInt(*maker.model.mutable_graph()->mutable_node(0), "group", 0);
  EXPECT_EQ(Import(maker).code(), StatusCode::kCorruptFile);
}

TEST(OnnxHostile, NotOnnx) {
  ExpectRefused(Import(std::string()), StatusCode::kCorruptFile, "not an ONNX file");
  ExpectRefused(Import(std::string("PK\x03\x04 a zip file, for instance")), StatusCode::kCorruptFile, "");
  ir::Graph graph;
  Report report;
  EXPECT_EQ(converter::ImportOnnx("/nowhere/at/all.onnx", {}, &graph, &report).code(), StatusCode::kNotFound);
}

TEST(OnnxHostile, EveryTruncationIsRefused) {
  const std::string bytes = Sound().model.SerializeAsString();
  constexpr size_t kOpsetBytes = 4;  // the last field; a model without it is one of 2017, and sound
  for (size_t length = 0; length + kOpsetBytes < bytes.size(); ++length) {
    EXPECT_FALSE(Import(bytes.substr(0, length)).ok()) << length;
  }
}

TEST(OnnxHostile, ChangedBytesDoNotCrash) {
  const std::string sound = Sound().model.SerializeAsString();
  uint32_t state = 12345;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = sound;
    for (int change = 0; change < 3; ++change) {
      state = state * 1664525u + 1013904223u;
      bytes[(state >> 8) % bytes.size()] = static_cast<char>(state);
    }
    const Status status = Import(bytes);
    EXPECT_TRUE(status.ok() || !status.message().empty());
  }
}

TEST(OnnxHostile, DeepNesting) {
  ModelMaker maker(13);
  maker.Output("y").Integers("one", {}, {1});
  auto* graph = maker.model.mutable_graph();
  for (int depth = 0; depth < 2000; ++depth) {
    auto* node = graph->add_node();
    node->set_op_type("If");
    node->add_input(std::string("one"));
    node->add_output(std::string("y"));
    auto* branch = node->add_attribute();
    branch->set_name("then_branch");
    graph = branch->mutable_g();
    graph->add_output()->set_name("y");
  }
  std::string bytes;
  maker.model.SerializeToString(&bytes);
  EXPECT_EQ(Import(bytes).code(), StatusCode::kCorruptFile);
}

TEST(OnnxHostile, FunctionThatCallsItself) {
  ModelMaker maker(13);
  maker.Input("x", {1, 2}).Output("y");
  maker.Node("Again", {"x"}, {"y"}).set_domain("made");
  auto* function = maker.model.add_functions();
  function->set_name("Again");
  function->set_domain("made");
  function->add_input(std::string("a"));
  function->add_output(std::string("b"));
  auto* node = function->add_node();
  node->set_op_type("Again");
  node->set_domain("made");
  node->add_input(std::string("a"));
  node->add_output(std::string("b"));
  ExpectRefused(Import(maker), StatusCode::kCorruptFile, "deep");
}

class OnnxExternalData : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = TemporaryPath("fovea_external");
    fs::remove_all(root_);
    fs::create_directories(root_ / "model" / "inner");
    const std::vector<float> weights = Pattern(54, 1);
    for (const fs::path& file :
         {root_ / "outside.bin", root_ / "model" / "w.bin", root_ / "model" / "inner" / "w.bin"}) {
      std::ofstream(file, std::ios::binary)
          .write(reinterpret_cast<const char*>(weights.data()), static_cast<std::streamsize>(weights.size() * 4));
    }
  }
  void TearDown() override { fs::remove_all(root_); }

  Status ImportWith(const std::string& location, const std::string& offset = "", const std::string& length = "") {
    ModelMaker maker = Sound();
    auto* tensor = maker.model.mutable_graph()->mutable_initializer(0);
    tensor->clear_float_data();
    tensor->set_data_location(1);
    const auto add = [&](const char* key, const std::string& value) {
      auto* entry = tensor->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    };
    add("location", location);
    if (!offset.empty()) add("offset", offset);
    if (!length.empty()) add("length", length);
    return Import(maker.model.SerializeAsString(), (root_ / "model").string());
  }

  fs::path root_;
};

TEST_F(OnnxExternalData, IsRead) {
  for (const char* location : {"w.bin", "inner/w.bin", "./w.bin"}) {
    const Status status = ImportWith(location, "0", "216");
    EXPECT_TRUE(status.ok()) << location << ": " << status.message();
  }
}

TEST_F(OnnxExternalData, OutsideTheFolderIsRefused) {
  fs::create_symlink(root_ / "outside.bin", root_ / "model" / "link.bin");
  fs::create_directory_symlink(root_, root_ / "model" / "up");
  for (const std::string& location :
       {std::string("../outside.bin"), (root_ / "outside.bin").string(), std::string("inner/../../outside.bin"),
        std::string("link.bin"), std::string("up/outside.bin"), std::string("/etc/passwd")}) {
    ExpectRefused(ImportWith(location), StatusCode::kCorruptFile, "outside the model's folder");
  }
}

TEST_F(OnnxExternalData, SizesAreChecked) {
  ExpectRefused(ImportWith("w.bin", "4"), StatusCode::kCorruptFile, "ends at byte");
  ExpectRefused(ImportWith("w.bin", "18446744073709551615"), StatusCode::kCorruptFile, "ends at byte");
  ExpectRefused(ImportWith("w.bin", "0", "100"), StatusCode::kCorruptFile, "100 bytes where the dims ask for 216");
  ExpectRefused(ImportWith("w.bin", "-1"), StatusCode::kCorruptFile, "not a number");
  ExpectRefused(ImportWith("inner"), StatusCode::kCorruptFile, "not a file");
  ExpectRefused(ImportWith("missing.bin"), StatusCode::kNotFound, "missing");
}

}  // namespace
}  // namespace fovea::testing
