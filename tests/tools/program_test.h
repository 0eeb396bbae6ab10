// What the tests of the programs share: paths, our sample as a .fov file, JSON.
#ifndef FOVEA_TESTS_TOOLS_PROGRAM_TEST_H_
#define FOVEA_TESTS_TOOLS_PROGRAM_TEST_H_

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace fovea::testing {

inline const std::string kFovea = std::string(FOVEA_BIN_DIR) + "/fovea";
inline const std::string kConvert = std::string(FOVEA_BIN_DIR) + "/fovea-convert";
inline const std::string kSample = std::string(FOVEA_SOURCE_DIR) + "/tests/sample";

class ProgramTest : public ::testing::Test {
 protected:
  // Our sample network with its self-test; converted once per test program.
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  static std::string Model() { return *models_ / "nuclei.fov"; }

  static ProcessResult Run(std::vector<std::string> words, const std::vector<std::string>& environment = {});
  // Exit code as wanted and stderr one line that contains each of `parts`.
  static void ExpectError(const ProcessResult& result, int exit_code, const std::vector<std::string>& parts);

  ScratchFolder scratch_;
  static ScratchFolder* models_;
};

}  // namespace fovea::testing

#endif  // FOVEA_TESTS_TOOLS_PROGRAM_TEST_H_
