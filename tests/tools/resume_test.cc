// `fovea run --resume`: interrupted and killed at any place and gone on with, or refused with the reason.
#include <signal.h>

#include <random>

#include "tests/tools/run_testing.h"

namespace fovea::testing {
namespace {

using nlohmann::json;

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
                      ResumeCase{"ValuesInPng", "o.png", {"--dtype", "uint8", "--post", "scale_linear(gain=200)"}},
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

// Whatever the journal has become, it is refused with what to do, and the output stays what it was.
TEST_F(RunTest, JournalsThatAreDamagedAreRefused) {
  const std::string in = Picture("in.npy", 520, 720), out = scratch_ / "o.tif";
  const std::vector<std::string> words = Slow(in, out, {"--resume"});
  const std::string journal = scratch_ / ".o.tif.part.journal";
  for (int after = 1500; after < 12000 && !fs::exists(journal); after += after / 2) {
    RunProcess(words, {}, after, SIGKILL);
  }
  if (!fs::exists(journal)) GTEST_SKIP() << "done before it was killed";
  const std::string good = BytesOf(journal);
  const auto refused = [&](const std::string& bytes) {
    std::ofstream(journal, std::ios::binary) << bytes;
    ExpectError(RunProcess(words), 2, {".o.tif.part.journal", "run without --resume to begin anew"});
  };
  refused("");
  refused(good.substr(0, 7));
  refused(good.substr(0, good.size() / 2));
  refused(good.substr(0, good.size() - 1));
  refused(good + "x");
  refused(std::string(100'000, '\x81'));  // arrays in arrays
  std::mt19937 random(5);
  for (int i = 0; i < 12; ++i) {
    std::string flipped = good;
    char& byte = flipped[random() % flipped.size()];
    byte = static_cast<char>(byte ^ (1 << random() % 8));
    refused(flipped);
  }
  std::ofstream(journal, std::ios::binary) << good;
  const ProcessResult r = RunProcess(words);
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_TRUE(json::parse(r.out).contains("resumed_from"));
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

void WriteBytes(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

// A journal's bytes with the sum that belongs to them: FNV-1a of the others.
std::string JournalOf(json record) {
  record.erase("sum");
  uint64_t sum = 14695981039346656037u;
  for (const uint8_t byte : json::to_cbor(record)) sum = (sum ^ byte) * 1099511628211u;
  record["sum"] = sum;
  const std::vector<uint8_t> bytes = json::to_cbor(record);
  return {bytes.begin(), bytes.end()};
}

// A journal that names what the run does not have must not make a result with holes that counts as complete.
TEST_F(RunTest, ResumeRefusesTilesThatTheRunDoesNotHave) {
  const std::string in = Picture("in.npy", 500, 700), out = scratch_ / "o.tif";
  const std::string path = scratch_ / ".o.tif.part.journal";
  const std::vector<std::string> words = Slow(in, out, {"--resume"});
  for (int after = 1500; after < 20000 && !fs::exists(path); after += after / 2) RunProcess(words, {}, after, SIGKILL);
  if (!fs::exists(path)) GTEST_SKIP() << "done before it was killed";
  const std::string written = BytesOf(path);
  const json honest = json::from_cbor(written);
  ASSERT_EQ(JournalOf(honest), written);
  ASSERT_EQ(honest["sample"], 0);
  ASSERT_GT(honest["tile"], 0);
  const auto refused = [&](const std::string& why) {
    ExpectError(RunProcess(words), 2, {".o.tif.part.journal: ", why, "; run without --resume to begin anew"});
    ASSERT_FALSE(fs::exists(out));
  };
  const auto refused_with = [&](const json& changed, const std::string& why) {
    SCOPED_TRACE(changed.dump());
    json record = honest;
    record.update(changed);
    WriteBytes(path, JournalOf(record));
    refused(why);
  };
  constexpr int64_t kTiles = 8 * 11, kHuge = int64_t{1} << 62;  // tiles of 64 pixels
  refused_with({{"tile", kTiles}}, "goes on at tile 88 of sample 0, counted from 0; the run has 1 x 88 tiles");
  refused_with({{"sample", 2}, {"tile", 0}}, "goes on at tile 0 of sample 2");
  refused_with({{"sample", 1}}, "of sample 1, counted from 0; the run has 1 x 88 tiles");
  refused_with({{"tile_1", 61}}, "was made with tiles of another size");  // the network halves images
  for (const char* key : {"sample", "tile", "tile_0", "tile_2", "objects", "most_objects", "label_type"}) {
    refused_with({{key, kHuge}}, "is damaged");
    refused_with({{key, -1}}, "is damaged");
  }
  // One bit of a number, as a disk may lose it: tile 12 is as good as tile 14, but for the sum.
  std::string flipped = written;
  const size_t at = flipped.find("dtile") + 5;  // CBOR: a text of four bytes
  flipped[flipped[at] == 0x18 ? at + 1 : at] ^= 2;
  ASSERT_NE(json::from_cbor(flipped)["tile"], honest["tile"]);
  WriteBytes(path, flipped);
  refused("is damaged");
  // The one that was written still serves.
  WriteBytes(path, written);
  const ProcessResult r = RunProcess(words);
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(json::parse(r.out)["resumed_from"]["tile"], honest["tile"]);
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

}  // namespace
}  // namespace fovea::testing
