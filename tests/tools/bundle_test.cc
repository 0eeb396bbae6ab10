// Bundles through the programs: from a download to a result, and what broken ones get.
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "formats/image/npy.h"
#include "tests/converter/saved_model/support.h"
#include "tests/formats/bundle/published.h"
#include "tests/tools/program_test.h"

namespace fovea::testing {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kShared = FOVEA_SHARED_DIR;

std::string Slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

void Write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

// Of our sample network, whose tensors are bcyx; sizes: the input's shape.
std::string Description(const std::string& sizes, const std::string& more = "") {
  return "format_version: 0.4.9\ntype: model\nname: Sample nuclei\ndescription: Finds nuclei.\n"
         "authors: [{name: A. Author, affiliation: Here}]\ncite: [{text: Paper, doi: 10.1/2}]\nlicense: MIT\n"
         "tags: [nuclei, 2d]\n"
         "inputs: [{name: raw, axes: bcyx, data_type: float32, shape: " +
         sizes +
         "}]\n"
         "outputs: [{name: mask, axes: bcyx, data_type: float32, halo: [0, 0, 16, 16],\n"
         "  shape: {reference_tensor: raw, scale: [1, 1, 1, 1], offset: [0, 0, 0, 0]}}]\n"
         "test_inputs: [test_input.npy]\ntest_outputs: [test_output.npy]\n"
         "config: {deepimagej: {test_information: {inputs: [{pixel_size: {x: 0.5 µm, y: 0.25 µm}}]}}}\n" +
         (more.empty() ? "weights: {onnx: {source: weights.onnx, opset_version: 13}}\n" : more);
}

constexpr const char* kSteps = "{min: [1, 1, 32, 32], step: [0, 0, 16, 16]}";

class BundleProgramTest : public ProgramTest {
 protected:
  // Our sample network as a bundle.
  std::string MakeBundle(const std::string& description) {
    const fs::path folder = scratch_ / "bundle";
    Write(folder / "rdf.yaml", description);
    fs::copy_file(kSample + "/nuclei.onnx", folder / "weights.onnx", fs::copy_options::overwrite_existing);
    fs::copy_file(kSample + "/input.npy", folder / "test_input.npy", fs::copy_options::overwrite_existing);
    fs::copy_file(kSample + "/expected.npy", folder / "test_output.npy", fs::copy_options::overwrite_existing);
    return folder.string();
  }
  std::string Zip(const std::string& folder, const std::string& prefix = "") {
    std::vector<ZipEntry> entries;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file()) {
        entries.push_back({prefix + entry.path().lexically_relative(folder).generic_string(), Slurp(entry.path())});
      }
    }
    Write(scratch_ / "bundle.zip", WriteZip(entries));
    return scratch_ / "bundle.zip";
  }
  ProcessResult Convert(const std::string& from, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {kConvert, from, "-o", scratch_ / "m.fov"});
    return RunProcess(more);
  }
  // Refused in one line, and nothing is written.
  void ExpectRefused(const std::string& from, const std::vector<std::string>& parts) {
    ExpectError(Convert(from, {"-q"}), 2, parts);
    EXPECT_FALSE(fs::exists(scratch_ / "m.fov"));
    EXPECT_FALSE(fs::exists(scratch_ / "m.fov.part"));
  }
};

TEST_F(BundleProgramTest, AFolderAndAZipBecomeTheSameFileWithAllThatIsSaid) {
  const std::string folder = MakeBundle(Description(kSteps));
  ASSERT_EQ(Convert(folder).exit_code, 0);
  const std::string from_folder = Slurp(scratch_ / "m.fov");
  for (const char* prefix : {"", "inner/"}) {
    const ProcessResult zipped = Convert(Zip(folder, prefix));
    ASSERT_EQ(zipped.exit_code, 0) << zipped.err;
    EXPECT_EQ(Slurp(scratch_ / "m.fov"), from_folder);
  }
  const ProcessResult info = Run({"info", scratch_ / "m.fov", "--json"});
  ASSERT_EQ(info.exit_code, 0) << info.err;
  const Json json = Json::parse(info.out);
  EXPECT_EQ(json["name"], "Sample nuclei");
  EXPECT_EQ(json["licence"], "MIT");
  EXPECT_EQ(json["authors"], "A. Author (Here)");
  EXPECT_EQ(json["citation"], "Paper, doi:10.1/2");
  EXPECT_EQ(json["properties"]["tags"], "nuclei, 2d");
  EXPECT_EQ(json["properties"]["pixel size x"], "0.5 µm");
  EXPECT_EQ(json["properties"]["pixel size y"], "0.25 µm");
  EXPECT_EQ(json["properties"]["halo"], "y 16, x 16");
  EXPECT_EQ(json["properties"]["described by"], "bioimage.io 0.4.9");
  EXPECT_EQ(json["self_tests"], 1);
  EXPECT_EQ(json["inputs"][0]["rules"][1], Json({{"min", 32}, {"step", 16}}));  // stored order b y x c
  const ProcessResult test = Run({"test", scratch_ / "m.fov", "--json"});
  EXPECT_EQ(test.exit_code, 0) << test.err;
  EXPECT_GT(Json::parse(test.out)["outputs"][0]["correlation"], 0.999);
}

// The network needs multiples of 8: rules that it cannot keep are not taken over.
TEST_F(BundleProgramTest, SizeRulesAreCheckedAgainstTheNetwork) {
  const auto rule = [&](const std::string& shape) {
    const ProcessResult r = Convert(MakeBundle(Description(shape)));
    EXPECT_EQ(r.exit_code, 0) << r.err;
    return Json::parse(Run({"info", scratch_ / "m.fov", "--json"}).out)["inputs"][0]["rules"][1];
  };
  EXPECT_EQ(rule("{min: [1, 1, 40, 40], step: [0, 0, 24, 24]}"), Json({{"min", 40}, {"step", 24}}));
  EXPECT_EQ(rule("{min: [1, 1, 96, 96], step: [0, 0, 24, 24]}"), Json({{"min", 8}, {"step", 8}}));  // the test has 64
  EXPECT_EQ(rule("{min: [1, 1, 1, 1], step: [0, 0, 1, 1]}"), Json({{"min", 8}, {"step", 8}}));
  EXPECT_EQ(rule("[1, 1, 256, 256]"), Json({{"min", 8}, {"step", 8}}));  // tiles are exact: larger images may come
}

TEST_F(BundleProgramTest, StepsAreCarriedWithTheNetworksNames) {
  const std::string yaml =
      "format_version: 0.5.4\ntype: model\nname: n\n"
      "inputs:\n- id: raw\n  axes: [{type: batch}, {type: channel, channel_names: [c]}, {type: space, id: y, size: "
      "{min: 32, "
      "step: 16}}, {type: space, id: x, size: {min: 32, step: 16}}]\n"
      "  preprocessing: [{id: zero_mean_unit_variance, kwargs: {axes: [x, y], eps: 0.001}}]\n"
      "outputs:\n- id: mask\n  axes: [{type: batch}, {type: channel, channel_names: [c]}, {type: space, id: y, size: "
      "{tensor_id: raw, axis_id: y}}, {type: space, id: x, size: {tensor_id: raw, axis_id: x}}]\n"
      "  postprocessing: [{id: binarize, kwargs: {threshold: 0.5}}]\n"
      "weights: {onnx: {source: weights.onnx, opset_version: 13}}\n";
  const ProcessResult r = Convert(MakeBundle(yaml));
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const Json json = Json::parse(Run({"info", scratch_ / "m.fov", "--json"}).out);
  EXPECT_EQ(json["preprocessing"], "zero_mean_unit_variance(axes=[x, y], eps=0.001)@image");
  EXPECT_EQ(json["postprocessing"], "binarize(threshold=0.5)@probability");
}

TEST_F(BundleProgramTest, BrokenBundlesGetOneSentence) {
  const std::string good = Description(kSteps);
  ExpectRefused(MakeBundle(Description(
                    kSteps, "weights: {onnx: {source: weights.onnx, sha256: " + std::string(64, 'a') + "}}\n")),
                {"weights.onnx is not the file", "download it again"});
  ExpectRefused(MakeBundle(Description("[1, 3, 64, 64]")), {"input 'raw'", "allows 3 along c"});
  ExpectRefused(MakeBundle("a: [1, 2\n"), {"rdf.yaml: line"});
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string n = std::to_string(i), p = "*a" + std::to_string(i - 1);
    bomb +=
        "a" + n + ": &a" + n + " [" + p + "," + p + "," + p + "," + p + "," + p + "," + p + "," + p + "," + p + "]\n";
  }
  ExpectRefused(MakeBundle(bomb), {"more than 200000 entries"});
  fs::remove(fs::path(scratch_ / "bundle") / "weights.onnx");
  Write(fs::path(scratch_ / "bundle") / "rdf.yaml", Description(kSteps, "weights: {torchscript: {source: w.pt}}\n"));
  ExpectRefused(scratch_ / "bundle", {"PyTorch only", "export the network to ONNX"});
  Write(fs::path(scratch_ / "bundle") / "rdf.yaml", good);
  ExpectRefused(scratch_ / "bundle", {"not in it (weights.onnx)", "download"});
  Write(scratch_ / "slip.zip", WriteZip({{"rdf.yaml", good}, {"../evil", "x"}}));
  ExpectRefused(scratch_ / "slip.zip", {"path that leaves it"});
  EXPECT_FALSE(fs::exists(scratch_ / "evil"));
}

TEST_F(BundleProgramTest, InfoModelsAndTestKnowWhatIsNotConverted) {
  const std::string folder = MakeBundle(Description(kSteps));
  const ProcessResult page = Run({"info", folder});
  ASSERT_EQ(page.exit_code, 0) << page.err;
  for (const char* part :
       {"Sample nuclei", "Finds nuclei.", "A. Author (Here)", "10.1/2", "MIT", "any multiple of 16 from 32",
        "x 0.5 µm, y 0.25 µm", "fovea-convert ", "bioimage.io 0.4.9"}) {
    EXPECT_NE(page.out.find(part), std::string::npos) << part << " not in\n" << page.out;
  }
  EXPECT_NE(Run({"info", folder, "--ops"}).out.find("conv"), std::string::npos);
  fs::copy_file(Model(), fs::path(scratch_ / "ready.fov"));
  Write(scratch_ / "damaged.fov", "x");
  Write(fs::path(scratch_ / "torch") / "rdf.yaml", Description(kSteps, "weights: {torchscript: {source: w.pt}}\n"));
  const ProcessResult list = Run({"models", scratch_.path(), "--json"});
  ASSERT_EQ(list.exit_code, 0) << list.err;
  const Json models = Json::parse(list.out)["models"];
  ASSERT_EQ(models.size(), 4u) << list.out;
  EXPECT_EQ(models[0]["name"], "Sample nuclei");
  EXPECT_FALSE(models[0]["converted"]);
  EXPECT_TRUE(models[1].contains("error"));
  EXPECT_TRUE(models[2]["converted"]);
  EXPECT_NE(models[3]["remedy"].get<std::string>().find("PyTorch only"), std::string::npos);
  const std::string table = Run({"models", scratch_.path()}).out;
  for (const char* part : {"fovea run takes it", "ready", "PyTorch weights only", "damaged"}) {
    EXPECT_NE(table.find(part), std::string::npos) << part << " not in\n" << table;
  }
  ExpectError(Run({"models", Model()}), 2, {"not a folder"});
  EXPECT_EQ(Run({"models", models_->path()}).exit_code, 0);
}

// Every published bundle beside the project gives its page; those without weights say so.
TEST_F(BundleProgramTest, PublishedBundlesGiveTheirPages) {
  if (!fs::exists(kShared / "deepimagej-zoo")) GTEST_SKIP() << "../shared is absent";
  const ProcessResult list = Run({"models", (kShared / "deepimagej-zoo").string(), "--json"});
  ASSERT_EQ(list.exit_code, 0) << list.err;
  const Json models = Json::parse(list.out)["models"];
  EXPECT_EQ(models.size(), 13u);
  for (const Json& model : models) {
    ASSERT_FALSE(model.contains("error")) << model;
    const ProcessResult page = Run({"info", model["path"].get<std::string>()});
    EXPECT_EQ(page.exit_code, 0) << page.err;
    EXPECT_NE(page.out.find("can't be converted"), std::string::npos) << page.out;
  }
}

// The page of every published description has the fields that stand in the file.
TEST_F(BundleProgramTest, PagesHaveTheFieldsOfTheFiles) {
  const auto packed = [](std::string text) {  // pages break lines
    std::erase_if(text, [](char c) { return c == ' ' || c == '\n'; });
    return text;
  };
  for (const PublishedRow& row : kPublished) {
    const fs::path path = kShared / row.path;
    if (!fs::exists(path)) GTEST_SKIP() << path << " is absent";
    const ProcessResult r = Run({"info", path.string()});
    ASSERT_EQ(r.exit_code, 0) << row.path << ": " << r.err;
    const std::string page = packed(r.out);
    std::vector<std::string> fields = {row.format, row.name, row.first_author, row.pre_files, row.post_files};
    if (*row.licence != '\0') fields.push_back(std::string("licence") + row.licence);
    for (const char* steps : {row.pre, row.post}) {
      std::stringstream words(steps);
      for (std::string step; std::string(steps) != "none" && std::getline(words, step, '|');) fields.push_back(step);
    }
    for (const std::string& field : fields) {
      EXPECT_NE(page.find(packed(field)), std::string::npos) << row.path << ": " << field << " not in\n" << r.out;
    }
    const Json json = Json::parse(Run({"info", path.string(), "--json"}).out);
    EXPECT_EQ(json["name"], row.name);
    EXPECT_EQ(json.value("authors", Json::array()).size(), row.authors) << row.path;
    EXPECT_EQ(json.value("citations", Json::array()).size(), row.citations) << row.path;
    EXPECT_EQ(json["tags"].size(), row.tags) << row.path;
  }
}

// The published bundles that have weights: from the zip to a file whose self-test is the authors' own.
TEST_F(BundleProgramTest, PublishedZipsRunAndAgree) {
  const fs::path models = kShared / "models";
  if (!fs::exists(models)) GTEST_SKIP() << "../shared is absent";
  struct Case {
    const char* model;
    const char* yaml;  // empty: the archive itself
    const char* zip;
    int self_tests;
  };
  for (const Case& c :
       {Case{"onnx-nuclei-broad-op20", "bioimageio.yaml", "", 1},
        Case{"onnx-nuclei-broad-op12", "UNet2DNucleiBroad.model.yaml", "", 1},
        Case{"sm1-n2v2d-fiji", "", "bundle.zip", 1}, Case{"sm1-care2d-residual", "", "TF_SavedModel.zip", 0}}) {
    std::string zip = (models / c.model / c.zip).string();
    if (*c.zip == '\0') {
      const fs::path folder = scratch_ / c.model;
      fs::create_directories(folder);
      for (const char* name : {"test_input.npy", "test_output.npy"}) {
        fs::copy_file(models / c.model / "bundle" / name, folder / name);
      }
      std::string yaml = Slurp(models / c.model / "bundle" / c.yaml);
      // The older of the two is published with the sha256 of another export.
      const std::string wrong = "5bf14c4e65e8601ab551db99409ba7981ff0e501719bc2b0ee625ca9a9375b32";
      const std::string right = "f1f086d5e340f9d4d7001a1b62a2b835f9b87a2fb5452c4fe7d8cc821bdf539c";
      if (yaml.find(wrong) != std::string::npos) {
        Write(folder / "rdf.yaml", yaml);
        fs::copy_file(models / c.model / "model.onnx", folder / "weights.onnx");
        ExpectRefused(folder.string(), {"weights.onnx is not the file", "download it again", "--ignore-sha256"});
        const ProcessResult ignored = Convert(folder.string(), {"--ignore-sha256", "-q"});
        EXPECT_EQ(ignored.exit_code, 0) << ignored.err;
        EXPECT_EQ(ignored.err,
                  "warning: weights.onnx is not the file that the description means (sha256), but taken as it is\n");
        EXPECT_EQ(Run({"test", scratch_ / "m.fov"}).exit_code, 0);
        fs::remove(scratch_ / "m.fov");
        fs::remove(folder / "weights.onnx");
        yaml.replace(yaml.find(wrong), wrong.size(), right);
      }
      Write(folder / "rdf.yaml", yaml);
      fs::copy_file(models / c.model / "model.onnx", folder / "weights.onnx");
      zip = Zip(folder.string());
    }
    const ProcessResult r = Convert(zip);
    ASSERT_EQ(r.exit_code, 0) << c.model << ": " << r.err;
    fs::rename(scratch_ / "m.fov", scratch_ / "net.fov");
    const Json info = Json::parse(Run({"info", scratch_ / "net.fov", "--json"}).out);
    EXPECT_EQ(info["self_tests"], c.self_tests) << c.model << ": " << r.err;
    if (c.self_tests == 0) continue;
    const ProcessResult test = Run({"test", scratch_ / "net.fov", "--json"});
    EXPECT_EQ(test.exit_code, 0) << c.model << ": " << test.err << test.out;
    EXPECT_GT(Json::parse(test.out)["outputs"][0]["correlation"], 0.9999) << c.model;
  }
}

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

// A download is run and tested as it is: nothing else to know.
TEST_F(BundleProgramTest, CommandsTakeADownloadAsItIs) {
  const std::string zip = Zip(MakeBundle(Description(kSteps)));
  ASSERT_EQ(Convert(zip, {"-q"}).exit_code, 0);
  const std::string image = kSample + "/nuclei.tif";
  ASSERT_EQ(Run({"run", scratch_ / "m.fov", image, "-o", scratch_ / "by_hand.npy"}).exit_code, 0);
  const ProcessResult run = Run({"run", zip, image, "-o", scratch_ / "direct.npy", "--record"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(Slurp(scratch_ / "direct.npy") == Slurp(scratch_ / "by_hand.npy"));
  const ProcessResult again = Run({"run", "--again", scratch_ / "direct.npy", "-o", scratch_ / "again.npy"});
  EXPECT_EQ(again.exit_code, 0) << again.err << again.out;
  for (const std::string& bundle : {zip, scratch_ / "bundle", scratch_ / "bundle/rdf.yaml"}) {
    const ProcessResult test = Run({"test", bundle, "--json"});
    ASSERT_EQ(test.exit_code, 0) << test.err;
    const Json output = Json::parse(test.out)["outputs"][0];
    for (const char* key : {"max_error", "mean_error", "mismatches_per_million", "correlation"}) {
      EXPECT_TRUE(output[key].is_number()) << key;
    }
  }
  EXPECT_EQ(Run({"plan", zip, "--size", "256x256"}).exit_code, 0);
  // What the conversion warns of is told; what it refuses is refused in its words.
  Write(fs::path(scratch_ / "bundle") / "rdf.yaml", Description("{min: [1, 1, 16, 16], step: [0, 0, 1, 1]}"));
  Write(fs::path(scratch_ / "bundle") / "test_output.npy", Slurp(kSample + "/input.npy"));
  const ProcessResult wrong = Run({"test", scratch_ / "bundle"});
  EXPECT_EQ(wrong.exit_code, 1) << wrong.out << wrong.err;
  fs::remove(fs::path(scratch_ / "bundle") / "weights.onnx");
  ExpectError(Run({"run", scratch_ / "bundle", image, "-o", scratch_ / "o.tif"}), 2, {"not in it", "download"});
  // Networks without a description are converted first, knowingly.
  ExpectError(Run({"run", kSample + "/nuclei.onnx", image, "-o", scratch_ / "o.tif"}), 2,
              {"has not been converted", "fovea-convert"});
  ExpectError(Run({"info", kSample}), 2, {"a folder without", "fovea models"});
  // Where only the runtime is installed, it says what to do.
  fs::create_directory(scratch_ / "alone");
  fs::copy_file(kFovea, scratch_ / "alone/fovea");
  ExpectError(RunProcess({scratch_ / "alone/fovea", "run", zip, image, "-o", scratch_ / "o.tif"}), 2,
              {"fovea-convert is not beside this program", "run fovea-convert"});
  EXPECT_FALSE(fs::exists(scratch_ / "o.tif"));
}

// The third kind: a .fov with all that a package has, the example as its self-test.
// Unpacked networks and models for the time being are gone, wherever the program was and however often it was told.
TEST_F(BundleProgramTest, InterruptedConversionsLeaveNothing) {
  const fs::path zip = kShared / "models/sm1-n2v2d-fiji/bundle.zip";
  if (!fs::exists(zip)) GTEST_SKIP() << zip << " is not here";
  fs::create_directory(scratch_ / "tmp");
  const std::string out = scratch_ / "m.fov", tmp = "TMPDIR=" + (scratch_ / "tmp");
  const std::vector<std::vector<std::string>> commands = {
      {kConvert, zip, "-o", out, "-q"}, {kFovea, "plan", zip}, {kFovea, "info", zip, "--ops"}, {kFovea, "test", zip}};
  ExpectError(RunProcess({kFovea, "plan", zip}, {"TMPDIR=" + (scratch_ / "none")}), 2,
              {"TMPDIR does not name a folder"});
  int interrupted = 0;
  for (const auto& command : commands) {
    for (int after = 5; after < 60; after += 9) {
      SCOPED_TRACE(command[0] + " " + command[1] + " after " + std::to_string(after) + " ms");
      const ProcessResult r = RunProcess(command, {tmp}, after, after % 2 == 0 ? SIGINT : SIGTERM);
      interrupted += r.exit_code == 130;
      // By the default action, before the program has begun: nothing was made.
      EXPECT_TRUE(r.exit_code == 0 || r.exit_code == 130 || r.exit_code > 128) << r.exit_code << r.err;
      EXPECT_TRUE(fs::is_empty(scratch_ / "tmp"));
      EXPECT_FALSE(fs::exists(out + ".part"));
    }
  }
  EXPECT_GT(interrupted, 0);
}

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

// What the user says of a bundle that came in stands in the file.
TEST_F(BundleProgramTest, OptionsChangeWhatABundleSays) {
  const std::string folder = MakeBundle(Description(kSteps));
  ASSERT_EQ(Convert(folder, {"--name", "Mine now", "--licence", "BSD-2-Clause", "-q"}).exit_code, 0);
  const Json info = Json::parse(Run({"info", scratch_ / "m.fov", "--json"}).out);
  EXPECT_EQ(info["name"], "Mine now");
  EXPECT_EQ(info["licence"], "BSD-2-Clause");
  EXPECT_EQ(info["authors"], "A. Author (Here)");
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

// Only who tests a bundle hears that it has no test.
TEST_F(BundleProgramTest, RunsDoNotTellOfMissingTests) {
  const std::string folder = MakeBundle(Description(kSteps));
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".npy") fs::remove(entry.path());
  }
  EXPECT_NE(Convert(folder, {"-q"}).err.find("no self-test"), std::string::npos);
  const ProcessResult run = Run({"run", folder, kSample + "/nuclei.tif", "-o", scratch_ / "o.tif", "-q"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.err.find("no self-test"), std::string::npos) << run.err;
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
