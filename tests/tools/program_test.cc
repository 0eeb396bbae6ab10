#include "tests/tools/program_test.h"

#include <algorithm>

namespace fovea::testing {

ScratchFolder* ProgramTest::models_ = nullptr;

void ProgramTest::SetUpTestSuite() {
  models_ = new ScratchFolder;
  const ProcessResult r =
      RunProcess({kConvert, kSample + "/nuclei.onnx", "-o", Model(), "--test-input", kSample + "/input.npy",
                  "--test-output", kSample + "/expected.npy", "--test-rtol", "1e-4", "--test-atol", "1e-5"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
}

void ProgramTest::TearDownTestSuite() {
  delete models_;
  models_ = nullptr;
}

ProcessResult ProgramTest::Run(std::vector<std::string> words, const std::vector<std::string>& environment) {
  // Tests look at what lies in a folder: records only where they are asked for (record_test has the default).
  const auto is_about_records = [](const std::string& word) {
    return word == "--record" || word == "--steps" || word == "--no-record" || word == "--again" ||
           word.starts_with("--again=");
  };
  if (!words.empty() && words[0] == "run" && std::none_of(words.begin(), words.end(), is_about_records)) {
    words.push_back("--no-record");
  }
  words.insert(words.begin(), kFovea);
  return RunProcess(words, environment);
}

void ProgramTest::ExpectError(const ProcessResult& result, int exit_code, const std::vector<std::string>& parts) {
  EXPECT_EQ(result.exit_code, exit_code) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  for (const std::string& part : parts)
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err << "lacks: " << part;
}

}  // namespace fovea::testing
