// TF.js models that are broken or malicious: each is refused with one sentence that names the file, and none crashes
// the importer.
#include <gtest/gtest.h>

#include <filesystem>

#include "converter/tfjs/import.h"
#include "tests/converter/tfjs/support.h"

namespace fovea::testing {
namespace {

namespace fs = std::filesystem;

Status Import(const TfjsFolder& folder) {
  ir::Graph graph;
  converter::Report report;
  Status status = converter::ImportTfjs(folder.path(), {}, &graph, &report);
  EXPECT_TRUE(status.ok() || status.message().rfind(folder.path(), 0) == 0) << status.message();
  return status;
}
void ExpectRefused(const Status& status, StatusCode code, const std::string& part) {
  EXPECT_EQ(status.code(), code) << status.message();
  EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
}

TEST(TfjsHostile, WrongJson) {
  TfjsFolder folder;
  for (const char* text : {"{", "{]", "{\"modelTopology\": ", "{\"modelTopology\": {}}", "{\"modelTopology\": 3}",
                           "{\"weightsManifest\": []}", "{\"modelTopology\": {\"node\": []}}",
                           "{\"modelTopology\": {\"node\": [3]}, \"format\": \"graph-model\"}"}) {
    folder.WriteText("model.json", text);
    EXPECT_EQ(Import(folder).code(), StatusCode::kCorruptFile) << text << ": " << Import(folder).message();
  }
  folder.WriteText("model.json", "{\"name\": \"something else\"}");
  ExpectRefused(Import(folder), StatusCode::kUnsupported, "not a TF.js model");
  folder.WriteText("model.json", "{\"format\": \"new\", \"modelTopology\": {}}");
  ExpectRefused(Import(folder), StatusCode::kUnsupported, "'new'");
  folder.WriteText("model.json", std::string(200, '{'));
  ExpectRefused(Import(folder), StatusCode::kCorruptFile, "nested");
}

TEST(TfjsHostile, Shards) {
  {
    TfjsFolder folder;
    folder.Write(SmallGraph(&folder), 2);
    EXPECT_TRUE(Import(folder).ok()) << Import(folder).message();
    folder.Remove("group1-shard2of2.bin");
    ExpectRefused(Import(folder), StatusCode::kNotFound, "'group1-shard2of2.bin' is missing beside the model");
    folder.WriteText("group1-shard2of2.bin", "short");
    ExpectRefused(Import(folder), StatusCode::kCorruptFile, "bytes, but the shards have only");
    folder.WriteText("group1-shard2of2.bin", std::string(1000, 'x'));
    ExpectRefused(Import(folder), StatusCode::kCorruptFile, "belong to no weights");
  }
  TfjsFolder folder, outside;
  outside.WriteText("w.bin", std::string(304, '\0'));
  fs::create_symlink(outside.path("w.bin"), folder.path("link.bin"));
  const Json model = SmallGraph(&folder);
  for (const std::string& path : {std::string("../w.bin"), outside.path("w.bin"), std::string("link.bin"),
                                  std::string("a/../../w.bin"), std::string("")}) {
    folder.paths = Json::array({path});
    folder.Write(model);
    ExpectRefused(Import(folder), StatusCode::kCorruptFile, "outside the model's folder");
  }
  for (const Json& paths : {Json::array({3}), Json::array({"."}), Json::array({"group1-shard1of1.bin", nullptr})}) {
    folder.paths = paths;
    folder.Write(model);
    EXPECT_FALSE(Import(folder).ok()) << paths;
  }
}

TEST(TfjsHostile, Manifest) {
  const std::vector<std::pair<const char*, Json>> wrong = {
      {"shape", {3, 3, 2, -4}},  {"shape", {1e15, 1e15}}, {"shape", {int64_t{1} << 39, 2, 2, 2}}, {"shape", "big"},
      {"shape", {3, 3, 2, 2.5}}, {"shape", nullptr},      {"quantization", {{"dtype", "uint8"}}}, {"name", 3}};
  for (const auto& [key, value] : wrong) {
    TfjsFolder folder;
    const Json model = SmallGraph(&folder);
    folder.weights[0][key] = value;
    folder.Write(model);
    EXPECT_EQ(Import(folder).code(), StatusCode::kCorruptFile)
        << key << " " << value << ": " << Import(folder).message();
  }
  TfjsFolder folder;
  const Json model = SmallGraph(&folder);
  folder.weights[0]["dtype"] = "float8";
  folder.Write(model);
  ExpectRefused(Import(folder), StatusCode::kUnsupported, "float8");
}

TEST(TfjsHostile, Graphs) {
  const auto with = [](const std::function<void(Json&)>& change) {
    TfjsFolder folder;
    Json model = SmallGraph(&folder);
    change(model["modelTopology"]["node"]);
    folder.Write(model);
    return Import(folder);
  };
  EXPECT_FALSE(with([](Json& nodes) { nodes[3]["input"][0] = "y"; }).ok());       // a cycle
  EXPECT_FALSE(with([](Json& nodes) { nodes[3]["input"][0] = "nobody"; }).ok());  // nothing there
  EXPECT_FALSE(with([](Json& nodes) { nodes[3]["input"] = 3; }).ok());
  EXPECT_FALSE(with([](Json& nodes) { nodes[3]["attr"]["padding"]["s"] = "***"; }).ok());
  EXPECT_FALSE(with([](Json& nodes) { nodes[3]["attr"]["strides"]["list"]["i"] = {"1", "x", "1", "1"}; }).ok());
  EXPECT_FALSE(with([](Json& nodes) { nodes[3]["attr"]["strides"]["list"]["i"] = {"1", "0", "1", "1"}; }).ok());
  EXPECT_FALSE(with([](Json& nodes) { nodes[3]["attr"] = Json::array(); }).ok());
  EXPECT_FALSE(with([](Json& nodes) { nodes[0].erase("name"); }).ok());
  EXPECT_FALSE(with([](Json& nodes) { nodes[5]["name"] = "x"; }).ok());  // a name twice
}

TEST(TfjsHostile, ChangedBytesDoNotCrash) {
  TfjsFolder folder;
  folder.Write(SmallGraph(&folder));
  const std::string sound = ReadFile(folder.path());
  const std::string shard = ReadFile(folder.path("group1-shard1of1.bin"));
  uint32_t state = 1;
  for (int round = 0; round < 2000; ++round) {
    std::string text = sound;
    for (int change = 0; change < 2; ++change) {
      state = state * 1664525u + 1013904223u;
      text[(state >> 8) % text.size()] = static_cast<char>(32 + (state >> 24) % 96);
    }
    ir::Graph graph;
    converter::Report report;
    const Status status = converter::ImportTfjsFromText(
        text, [&](const std::string&, uint64_t) { return Result<std::string>(shard); }, "made.json", {}, &graph,
        &report);
    EXPECT_TRUE(status.ok() || !status.message().empty());
  }
}

}  // namespace
}  // namespace fovea::testing
