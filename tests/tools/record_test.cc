// fovea run: its records and --again: what is written, that a run is repeated, and what is said of changed files.
#include <filesystem>
#include <fstream>

#include "tests/tools/program_test.h"

namespace fovea::testing {
namespace {

using nlohmann::json;

class RecordTest : public ProgramTest {
 protected:
  json Recorded(const std::string& name) {
    std::ifstream file(scratch_ / name);
    return json::parse(file, nullptr, false);
  }
  ProcessResult RunRecorded() {
    std::filesystem::copy_file(kSample + "/nuclei.tif", scratch_ / "in.tif");
    std::filesystem::copy_file(Model(), scratch_ / "net.fov");
    return RunProcess({kFovea, "run", scratch_ / "net.fov", scratch_ / "in.tif", "-o", scratch_ / "out.tif",
                       "--normalize", "zero-mean", "--labels", "--threads", "1", "--quiet"});
  }
};

std::string Bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(RecordTest, RepeatsTheRunFromWhatItWrote) {
  ASSERT_EQ(RunRecorded().exit_code, 0);
  const json record = Recorded("out.tif.json");
  ASSERT_TRUE(record.is_object());
  EXPECT_EQ(record["fovea_record"], 1);
  EXPECT_EQ(record["options"].dump(), R"([["--normalize","zero-mean"],["--labels",""],["--threads","1"]])");
  EXPECT_EQ(record["report"]["threads"], 1);
  EXPECT_GT(record["report"]["measured_peak_bytes"], 0);
  EXPECT_EQ(record["model"]["content_hash"].get<std::string>().size(), 32u);

  const std::string first = Bytes(scratch_ / "out.tif");
  std::filesystem::remove(scratch_ / "out.tif");
  // The record or the result's name; the result comes back to its place.
  ProcessResult r = Run({"run", "--again", scratch_ / "out.tif", "--json"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(json::parse(r.out)["same_as_recorded"], true);
  EXPECT_EQ(Bytes(scratch_ / "out.tif"), first);
  r = Run({"run", "--again=" + (scratch_ / "out.tif.json"), "-o", scratch_ / "other.tif", "--threads", "2"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(Bytes(scratch_ / "other.tif"), first);
  EXPECT_EQ(Recorded("out.tif.json"), record) << "a repetition leaves the record";
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "other.tif.json"));
}

TEST_F(RecordTest, AnotherOptionIsARunOfItsOwn) {
  ASSERT_EQ(RunRecorded().exit_code, 0);
  const json record = Recorded("out.tif.json");
  const std::string first = Bytes(scratch_ / "out.tif");
  ExpectError(Run({"run", "--again", scratch_ / "out.tif", "--threshold", "0.9"}), 2, {"--threshold", "-o OUT"});
  ExpectError(Run({"run", "--again", scratch_ / "out.tif", "--threshold", "0.9", "-o", scratch_ / "./out.tif"}), 2,
              {"-o OUT"});
  EXPECT_EQ(Bytes(scratch_ / "out.tif"), first);
  const ProcessResult r =
      Run({"run", "--again", scratch_ / "out.tif", "-o", scratch_ / "mask.tif", "--threshold", "0.9", "--json"});
  EXPECT_EQ(r.exit_code, 0) << r.out << r.err;
  EXPECT_FALSE(json::parse(r.out).contains("same_as_recorded"));
  EXPECT_NE(Bytes(scratch_ / "mask.tif"), first);
  EXPECT_EQ(Recorded("out.tif.json"), record);
  EXPECT_NE(Recorded("mask.tif.json")["options"].dump().find(R"(["--threshold","0.9"])"), std::string::npos);
}

TEST_F(RecordTest, IsLeftOutWhereAsked) {
  const std::vector<std::string> words = {kFovea, "run", Model(), kSample + "/nuclei.tif", "-o", scratch_ / "a.tif"};
  std::vector<std::string> with = words;
  with.insert(with.end(), {"--no-record", "--record"});
  ExpectError(RunProcess(with), 2, {"--record and --no-record"});
  with.pop_back();
  EXPECT_EQ(RunProcess(with).exit_code, 0);
  EXPECT_EQ(scratch_.Files(), std::vector<std::string>{"a.tif"});
  const std::string result = Bytes(scratch_ / "a.tif");
  EXPECT_EQ(RunProcess(words).exit_code, 0);
  EXPECT_EQ(scratch_.Files(), (std::vector<std::string>{"a.tif", "a.tif.json"}));
  EXPECT_EQ(Bytes(scratch_ / "a.tif"), result);
}

TEST_F(RecordTest, WhatHasChangedIsNamed) {
  ASSERT_EQ(RunRecorded().exit_code, 0);
  const std::string record = scratch_ / "out.tif.json";
  const std::string image = Bytes(scratch_ / "in.tif");
  std::ofstream(scratch_ / "in.tif", std::ios::app) << "x";
  ExpectError(Run({"run", "--again", record}), 2, {"in.tif", "has changed"});
  std::ofstream(scratch_ / "in.tif", std::ios::binary) << image;
  EXPECT_EQ(Run({"run", "--again", record, "--quiet"}).exit_code, 0);
  std::filesystem::remove(scratch_ / "net.fov");
  ExpectError(Run({"run", "--again", record}), 2, {"net.fov"});
}

TEST_F(RecordTest, StrangeRecordsGetOneSentence) {
  ExpectError(Run({"run", "--again", scratch_ / "none.tif"}), 2, {"none.tif.json", "no record"});
  const std::string path = scratch_ / "r.json";
  const auto expect = [&](const std::string& text, const std::string& said) {
    std::ofstream(path, std::ios::binary) << text;
    ExpectError(Run({"run", "--again", path}), 2, {"r.json", said});
  };
  expect("", "not the record");
  expect("[1]", "not the record");
  expect("{\"fovea_record\": 2}", "newer");
  expect("{\"fovea_record\": 1}", "damaged");
  expect("{\"fovea_record\": 1, \"version\": 3}", "damaged");
  expect(std::string(100000, '['), "not the record");
  expect(std::string(2 << 20, ' '), "too large");
}

}  // namespace
}  // namespace fovea::testing
