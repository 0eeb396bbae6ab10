// Bundles through the programs: from a download to a result, and what broken ones get.
#include "formats/image/npy.h"
#include "tests/formats/bundle/published.h"
#include "tests/tools/bundle_testing.h"

namespace fovea::testing {
namespace {

using Json = nlohmann::json;

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
  Write(scratch_ / "unet.onnx", "x");
  Write(fs::path(scratch_ / "vessels") / "saved_model.pb", "x");
  const ProcessResult list = Run({"models", scratch_.path(), "--json"});
  ASSERT_EQ(list.exit_code, 0) << list.err;
  const Json models = Json::parse(list.out)["models"];
  ASSERT_EQ(models.size(), 6u) << list.out;
  EXPECT_EQ(models[0]["name"], "Sample nuclei");
  EXPECT_FALSE(models[0]["converted"]);
  EXPECT_TRUE(models[1].contains("error"));
  EXPECT_TRUE(models[2]["converted"]);
  EXPECT_NE(models[3]["remedy"].get<std::string>().find("PyTorch only"), std::string::npos);
  EXPECT_EQ(models[4]["kind"], "ONNX");
  EXPECT_EQ(models[5]["kind"], "SavedModel");
  EXPECT_NE(models[5]["remedy"].get<std::string>().find("fovea-convert " + (scratch_ / "vessels") + " -o "),
            std::string::npos);
  const std::string table = Run({"models", scratch_.path()}).out;
  for (const char* part : {"fovea run takes it", "ready", "PyTorch weights only", "damaged", "ONNX, not converted"}) {
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

// What the user says of a bundle that came in stands in the file.
TEST_F(BundleProgramTest, OptionsChangeWhatABundleSays) {
  const std::string folder = MakeBundle(Description(kSteps));
  ASSERT_EQ(Convert(folder, {"--name", "Mine now", "--licence", "BSD-2-Clause", "-q"}).exit_code, 0);
  const Json info = Json::parse(Run({"info", scratch_ / "m.fov", "--json"}).out);
  EXPECT_EQ(info["name"], "Mine now");
  EXPECT_EQ(info["licence"], "BSD-2-Clause");
  EXPECT_EQ(info["authors"], "A. Author (Here)");
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

}  // namespace
}  // namespace fovea::testing
