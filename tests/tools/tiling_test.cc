// `fovea run` and `fovea plan` on a network with norms over the image, in tiles.
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "formats/image/image.h"
#include "formats/image/npy.h"
#include "tests/support/random_graph.h"
#include "tests/tools/program_test.h"

namespace fovea::testing {
namespace {

using nlohmann::json;

class TilingTest : public ProgramTest {
 protected:
  TilingTest() {
    test::NetBuilder net(5);
    const auto dim = [](int axis) { return DimExpr::InputDim(0, axis); };
    int x = net.Conv(net.Input("byxc", {1, dim(1), dim(2), 1}), 8, 3, 1, 1, 1, {kernels::UnaryFn::kRelu});
    x = net.Add(GroupNormParams{}, {x});
    net.Output(net.Conv(x, 1, 3));
    model_ = scratch_ / "norm.fov";
    EXPECT_TRUE(net.Write(model_).ok());
    std::vector<float> values;
    for (int i = 0; i < 120 * 100; ++i)
      values.push_back(static_cast<float>(i % 97) / 50.0f + static_cast<float>(i) * 1e-4f);
    image_ = scratch_ / "in.npy";
    EXPECT_TRUE(formats::WriteNpy(image_, DType::kFloat32, {120, 100}, values.data()).ok());
  }

  std::string model_, image_;
};

std::string BytesOf(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST_F(TilingTest, ApproximateResultsSaySo) {
  ASSERT_EQ(Run({"run", model_, image_, "-o", scratch_ / "whole.npy"}).exit_code, 0);
  for (const std::string name : {"o.tif", "o.ome.tif"}) {
    const ProcessResult r = Run({"run", model_, image_, "-o", scratch_ / name, "--tile", "32x32", "--tiling",
                                 "approximate", "--json", "--record"});
    ASSERT_EQ(r.exit_code, 0) << r.err;
    const json report = json::parse(r.out);
    EXPECT_EQ(report["approximate"], true);
    EXPECT_NE(report["notes"].dump().find("approximate"), std::string::npos);
    EXPECT_EQ(json::parse(BytesOf(scratch_ / (name + ".json")))["report"]["approximate"], true);
    const auto image = formats::OpenImage(scratch_ / name);
    ASSERT_TRUE(image.ok()) << image.status().message();
    EXPECT_NE((*image)->info().software.find("approximate tiling"), std::string::npos);
  }
  const ProcessResult line =
      Run({"run", model_, image_, "-o", scratch_ / "o.npy", "--tile", "32x32", "--tiling", "approximate"});
  ASSERT_EQ(line.exit_code, 0) << line.err;
  EXPECT_NE(line.out.find("approximate tiles"), std::string::npos) << line.out;
  EXPECT_NE(BytesOf(scratch_ / "o.npy"), BytesOf(scratch_ / "whole.npy"));
  // Where the image fits, nothing is approximate.
  const ProcessResult fits =
      Run({"run", model_, image_, "-o", scratch_ / "fits.npy", "--tiling", "approximate", "--json"});
  ASSERT_EQ(fits.exit_code, 0) << fits.err;
  EXPECT_EQ(json::parse(fits.out)["approximate"], false);
  EXPECT_EQ(BytesOf(scratch_ / "fits.npy"), BytesOf(scratch_ / "whole.npy"));
}

// Statistics that were taken when the run was killed are not taken again. What passes keep for later ones is not in the
// journal: with room for it, it is made again.
// Of 32 channels at 700 x 700 pixels, 63 MB.
const std::string kNothingKept = "50MB", kRoomToKeep = "4GB";

class KilledPasses : public TilingTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(KilledPasses, AreGoneOnWith) {
  const std::string budget = GetParam();
  test::NetBuilder net(8);
  const auto dim = [](int axis) { return DimExpr::InputDim(0, axis); };
  int x = net.Input("byxc", {1, dim(1), dim(2), 1});
  for (int i = 0; i < 3; ++i) x = net.Add(GroupNormParams{}, {net.Conv(x, 32, 3)});
  net.Output(net.Conv(x, 1, 1));
  const std::string model = scratch_ / "norms.fov", journal = scratch_ / ".o.npy.part.journal";
  ASSERT_TRUE(net.Write(model).ok());
  const auto rest = [&](const std::string& out, int64_t size) {
    std::vector<float> values(static_cast<size_t>(size * size));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * i % 251);
    EXPECT_TRUE(formats::WriteNpy(image_, DType::kFloat32, {size, size}, values.data()).ok());
    return std::vector<std::string>{kFovea,         "run",        model,  image_,     "-o",     out,      "--isa",
                                    "sse4",         "--threads",  "1",    "--tile",   "64x512", "--json", "--no-record",
                                    "--exact-conv", "--progress", "json", "--memory", budget};
  };
  bool kept = false;
  std::string out = scratch_ / "o.npy";
  std::vector<std::string> words;
  // Slower, until a statistic is known before the last pass begins.
  for (int64_t size = 700; size < 4000 && !kept; size += size / 2) {
    words = rest(out, size);
    words.push_back("--resume");
    for (int after = 1200; after < 4000 && !kept; after += 400) {
      std::filesystem::remove(journal);
      std::filesystem::remove(out);
      RunProcess(words, {}, after, SIGKILL);
      kept = std::filesystem::exists(journal);
    }
  }
  if (!kept) GTEST_SKIP() << "done before it was killed";
  const ProcessResult r = RunProcess(words);
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json report = json::parse(r.out);
  EXPECT_EQ(report["passes"], 4);
  const int64_t done = report["resumed_from"]["passes"];
  EXPECT_GE(done, 1);
  // The first work that is told lies behind the passes that were skipped; in an uninterrupted run it is near 0.
  std::istringstream lines(r.err);
  double first = 0, before = 0;
  for (std::string line; std::getline(lines, line);) {
    const json event = json::parse(line);
    if (event["event"] != "progress") continue;
    if (first == 0) first = event["fraction"];
    EXPECT_GE(event["fraction"].get<double>(), before);
    before = event["fraction"];
  }
  if (budget == kNothingKept) {
    EXPECT_GT(first, 0.002 * static_cast<double>(done));
  }
  EXPECT_EQ(before, 1);
  words.pop_back();
  words[5] = scratch_ / "once.npy";
  ASSERT_EQ(RunProcess(words).exit_code, 0);
  EXPECT_EQ(BytesOf(out), BytesOf(scratch_ / "once.npy"));
}

INSTANTIATE_TEST_SUITE_P(Budgets, KilledPasses, ::testing::Values(kNothingKept, kRoomToKeep));

TEST_F(TilingTest, WordsThatDoNotGoTogether) {
  ExpectError(Run({"run", model_, image_, "-o", scratch_ / "o.tif", "--tiling", "roughly"}), 2,
              {"roughly", "exact", "approximate"});
  ExpectError(
      Run({"run", model_, image_, "-o", scratch_ / "o.tif", "--tiling", "approximate", "--provider", "xnnpack"}), 2,
      {"--tiling approximate", "--provider xnnpack"});
}

}  // namespace
}  // namespace fovea::testing
