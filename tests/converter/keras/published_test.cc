// Published Keras networks (../shared/models/h5-*): each case's output within its own tolerance, for both executors, on
// every instruction set of this machine.
#include <gtest/gtest.h>

#include "kernels/isa.h"
#include "tests/converter/keras/support.h"
#include "tests/converter/onnx/support.h"

namespace fovea::testing {
namespace {

namespace fs = std::filesystem;

void RunCase(const fs::path& folder) {
  SCOPED_TRACE(folder.filename().string());
  const Json json = Json::parse(ReadBytes(folder / "case.json"));
  const Result<Model> model = ConvertAndLoad(folder / json["model"].get<std::string>(), {}, nullptr);
  ASSERT_TRUE(model.ok()) << model.status().message();
  for (const Json& c : json["cases"]) {
    std::vector<Tensor> inputs;
    for (const Json& input : c["inputs"]) inputs.push_back(ReadNpy(folder / input["file"].get<std::string>()));
    const auto check = [&](const SessionOptions& options, const std::string& who) {
      const Result<std::vector<Tensor>> got = Run(*model, inputs, options);
      ASSERT_TRUE(got.ok()) << who << ": " << got.status().message();
      for (size_t i = 0; i < c["outputs"].size(); ++i) {
        const Json& output = c["outputs"][i];
        EXPECT_EQ(
            Compare((*got)[i], ReadNpy(folder / output["file"].get<std::string>()), 0, output["atol"].get<double>()),
            "")
            << who;
      }
    };
    for (const kernels::Isa supported : kernels::SupportedIsas()) {
      SessionOptions options;
      const std::string isa = kernels::IsaName(supported);
      options.isa = isa;
      options.threads = 2;
      check(options, isa);
    }
    SessionOptions reference;
    reference.executor = Executor::kReference;
    check(reference, "reference executor");
  }
}

TEST(KerasPublished, EveryCase) {
  const fs::path models = fs::path(FOVEA_SHARED_DIR) / "models";
  if (!fs::exists(models)) GTEST_SKIP() << "no ../shared";
  int count = 0;
  for (const auto& entry : fs::directory_iterator(models)) {
    if (entry.path().filename().string().rfind("h5-", 0) != 0) continue;
    RunCase(entry.path());
    ++count;
  }
  EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace fovea::testing
