// The cache of packed weights: what it keeps gives the same bits, what is damaged is as good as absent, processes do
// not disturb each other.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/process.h"
#include "tests/support/random_graph.h"
#include "tests/support/run_session.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

// One convolution that Winograd takes and one that it does not.
Model TwoConvolutions(uint32_t seed) {
  test::NetBuilder net(seed);
  net.Output(net.Conv(net.Conv(net.Input("byxc", {1, 20, 24, 16}), 32, 3), 4, 1));
  auto model = net.Build();
  EXPECT_TRUE(model.ok()) << model.status().message();
  return *std::move(model);
}

const std::vector<int64_t> kDims{1, 20, 24, 16};

struct Outcome {
  std::string cache;
  test::Tensors outputs;
};

Outcome RunWith(const Model& model, SessionOptions options) {
  auto session = Session::Create(model, {kDims}, options);
  EXPECT_TRUE(session.ok()) << session.status().message();
  if (!session.ok()) return {};
  return {session->report().weight_cache, test::RunSession(*session, test::RandomTensors({kDims}, 3))};
}

Outcome RunWith(const Model& model, const std::string& directory, int threads = 1) {
  SessionOptions options;
  options.threads = threads;
  options.cache_directory = directory;
  return RunWith(model, options);
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class WeightCacheTest : public ::testing::Test {
 protected:
  // Fills the folder and returns the one file in it.
  std::string Fill() {
    EXPECT_EQ(RunWith(model_, folder_.path()).cache, "written");
    const std::vector<std::string> files = folder_.Files();
    EXPECT_EQ(files.size(), 1u);
    return files.empty() ? "" : folder_ / files[0];
  }

  testing::ScratchFolder folder_;
  const Model model_ = TwoConvolutions(1);
  const test::Tensors expected_ = RunWith(model_, "").outputs;
};

TEST_F(WeightCacheTest, KeepsTheBits) {
  EXPECT_EQ(RunWith(model_, "").cache, "");
  const Outcome first = RunWith(model_, folder_ / "made");
  EXPECT_EQ(first.cache, "written");
  EXPECT_EQ(test::FirstDifference(first.outputs, expected_), "");
  for (int threads : {1, 3}) {
    const Outcome again = RunWith(model_, folder_ / "made", threads);
    EXPECT_EQ(again.cache, "read");
    EXPECT_EQ(test::FirstDifference(again.outputs, expected_), "");
  }
}

TEST_F(WeightCacheTest, OtherWeightsAndOtherKernelsAreOtherFiles) {
  Fill();
  const Model other = TwoConvolutions(2);
  EXPECT_EQ(RunWith(other, folder_.path()).cache, "written");
  EXPECT_EQ(folder_.Files().size(), 2u);
  SessionOptions options;
  options.cache_directory = folder_.path();
  options.exact_convolution = true;
  EXPECT_EQ(RunWith(model_, options).cache, kernels::BestIsa() == kernels::Isa::kReference ? "read" : "written");
  options.exact_convolution = false;
  for (const std::string& isa : test::IsaNames()) {
    options.isa = isa;
    const Outcome fresh = RunWith(model_, options);
    EXPECT_EQ(fresh.cache, isa == kernels::IsaName(kernels::BestIsa()) ? "read" : "written");
    const Outcome kept = RunWith(model_, options);
    EXPECT_EQ(kept.cache, "read");
    EXPECT_EQ(test::FirstDifference(kept.outputs, fresh.outputs), "");
  }
}

TEST_F(WeightCacheTest, DamageIsSeenAndMended) {
  const std::string path = Fill();
  const std::string good = ReadFile(path);
  ASSERT_GT(good.size(), 4096u);
  // The header, the key, padding's neighbours, and all through the weights.
  std::vector<size_t> places{0, 8, 16, 24, 39, 40, 60, 4096, good.size() - 1};
  for (size_t at = 4096; at < good.size(); at += good.size() / 40) places.push_back(at);
  for (size_t at : places) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    fs::remove(path);
    WriteFile(path, bad);
    const Outcome outcome = RunWith(model_, folder_.path(), 2);
    EXPECT_EQ(outcome.cache, "written") << "byte " << at;
    EXPECT_EQ(test::FirstDifference(outcome.outputs, expected_), "") << "byte " << at;
    EXPECT_EQ(ReadFile(path) == good, true) << "byte " << at;
  }
}

TEST_F(WeightCacheTest, OtherLengthsAreRefused) {
  const std::string path = Fill();
  const std::string good = ReadFile(path);
  for (const std::string& bad : {std::string(), good.substr(0, 7), good.substr(0, 40), good.substr(0, 4096),
                                 good.substr(0, good.size() - 1), good + "x", std::string(good.size(), '\0')}) {
    fs::remove(path);
    WriteFile(path, bad);
    const Outcome outcome = RunWith(model_, folder_.path());
    EXPECT_EQ(outcome.cache, "written") << bad.size();
    EXPECT_EQ(test::FirstDifference(outcome.outputs, expected_), "") << bad.size();
  }
}

TEST_F(WeightCacheTest, AnotherPackingVersionIsRefused) {
  const std::string path = Fill();
  std::string bytes = ReadFile(path);
  const std::string version = "packing " + std::to_string(kernels::kPackingVersion);
  const size_t at = bytes.find(version);
  ASSERT_NE(at, std::string::npos);
  bytes[at + version.size() - 1] ^= 1;
  WriteFile(path, bytes);
  EXPECT_EQ(RunWith(model_, folder_.path()).cache, "written");
}

TEST_F(WeightCacheTest, APlaceThatCantBeWrittenIsTold) {
  const std::string file = folder_ / "file";
  WriteFile(file, "not a folder");
  const Outcome outcome = RunWith(model_, file);
  EXPECT_NE(outcome.cache.find(file), std::string::npos) << outcome.cache;
  EXPECT_EQ(test::FirstDifference(outcome.outputs, expected_), "");
  EXPECT_EQ(ReadFile(file), "not a folder");
}

TEST_F(WeightCacheTest, AFolderInTheFilesPlaceIsTold) {
  const std::string path = Fill();
  fs::remove(path);
  fs::create_directories(path);
  const Outcome blocked = RunWith(model_, folder_.path());
  EXPECT_NE(blocked.cache.find(path), std::string::npos) << blocked.cache;
  EXPECT_EQ(test::FirstDifference(blocked.outputs, expected_), "");
  EXPECT_EQ(folder_.Files().size(), 1u) << "a temporary file is left";
}

TEST_F(WeightCacheTest, WhatIsMappedOutlivesItsFile) {
  const std::string path = Fill();
  SessionOptions options;
  options.cache_directory = folder_.path();
  auto session = Session::Create(model_, {kDims}, options);
  ASSERT_TRUE(session.ok());
  ASSERT_EQ(session->report().weight_cache, "read");
  const std::string good = ReadFile(path);
  fs::remove(path);
  WriteFile(path, std::string(good.size(), '\1'));
  EXPECT_EQ(RunWith(model_, folder_.path()).cache, "written");
  EXPECT_EQ(test::FirstDifference(test::RunSession(*session, test::RandomTensors({kDims}, 3)), expected_), "");
}

// Processes that begin at once, some on a damaged file: all get the right bits, one file stays.
TEST_F(WeightCacheTest, ManyProcessesAtOnce) {
  for (int round = 0; round < 6; ++round) {
    if (round % 2 == 1) {
      for (const std::string& name : folder_.Files()) WriteFile(folder_ / name, "damaged");
    } else {
      for (const std::string& name : folder_.Files()) fs::remove(folder_ / name);
    }
    std::vector<pid_t> children;
    for (int i = 0; i < 8; ++i) {
      const pid_t child = fork();
      ASSERT_GE(child, 0);
      if (child == 0) {
        const Outcome outcome = RunWith(model_, folder_.path());
        const bool good = (outcome.cache == "read" || outcome.cache == "written") &&
                          test::FirstDifference(outcome.outputs, expected_).empty();
        _exit(good ? 0 : 1);
      }
      children.push_back(child);
    }
    for (pid_t child : children) {
      int status = -1;
      ASSERT_EQ(waitpid(child, &status, 0), child);
      EXPECT_EQ(status, 0);
    }
    EXPECT_EQ(RunWith(model_, folder_.path()).cache, "read");
    EXPECT_EQ(folder_.Files().size(), 1u);
  }
}

}  // namespace
}  // namespace fovea
