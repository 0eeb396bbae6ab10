// fovea-convert as its users meet it.
#include <filesystem>
#include <fstream>

#include "tests/tools/program_test.h"

namespace fovea::testing {
namespace {

using ConvertTest = ProgramTest;

ProcessResult Convert(std::vector<std::string> words) {
  words.insert(words.begin(), kConvert);
  return RunProcess(words);
}

TEST_F(ConvertTest, ReportsWhatItDid) {
  const ProcessResult r = Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "n.fov"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  for (const char* part : {"ONNX", "'image'", "'probability'", "multiple of 8", "content hash", "receptive field"}) {
    EXPECT_NE(r.out.find(part), std::string::npos) << part << "\n" << r.out;
  }
  const ProcessResult json = Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "n.fov", "--json"});
  const auto report = nlohmann::json::parse(json.out);
  EXPECT_GT(report["passes"].size(), 3u);
  EXPECT_EQ(report["inputs"][0]["name"], "image");
}

TEST_F(ConvertTest, SameFileGivesSameBytes) {
  ASSERT_EQ(Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "a.fov", "-q"}).exit_code, 0);
  ASSERT_EQ(Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "b.fov", "-q"}).exit_code, 0);
  auto bytes = [](const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  };
  EXPECT_EQ(bytes(scratch_ / "a.fov"), bytes(scratch_ / "b.fov"));
}

TEST_F(ConvertTest, ComparesTwoFilesOfANetwork) {
  const ProcessResult same = Convert({kSample + "/nuclei.onnx", "--compare", kSample + "/nuclei.onnx", "--json"});
  EXPECT_EQ(same.exit_code, 0) << same.err;
  EXPECT_EQ(nlohmann::json::parse(same.out)["outputs"][0]["max_difference"], 0.0);
  // Signs of a hundred weights in the middle of the file flipped: another network.
  std::ifstream in(kSample + "/nuclei.onnx", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  for (size_t i = 0; i < 400; ++i) bytes[bytes.size() / 2 + i] = static_cast<char>(bytes[bytes.size() / 2 + i] ^ 0x80);
  std::ofstream(scratch_ / "changed.onnx", std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  const ProcessResult changed = Convert({kSample + "/nuclei.onnx", "--compare", scratch_ / "changed.onnx"});
  EXPECT_EQ(changed.exit_code, 1) << changed.out << changed.err;
  ExpectError(Convert({kSample + "/nuclei.onnx", "--compare", scratch_ / "none.onnx"}), 2, {"none.onnx"});
}

TEST_F(ConvertTest, HalfWeightsAreHalfTheSize) {
  ASSERT_EQ(Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "f32.fov", "-q"}).exit_code, 0);
  for (const char* type : {"f16", "bf16"}) {
    ASSERT_EQ(Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "half.fov", "--weights", type, "-q"}).exit_code, 0);
    EXPECT_LT(static_cast<double>(std::filesystem::file_size(scratch_ / "half.fov")),
              0.6 * static_cast<double>(std::filesystem::file_size(scratch_ / "f32.fov")));
    EXPECT_EQ(Run({"info", scratch_ / "half.fov"}).exit_code, 0);
  }
}

TEST_F(ConvertTest, FixedSizesAreKept) {
  ASSERT_EQ(Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "n.fov", "--size", "image=1x1x64x?", "-q"}).exit_code,
            0);
  const auto info = nlohmann::json::parse(Run({"info", scratch_ / "n.fov", "--json"}).out);
  EXPECT_EQ(info["inputs"][0]["dims"][1], 64);
  EXPECT_EQ(info["inputs"][0]["dims"][2], -1);
}

TEST_F(ConvertTest, WrongFilesAndWords) {
  const std::string out = scratch_ / "o.fov";
  ExpectError(Convert({scratch_ / "none.onnx", "-o", out}), 2, {"none.onnx"});
  ExpectError(Convert({kSample + "/nuclei.tif", "-o", out}), 2, {"nuclei.tif"});
  ExpectError(Convert({kSample + "/nuclei.onnx"}), 2, {"-o OUT.fov"});
  ExpectError(Convert({kSample + "/nuclei.onnx", "-o", out, "--weights", "f8"}), 2, {"f8", "bf16"});
  ExpectError(Convert({kSample + "/nuclei.onnx", "-o", out, "--size", "image=big"}), 2, {"image=big"});
  ExpectError(Convert({kSample + "/nuclei.onnx", "-o", out, "--size", "picture=1x1x8x8"}), 2, {"picture"});
  ExpectError(Convert({kSample + "/nuclei.onnx", "-o", out, "--axes", "picture=bcyx"}), 2, {"picture"});
  ExpectError(Convert({kSample + "/nuclei.onnx", "-o", out, "--set", "picture=1"}), 2, {"picture"});
  ExpectError(Convert({kSample + "/nuclei.onnx", "-o", out, "--test-input", kSample + "/input.npy"}), 2,
              {"--test-output"});
  ExpectError(Convert({kSample + "/nuclei.onnx", "-o", scratch_ / "no/folder/o.fov"}), 2, {"o.fov"});
  std::ofstream(scratch_ / "empty.onnx").close();
  ExpectError(Convert({scratch_ / "empty.onnx", "-o", out}), 2, {"empty.onnx"});
  EXPECT_EQ(scratch_.Files(), std::vector<std::string>{"empty.onnx"});
}

TEST_F(ConvertTest, TruncatedFilesLeaveNothing) {
  std::ifstream in(kSample + "/nuclei.onnx", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  for (const size_t size : {size_t{1}, size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
    std::ofstream(scratch_ / "cut.onnx", std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(size));
    ExpectError(Convert({scratch_ / "cut.onnx", "-o", scratch_ / "o.fov"}), 2, {"cut.onnx"});
    EXPECT_EQ(scratch_.Files(), std::vector<std::string>{"cut.onnx"});
  }
}

}  // namespace
}  // namespace fovea::testing
