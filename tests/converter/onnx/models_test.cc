// Published ONNX networks (../shared/models/onnx-*): each case's outputs within its own tolerance, for both executors,
// at one and two threads, on every instruction set of this machine.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "kernels/isa.h"
#include "tests/converter/onnx/support.h"
#include "tests/support/sanitizers.h"

namespace fovea::testing {
namespace {

namespace fs = std::filesystem;

struct Expected {
  std::string name, file;
  double atol = 0;
};
struct Case {
  std::vector<std::string> inputs;  // files
  std::vector<Expected> outputs;
};

// case.json is written by one program: its keys in one order, one case a file. Only the four keys below are read.
Case ReadCase(const fs::path& folder) {
  const std::string text = ReadBytes(folder / "case.json");
  Case c;
  const size_t outputs = text.find("\"outputs\"");
  const auto value = [&](const std::string& key, size_t from) {
    const size_t at = text.find("\"" + key + "\": ", from);
    if (at == std::string::npos) return std::string();
    const size_t begin = at + key.size() + 4;
    const size_t end = text.find_first_of(",\n", begin);
    std::string found = text.substr(begin, end - begin);
    found.erase(std::remove(found.begin(), found.end(), '"'), found.end());
    return found;
  };
  for (size_t at = text.find("\"file\""); at != std::string::npos; at = text.find("\"file\"", at + 1)) {
    if (at < outputs) {
      c.inputs.push_back(value("file", at));
    } else {
      c.outputs.push_back({value("name", text.rfind("\"name\"", at)), value("file", at), std::stod(value("atol", at))});
    }
  }
  return c;
}

void RunModel(const fs::path& folder, const std::string& file) {
  SCOPED_TRACE(folder.filename().string() + "/" + file);
  const Case c = ReadCase(folder);
  ASSERT_FALSE(c.inputs.empty());
  ASSERT_FALSE(c.outputs.empty());
  std::vector<Tensor> inputs, expected;
  for (const std::string& input : c.inputs) inputs.push_back(ReadNpy(folder / input));
  for (const Expected& output : c.outputs) expected.push_back(ReadNpy(folder / output.file));
  converter::Report report;
  Result<Model> model = ConvertAndLoad(folder / file, {}, &report);
  ASSERT_TRUE(model.ok()) << model.status().message();

  const auto check = [&](const SessionOptions& options, const std::string& who) {
    Result<std::vector<Tensor>> got = Run(*model, inputs, options);
    ASSERT_TRUE(got.ok()) << who << ": " << got.status().message();
    ASSERT_EQ(got->size(), expected.size()) << who;
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(Compare((*got)[i], expected[i], 0, c.outputs[i].atol), "") << who << ", " << c.outputs[i].name;
    }
  };
  for (const kernels::Isa supported : test::IsasForLargeNetworks()) {
    for (const int threads : {1, 2}) {
      const std::string isa = kernels::IsaName(supported);
      SessionOptions options;
      options.isa = isa;
      options.threads = threads;
      check(options, isa + ", " + std::to_string(threads) + " threads");
    }
  }
  if (test::kSanitized) return;
  SessionOptions reference;
  reference.executor = Executor::kReference;
  check(reference, "reference executor");
}

TEST(OnnxModels, EveryCase) {
  const fs::path models = fs::path(FOVEA_SHARED_DIR) / "models";
  if (!fs::exists(models)) GTEST_SKIP() << "no ../shared";
  int count = 0;
  for (const auto& entry : fs::directory_iterator(models)) {
    if (entry.path().filename().string().rfind("onnx-", 0) != 0) continue;
    RunModel(entry.path(), "model.onnx");
    ++count;
  }
  EXPECT_GT(count, 0);
}

// The same network and weights as an exporter of 2017 wrote it (no opset, sizes and broadcasting as attributes), and
// with DepthToSpace: the same result.
TEST(OnnxModels, SuperResolutionByOtherExporters) {
  const fs::path folder = fs::path(FOVEA_SHARED_DIR) / "models" / "onnx-superres-espcn-op10";
  if (!fs::exists(folder)) GTEST_SKIP() << "no ../shared";
  RunModel(folder, "legacy_ir1_no_opset.onnx");
  RunModel(folder, "alt_opset11_depthtospace.onnx");
}

}  // namespace
}  // namespace fovea::testing
