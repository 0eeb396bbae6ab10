// fovea bench: the table of layers, the trace, the comparison with float64, the cache of packed weights.
#include <fstream>

#include "formats/image/npy.h"
#include "tests/tools/program_test.h"

namespace fovea::testing {
namespace {

using nlohmann::json;

class BenchTest : public ProgramTest {
 protected:
  json Bench(std::vector<std::string> words, int exit_code = 0) {
    words.insert(words.begin(), {"bench", Model(), "--size", "64x96", "--json"});
    const ProcessResult result = Run(words);
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    return json::parse(result.out, nullptr, false);
  }
};

TEST_F(BenchTest, ProfileAddsUp) {
  const json told = Bench({"--profile", "--threads", "1", "--repeat", "3"});
  const double peak = told["fma_peak_gflops"].get<double>();
  EXPECT_GT(peak, 0);
  double gflop = 0;
  for (const json& layer : told["profile"]) {
    const double flops = 2 * layer["multiply_adds"].get<double>();
    gflop += 1e-9 * flops;
    EXPECT_NEAR(layer["gflops"].get<double>() * layer["ms"].get<double>(), 1e-6 * flops, 1e-6 * flops);
    EXPECT_NEAR(layer["percent_of_peak"].get<double>(), 100 * layer["gflops"].get<double>() / peak, 1e-6);
    EXPECT_NEAR(layer["arithmetic_intensity"].get<double>() * layer["bytes_moved"].get<double>(), flops, 1e-6 * flops);
    EXPECT_FALSE(layer["kernel"].get<std::string>().empty());
  }
  EXPECT_NEAR(gflop, told["gflop"].get<double>(), 1e-9);
}

// Tasks lie within the step that they belong to, and no thread does two at once.
TEST_F(BenchTest, TraceIsAChromeTrace) {
  const std::string path = scratch_ / "trace.json";
  Bench({"--trace", path, "--threads", "2", "--repeat", "1"});
  const json trace = json::parse(std::ifstream(path), nullptr, false);
  ASSERT_TRUE(trace.contains("traceEvents"));
  std::vector<json> steps;
  std::map<int, double> busy_until;
  int tasks = 0;
  for (const json& event : trace["traceEvents"]) {
    if (event["ph"] != "X") continue;
    const double begin = event["ts"].get<double>(), end = begin + event["dur"].get<double>();
    EXPECT_GE(event["dur"].get<double>(), 0);
    const int row = event["tid"].get<int>();
    EXPECT_GE(begin, busy_until[row] - 1e-3);
    busy_until[row] = end;
    if (row == 0) {
      steps.push_back(event);
      continue;
    }
    ++tasks;
    ASSERT_FALSE(steps.empty());
    EXPECT_EQ(event["name"], steps.back()["name"]);
    EXPECT_LE(end, steps.back()["ts"].get<double>() + steps.back()["dur"].get<double>() + 1e-3);
  }
  EXPECT_GT(steps.size(), 5u);
  EXPECT_GE(tasks, static_cast<int>(steps.size()));
  ExpectError(Run({"bench", Model(), "--repeat", "1", "--trace", scratch_ / "no/such/folder.json"}), 2, {"trace"});
}

TEST_F(BenchTest, AccuracyIsChecked) {
  const json good = Bench({"--accuracy"});
  EXPECT_TRUE(good["passed"].get<bool>());
  bool in_double = false;
  for (const json& layer : good["layers"]) {
    in_double = in_double || layer["reference"] == "float64";
    EXPECT_LE(layer["relative_error"].get<double>(), 5e-5);
  }
  EXPECT_TRUE(in_double);
  EXPECT_EQ(good["outputs"].size(), 1u);
  // float32 can't be this good.
  EXPECT_FALSE(Bench({"--accuracy", "--tolerance", "1e-12"}, 1)["passed"].get<bool>());
}

TEST_F(BenchTest, InputsFromAFile) {
  const std::string path = scratch_ / "x.npy";
  const std::vector<float> values(64 * 96, 0.5f);
  ASSERT_TRUE(formats::WriteNpy(path, DType::kFloat32, {1, 1, 64, 96}, values.data()).ok());
  EXPECT_TRUE(Bench({"--accuracy", "--input", path})["passed"].get<bool>());
  ExpectError(Run({"bench", Model(), "--size", "64x64", "--accuracy", "--input", path}), 2, {"6144", "4096"});
}

TEST_F(BenchTest, CacheIsWrittenThenRead) {
  EXPECT_EQ(Bench({"--repeat", "1", "--cache", scratch_ / "cache"})["weight_cache"], "written");
  EXPECT_EQ(Bench({"--repeat", "1", "--cache", scratch_ / "cache"})["weight_cache"], "read");
}

}  // namespace
}  // namespace fovea::testing
