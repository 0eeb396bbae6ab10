// Images and slow runs, for tests of `fovea run`.
#ifndef FOVEA_TESTS_TOOLS_RUN_TESTING_H_
#define FOVEA_TESTS_TOOLS_RUN_TESTING_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "formats/image/npy.h"
#include "tests/tools/program_test.h"

namespace fovea::testing {

namespace fs = std::filesystem;

inline std::string BytesOf(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class RunTest : public ProgramTest {
 protected:
  // A grey picture with structure everywhere, or only in the middle third, as on a slide.
  std::string Picture(const std::string& name, int64_t rows, int64_t cols, bool background = false) {
    std::vector<uint8_t> values(static_cast<size_t>(rows * cols));
    for (int64_t y = 0; y < rows; ++y) {
      for (int64_t x = 0; x < cols; ++x) {
        const bool inside = y > rows / 3 && y < 2 * rows / 3 && x > cols / 3 && x < 2 * cols / 3;
        values[static_cast<size_t>(y * cols + x)] =
            background && !inside ? 7 : static_cast<uint8_t>((y * y / 17 + x * 3 + x * y / 50) % 200);
      }
    }
    EXPECT_TRUE(formats::WriteNpy(scratch_ / name, DType::kUInt8, {rows, cols}, values.data()).ok());
    return scratch_ / name;
  }

  // Words of a slow run (reference kernels, small tiles), so that it can be stopped at many places.
  std::vector<std::string> Slow(const std::string& in, const std::string& out, std::vector<std::string> more = {}) {
    std::vector<std::string> words = {kFovea,      "run",       Model(), in,       "-o",    out,      "--isa",
                                      "reference", "--threads", "1",     "--tile", "64x64", "--json", "--no-record"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
};

}  // namespace fovea::testing

#endif  // FOVEA_TESTS_TOOLS_RUN_TESTING_H_
