// Packages and model files that `fovea-convert --bundle` builds from an example, and what it asks and refuses.
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/image/npy.h"
#include "tests/tools/bundle_testing.h"

namespace fovea::testing {
namespace {

using Json = nlohmann::json;

// --bundle: what is written is converted again and agrees with itself; what lacks is named.
TEST_F(BundleProgramTest, APackageIsBuiltFromAnExampleAndRunsAgain) {
  const std::vector<std::string> common = {kConvert, kSample + "/nuclei.onnx", "--example", kSample + "/nuclei.tif"};
  const auto build = [&](std::vector<std::string> more) {
    more.insert(more.begin(), common.begin(), common.end());
    return RunProcess(more);
  };
  const std::vector<std::string> said = {"--name",        "Nuclei of our sample",
                                         "--description", "Finds nuclei: \"all\" of them.",
                                         "--author",      "A. B; Here",
                                         "--cite",        "Paper; https://doi.org/10.1234/2",
                                         "--licence",     "MIT",
                                         "--pre",         "zero_mean_unit_variance(axes=[channel, y, x])",
                                         "--post",        "binarize(threshold=0.5)"};
  for (const char* name : {"package", "package.zip"}) {
    std::vector<std::string> words = {"--bundle", scratch_ / name, "-q"};
    words.insert(words.end(), said.begin(), said.end());
    const ProcessResult r = build(words);
    ASSERT_EQ(r.exit_code, 0) << r.err;
    const ProcessResult again = Convert(scratch_ / name);
    ASSERT_EQ(again.exit_code, 0) << again.err;
    EXPECT_EQ(again.err, "") << "nothing of our own package is not understood";
    const Json info = Json::parse(Run({"info", scratch_ / "m.fov", "--json"}).out);
    EXPECT_EQ(info["name"], "Nuclei of our sample");
    EXPECT_EQ(info["postprocessing"], "binarize(threshold=0.5)@probability");
    const ProcessResult test = Run({"test", scratch_ / "m.fov", "--json"});
    EXPECT_EQ(test.exit_code, 0) << test.err << test.out;
    EXPECT_EQ(Json::parse(test.out)["outputs"][0]["max_error"], 0);
  }
  EXPECT_EQ(scratch_.Files(), (std::vector<std::string>{"m.fov", "package", "package.zip"}));
  ExpectError(build({"--bundle", scratch_ / "new", "-q", "--name", "Nuclei of our sample"}), 2,
              {"description", "authors", "cite", "license", "--metadata"});
  ExpectError(build({"--bundle", scratch_ / "package", "-q"}), 2, {"exists already"});
  ExpectError(RunProcess({kConvert, kSample + "/nuclei.onnx", "--bundle", scratch_ / "new", "-q"}), 2, {"--example"});
  std::vector<std::string> old = {"--bundle", scratch_ / "new", "-q", "--bundle-format", "deepimagej1"};
  old.insert(old.end(), said.begin(), said.end());
  ExpectError(build(old), 2, {"SavedModels only"});
  ExpectError(build({"--bundle", scratch_ / "new", "-q", "--ask"}), 2, {"terminal"});
  Write(scratch_ / "m.yaml", "name: Nuclei\nlicense: MIT\nwrong: 1\n");
  ExpectError(build({"--bundle", scratch_ / "new", "-q", "--metadata", scratch_ / "m.yaml"}), 2,
              {"'wrong' is not known"});
  EXPECT_FALSE(fs::exists(scratch_ / "new"));
}

// The third kind: a .fov with all that a package has, the example as its self-test.
TEST_F(BundleProgramTest, AModelFileIsBuiltFromAnExample) {
  const std::vector<std::string> words = {kConvert,    kSample + "/nuclei.onnx",
                                          "--bundle",  scratch_ / "built.fov",
                                          "--example", kSample + "/nuclei.tif",
                                          "--name",    "Nuclei of our sample",
                                          "--author",  "A. B; Here",
                                          "--licence", "MIT",
                                          "--pre",     "zero_mean_unit_variance(axes=[channel, y, x])",
                                          "--post",    "binarize(threshold=0.5)",
                                          "--quiet"};
  const ProcessResult r = RunProcess(words);
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const Json info = Json::parse(Run({"info", scratch_ / "built.fov", "--json"}).out);
  EXPECT_EQ(info["name"], "Nuclei of our sample");
  EXPECT_EQ(info["licence"], "MIT");
  EXPECT_EQ(info["self_tests"], 1);
  EXPECT_EQ(info["preprocessing"], "zero_mean_unit_variance(axes=[channel, y, x])");
  const std::string page = Run({"info", scratch_ / "built.fov"}).out;
  for (const char* part : {"A. B (Here)", "authors' peak memory", "MB", "authors' run time", " s\n"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part << " not in\n" << page;
  }
  const Json test = Json::parse(Run({"test", scratch_ / "built.fov", "--json"}).out);
  EXPECT_EQ(test["passed"], true);
  EXPECT_EQ(test["outputs"][0]["max_error"], 0);
  // The self-test's steps are those of a run.
  const ProcessResult run = Run({"run", scratch_ / "built.fov", kSample + "/nuclei.tif", "-o", scratch_ / "o.npy"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  // Never over another file, never with a name of its own besides.
  ExpectError(RunProcess(words), 2, {"built.fov", "exists already"});
  std::vector<std::string> both = words;
  both[3] = scratch_ / "new.fov";
  both.insert(both.end(), {"-o", scratch_ / "other.fov"});
  ExpectError(RunProcess(both), 2, {"leave -o out"});
  EXPECT_FALSE(fs::exists(scratch_ / "new.fov"));
}

// The program on a terminal of its own, where `answers` are typed; what it says and its exit code.
std::pair<std::string, int> OnATerminal(const std::vector<std::string>& words, const std::string& answers) {
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child == 0) {
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
  }
  EXPECT_EQ(write(terminal, answers.data(), answers.size()), static_cast<ssize_t>(answers.size()));
  std::string said;
  char piece[4096];
  for (ssize_t n = 0; (n = read(terminal, piece, sizeof(piece))) > 0;) said.append(piece, static_cast<size_t>(n));
  int status = 0;
  waitpid(child, &status, 0);
  close(terminal);
  return {said, WIFEXITED(status) ? WEXITSTATUS(status) : -1};
}

TEST_F(BundleProgramTest, WhatIsMissingIsAskedForOnATerminal) {
  const std::vector<std::string> words = {
      kConvert,    kSample + "/nuclei.onnx", "--bundle", scratch_ / "package", "--ask", "-q", "--licence", "MIT",
      "--example", kSample + "/nuclei.tif"};
  // An empty line is no answer: it is asked again. The licence was given.
  const auto [said, code] =
      OnATerminal(words, "\nNuclei of a sample\nFinds nuclei.\nA. Author; Here\nA paper; https://doi.org/10.1234/5\n");
  EXPECT_EQ(code, 0) << said;
  EXPECT_EQ(said.find("Licence"), std::string::npos) << said;
  ASSERT_EQ(RunProcess({kConvert, scratch_ / "package", "-o", scratch_ / "m.fov", "-q"}).exit_code, 0);
  const Json info = Json::parse(Run({"info", scratch_ / "m.fov", "--json"}).out);
  EXPECT_EQ(info["name"], "Nuclei of a sample");
  EXPECT_EQ(info["description"], "Finds nuclei.");
  EXPECT_EQ(info["authors"], "A. Author (Here)");
  EXPECT_EQ(info["citation"], "A paper, doi:10.1234/5");
  fs::remove_all(scratch_ / "package");
  // Ctrl-D: nothing is written.
  EXPECT_EQ(OnATerminal(words, "Nuclei\n\x04").second, 130);
  EXPECT_FALSE(fs::exists(scratch_ / "package"));
}

// What bioimageio.spec would refuse is told before anything is written.
TEST_F(BundleProgramTest, PackagesThatWouldBeRefusedAreNotWritten) {
  const auto build = [&](std::vector<std::string> more) {
    std::vector<std::string> words = {kConvert,
                                      kSample + "/nuclei.onnx",
                                      "--bundle",
                                      scratch_ / "package",
                                      "-q",
                                      "--example",
                                      kSample + "/nuclei.tif",
                                      "--name",
                                      "Nuclei",
                                      "--description",
                                      "d",
                                      "--author",
                                      "A",
                                      "--licence",
                                      "MIT",
                                      "--cite",
                                      "Paper; 10.1234/5"};
    words.insert(words.end(), more.begin(), more.end());
    return RunProcess(words);
  };
  ExpectError(build({"--post", "watershed"}), 2, {"watershed is not one of bioimage.io's"});
  ExpectError(build({"--pre", "scale_range(eps=0.5)"}), 2, {"eps must be in (0, 0.1]"});
  ExpectError(build({"--post", "binarize(threshold=[0.5], axis=z)"}), 2, {"axis"});
  EXPECT_FALSE(fs::exists(scratch_ / "package"));
  // In double, 48 * 0.1 / 0.1 is not 48, nor 248 * 0.3 / 0.3: in nanometres the sizes come out.
  Write(scratch_ / "m.yaml", "name: Nuclei\npixel_size: {x: 0.3 µm, y: 0.1 µm}\n");
  std::vector<float> values;
  for (int i = 0; i < 48 * 248; ++i) values.push_back(static_cast<float>(i % 97));
  ASSERT_TRUE(formats::WriteNpy(scratch_ / "in.npy", DType::kFloat32, {1, 1, 48, 248}, values.data()).ok());
  const ProcessResult r = build({"--metadata", scratch_ / "m.yaml", "--example", scratch_ / "in.npy"});
  EXPECT_EQ(r.exit_code, 0) << r.err;
  const std::string rdf = Slurp(fs::path(scratch_ / "package") / "rdf.yaml");
  EXPECT_NE(rdf.find("scale: 300, unit: \"nanometer\""), std::string::npos) << rdf;
  EXPECT_NE(rdf.find("scale: 100, unit: \"nanometer\""), std::string::npos) << rdf;
  fs::remove_all(scratch_ / "package");
  for (const char* said : {"{x: 0.25, y: 0.25, unit: micrometer}", "0.25um", "0.25 µm", "{x: 0.25um, y: 250 nm}"}) {
    Write(scratch_ / "m.yaml", std::string("pixel_size: ") + said + "\n");
    ASSERT_EQ(build({"--metadata", scratch_ / "m.yaml"}).exit_code, 0) << said;
    const std::string quarter = Slurp(fs::path(scratch_ / "package") / "rdf.yaml");
    EXPECT_NE(quarter.find("scale: 0.25, unit: \"micrometer\""), std::string::npos) << said << quarter;
    EXPECT_EQ(Convert(scratch_ / "package").exit_code, 0);
    const Json info = Json::parse(Run({"info", scratch_ / "m.fov", "--json"}).out);
    EXPECT_EQ(info["properties"]["pixel size x"], "0.25 µm") << said;
    fs::remove_all(scratch_ / "package");
  }
  for (const char* said : {"0.25", "{x: 0.25, y: 0.25}", "0.25 furlong", "{x: none}", "{w: 1um}", "[1, 2]", "-1um"}) {
    Write(scratch_ / "m.yaml", std::string("pixel_size: ") + said + "\n");
    ExpectError(build({"--metadata", scratch_ / "m.yaml"}), 2, {"m.yaml: pixel_size"});
  }
}

TEST_F(BundleProgramTest, MeasurementsAndSizesAreThoseOfThePackage) {
  const std::string zip = scratch_ / "p.zip";
  const ProcessResult r = RunProcess({kConvert, kSample + "/nuclei.onnx", "--bundle", zip, "--example",
                                      kSample + "/nuclei.tif", "--name", "Nuclei", "--description", "d", "--author",
                                      "A", "--licence", "MIT", "--cite", "Paper; 10.1234/5", "--json"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(Json::parse(r.out)["file_bytes"], fs::file_size(zip));
  const std::string page = Run({"info", zip}).out;
  const size_t at = page.find("tested by authors");
  ASSERT_NE(at, std::string::npos) << page;
  const std::string line = page.substr(at, page.find('\n', at) - at);
  EXPECT_EQ(line.find(" ,"), std::string::npos) << line;
  EXPECT_NE(line.find(" MB, "), std::string::npos) << line;
  // The example's own calibration went along, so that the image can be brought to it.
  EXPECT_EQ(Run({"run", zip, kSample + "/nuclei.tif", "-o", scratch_ / "o.tif", "--pixel-size", "match"}).exit_code, 0);
}

// On a terminal, which script(1) gives: the second answer to what was refused is taken.
TEST_F(BundleProgramTest, AskingGoesOnUntilAnAnswerIsAccepted) {
  Write(scratch_ / "answers", "ab\nNuclei of Ours\nFinds.\nMIT\nA; Here\nPaper\nPaper; 10.1234/5\n");
  const std::string line = kConvert + " " + kSample + "/nuclei.onnx --example " + kSample + "/nuclei.tif --bundle " +
                           (scratch_ / "asked") + " --ask -q";
  const ProcessResult r =
      RunProcess({"/bin/sh", "-c", "script -qec '" + line + "' /dev/null < '" + (scratch_ / "answers") + "'"});
  ASSERT_EQ(r.exit_code, 0) << r.out << r.err;
  EXPECT_NE(r.out.find("name 'ab': 5 to 128"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("cite 'Paper': a doi or url is needed"), std::string::npos) << r.out;
  const std::string rdf = Slurp(fs::path(scratch_ / "asked") / "rdf.yaml");
  EXPECT_NE(rdf.find("Nuclei of Ours"), std::string::npos) << rdf;
  EXPECT_NE(rdf.find("10.1234/5"), std::string::npos) << rdf;
}

TEST_F(BundleProgramTest, ADeepImageJBundleIsBuiltFromASavedModel) {
  const fs::path care = kShared / "models" / "sm1-care2d-residual";
  if (!fs::exists(care)) GTEST_SKIP() << "../shared is absent";
  Write(scratch_ / "m.yaml",
        "name: CARE in two dimensions\ndescription: Restores.\nlicense: BSD-3-Clause\nauthors: [{name: C}]\n"
        "cite: [{text: Paper, doi: 10.1234/2}]\npixel_size: {x: 0.1 µm, y: 0.1 µm}\npreprocessing: none\n");
  for (const char* format : {"deepimagej1", "bioimage.io"}) {
    const std::string out = scratch_ / format;
    const ProcessResult r =
        RunProcess({kConvert, (care / "TF_SavedModel.zip").string(), "--bundle", out, "-q", "--example",
                    (care / "input.npy").string(), "--metadata", scratch_ / "m.yaml", "--bundle-format", format});
    ASSERT_EQ(r.exit_code, 0) << r.err;
    const ProcessResult again = Convert(out);
    ASSERT_EQ(again.exit_code, 0) << again.err;
    const Json info = Json::parse(Run({"info", scratch_ / "m.fov", "--json"}).out);
    EXPECT_EQ(info["name"], "CARE in two dimensions");
    EXPECT_EQ(info["properties"]["pixel size x"], "0.1 µm");
    EXPECT_EQ(Run({"test", scratch_ / "m.fov"}).exit_code, 0);
  }
}

}  // namespace
}  // namespace fovea::testing
