// Steps of a data set (per_dataset; axes with batch, or none) in a run over several files: statistics of all of them.
// Expected values are computed here from the pixels, in double.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "tests/tools/steps_testing.h"

namespace fovea::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const Values kA = {0, 10, 20, 30}, kB = {100, 110, 120, 130, 145, 150}, kC = {-7, 3};

Values Joined(const std::vector<Values>& parts) {
  Values all;
  for (const Values& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

// numpy.percentile's linear definition.
double Percentile(Values values, double percent) {
  std::sort(values.begin(), values.end());
  const double at = static_cast<double>(values.size() - 1) * percent / 100;
  const auto low = static_cast<size_t>(at);
  const double next = values[std::min(low + 1, values.size() - 1)];
  return values[low] + (next - static_cast<double>(values[low])) * (at - static_cast<double>(low));
}

class DataSetTest : public StepsTest {
 protected:
  void SetUp() override {
    fs::create_directory(scratch_ / "in");
    a_ = WriteRow("in/a.tif", kA), b_ = WriteRow("in/b.tif", kB), c_ = WriteRow("in/c.tif", kC);
  }
  ProcessResult RunFolder(const std::string& net, const std::vector<std::string>& more) {
    std::vector<std::string> words = {"run", net, scratch_ / "in", "-o", scratch_ / "out/"};
    words.insert(words.end(), more.begin(), more.end());
    return Run(words);
  }
  void ExpectResults(const std::function<double(double)>& f, const std::string& what) {
    for (const auto& [name, in] : {std::pair("a.tif", kA), {"b.tif", kB}, {"c.tif", kC}}) {
      const Values out = Read(scratch_ / ("out/" + std::string(name)));
      ASSERT_EQ(out.size(), in.size()) << what;
      for (size_t i = 0; i < in.size(); ++i) {
        EXPECT_NEAR(out[i], f(static_cast<double>(in[i])), 1e-6) << what << ", " << name << " at " << i;
      }
    }
  }
  std::string a_, b_, c_;
};

TEST_F(DataSetTest, MeanAndDeviationAreOfAllFiles) {
  const Values all = Joined({kA, kB, kC});
  double mean = 0, squares = 0;
  for (const float v : all) mean += static_cast<double>(v) / static_cast<double>(all.size());
  for (const float v : all) squares += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean);
  const double std = std::sqrt(squares / static_cast<double>(all.size()));
  for (const std::string step : {"zero_mean_unit_variance(mode=per_dataset)", "zero_mean_unit_variance()",
                                 "zero_mean_unit_variance(axes=[batch, channel, y, x])"}) {
    const std::string net = Network("n.fov", "byxc", 1, step);
    const ProcessResult r = RunFolder(net, {});
    ASSERT_EQ(r.exit_code, 0) << r.err;
    EXPECT_NE(r.out.find("statistics of the 3 images together"), std::string::npos) << r.out;
    ExpectResults([&](double v) { return (v - mean) / (std + 1e-6); }, step);
  }
  // A sample's own where that is said; one file is a data set of its own.
  const std::string own = Network("own.fov", "byxc", 1, "zero_mean_unit_variance(mode=per_sample)");
  ASSERT_EQ(RunFolder(own, {}).exit_code, 0);
  EXPECT_NEAR(Read(scratch_ / "out/c.tif")[0], -1, 1e-6);
  EXPECT_NEAR(Result(Network("n.fov", "byxc", 1, "zero_mean_unit_variance()"), c_, {})[1], 1, 1e-6);
}

TEST_F(DataSetTest, PercentilesComeAfterTheStepsBeforeThem) {
  // The second step's percentiles are of what the first one, also of the data set, leaves.
  const Values all = Joined({kA, kB, kC});
  const double low = Percentile(all, 10), high = Percentile(all, 80);
  Values clipped;
  for (const float v : all) clipped.push_back(static_cast<float>(std::clamp<double>(v, low, high)));
  const double from = Percentile(clipped, 5), to = Percentile(clipped, 60);
  const std::string net = Network("n.fov", "byxc", 1,
                                  "clip(min_percentile=10, max_percentile=80, mode=per_dataset) | "
                                  "scale_range(min_percentile=5, max_percentile=60)");
  const ProcessResult r = RunFolder(net, {"--json"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  ExpectResults([&](double v) { return (std::clamp(v, low, high) - from) / (to - from + 1e-6); }, "scale_range");
  const json report = json::parse(r.out)["files"][0];
  EXPECT_EQ(report["data_set"]["images"], 3);
  EXPECT_EQ(report["data_set"]["constants"].size(), 2u);
}

TEST_F(DataSetTest, ChannelsApartAndThresholds) {
  const auto colour = [&](const std::string& name, const Values& values) {
    return Write(name, Sizes(1, 1, 2, 1, static_cast<int64_t>(values.size() / 2)), values);
  };
  fs::create_directory(scratch_ / "colour");
  colour("colour/a.tif", {1, 2, 3, /**/ 10, 20, 30});
  colour("colour/b.tif", {5, 4, /**/ 50, 90});
  const std::string net = Network("n.fov", "byxc", 2, "scale_range(axes=[batch, y, x])");
  const std::vector<std::string> words = {"run", net, scratch_ / "colour", "-o", scratch_ / "out/"};
  ASSERT_EQ(Run(words).exit_code, 0);
  const Values b = Read(scratch_ / "out/b.tif"), wanted = {1, 0.75, 0.5, 1};  // of 1 .. 5 and of 10 .. 90
  ASSERT_EQ(b.size(), wanted.size());
  for (size_t i = 0; i < b.size(); ++i) EXPECT_NEAR(b[i], wanted[i], 1e-6) << i;
  // Two groups of values, one a file: a threshold of each file would part 10 from 30, one of all does not. From 0 to
  // 255, so that ImageJ's 256 classes are the values.
  fs::remove(c_);
  WriteRow("in/b.tif", {100, 110, 120, 130, 145, 255});
  const std::string mask = Network("mask.fov", "byxc", 1, "threshold(method=otsu, mode=per_dataset)");
  ASSERT_EQ(RunFolder(mask, {}).exit_code, 0);
  EXPECT_EQ(Read(scratch_ / "out/a.tif"), (Values{0, 0, 0, 0}));
  EXPECT_EQ(Read(scratch_ / "out/b.tif"), (Values(6, 255)));
  // CSBDeep's data set is the image that is open.
  WriteRow("in/c.tif", kC);
  const std::string fiji = Network("fiji.fov", "byxc", 1, "scale_range(min_percentile=0, max_percentile=100)");
  ASSERT_EQ(RunFolder(fiji, {"--compat", "csbdeep-fiji"}).exit_code, 0);
  EXPECT_EQ(Read(scratch_ / "out/c.tif"), (Values{0, 1}));
}

TEST_F(DataSetTest, ResumedRunsKeepTheStatisticsOfAll) {
  const std::string net = Network("n.fov", "byxc", 1, "scale_range(min_percentile=1, max_percentile=90)");
  ASSERT_EQ(RunFolder(net, {}).exit_code, 0);
  const Values b = Read(scratch_ / "out/b.tif");
  fs::remove(scratch_ / "out/b.tif");
  ProcessResult r = RunFolder(net, {"--resume"});
  EXPECT_EQ(r.exit_code, 0) << r.err;
  EXPECT_NE(r.out.find("1 done, 2 done before"), std::string::npos) << r.out;
  EXPECT_EQ(Read(scratch_ / "out/b.tif"), b);
  // Another image changes the statistics, and so every result.
  WriteRow("in/d.tif", {1000, 2000});
  r = RunFolder(net, {"--resume"});
  EXPECT_EQ(r.exit_code, 1);
  EXPECT_NE(r.err.find("a.tif: is the result of another run: the data set's statistics was 'of 3 images"),
            std::string::npos)
      << r.err;
  // A record repeats one file with the statistics that it had.
  ASSERT_EQ(RunFolder(net, {"--record"}).exit_code, 0);
  r = Run({"run", "--again", scratch_ / "out/c.tif", "-o", scratch_ / "again.tif", "--json"});
  EXPECT_EQ(r.exit_code, 0) << r.err << r.out;
  EXPECT_EQ(Read(scratch_ / "again.tif"), Read(scratch_ / "out/c.tif"));
  ExpectError(Run({"run", "--again", scratch_ / "out/c.tif", "-o", scratch_ / "again.tif", "--pre", "scale_range()"}),
              2, {"statistics of 4 images", "can't be replaced"});
  std::ifstream file(scratch_ / "out/c.tif.json");
  json record = json::parse(file);
  for (const char* bad : {"nan", "", "1e", "0x1"}) {
    record["report"]["data_set"]["constants"][0][0] = bad;
    std::ofstream(scratch_ / "bad.json") << record;
    ExpectError(Run({"run", "--again", scratch_ / "bad.json", "-o", scratch_ / "again.tif"}), 2, {"damaged"});
  }
}

TEST_F(DataSetTest, FilesThatFailAreLeftOut) {
  const std::string net = Network("n.fov", "byxc", 1, "scale_range()");
  std::ofstream(scratch_ / "in/a.tif") << "this is no image";
  {  // its pixels end too early
    std::ifstream file(c_, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), {}};
    std::ofstream(c_, std::ios::binary) << bytes.substr(0, 9);
  }
  const ProcessResult r = RunFolder(net, {});
  EXPECT_EQ(r.exit_code, 1);
  EXPECT_NE(r.err.find("not in the data set's statistics: '" + a_), std::string::npos) << r.err;
  EXPECT_NE(r.err.find("not in the data set's statistics: page 1 of '" + c_), std::string::npos) << r.err;
  EXPECT_NEAR(Read(scratch_ / "out/b.tif")[0], 0, 1e-6);
  EXPECT_FALSE(fs::exists(scratch_ / "out/a.tif"));
}

TEST_F(DataSetTest, ImagesWithoutNumbersDoNotCount) {
  WriteRow("in/c.tif", {NAN, NAN, NAN});
  const std::string net = Network("n.fov", "byxc", 1, "scale_range()");
  ASSERT_EQ(RunFolder(net, {}).exit_code, 0);
  EXPECT_NEAR(Read(scratch_ / "out/b.tif").back(), 1, 1e-6);  // 0 .. 150
  EXPECT_NEAR(Read(scratch_ / "out/a.tif")[3], 0.2, 1e-6);
  const Values nothing = Read(scratch_ / "out/c.tif");
  ASSERT_EQ(nothing.size(), 3u);
  EXPECT_TRUE(std::isnan(nothing[0]));
}

TEST_F(DataSetTest, AfterTheNetworkEachResultIsItsOwn) {
  const std::string net = Network("n.fov", "byxc", 1, "none", "scale_range()");
  const ProcessResult r = RunFolder(net, {});
  ASSERT_EQ(r.exit_code, 0);
  EXPECT_NE(r.out.find("take their statistics of each result"), std::string::npos) << r.out;
  EXPECT_NEAR(Read(scratch_ / "out/c.tif")[1], 1, 1e-6);
  EXPECT_EQ(Run({"run", net, a_, "-o", scratch_ / "o.tif"}).out.find("each result"), std::string::npos);
}

}  // namespace
}  // namespace fovea::testing
