// Published TensorFlow networks (../shared/models/sm1-*, sm2-*, pb-*): each case's outputs within its own tolerance,
// for both executors.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "converter/passes/pipeline.h"
#include "converter/saved_model/import.h"
#include "tests/converter/onnx/support.h"

namespace fovea::testing {
namespace {

namespace fs = std::filesystem;

// A little-endian C-order .npy file of float32 or int64.
Tensor ReadArray(const fs::path& path) {
  const std::string bytes = ReadBytes(path);
  const size_t at = bytes.find("'<i8'");
  if (at == std::string::npos || at > 128) return ReadNpy(path);
  const size_t length = static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
  std::stringstream shape(bytes.substr(10 + bytes.substr(10).find('(') + 1, length));
  Tensor t{"int64", {}, {}};
  for (int64_t d = 0; shape >> d;) {
    t.dims.push_back(d);
    shape.ignore(1);
  }
  for (size_t i = 10 + length; i + sizeof(int64_t) <= bytes.size(); i += sizeof(int64_t)) {
    int64_t value = 0;
    std::memcpy(&value, bytes.data() + i, sizeof value);
    t.values.push_back(static_cast<double>(value));
  }
  return t;
}

struct Named {
  std::string name, file;
  double atol = 0;
};
struct Case {
  std::vector<Named> inputs, outputs;
};
struct Folder {
  std::string format, model;
  std::vector<Case> cases;
  std::vector<std::string> inputs, outputs;  // of frozen graphs
};

// case.json is written by one program: its keys in one order, one a line. Only the keys below are read.
Folder ReadFolder(const fs::path& folder) {
  const std::string text = ReadBytes(folder / "case.json");
  const auto value = [&](const std::string& key, size_t from, size_t to = std::string::npos) {
    const size_t at = text.find("\"" + key + "\": ", from);
    if (at == std::string::npos || at >= to) return std::string();
    const size_t begin = at + key.size() + 4;
    std::string found = text.substr(begin, text.find_first_of(",\n", begin) - begin);
    found.erase(std::remove(found.begin(), found.end(), '"'), found.end());
    return found;
  };
  Folder f{value("format", 0), value("model", 0), {}, {}, {}};
  for (size_t at = text.find("\"file\""); at != std::string::npos; at = text.find("\"file\"", at + 1)) {
    const bool is_input = text.rfind("\"inputs\"", at) != std::string::npos &&
                          (text.rfind("\"outputs\"", at) == std::string::npos ||
                           text.rfind("\"outputs\"", at) < text.rfind("\"inputs\"", at));
    if (is_input && (f.cases.empty() || !f.cases.back().outputs.empty())) f.cases.emplace_back();
    const std::string name = value("name", text.rfind("\"name\"", at));
    if (is_input) {
      f.cases.back().inputs.push_back({name, value("file", at), 0});
    } else {
      f.cases.back().outputs.push_back({name, value("file", at), std::stod(value("atol", at))});
    }
  }
  if (f.format == "frozen_graph" && !f.cases.empty()) {
    for (const Named& input : f.cases[0].inputs) f.inputs.push_back(input.name);
    for (const Named& output : f.cases[0].outputs) f.outputs.push_back(output.name);
  }
  return f;
}

void RunFolder(const fs::path& path) {
  SCOPED_TRACE(path.filename().string());
  const Folder folder = ReadFolder(path);
  ASSERT_FALSE(folder.cases.empty());
  converter::Options options;
  options.inputs = folder.inputs;
  options.outputs = folder.outputs;
  converter::Report report;
  ir::Graph graph;
  const std::string model_path = path / folder.model;
  const Status imported = folder.format == "frozen_graph"
                              ? converter::ImportFrozenGraph(model_path, options, &graph, &report)
                              : converter::ImportSavedModel(model_path, options, &graph, &report);
  ASSERT_TRUE(imported.ok()) << imported.message();
  const Status passed = converter::RunPasses(&graph, options, &report);
  ASSERT_TRUE(passed.ok()) << passed.message();
  const Result<std::vector<std::byte>> bytes = converter::Emit(graph, options);
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  const Result<Model> model = Model::FromBytes(*bytes, model_path);
  ASSERT_TRUE(model.ok()) << model.status().message();

  std::printf("%s: %zu nodes\n", path.filename().c_str(), graph.nodes.size());
  for (const Case& c : folder.cases) {
    std::vector<Tensor> inputs;
    for (const TensorSpec& spec : model->inputs()) {
      const auto named =
          std::find_if(c.inputs.begin(), c.inputs.end(), [&](const Named& input) { return input.name == spec.name; });
      ASSERT_NE(named, c.inputs.end()) << "input " << spec.name;
      inputs.push_back(ReadArray(path / named->file));
    }
    for (const Executor executor : {Executor::kFast, Executor::kReference}) {
      SessionOptions session;
      session.executor = executor;
      const Result<std::vector<Tensor>> got = Run(*model, inputs, session);
      ASSERT_TRUE(got.ok()) << got.status().message();
      for (const Named& output : c.outputs) {
        const auto& specs = model->outputs();
        const auto found =
            std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& spec) { return spec.name == output.name; });
        ASSERT_NE(found, specs.end()) << "output " << output.name;
        EXPECT_EQ(
            Compare((*got)[static_cast<size_t>(found - specs.begin())], ReadArray(path / output.file), 0, output.atol),
            "")
            << output.name << (executor == Executor::kFast ? ", fast" : ", reference");
      }
    }
  }
}

TEST(TensorFlowModels, EveryCase) {
  const fs::path models = fs::path(FOVEA_SHARED_DIR) / "models";
  if (!fs::exists(models)) GTEST_SKIP() << "no ../shared";
  int count = 0;
  for (const auto& entry : fs::directory_iterator(models)) {
    const std::string name = entry.path().filename();
    if (name.rfind("sm1-", 0) != 0 && name.rfind("sm2-", 0) != 0 && name.rfind("pb-", 0) != 0) continue;
    RunFolder(entry.path());
    ++count;
  }
  EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace fovea::testing
