// Published models: what their READMEs say of the operators on the way to the outputs, counted by another program,
// against what the readers leave.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>

#include "converter/saved_model/import.h"
#include "tests/converter/saved_model/support.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;
using converter::Options;
using converter::TfGraph;

const fs::path kModels = fs::path(FOVEA_SHARED_DIR) / "models";

std::string ReadText(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// "- **Ops on the inference path:** ReadVariableOp x24, ...".
std::map<std::string, int> OpsOfReadme(const fs::path& folder) {
  std::map<std::string, int> ops;
  const std::string text = ReadText(folder / "README.md");
  const size_t begin = text.find("inference path:** ");
  if (begin == std::string::npos) return ops;
  const std::string line = text.substr(begin + 18, text.find('\n', begin) - begin - 18);
  const std::regex item("([A-Za-z0-9]+) x([0-9]+)");
  for (std::sregex_iterator it(line.begin(), line.end(), item), end; it != end; ++it) {
    ops[(*it)[1]] = std::stoi((*it)[2]);
  }
  return ops;
}

bool IsVariable(const converter::TfNode& node) { return node.op == "Const" && node.attrs.count("shared_name") != 0; }

// The graph in the README's words: variables by what they were, without constants and inputs.
std::map<std::string, int> OpsOfGraph(const TfGraph& graph) {
  std::map<std::string, int> ops;
  for (const converter::TfNode& node : graph.nodes) {
    if (IsVariable(node)) {
      ++ops["variables"];
    } else if (node.op != "Const" && node.op != "Placeholder") {
      ++ops[node.op];
    }
  }
  return ops;
}

// What the readers do to those operators: variables become constants, their reads identities; calls and control
// operators are gone.
std::map<std::string, int> Expected(std::map<std::string, int> ops) {
  for (const char* variable : {"VarHandleOp", "VariableV2"}) {
    if (ops.count(variable) != 0) ops["variables"] += ops[variable];
    ops.erase(variable);
  }
  if (ops.count("ReadVariableOp") != 0) ops["Identity"] += ops["ReadVariableOp"];
  for (const char* gone : {"ReadVariableOp", "StatefulPartitionedCall", "PartitionedCall", "NoOp"}) ops.erase(gone);
  return ops;
}

std::vector<std::string> Folders(const std::string& prefix) {
  std::vector<std::string> out;
  std::error_code none;
  for (fs::directory_iterator it(kModels, none), end; it != end; ++it) {
    const std::string name = it->path().filename().string();
    if (name.compare(0, prefix.size(), prefix) == 0) out.push_back(name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// The READMEs count the inference path. Graphs that can train too hold more until the importer has resolved their
// Switch nodes.
void ExpectOpsOfReadme(const converter::TfGraph& graph, const std::string& name) {
  const auto ops = OpsOfGraph(graph);
  if (ops.count("Switch") != 0) return;
  EXPECT_EQ(ops, Expected(OpsOfReadme(kModels / name)));
}

TEST(SharedModels, SavedModelsHaveTheOperatorsThatTheirReadmeCounts) {
  std::vector<std::string> names = Folders("sm1-");
  for (const std::string& name : Folders("sm2-")) names.push_back(name);
  if (names.empty()) GTEST_SKIP() << "no shared models";
  EXPECT_GE(names.size(), 10u);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    std::vector<std::string> warnings;
    const auto graph = converter::ReadSavedModel((kModels / name / "saved_model").string(), {}, &warnings);
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    EXPECT_TRUE(warnings.empty());
    ExpectOpsOfReadme(*graph, name);
    for (const converter::TfNode& node : graph->nodes) {
      if (!IsVariable(node)) continue;
      const auto& value = std::get<converter::TfTensor>(node.attrs.at("value"));
      float largest = 0;
      for (const float v : *value.data) largest = std::max(largest, std::abs(v));
      EXPECT_TRUE(std::isfinite(largest)) << node.name;
    }
  }
}

TEST(SharedModels, FrozenGraphs) {
  const std::map<std::string, Options> cases = [] {
    std::map<std::string, Options> out;
    out["pb-espcn-x2"] = out["pb-fsrcnn-x2"] = {};
    out["pb-deepbrain3d-v1"].inputs = {"img"};
    out["pb-deepbrain3d-v1"].outputs = {"prob"};
    return out;
  }();
  if (Folders("pb-").empty()) GTEST_SKIP() << "no shared models";
  for (const auto& [name, options] : cases) {
    SCOPED_TRACE(name);
    const auto graph = converter::ReadFrozenGraph((kModels / name / "graph.pb").string(), options);
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    EXPECT_EQ(graph->inputs.size(), 1u);
    EXPECT_EQ(graph->inputs[0].name, name == "pb-deepbrain3d-v1" ? "img" : "IteratorGetNext");
    EXPECT_EQ(graph->outputs[0].name, name == "pb-deepbrain3d-v1" ? "prob" : "NCHW_output");
    std::map<std::string, int> ops = OpsOfGraph(*graph);
    ops.erase("PlaceholderWithDefault");  // the switch, which the README counts as a constant
    if (ops.count("Switch") == 0) {       // see ExpectOpsOfReadme
      EXPECT_EQ(ops, Expected(OpsOfReadme(kModels / name)));
    }
  }
  // Its ends are no outputs of the network, so nothing may be guessed.
  const auto guessed = converter::ReadFrozenGraph((kModels / "pb-deepbrain3d-v1" / "graph.pb").string(), Options());
  EXPECT_EQ(guessed.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(guessed.status().message().find("dim, pred"), std::string::npos) << guessed.status().message();
}

TEST(SharedModels, TensorFlowsOwnContainerTests) {
  const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    std::error_code none;
    for (fs::directory_iterator it(kModels / "tiny-savedmodels", none), end; it != end; ++it) {
      if (it->is_directory()) out.push_back(it->path().filename().string());
    }
    return out;
  }();
  if (names.empty()) GTEST_SKIP() << "no shared models";
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const fs::path folder = kModels / "tiny-savedmodels" / name;
    std::vector<std::string> warnings;
    const auto graph = converter::ReadSavedModel((folder / "saved_model").string(), {}, &warnings);
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    // As many inputs as there are files for them.
    size_t inputs = 0, outputs = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
      inputs += entry.path().filename().string().compare(0, 6, "input_") == 0;
      outputs += entry.path().filename().string().compare(0, 9, "expected_") == 0;
    }
    EXPECT_EQ(graph->inputs.size(), inputs);
    EXPECT_EQ(graph->outputs.size(), outputs);
    // half_plus_two: y = 0.5 x + 2, half_plus_three: 0.5 x + 3.
    for (const converter::TfNode& node : graph->nodes) {
      if (!IsVariable(node)) continue;
      const float value = std::get<converter::TfTensor>(node.attrs.at("value")).data->at(0);
      if (node.name == "a") {
        EXPECT_EQ(value, 0.5f);
      }
      if (node.name == "b") {
        EXPECT_EQ(value, name.find("three") != std::string::npos ? 3.0f : 2.0f);
      }
    }
  }
}

TEST(SharedModels, GraphsWithoutTheirWeights) {
  if (!fs::exists(kModels / "graphs-only")) GTEST_SKIP() << "no shared models";
  for (const char* name : {"denoiseg_prediction_2d", "defcon_density_map"}) {
    SCOPED_TRACE(name);
    std::vector<std::string> warnings;
    Options options;
    const std::string path = (kModels / "graphs-only" / name).string();
    EXPECT_EQ(converter::ReadSavedModel(path, options, &warnings).status().code(), StatusCode::kNotFound);
    options.no_weights = true;
    const auto graph = converter::ReadSavedModel(path, options, &warnings);
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    EXPECT_EQ(warnings.size(), 1u);
  }
}

// The same model as a folder and as its publisher's zip.
TEST(SharedModels, ZipsAndFoldersAgree) {
  if (Folders("sm1-").empty()) GTEST_SKIP() << "no shared models";
  for (const auto& [folder, zip] :
       std::map<std::string, std::string>{{"sm1-care2d-residual/saved_model", "sm1-care2d-residual/TF_SavedModel.zip"},
                                          {"sm1-n2v2d-fiji/saved_model", "sm1-n2v2d-fiji/bundle.zip"}}) {
    std::vector<std::string> warnings;
    const auto a = converter::ReadSavedModel((kModels / folder).string(), {}, &warnings);
    const auto b = converter::ReadSavedModel((kModels / zip).string(), {}, &warnings);
    ASSERT_TRUE(a.ok() && b.ok()) << a.status().message() << b.status().message();
    ASSERT_EQ(a->nodes.size(), b->nodes.size());
    for (size_t i = 0; i < a->nodes.size(); ++i) {
      EXPECT_EQ(a->nodes[i].name, b->nodes[i].name);
      const auto value = a->nodes[i].attrs.find("value");
      if (value == a->nodes[i].attrs.end() || std::get<converter::TfTensor>(value->second).is_string) continue;
      EXPECT_EQ(*std::get<converter::TfTensor>(value->second).data,
                *std::get<converter::TfTensor>(b->nodes[i].attrs.at("value")).data);
    }
  }
}

}  // namespace
}  // namespace fovea
