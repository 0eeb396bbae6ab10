// The sub-commands as their users meet them: results, messages, exit codes, what stays on disk.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "formats/image/image.h"
#include "formats/image/npy.h"
#include "tests/tools/program_test.h"

namespace fovea::testing {
namespace {

using nlohmann::json;

using FoveaTest = ProgramTest;

std::vector<float> ReadValues(const std::string& path) {
  const auto array = formats::ReadNpy(path);
  return array.ok() ? formats::ToFloatVector(*array) : std::vector<float>();
}

TEST_F(FoveaTest, HelpAndUsage) {
  EXPECT_EQ(Run({"--help"}).exit_code, 0);
  EXPECT_EQ(Run({"--version"}).exit_code, 0);
  EXPECT_EQ(Run({}).exit_code, 2);
  for (const char* command : {"run", "info", "test", "plan", "bench", "tensor"}) {
    const ProcessResult r = Run({command, "--help"});
    EXPECT_EQ(r.exit_code, 0) << command;
    EXPECT_NE(r.out.find("usage: fovea " + std::string(command)), std::string::npos);
    EXPECT_EQ(Run({"help", command}).out, r.out);
  }
  ExpectError(Run({"rum"}), 2, {"'rum'", "did you mean run"});
  ExpectError(Run({"run", Model(), "a.tif", "--treads", "2"}), 2, {"--treads", "did you mean --threads"});
  ExpectError(Run({"run", Model()}), 2, {"Usage"});
  ExpectError(Run({"run", Model(), "a.tif", "b.tif"}), 2, {"several inputs", "-o FOLDER"});
  ExpectError(Run({"bench", Model(), "--threads", "0"}), 2, {"--threads", "1 to 256"});
}

TEST_F(FoveaTest, InputsAreLookedAtBeforeTheFirstIsRun) {
  const std::string in = kSample + "/nuclei.tif", out = scratch_ / "l03.tif";
  ExpectError(Run({"run", Model(), in, "--labels", "0.3", "-o", out}), 2, {"0.3", "--threshold 0.3"});
  ExpectError(Run({"run", Model(), in, kSample + "/unseen/image_0.tif", "-o", out}), 2,
              {"l03.tif", "several inputs", "-o " + (scratch_ / "l03") + "/"});
  ExpectError(Run({"run", Model(), kSample + "/unseen", "-o", out}), 2, {"l03.tif", "several inputs"});
  ExpectError(Run({"run", Model(), in, scratch_ / "none.tif", "-o", scratch_ / "out"}), 2, {"none.tif"});
  EXPECT_TRUE(scratch_.Files().empty());
}

TEST_F(FoveaTest, NetworksOfFixedSizeRunInPatches) {
  const std::string fixed = scratch_ / "fixed.fov", out = scratch_ / "o.npy";
  ASSERT_EQ(
      RunProcess({kConvert, kSample + "/nuclei.onnx", "-o", fixed, "--size", "image=1x1x128x128", "-q"}).exit_code, 0);
  const std::string in = kSample + "/nuclei.tif";  // 512 x 512
  ExpectError(Run({"run", fixed, in, "-o", out}), 2, {"exactly 128", "--border jdll --overlap"});
  for (const std::string border : {"jdll", "dij1"}) {
    // The same patches through the network of open sizes give the same pixels.
    ASSERT_EQ(Run({"run", fixed, in, "-o", out, "--border", border, "--overlap", "16"}).exit_code, 0);
    ASSERT_EQ(Run({"run", Model(), in, "-o", scratch_ / "open.npy", "--border", border, "--overlap", "16", "--patch",
                   "128x128"})
                  .exit_code,
              0);
    ASSERT_EQ(ReadValues(out).size(), 512u * 512u);
    EXPECT_EQ(ReadValues(out), ReadValues(scratch_ / "open.npy"));
  }
}

TEST_F(FoveaTest, BadFilesGetOneSentence) {
  ExpectError(Run({"run", scratch_ / "none.fov", kSample + "/nuclei.tif", "-o", scratch_ / "o.tif"}), 2, {"none.fov"});
  ExpectError(Run({"run", kSample + "/nuclei.onnx", kSample + "/nuclei.tif", "-o", scratch_ / "o.tif"}), 2,
              {"nuclei.onnx"});
  ExpectError(Run({"run", Model(), scratch_ / "none.tif", "-o", scratch_ / "o.tif"}), 2, {"none.tif"});
  ExpectError(Run({"run", Model(), Model(), "-o", scratch_ / "o.tif"}), 2, {"nuclei.fov"});
  ExpectError(Run({"run", Model(), kSample + "/nuclei.tif", "-o", scratch_ / "no/such/folder/o.tif"}), 2, {"o.tif"});
  ExpectError(Run({"info", kSample + "/nuclei.tif"}), 2, {"nuclei.tif"});
  std::ofstream(scratch_ / "empty.tif").close();
  ExpectError(Run({"run", Model(), scratch_ / "empty.tif", "-o", scratch_ / "o.tif"}), 2, {"empty.tif"});
  EXPECT_EQ(scratch_.Files(), std::vector<std::string>{"empty.tif"});
}

TEST_F(FoveaTest, UnknownWordsAreRefused) {
  const std::vector<std::string> base = {"run", Model(), kSample + "/nuclei.tif", "-o", scratch_ / "o.tif"};
  auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), base.begin(), base.end());
    return more;
  };
  ExpectError(Run(with({"--precision", "bf32"})), 2, {"bf32", "f32"});
  ExpectError(Run(with({"--isa", "mmx"})), 2, {"mmx", "avx2"});
  ExpectError(Run(with({"--dtype", "int3"})), 2, {"int3", "uint16"});
  ExpectError(Run(with({"--normalize", "median"})), 2, {"median", "percentile"});
  ExpectError(Run(with({"--memory", "much"})), 2, {"much", "256MB"});
  ExpectError(Run(with({"--tile", "10"})), 2, {"'10'"});
  ExpectError(Run(base, {"FOVEA_ISA=pentium"}), 2, {"FOVEA_ISA", "pentium"});
  EXPECT_TRUE(scratch_.Files().empty());
}

// The budget that an exit with code 3 asks for.
uint64_t SmallestBudget(const std::string& message) {
  std::smatch found;
  if (!std::regex_search(message, found, std::regex("needs at least --memory (\\d+)MB"))) return 0;
  return std::stoull(found[1]) * 1'000'000;
}

TEST_F(FoveaTest, BudgetIsKeptOrRefused) {
  const std::string in = scratch_ / "in.npy", out = scratch_ / "o.tif";
  const int64_t rows = 500, cols = 760;  // 1.5 MB in, 1.5 MB out, neither a multiple of the tiles
  std::vector<float> values(static_cast<size_t>(rows * cols));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * i % 613) / 300.0f - 1.0f;
  ASSERT_TRUE(formats::WriteNpy(in, DType::kFloat32, {rows, cols}, values.data()).ok());
  auto run = [&](const std::string& threads, uint64_t bytes, const std::string& to, std::vector<std::string> more) {
    std::vector<std::string> words = {"run", Model(), in, "-o", to, "--threads", threads, "--json"};
    if (bytes > 0) words.insert(words.end(), {"--memory", std::to_string(bytes)});
    words.insert(words.end(), more.begin(), more.end());
    return Run(words);
  };
  auto expect_kept = [&](const ProcessResult& r, uint64_t budget) {
    ASSERT_EQ(r.exit_code, 0) << r.err;
    const json report = json::parse(r.out);
    for (const char* key : {"strategy", "tiles", "seconds"}) EXPECT_TRUE(report.contains(key)) << key;
    const auto predicted = report["predicted_peak_bytes"].get<uint64_t>();
    const auto measured = report["measured_peak_bytes"].get<uint64_t>();
    EXPECT_LE(predicted, budget);
// The sanitizers' own memory is not predicted.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    EXPECT_LE(measured, predicted) << "budget " << budget;
#else
    EXPECT_GT(measured, 0u);
#endif
  };
  for (const std::string threads : {"1", "2"}) {
    // The number that a refusal names is the whole process's: exactly it will do, whatever was asked for.
    uint64_t least = 0;
    for (const uint64_t too_little : {5'000'000u, 12'000'000u}) {
      const ProcessResult r = run(threads, too_little, out, {});
      ExpectError(r, 3, {"in.npy", "needs at least --memory "});
      EXPECT_EQ(scratch_.Files(), std::vector<std::string>{"in.npy"});
      least = SmallestBudget(r.err);
      ASSERT_GT(least, too_little) << r.err;
      expect_kept(run(threads, least, out, {}), least);
      std::filesystem::remove(out);
    }
    EXPECT_EQ(run(threads, least - 3'000'000, out, {}).exit_code, 3);
    for (const uint64_t percent : {100u, 110u, 150u, 300u}) {
      SCOPED_TRACE(threads + " threads, " + std::to_string(percent) + " %");
      expect_kept(run(threads, least * percent / 100, out, {}), least * percent / 100);
    }
    expect_kept(run(threads, 0, out, {}), UINT64_MAX);
    // Writers that wait for the rest of an image.
    const uint64_t larger = least + 20'000'000;
    expect_kept(run(threads, larger, scratch_ / "o.png", {"--dtype", "uint16"}), larger);
    expect_kept(run(threads, larger, out, {"--compression", "deflate"}), larger);
    expect_kept(run(threads, larger, scratch_ / "labels.tif", {"--labels", "--overlay", scratch_ / "look.png"}),
                larger);
    for (const std::string& file : scratch_.Files()) {
      if (file != "in.npy") std::filesystem::remove(scratch_ / file);
    }
  }
  ExpectError(run("1", 5'000'000, out, {}), 3, {"5.0 MB"});
  EXPECT_EQ(scratch_.Files(), std::vector<std::string>{"in.npy"});
}

TEST_F(FoveaTest, TiledThreadedAndBudgetedRunsGiveTheSameBytes) {
  auto run = [&](const std::string& name, std::vector<std::string> more) {
    std::vector<std::string> words = {"run",         Model(),    kSample + "/nuclei.tif", "-o", scratch_ / name,
                                      "--normalize", "zero-mean"};
    words.insert(words.end(), more.begin(), more.end());
    const ProcessResult r = Run(words);
    EXPECT_EQ(r.exit_code, 0) << r.err;
    return ReadValues(scratch_ / name);
  };
  const std::vector<float> whole = run("whole.npy", {"--threads", "1"});
  ASSERT_EQ(whole.size(), 512u * 512u);
  EXPECT_EQ(whole, run("two.npy", {"--threads", "2"}));
  EXPECT_EQ(whole, run("tiles.npy", {"--tile", "104x72"}));
  EXPECT_EQ(whole, run("budget.npy", {"--memory", "60MB", "--threads", "2"}));
}

TEST_F(FoveaTest, CancelLeavesNothing) {
  // A large image, so that the run lasts long enough to be interrupted at several moments.
  const int64_t side = 3000;
  std::vector<float> values(static_cast<size_t>(side * side), 1.0f);
  ASSERT_TRUE(formats::WriteNpy(scratch_ / "large.npy", DType::kFloat32, {side, side}, values.data()).ok());
  for (const int after_ms : {60, 250, 700}) {
    const ProcessResult r = RunProcess(
        {kFovea, "run", Model(), scratch_ / "large.npy", "-o", scratch_ / "o.tif", "--threads", "1"}, {}, after_ms);
    EXPECT_EQ(r.exit_code, 130) << r.err;
    EXPECT_EQ(scratch_.Files(), std::vector<std::string>{"large.npy"});
  }
}

TEST_F(FoveaTest, InputIsNeverOverwritten) {
  std::filesystem::copy_file(kSample + "/nuclei.tif", scratch_ / "in.tif");
  ExpectError(Run({"run", Model(), scratch_ / "in.tif", "-o", scratch_ / "in.tif"}), 2, {"is the input itself"});
  EXPECT_EQ(std::filesystem::file_size(scratch_ / "in.tif"), std::filesystem::file_size(kSample + "/nuclei.tif"));
}

TEST_F(FoveaTest, FoldersKeepNamesAndGoOnAfterABadFile) {
  std::filesystem::create_directory(scratch_ / "in");
  std::filesystem::copy_file(kSample + "/unseen/image_0.tif", scratch_ / "in/a.tif");
  std::filesystem::copy_file(kSample + "/unseen/image_1.tif", scratch_ / "in/c.tif");
  std::ofstream(scratch_ / "in/b.tif") << "this is no image";
  std::ofstream(scratch_ / "in/notes.txt") << "nor this";
  const ProcessResult r = Run({"run", Model(), scratch_ / "in", "-o", scratch_ / "out", "--json"});
  EXPECT_EQ(r.exit_code, 1) << r.err;
  const json report = json::parse(r.out);
  ASSERT_EQ(report["files"].size(), 3u);
  EXPECT_TRUE(report["files"][1].contains("error"));
  EXPECT_TRUE(std::filesystem::exists(scratch_ / "out/a.tif"));
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "out/b.tif"));
  EXPECT_TRUE(std::filesystem::exists(scratch_ / "out/c.tif"));
}

TEST_F(FoveaTest, SizesThatDoNotSuitAreMirroredAndCroppedBack) {
  // 61 x 45 becomes 64 x 48 and comes back; the result's corner equals that of the mirrored image run as it is.
  const int64_t rows = 61, cols = 45, full_rows = 64, full_cols = 48;
  auto value = [](int64_t y, int64_t x) { return static_cast<float>((y * 37 + x * 11) % 101) / 50.0f - 1.0f; };
  auto mirror = [](int64_t i, int64_t n) { return i < n ? i : 2 * n - 2 - i; };
  std::vector<float> small, large;
  for (int64_t y = 0; y < rows; ++y) {
    for (int64_t x = 0; x < cols; ++x) small.push_back(value(y, x));
  }
  for (int64_t y = 0; y < full_rows; ++y) {
    for (int64_t x = 0; x < full_cols; ++x) large.push_back(value(mirror(y, rows), mirror(x, cols)));
  }
  ASSERT_TRUE(formats::WriteNpy(scratch_ / "small.npy", DType::kFloat32, {rows, cols}, small.data()).ok());
  ASSERT_TRUE(
      formats::WriteNpy(scratch_ / "large.npy", DType::kFloat32, {1, 1, full_rows, full_cols}, large.data()).ok());
  ASSERT_EQ(Run({"run", Model(), scratch_ / "small.npy", "-o", scratch_ / "out.npy"}).exit_code, 0);
  ASSERT_EQ(Run({"tensor", Model(), scratch_ / "large.npy", "-o", scratch_ / "t"}).exit_code, 0);
  const std::vector<float> cropped = ReadValues(scratch_ / "out.npy"),
                           whole = ReadValues(scratch_ / "t/probability.npy");
  ASSERT_EQ(cropped.size(), small.size());
  ASSERT_EQ(whole.size(), large.size());
  for (int64_t y = 0; y < rows; ++y) {
    for (int64_t x = 0; x < cols; ++x) {
      ASSERT_EQ(cropped[static_cast<size_t>(y * cols + x)], whole[static_cast<size_t>(y * full_cols + x)])
          << y << " " << x;
    }
  }
}

TEST_F(FoveaTest, StacksAndChannelsAreIterated) {
  const int64_t t = 2, z = 2, c = 2, side = 32;
  formats::ImageInfo info;
  info.t = t;
  info.z = z;
  info.c = c;
  info.y = info.x = side;
  info.axes = "TZCYX";
  info.channel_names = {"DAPI", "GFP"};
  info.pixel_size.x = info.pixel_size.y = 0.5;
  info.pixel_size.z = 2;
  info.pixel_size.unit = "µm";
  formats::WriteOptions options;
  options.dtype = DType::kUInt16;
  auto writer = formats::CreateImage(scratch_ / "stack.tif", info, options);
  ASSERT_TRUE(writer.ok());
  std::vector<float> plane(static_cast<size_t>(side * side));
  for (int64_t p = 0; p < t * z * c; ++p) {
    for (size_t i = 0; i < plane.size(); ++i) plane[i] = static_cast<float>((i * 7 + static_cast<size_t>(p) * 13) % 97);
    formats::Region region;
    region.t = p / (z * c);
    region.z = p / c % z;
    region.c = p % c;
    region.height = region.width = side;
    ASSERT_TRUE((*writer)->WriteFloat(region, plane.data(), 1).ok());
  }
  ASSERT_TRUE((*writer)->Finish().ok());
  const ProcessResult r = Run({"run", Model(), scratch_ / "stack.tif", "-o", scratch_ / "out.tif"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  auto reader = formats::OpenImage(scratch_ / "out.tif");
  ASSERT_TRUE(reader.ok());
  const formats::ImageInfo& out = (*reader)->info();
  EXPECT_EQ(out.t, t);
  EXPECT_EQ(out.z, z);
  EXPECT_EQ(out.c, c);
  EXPECT_EQ(out.channel_names, info.channel_names);
  EXPECT_NEAR(out.pixel_size.z, 2, 1e-9);
  ASSERT_EQ(Run({"run", Model(), scratch_ / "stack.tif", "-o", scratch_ / "one.tif", "--channel", "2"}).exit_code, 0);
  auto one = formats::OpenImage(scratch_ / "one.tif");
  ASSERT_TRUE(one.ok());
  EXPECT_EQ((*one)->info().c, 1);
  std::vector<float> a(plane.size()), b(plane.size());
  formats::Region region;
  region.t = region.z = 1;
  region.height = region.width = side;
  ASSERT_TRUE(formats::ReadAsFloat(**one, region, a.data(), 1).ok());
  region.c = 1;
  ASSERT_TRUE(formats::ReadAsFloat(**reader, region, b.data(), 1).ok());
  EXPECT_EQ(a, b);
  ExpectError(Run({"run", Model(), scratch_ / "stack.tif", "-o", scratch_ / "x.tif", "--channel", "3"}), 2,
              {"2 channels"});
}

TEST_F(FoveaTest, TensorWritesSourceOrderAndNames) {
  const ProcessResult r = Run({"tensor", Model(), "image=" + kSample + "/input.npy", "-o", scratch_ / "t", "--json"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json report = json::parse(r.out);
  EXPECT_EQ(report["outputs"][0]["dims"], (std::vector<int64_t>{1, 1, 64, 64}));
  const std::vector<float> got = ReadValues(scratch_ / "t/probability.npy"),
                           want = ReadValues(kSample + "/expected.npy");
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], 1e-4);
  ExpectError(Run({"tensor", Model(), "imag=none.npy", "-o", scratch_ / "t"}), 2, {"'image'"});
  const ProcessResult renamed = Run({"tensor", Model(), "imag=" + kSample + "/input.npy", "-o", scratch_ / "u"});
  EXPECT_EQ(renamed.exit_code, 0);
  EXPECT_NE(renamed.err.find("the only input, 'image'"), std::string::npos);
  ExpectError(Run({"tensor", Model(), "-o", scratch_ / "t"}), 2, {"'image' is missing"});
  ASSERT_TRUE(formats::WriteNpy(scratch_ / "flat.npy", DType::kFloat32, {4096}, std::vector<float>(4096).data()).ok());
  ExpectError(Run({"tensor", Model(), scratch_ / "flat.npy", "-o", scratch_ / "t"}), 2, {"flat.npy", "axes"});
}

TEST_F(FoveaTest, InfoPlanAndBenchAsJson) {
  const ProcessResult info = Run({"info", Model(), "--size", "256x256", "--json"});
  ASSERT_EQ(info.exit_code, 0) << info.err;
  const json about = json::parse(info.out);
  EXPECT_EQ(about["inputs"][0]["name"], "image");
  EXPECT_EQ(about["outputs"][0]["name"], "probability");
  EXPECT_GT(about["gflop"].get<double>(), 0);
  EXPECT_EQ(about["content_hash"].get<std::string>().size(), 32u);
  EXPECT_EQ(Run({"info", Model(), "--ops"}).exit_code, 0);
  ExpectError(Run({"info", Model(), "--size", "250x256"}), 2, {"250", "multiple of 8"});

  const ProcessResult plan = Run({"plan", Model(), "--size", "512x512", "--threads", "2", "--json"});
  ASSERT_EQ(plan.exit_code, 0) << plan.err;
  const json planned = json::parse(plan.out);
  EXPECT_GT(planned["arena_bytes"].get<uint64_t>(), 0u);
  ExpectError(Run({"plan", Model(), "--size", "512x512", "--memory", "100kB"}), 3, {});
  EXPECT_NE(Run({"plan", Model()}).out.find("is the least that does"), std::string::npos);
  ExpectError(Run({"plan", Model(), kSample + "/nuclei.tif", "--size", "64x64"}), 2, {"--size", "IMAGE"});
  ExpectError(Run({"plan", Model(), "--size", "64x64", "--dtype", "octal"}), 2, {"octal"});

  const ProcessResult bench =
      Run({"bench", Model(), "--size", "64x64", "--threads", "1", "--repeat", "2", "--json", "--profile"});
  ASSERT_EQ(bench.exit_code, 0) << bench.err;
  const json timed = json::parse(bench.out);
  for (const char* key :
       {"min_ms", "median_ms", "load_ms", "peak_rss_bytes", "gflop", "threads", "isa", "precision", "profile"}) {
    EXPECT_TRUE(timed.contains(key)) << key;
  }
}

// The plan of a run is the run's own, whatever its options.
TEST_F(FoveaTest, PlansPredictWhatRunsDo) {
  const std::string in = scratch_ / "in.npy";
  const int64_t rows = 700, cols = 900;
  std::vector<float> values(static_cast<size_t>(rows * cols));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * i % 613) / 300.0f - 1.0f;
  ASSERT_TRUE(formats::WriteNpy(in, DType::kFloat32, {rows, cols}, values.data()).ok());
  struct Case {
    std::string out;
    std::vector<std::string> options;
  };
  const std::string look = scratch_ / "look.png";
  const std::vector<Case> cases = {
      {"o.tif", {}},
      {"o.tif", {"--memory", "60MB"}},
      {"o.tif", {"--memory", "60MB", "--labels"}},
      {"o.tif", {"--labels", "--overlay", look}},
      {"o.tif", {"--pre", "scale_range(min_percentile=1, max_percentile=99)", "--post", "threshold(method=otsu)"}},
      {"o.ome.tif", {"--pyramid", "--compression", "deflate", "--memory", "60MB"}},
      {"o.png", {"--dtype", "uint16"}},
      {"o.npy", {"--dtype", "float64", "--tile", "64x96"}},
      {"o.tif", {"--border", "jdll", "--overlap", "16", "--patch", "128x128"}}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.out + (c.options.empty() ? "" : " " + c.options.back()));
    const auto peak = [&](std::vector<std::string> words) {
      words.insert(words.end(), {"-o", scratch_ / c.out, "--threads", "2", "--json"});
      words.insert(words.end(), c.options.begin(), c.options.end());
      const ProcessResult r = Run(words);
      EXPECT_EQ(r.exit_code, 0) << r.err;
      return r.exit_code == 0 ? json::parse(r.out)["predicted_peak_bytes"].get<double>() : 0;
    };
    const double run = peak({"run", Model(), in, "--no-record"}), plan = peak({"plan", Model(), in});
    // Two processes do not have the same pages resident.
    EXPECT_NEAR(plan, run, 1e6);
    EXPECT_NEAR(peak({"plan", Model(), "--size", "700x900"}), run, 1e6);
  }
  // What does not fit is refused with the number that a run names, and that number does.
  const ProcessResult run = Run({"run", Model(), in, "-o", scratch_ / "o.tif", "--labels", "--memory", "20MB"});
  const ProcessResult plan = Run({"plan", Model(), in, "--labels", "--memory", "20MB"});
  ExpectError(plan, 3, {"in.npy", "needs at least --memory "});
  EXPECT_NEAR(static_cast<double>(SmallestBudget(plan.err)), static_cast<double>(SmallestBudget(run.err)), 1e6);
  const ProcessResult free = Run({"plan", Model(), in, "--labels", "--json"});
  ASSERT_EQ(free.exit_code, 0) << free.err;
  EXPECT_NEAR(json::parse(free.out)["smallest_budget_bytes"].get<double>(),
              static_cast<double>(SmallestBudget(run.err)), 1e6);
  for (const std::string& file : scratch_.Files()) EXPECT_EQ(file.find(".part"), std::string::npos) << file;
}

// What was not taken does not keep to the budget, or is slower; what is printed bears it out.
TEST_F(FoveaTest, PlanSaysWhyTheOthersWereNotTaken) {
  const std::vector<std::string> words = {"plan", Model(), "--size", "512x512", "--threads", "2", "--json", "--memory"};
  const ProcessResult free = Run({words.begin(), words.end() - 1});
  ASSERT_EQ(free.exit_code, 0) << free.err;
  const double least = json::parse(free.out)["smallest_budget_bytes"].get<double>() / 1e6;
  int slower = 0;
  for (const double more : {4.0, 6.0, 8.0, 12.0}) {
    const double megabytes = least + more;
    std::vector<std::string> budgeted = words;
    budgeted.push_back(std::to_string(megabytes) + "MB");
    const ProcessResult r = Run(budgeted);
    ASSERT_EQ(r.exit_code, 0) << r.err;
    const json plan = json::parse(r.out);
    for (const json& other : plan["alternatives"]) {
      const std::string why = other["why_not"];
      const double peak = other["predicted_peak_bytes"];
      if (why == "more than the budget") {
        EXPECT_GT(peak, 1e6 * megabytes) << other;
      } else {
        EXPECT_LE(peak, 1e6 * megabytes) << other;
      }
      if (why.find("slower") == std::string::npos) continue;
      EXPECT_GT(other["predicted_seconds"].get<double>(), plan["predicted_seconds"].get<double>()) << other;
      ++slower;
    }
  }
  EXPECT_GT(slower, 0);
  // A budget that was named is what a refusal is about, even where no machine has what labels would need.
  ExpectError(Run({"plan", Model(), "--size", "100000x100000", "--labels", "--memory", "512MB"}), 3,
              {"needs at least --memory ", "the budget is 512 MB"});
}

// The sample network's example holds about -1 to 4; 16-bit counts as they are do not suit it.
TEST_F(FoveaTest, ValuesFarFromTheExamplesAreTold) {
  const std::string in = scratch_ / "in.npy";
  std::vector<uint16_t> values(128 * 128);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint16_t>(i * i % 60000);
  ASSERT_TRUE(formats::WriteNpy(in, DType::kUInt16, {128, 128}, values.data()).ok());
  const auto notes = [&](std::vector<std::string> more) {
    std::vector<std::string> words = {"run", Model(), in, "-o", scratch_ / "o.tif", "--no-record", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const ProcessResult r = Run(words);
    EXPECT_EQ(r.exit_code, 0) << r.err;
    return json::parse(r.out).value("notes", json::array()).dump();
  };
  EXPECT_NE(notes({}).find("the network was given values from 0 to 6e+04, its own example has"), std::string::npos)
      << notes({});
  EXPECT_EQ(notes({"--normalize", "zero-mean"}).find("its own example"), std::string::npos);
  EXPECT_NE(notes({"--post", "none", "--pre", "scale_linear(gain=0.0000001)"}).find("its own example"),
            std::string::npos);
}

TEST_F(FoveaTest, TestFailsWhenTheResultIsOff) {
  std::vector<float> wrong = ReadValues(kSample + "/expected.npy");
  ASSERT_EQ(wrong.size(), 4096u);
  wrong[17] += 0.1f;
  ASSERT_TRUE(formats::WriteNpy(scratch_ / "wrong.npy", DType::kFloat32, {1, 1, 64, 64}, wrong.data()).ok());
  const ProcessResult converted =
      RunProcess({kConvert, kSample + "/nuclei.onnx", "-o", scratch_ / "wrong.fov", "--test-input",
                  kSample + "/input.npy", "--test-output", scratch_ / "wrong.npy", "--quiet"});
  EXPECT_EQ(converted.exit_code, 1) << converted.err;
  const ProcessResult r = Run({"test", scratch_ / "wrong.fov", "--json"});
  EXPECT_EQ(r.exit_code, 1);
  EXPECT_FALSE(json::parse(r.out)["passed"].get<bool>());
  ASSERT_EQ(RunProcess({kConvert, kSample + "/nuclei.onnx", "-o", scratch_ / "plain.fov", "--quiet"}).exit_code, 0);
  ExpectError(Run({"test", scratch_ / "plain.fov"}), 2, {"no self-test"});
}

}  // namespace
}  // namespace fovea::testing
