// `fovea run` on images that matter: interrupted, larger than its memory, in folders.
#include <tiffio.h>

#include <thread>

#include "formats/image/image.h"
#include "tests/tools/run_testing.h"

namespace fovea::testing {
namespace {

using nlohmann::json;

// The session of one file is not in memory beside that of the next.
TEST_F(RunTest, FilesOfOtherSizesDoNotShareTheirMemory) {
  fs::create_directory(scratch_ / "in");
  Picture("in/a.npy", 1400, 1500);
  Picture("in/b.npy", 90, 100);
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--memory", "80MB"}}) {
    std::vector<std::string> words = {"run", Model(), scratch_ / "in", "-o", scratch_ / "out", "--no-record", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const ProcessResult r = Run(words);
    ASSERT_EQ(r.exit_code, 0) << r.err;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    for (const json& file : json::parse(r.out)["files"]) {
      EXPECT_LE(file["measured_peak_bytes"].get<double>(), file["predicted_peak_bytes"].get<double>()) << file;
    }
#endif
  }
}

TEST_F(RunTest, EndsPromptlyWhenInterrupted) {
  const std::string in = Picture("in.npy", 6000, 6000);
  double least = 1e9;
  for (const int after : {80, 300, 900, 300, 900, 80}) {
    const ProcessResult r = RunProcess({kFovea, "run", Model(), in, "-o", scratch_ / "o.tif", "--normalize",
                                        "percentile", "--labels", "--compression", "deflate"},
                                       {}, after);
    EXPECT_EQ(r.exit_code, 130) << r.err;
    EXPECT_EQ(scratch_.Files(), std::vector<std::string>{"in.npy"});
    least = std::min(least, r.ms_after_signal);
    EXPECT_LT(r.ms_after_signal, 1500);  // other programs may keep us from running
  }
  EXPECT_LT(least, 200);
}

// A tight budget makes tiles of few columns, so that a file grows in thousands of places; freeing them takes seconds on
// some disks, which is not waited for. Then nothing of the run is left, and what is said is so.
TEST_F(RunTest, EndsPromptlyWithATightBudgetAndSaysWhatIsKept) {
  const std::string in = Picture("in.npy", 5120, 5120);
  std::vector<std::string> words = {kFovea,        "run",       Model(),     in,  "-o",       scratch_ / "o.tif",
                                    "--normalize", "zero-mean", "--threads", "2", "--memory", "26MB"};
  double least = 1e9;
  bool told = false;
  for (const int after : {300, 900, 1500}) {
    const ProcessResult r = RunProcess(words, {}, after);
    EXPECT_EQ(r.exit_code, 130) << r.err;
    // At first nothing has begun that could be kept.
    EXPECT_NE(r.err.find("cancelled"), std::string::npos) << r.err;
    told |= r.err.find("cancelled; nothing kept (start with --resume") != std::string::npos;
    EXPECT_EQ(scratch_.Files(), std::vector<std::string>{"in.npy"});
    least = std::min(least, r.ms_after_signal);
  }
  EXPECT_TRUE(told);
  EXPECT_LT(least, 200);
}

TEST_F(RunTest, ConstantTilesAreComputedOnce) {
  const std::string in = Picture("in.npy", 900, 1200, true);
  auto run = [&](const std::string& name, std::vector<std::string> more) {
    std::vector<std::string> words = {"run", Model(), in, "-o", scratch_ / name, "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const ProcessResult r = Run(words);
    EXPECT_EQ(r.exit_code, 0) << r.err;
    return json::parse(r.out);
  };
  EXPECT_EQ(run("whole.tif", {})["tiles_reused"].get<int>(), 0);
  const json tiled = run("tiled.tif", {"--tile", "64x64"});
  // 15 x 19 tiles; borders, the middle, what sees them and the first of the background are computed.
  EXPECT_GT(tiled["tiles_reused"].get<int>(), 40);
  EXPECT_LT(tiled["tiles_reused"].get<int>(), 15 * 19 - 2 * (15 + 17));
  EXPECT_TRUE(BytesOf(scratch_ / "whole.tif") == BytesOf(scratch_ / "tiled.tif"));
  const json banded = run("banded.tif", {"--tile", "96x64", "--bands", "8", "--threads", "2"});
  EXPECT_GT(banded["tiles_reused"].get<int>(), 20);
  EXPECT_TRUE(BytesOf(scratch_ / "whole.tif") == BytesOf(scratch_ / "banded.tif"));
}

TEST_F(RunTest, WithoutABudgetTheMachineIsTheBudget) {
  const std::string in = Picture("in.npy", 2200, 2200);
  auto limited = [&](const std::string& kilobytes, const std::string& out) {
    return RunProcess({"/bin/sh", "-c",
                       "ulimit -d " + kilobytes + " && exec " + kFovea + " run --no-record --json " + Model() + " " +
                           in + " -o " + (scratch_ / out)});
  };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers take more memory than programs";
#endif
  const ProcessResult r = limited("60000", "o.tif");
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json report = json::parse(r.out);
  EXPECT_LE(report["measured_peak_bytes"].get<uint64_t>(), 60'000u * 1024);
  EXPECT_NE(report["notes"].dump().find("kept to"), std::string::npos) << r.out;
  const ProcessResult free = Run({"run", Model(), in, "-o", scratch_ / "free.tif", "--no-record", "--json"});
  ASSERT_EQ(free.exit_code, 0) << free.err;
  EXPECT_GT(json::parse(free.out)["measured_peak_bytes"].get<uint64_t>(), 60'000u * 1024);
  EXPECT_EQ(free.out.find("kept to"), std::string::npos) << free.out;
  EXPECT_TRUE(BytesOf(scratch_ / "o.tif") == BytesOf(scratch_ / "free.tif"));
}

TEST_F(RunTest, ProgressAsJsonLines) {
  const std::string in = Picture("in.npy", 300, 400);
  const ProcessResult r = Run({"run", Model(), in, "-o", scratch_ / "o.tif", "--tile", "64x64", "--isa", "reference",
                               "--progress", "json", "--quiet"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_TRUE(r.out.empty());
  std::istringstream lines(r.err);
  std::vector<json> events;
  for (std::string line; std::getline(lines, line);) events.push_back(json::parse(line));
  ASSERT_GE(events.size(), 2u);
  EXPECT_EQ(events[0]["event"], "begin");
  double before = 0;
  for (size_t i = 1; i < events.size(); ++i) {
    for (const char* key : {"fraction", "elapsed_seconds", "megapixels_per_second", "memory_bytes", "peak_memory_bytes",
                            "tile", "tiles", "sample", "samples"}) {
      ASSERT_TRUE(events[i].contains(key)) << key;
    }
    EXPECT_GE(events[i]["fraction"].get<double>(), before);
    before = events[i]["fraction"].get<double>();
    EXPECT_LE(before, 1);
  }
  EXPECT_EQ(before, 1);
  ExpectError(Run({"run", Model(), in, "-o", scratch_ / "o.tif", "--progress", "loud"}), 2, {"loud", "json"});
}

TEST_F(RunTest, PyramidOfTilesWithinTheBudget) {
  const std::string in = Picture("in.npy", 1500, 2100);
  const ProcessResult r = Run({"run", Model(), in, "-o", scratch_ / "o.ome.tif", "--pyramid", "--compression",
                               "deflate", "--memory", "60MB", "--json"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LE(json::parse(r.out)["measured_peak_bytes"].get<uint64_t>(), 60'000'000u);
#endif
  ASSERT_EQ(Run({"run", Model(), in, "-o", scratch_ / "plain.npy"}).exit_code, 0);
  TIFF* tiff = TIFFOpen((scratch_ / "o.ome.tif").c_str(), "r");
  ASSERT_NE(tiff, nullptr);
  uint16_t levels = 0;
  void* offsets = nullptr;
  EXPECT_NE(TIFFIsTiled(tiff), 0);
  EXPECT_EQ(TIFFGetField(tiff, TIFFTAG_SUBIFD, &levels, &offsets), 1);
  EXPECT_EQ(levels, 3);  // 2100 -> 1050 -> 525 -> 263
  TIFFClose(tiff);
  auto reader = formats::OpenImage(scratch_ / "o.ome.tif");
  ASSERT_TRUE(reader.ok());
  std::vector<float> got(1500 * 2100);
  formats::Region all;
  all.height = 1500;
  all.width = 2100;
  ASSERT_TRUE((*reader)->Read(all, got.data()).ok());
  const auto plain = formats::ReadNpy(scratch_ / "plain.npy");
  ASSERT_TRUE(plain.ok());
  EXPECT_TRUE(got == formats::ToFloatVector(*plain));
  ExpectError(Run({"run", Model(), in, "-o", scratch_ / "o.png", "--pyramid", "--dtype", "uint8"}), 2,
              {"o.png", "TIFF"});
}

TEST_F(RunTest, DisksThatAreFullAndFoldersThatTakeNothing) {
  const std::string in = Picture("in.npy", 600, 600);
  auto shell = [&](const std::string& before, const std::string& more) {
    return RunProcess(
        {"/bin/sh", "-c", before + " exec " + kFovea + " run --no-record " + Model() + " " + in + " " + more});
  };
  // 1.4 MB of output where no file may be larger than 512 kB (1000 blocks).
  for (const char* kind : {"o.tif", "o.npy", "o.tif --compression deflate"}) {
    const ProcessResult r = shell("ulimit -f 1000;", "-o " + (scratch_ / kind));
    ExpectError(r, 2, {"cannot", "o."});
    EXPECT_EQ(scratch_.Files(), std::vector<std::string>{"in.npy"}) << kind;
  }
  ExpectError(shell("", "-o /proc/o.tif"), 2, {"/proc/o.tif"});
  ExpectError(shell("", "-o /dev/full"), 2, {"/dev/full"});
  const ProcessResult told = shell("", "-o " + (scratch_ / "o.tif") + " --json > /dev/full");
  ExpectError(told, 2, {"printed"});
  EXPECT_TRUE(fs::exists(scratch_ / "o.tif"));
  fs::remove(scratch_ / "o.tif");
  // The summary goes to a reader that is gone.
  const ProcessResult piped = RunProcess(
      {"/bin/sh", "-c", kFovea + " run --no-record " + Model() + " " + in + " -o " + (scratch_ / "o.tif") + " | true"});
  EXPECT_EQ(piped.exit_code, 0);
  EXPECT_TRUE(fs::exists(scratch_ / "o.tif"));
}

TEST_F(RunTest, AnInputThatDisappears) {
  const std::string in = Picture("in.npy", 700, 900);
  std::thread thief([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    fs::resize_file(in, 200);
  });
  const ProcessResult r = RunProcess(Slow(in, scratch_ / "o.tif"));
  thief.join();
  if (r.exit_code == 0) GTEST_SKIP() << "read before it disappeared";
  ExpectError(r, 2, {"in.npy"});
  EXPECT_EQ(scratch_.Files(), std::vector<std::string>{"in.npy"});
}

// Files of a set whose description was not copied with them are processed one by one, which is said of each.
TEST_F(RunTest, FilesOfIncompleteSetsAreTold) {
  const auto write = [&](const std::string& name, const std::string& description) {
    TIFF* tiff = TIFFOpen((scratch_ / name).c_str(), "w");
    ASSERT_NE(tiff, nullptr);
    constexpr int kSide = 64;
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, kSide);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, kSide);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 8);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(tiff, TIFFTAG_IMAGEDESCRIPTION, description.c_str());
    std::vector<uint8_t> row(kSide);
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) row[static_cast<size_t>(x)] = static_cast<uint8_t>((x * x + 7 * y) % 250);
      TIFFWriteScanline(tiff, row.data(), static_cast<uint32_t>(y), 0);
    }
    TIFFClose(tiff);
  };
  const std::string told =
      "it is part of a set of files that 'set.companion.ome' describes, which is not beside it: this file's own pages "
      "alone are read";
  for (const char* z : {"0", "1"}) {
    write(std::string("z") + z + ".ome.tif",
          std::string("<OME UUID=\"u") + z + "\"><BinaryOnly MetadataFile=\"set.companion.ome\" UUID=\"u\"/></OME>");
  }
  std::vector<std::string> words = {
      "run", Model(), scratch_ / "z0.ome.tif", "-o", scratch_ / "o.tif", "--normalize", "zero-mean", "--no-record"};
  ProcessResult r = Run(words);
  EXPECT_EQ(r.exit_code, 0) << r.err;
  EXPECT_NE(r.out.find("  note: " + told + "\n"), std::string::npos) << r.out;
  words.push_back("--json");
  r = Run(words);
  EXPECT_EQ(json::parse(r.out)["notes"], json::array({told})) << r.out;
  // Complete: both planes, and nothing is said.
  std::ofstream(scratch_ / "set.companion.ome")
      << "<OME UUID=\"u\"><Image><Pixels DimensionOrder=\"XYZCT\" SizeX=\"64\" SizeY=\"64\" SizeZ=\"2\" SizeC=\"1\" "
         "SizeT=\"1\"><TiffData FirstZ=\"0\" IFD=\"0\"><UUID FileName=\"z0.ome.tif\">u0</UUID></TiffData>"
         "<TiffData FirstZ=\"1\" IFD=\"0\"><UUID FileName=\"z1.ome.tif\">u1</UUID></TiffData></Pixels></Image></OME>";
  r = Run(words);
  EXPECT_EQ(r.exit_code, 0) << r.err;
  EXPECT_FALSE(json::parse(r.out).contains("notes")) << r.out;
  const auto result = formats::OpenImage(scratch_ / "o.tif");
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ((*result)->info().z, 2);
  // Without a file that the description names there is no image.
  fs::remove(scratch_ / "z1.ome.tif");
  ExpectError(Run(words), 2, {"z0.ome.tif' is part of a set of files, and 'z1.ome.tif' is not beside it"});
}

TEST_F(RunTest, WordsThatDoNotFitAreNamed) {
  const std::string image = kSample + "/nuclei.tif";
  ExpectError(Run({"run"}), 2, {"MODEL and INPUT are missing"});
  ExpectError(Run({"run", Model()}), 2, {"fovea run: INPUT is missing"});
  ExpectError(Run({"run", image, Model()}), 2, {"nuclei.tif: it is a TIFF image; MODEL comes first"});
  ExpectError(Run({"run", Model(), image, "-o", scratch_ / "o.tif", "--overlay", scratch_ / "ov.jpg"}), 2,
              {"ov.jpg", "PNG"});
  EXPECT_TRUE(scratch_.Files().empty());
}

}  // namespace
}  // namespace fovea::testing
