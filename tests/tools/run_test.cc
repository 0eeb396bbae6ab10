// `fovea run` on images that matter: interrupted, killed and gone on with, larger than its memory, in folders, on disks
// that are full.
#include <signal.h>
#include <tiffio.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "formats/image/image.h"
#include "formats/image/npy.h"
#include "tests/tools/program_test.h"

namespace fovea::testing {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::string BytesOf(const std::string& path) {
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

struct ResumeCase {
  std::string name, out;
  std::vector<std::string> more;
};

const std::string kPicture = "an overlay beside the result";

class ResumeTest : public RunTest, public ::testing::WithParamInterface<ResumeCase> {};

TEST_P(ResumeTest, KilledAtAnyPlaceAndGoneOnWithGivesTheSameBytes) {
  const std::string in = Picture("in.npy", 520, 720), out = scratch_ / GetParam().out;
  fs::create_directory(scratch_ / "once");
  const std::string once = scratch_ / ("once/" + GetParam().out);
  std::vector<std::string> files{"in.npy", GetParam().out, "once"};
  const auto words_into = [&](const std::string& folder) {
    std::vector<std::string> words = GetParam().more;
    for (std::string& word : words) {
      if (word == kPicture) word = folder + "p.png";
    }
    return words;
  };
  const ProcessResult whole = RunProcess(Slow(in, once, words_into(scratch_ / "once/")));
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  const double seconds = json::parse(whole.out)["seconds"].get<double>();
  std::vector<std::string> more = words_into(scratch_ / "");
  more.push_back("--resume");
  std::mt19937 random(5);
  int killed = 0, resumed = 0;
  for (int attempt = 0; attempt < 40; ++attempt) {
    // Kills come after the first record of a run (one a second), so that each brings the run forward.
    const int after = killed < 3 ? 1300 + static_cast<int>(random() % static_cast<unsigned>(400 + 200 * seconds)) : -1;
    const ProcessResult r = RunProcess(Slow(in, out, more), {}, after, SIGKILL);
    if (r.exit_code == 128 + SIGKILL) {
      ++killed;
      EXPECT_FALSE(fs::exists(out));
      continue;
    }
    ASSERT_EQ(r.exit_code, 0) << r.err;
    resumed = json::parse(r.out).contains("resumed_from") ? 1 : 0;
    break;
  }
  EXPECT_TRUE(BytesOf(out) == BytesOf(once));
  if (seconds > 3) {  // a machine that is faster may be done before it can be killed
    EXPECT_EQ(resumed, 1);
  }
  if (more != GetParam().more && fs::exists(scratch_ / "once/p.png")) {
    files.push_back("p.png");
    EXPECT_TRUE(BytesOf(scratch_ / "p.png") == BytesOf(scratch_ / "once/p.png"));
  }
  EXPECT_EQ(scratch_.Files(), files);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, ResumeTest,
    ::testing::Values(ResumeCase{"Strips", "o.tif", {}},
                      ResumeCase{"Steps",
                                 "o.tif",
                                 {"--pre", "zero_mean_unit_variance(mode=per_sample)", "--post",
                                  "sigmoid | scale_linear(gain=100)"}},
                      ResumeCase{"Labels", "o.tif", {"--labels", "--normalize", "zero-mean", "--overlay", kPicture}},
                      ResumeCase{"LabelsInPng", "o.png", {"--labels", "--normalize", "zero-mean"}},
                      ResumeCase{"Overlay", "o.tif", {"--overlay", kPicture}},
                      ResumeCase{"Pyramid", "o.ome.tif", {"--compression", "deflate", "--pyramid"}}),
    [](const auto& test) { return test.param.name; });

// What an interrupted run left is gone or cut off: said, with what to do, rather than a result with holes.
TEST_F(RunTest, WhatWasLeftIsDamaged) {
  const std::string in = Picture("in.npy", 520, 720), out = scratch_ / "o.tif";
  const std::vector<std::string> words = Slow(in, out, {"--labels", "--resume"});
  const std::string held = scratch_ / ".o.tif.held.part", part = scratch_ / ".o.tif.part";
  for (int after = 1500; after < 12000 && !fs::exists(held); after += after / 2) RunProcess(words, {}, after, SIGKILL);
  if (!fs::exists(held) || !fs::exists(part + ".journal")) GTEST_SKIP() << "done before it was killed";
  const auto refused = [&words](const std::string& name) {
    const ProcessResult r = RunProcess(words);
    ExpectError(r, 2, {name, "; run without --resume to begin anew"});
    EXPECT_EQ(r.err.find("goes on from here"), std::string::npos) << r.err;
  };
  fs::resize_file(held, fs::file_size(held) / 2);
  refused(".o.tif.held.part");
  fs::remove(held);
  refused(".o.tif.held.part");
  fs::remove(part);
  refused(".o.tif.part");
  EXPECT_EQ(Run({"run", Model(), in, "-o", out, "--labels"}).exit_code, 0);
  EXPECT_EQ(scratch_.Files(), (std::vector<std::string>{"in.npy", "o.tif"}));
}

// The tiles of the interrupted run are those that its budget chose; what goes on keeps to it, too.
TEST_F(RunTest, KilledUnderABudgetAndGoneOnWith) {
  const std::string in = Picture("in.npy", 400, 600), out = scratch_ / "o.tif";
  auto words = [&](const std::string& budget) {
    return std::vector<std::string>{kFovea,   "run",         Model(),     in,          "-o",
                                    out,      "--isa",       "reference", "--threads", "2",
                                    "--json", "--no-record", "--resume",  "--memory",  budget};
  };
  const ProcessResult refused = RunProcess(words("1MB"));
  const size_t at = refused.err.find("--memory ");
  ASSERT_NE(at, std::string::npos) << refused.err;
  const std::string least = refused.err.substr(at + 9, refused.err.find("MB", at) + 2 - at - 9);
  for (int after = 1500; after < 20000 && !fs::exists(scratch_ / ".o.tif.part.journal"); after += after / 2) {
    RunProcess(words(least), {}, after, SIGKILL);
  }
  if (!fs::exists(scratch_ / ".o.tif.part.journal")) GTEST_SKIP() << "done before it was killed";
  // Two starts do not have the same pages resident; the environment's are those that a test can add.
  std::vector<std::string> more;
  for (int i = 0; i < 7; ++i) more.push_back("MORE_" + std::to_string(i) + "=" + std::string(100'000, 'x'));
  const ProcessResult r = RunProcess(words(least), more);
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const json report = json::parse(r.out);
  EXPECT_TRUE(report.contains("resumed_from"));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LE(report["measured_peak_bytes"].get<uint64_t>(), std::stoull(least) * 1'000'000u);
#endif
  EXPECT_EQ(Run({"run", Model(), in, "-o", scratch_ / "once.tif", "--isa", "reference"}).exit_code, 0);
  EXPECT_TRUE(BytesOf(out) == BytesOf(scratch_ / "once.tif"));
}

TEST_F(RunTest, ResumeRefusesWhenSomethingHasChanged) {
  const std::string in = Picture("in.npy", 700, 900), out = scratch_ / "o.tif";
  const ProcessResult killed = RunProcess(Slow(in, out, {"--resume"}), {}, 1800, SIGKILL);
  if (killed.exit_code == 0 || !fs::exists(scratch_ / ".o.tif.part.journal"))
    GTEST_SKIP() << "done before it was killed";
  ExpectError(RunProcess(Slow(in, out, {"--resume", "--threshold", "0.5"})), 2, {"o.tif", "--threshold"});
  ExpectError(RunProcess(Slow(in, out, {"--resume", "--normalize", "range"})), 2, {"--normalize"});
  const ProcessResult other_model = [&] {
    const std::string model = scratch_ / "other.fov";
    EXPECT_EQ(RunProcess({kConvert, kSample + "/nuclei.onnx", "-o", model, "--quiet"}).exit_code, 0);
    std::vector<std::string> words = Slow(in, out, {"--resume"});
    words[2] = model;
    return RunProcess(words);
  }();
  ExpectError(other_model, 2, {"the model has changed"});
  // The journal itself, damaged.
  const std::string journal = BytesOf(scratch_ / ".o.tif.part.journal");
  std::ofstream(scratch_ / ".o.tif.part.journal", std::ios::binary) << journal.substr(0, journal.size() / 2);
  ExpectError(RunProcess(Slow(in, out, {"--resume"})), 2, {"journal", "damaged"});
  std::ofstream(scratch_ / ".o.tif.part.journal", std::ios::binary) << journal;
  fs::last_write_time(in, fs::file_time_type::clock::now());
  ExpectError(RunProcess(Slow(in, out, {"--resume"})), 2, {"the input has changed", "without --resume"});
  // Without --resume the run begins anew and clears what was left.
  std::vector<std::string> fast = {"run", Model(), in, "-o", out};
  EXPECT_EQ(Run(fast).exit_code, 0);
  EXPECT_FALSE(fs::exists(scratch_ / ".o.tif.part"));
  EXPECT_FALSE(fs::exists(scratch_ / ".o.tif.part.journal"));
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
  for (const int after : {300, 1500}) {
    const ProcessResult r = RunProcess(words, {}, after);
    EXPECT_EQ(r.exit_code, 130) << r.err;
    EXPECT_NE(r.err.find("cancelled; nothing kept (start with --resume"), std::string::npos) << r.err;
    EXPECT_EQ(scratch_.Files(), std::vector<std::string>{"in.npy"});
    least = std::min(least, r.ms_after_signal);
  }
  EXPECT_LT(least, 200);
}

TEST_F(RunTest, WhatIsSaidToBeKeptIsGoneOnWith) {
  const std::string in = Picture("in.npy", 500, 700), out = scratch_ / "o.tif";
  ProcessResult r;
  long long kept = 0, tiles = 0;
  for (int after = 2500; kept == 0 && after < 40000; after *= 2) {
    r = RunProcess(Slow(in, out, {"--resume"}), {}, after);
    ASSERT_EQ(r.exit_code, 130) << r.err;
    const size_t at = r.err.find("cancelled; ");
    ASSERT_NE(at, std::string::npos) << r.err;
    if (std::sscanf(r.err.c_str() + at, "cancelled; %lld of %lld tiles kept, --resume goes on", &kept, &tiles) == 2)
      break;
    EXPECT_NE(r.err.find("cancelled; nothing kept (no tile"), std::string::npos) << r.err;
  }
  ASSERT_GT(kept, 0);
  EXPECT_EQ(tiles, 8 * 11);  // of 64 pixels
  r = RunProcess(Slow(in, out, {"--resume"}));
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(json::parse(r.out)["resumed_from"]["tile"].get<long long>(), kept);
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
  EXPECT_FALSE(json::parse(free.out).contains("notes")) << free.out;
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

TEST_F(RunTest, FoldersAreGoneOnWith) {
  fs::create_directory(scratch_ / "in");
  fs::copy_file(kSample + "/unseen/image_0.tif", scratch_ / "in/a.tif");
  fs::copy_file(kSample + "/unseen/image_1.tif", scratch_ / "in/c.tif");
  std::ofstream(scratch_ / "in/b.tif") << "this is no image";
  const std::vector<std::string> words = {"run", Model(), scratch_ / "in", "-o", scratch_ / "out/", "--resume"};
  const ProcessResult first = Run(words);
  EXPECT_EQ(first.exit_code, 1);
  for (const char* part : {"a.tif", "b.tif", "failed", "total", "2 done, 1 failed", "Mpx/s"}) {
    EXPECT_NE(first.out.find(part), std::string::npos) << part << "\n" << first.out;
  }
  fs::remove(scratch_ / "out/c.tif");
  fs::copy_file(kSample + "/unseen/image_0.tif", scratch_ / "in/b.tif", fs::copy_options::overwrite_existing);
  const ProcessResult second = Run(words);
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_NE(second.out.find("2 done, 1 done before"), std::string::npos) << second.out;
  EXPECT_TRUE(BytesOf(scratch_ / "out/a.tif") == BytesOf(scratch_ / "out/b.tif"));
  std::vector<std::string> other = words;
  other.insert(other.end(), {"--dtype", "uint8"});
  const ProcessResult third = Run(other);
  EXPECT_EQ(third.exit_code, 1);
  EXPECT_NE(third.err.find("--dtype"), std::string::npos) << third.err;
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

// A disk of 300 kB, in a mount namespace of our own: what is known beforehand is refused then, the rest when it is
// full.
TEST_F(RunTest, DisksThatFillUp) {
  const std::string in = kSample + "/nuclei.tif", disk = scratch_ / "disk";
  fs::create_directory(disk);
  auto on_disk = [&](const std::string& command) {
    return RunProcess({"/usr/bin/env", "unshare", "-Urm", "/bin/sh", "-c",
                       "mount -t tmpfs -o size=300k none " + disk + " && cd " + disk + " && { " + command + "; }"});
  };
  if (on_disk("true").exit_code != 0) GTEST_SKIP() << "no mount namespaces here";
  for (const char* out : {"o.tif", "o.npy", "o.tif --compression deflate", "o.ome.tif --compression deflate --pyramid",
                          "o.tif --labels", "o.tif --resume", "o.tif --compression deflate --resume"}) {
    const ProcessResult r = on_disk(kFovea + " run " + Model() + " " + in + " --normalize zero-mean -o " + out +
                                    "; code=$?; ls; exit $code");
    ExpectError(r, 2, {"cannot write 'o.", "space", "another disk"});
    EXPECT_EQ(r.out, "") << out;
  }
  const ProcessResult overlay =
      on_disk(kFovea + " run " + Model() + " " + in +
              " --normalize zero-mean -o o.png --labels --overlay p.png; code=$?; ls; exit $code");
  ExpectError(overlay, 2, {"o.png", "another disk"});
  EXPECT_EQ(overlay.out.find("o.png"), std::string::npos) << overlay.out;
}

TEST_F(RunTest, FoldersThatMayNotBeWritten) {
  const std::string in = Picture("in.npy", 64, 64), folder = scratch_ / "out";
  fs::create_directory(folder);
  const std::string command =
      kFovea + " run " + Model() + " " + in + " -o " + folder + "/o.tif; code=$?; ls " + folder + "; exit $code";
  const std::string mount = "mount -t tmpfs -o ro none " + folder;
  ProcessResult r;
  if (geteuid() != 0) {
    fs::permissions(folder, fs::perms::owner_read | fs::perms::owner_exec);
    r = RunProcess({"/bin/sh", "-c", command});
    fs::permissions(folder, fs::perms::owner_all);
  } else if (RunProcess({"/usr/bin/env", "unshare", "-Urm", "/bin/sh", "-c", mount}).exit_code == 0) {
    r = RunProcess({"/usr/bin/env", "unshare", "-Urm", "/bin/sh", "-c", mount + " && { " + command + "; }"});
  } else {
    GTEST_SKIP() << "root may write everywhere, and there are no mount namespaces here";
  }
  ExpectError(r, 2, {"cannot create", "o.tif"});
  EXPECT_EQ(r.out, "");
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
