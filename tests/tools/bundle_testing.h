// Our sample network as a bundle of its authors, for tests of the programs.
#ifndef FOVEA_TESTS_TOOLS_BUNDLE_TESTING_H_
#define FOVEA_TESTS_TOOLS_BUNDLE_TESTING_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/converter/saved_model/support.h"
#include "tests/tools/program_test.h"

namespace fovea::testing {

namespace fs = std::filesystem;

inline const fs::path kShared = FOVEA_SHARED_DIR;

inline std::string Slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

inline void Write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

// Of our sample network, whose tensors are bcyx; sizes: the input's shape.
inline std::string Description(const std::string& sizes, const std::string& more = "") {
  return "format_version: 0.4.9\ntype: model\nname: Sample nuclei\ndescription: Finds nuclei.\n"
         "authors: [{name: A. Author, affiliation: Here}]\ncite: [{text: Paper, doi: 10.1/2}]\nlicense: MIT\n"
         "tags: [nuclei, 2d]\n"
         "inputs: [{name: raw, axes: bcyx, data_type: float32, shape: " +
         sizes +
         "}]\n"
         "outputs: [{name: mask, axes: bcyx, data_type: float32, halo: [0, 0, 16, 16],\n"
         "  shape: {reference_tensor: raw, scale: [1, 1, 1, 1], offset: [0, 0, 0, 0]}}]\n"
         "test_inputs: [test_input.npy]\ntest_outputs: [test_output.npy]\n"
         "config: {deepimagej: {test_information: {inputs: [{pixel_size: {x: 0.5 µm, y: 0.25 µm}}]}}}\n" +
         (more.empty() ? "weights: {onnx: {source: weights.onnx, opset_version: 13}}\n" : more);
}

constexpr const char* kSteps = "{min: [1, 1, 32, 32], step: [0, 0, 16, 16]}";

class BundleProgramTest : public ProgramTest {
 protected:
  // Our sample network as a bundle.
  std::string MakeBundle(const std::string& description) {
    const fs::path folder = scratch_ / "bundle";
    Write(folder / "rdf.yaml", description);
    fs::copy_file(kSample + "/nuclei.onnx", folder / "weights.onnx", fs::copy_options::overwrite_existing);
    fs::copy_file(kSample + "/input.npy", folder / "test_input.npy", fs::copy_options::overwrite_existing);
    fs::copy_file(kSample + "/expected.npy", folder / "test_output.npy", fs::copy_options::overwrite_existing);
    return folder.string();
  }
  std::string Zip(const std::string& folder, const std::string& prefix = "") {
    std::vector<ZipEntry> entries;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file()) {
        entries.push_back({prefix + entry.path().lexically_relative(folder).generic_string(), Slurp(entry.path())});
      }
    }
    Write(scratch_ / "bundle.zip", WriteZip(entries));
    return scratch_ / "bundle.zip";
  }
  ProcessResult Convert(const std::string& from, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {kConvert, from, "-o", scratch_ / "m.fov"});
    return RunProcess(more);
  }
  // Refused in one line, and nothing is written.
  void ExpectRefused(const std::string& from, const std::vector<std::string>& parts) {
    ExpectError(Convert(from, {"-q"}), 2, parts);
    EXPECT_FALSE(fs::exists(scratch_ / "m.fov"));
    EXPECT_FALSE(fs::exists(scratch_ / "m.fov.part"));
  }
};

}  // namespace fovea::testing

#endif  // FOVEA_TESTS_TOOLS_BUNDLE_TESTING_H_
