// Bundles made here: where files are found, which weights are taken, what hostile ones get.
#include "formats/bundle/bundle.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "formats/bundle/readers.h"
#include "formats/bundle/sha256.h"
#include "runtime/include/fovea/process.h"
#include "tests/support/process.h"

namespace fovea::formats {
namespace {

namespace fs = std::filesystem;
using testing::ScratchFolder;

constexpr const char* kHead =
    "format_version: 0.4.9\ntype: model\nname: n\n"
    "inputs: [{name: in, axes: bcyx, data_type: float32, shape: [1, 1, 8, 8]}]\n"
    "outputs: [{name: out, axes: bcyx, data_type: float32, shape: [1, 1, 8, 8]}]\n";
// FIPS 180-4's example, and of one million 'a'.
constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* kMillion = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

void Write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string HashOf(const std::string& text, size_t piece) {
  Sha256 hash;
  for (size_t at = 0; at < text.size(); at += piece) {
    hash.Add(std::as_bytes(std::span(text)).subspan(at, std::min(piece, text.size() - at)));
  }
  return hash.Finish();
}

TEST(Sha256, IsTheStandardsInPiecesOfAnySize) {
  EXPECT_EQ(HashOf("", 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HashOf("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  for (const size_t piece : {1, 2, 3}) EXPECT_EQ(HashOf("abc", piece), kAbc);
  for (const size_t piece : {63, 64, 65, 1000, 1'000'000})
    EXPECT_EQ(HashOf(std::string(1'000'000, 'a'), piece), kMillion);
}

class BundleTest : public ::testing::Test {
 protected:
  Result<Bundle::Weights> Choose(const std::string& weights) {
    Write(fs::path(scratch_ / "b") / "rdf.yaml", kHead + weights);
    const Result<Bundle> bundle = OpenBundle(scratch_ / "b");
    if (!bundle.ok()) return bundle.status();
    return bundle->ChooseWeights();
  }
  void Expect(const std::string& yaml, StatusCode code, const std::string& part) {
    Write(fs::path(scratch_ / "b") / "rdf.yaml", yaml);
    const Result<Bundle> bundle = OpenBundle(scratch_ / "b");
    ASSERT_FALSE(bundle.ok()) << part;
    EXPECT_EQ(bundle.status().code(), code) << bundle.status().message();
    EXPECT_NE(bundle.status().message().find(part), std::string::npos) << bundle.status().message();
  }
  void Touch(const std::string& name) { Write(fs::path(scratch_ / "b") / name, "x"); }

  ScratchFolder scratch_;
};

TEST_F(BundleTest, TakesWeightsInTheOrderOnnxSavedModelKerasTfjs) {
  const std::string all =
      "weights:\n  torchscript: {source: w.pt}\n  tensorflow_js: {source: model.json}\n  keras_hdf5: {source: k.h5}\n"
      "  tensorflow_saved_model_bundle: {source: ./tf.zip}\n  onnx: {source: w.onnx}\n";
  for (const char* name : {"model.json", "k.h5", "tf.zip", "w.onnx"}) {
    Touch(name);
    const auto chosen = Choose(all);
    ASSERT_TRUE(chosen.ok()) << chosen.status().message();
    EXPECT_EQ(chosen->file, name);
    EXPECT_TRUE(chosen->is_listed);
  }
}

TEST_F(BundleTest, FindsWeightsOfUrlsUnpackedZipsAndUnlistedOnes) {
  Touch("w.zip");
  auto chosen = Choose("weights: {tensorflow_saved_model_bundle: {source: 'https://x.org/files/w.zip?download=1'}}\n");
  ASSERT_TRUE(chosen.ok());
  EXPECT_EQ(chosen->file, "w.zip");
  fs::remove(fs::path(scratch_ / "b") / "w.zip");
  Touch("w/saved_model.pb");
  chosen = Choose("weights: {tensorflow_saved_model_bundle: {source: ./w.zip}}\n");
  ASSERT_TRUE(chosen.ok());
  EXPECT_EQ(chosen->file, "w/");
  EXPECT_TRUE(chosen->is_folder);
  chosen = Choose("");
  ASSERT_TRUE(chosen.ok());
  EXPECT_FALSE(chosen->is_listed);
}

TEST_F(BundleTest, SaysWhatToDoWithoutWeights) {
  auto chosen = Choose("weights: {pytorch_state_dict: {source: w.pt}, torchscript: {source: t.pt}}\n");
  ASSERT_FALSE(chosen.ok());
  EXPECT_EQ(chosen.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(chosen.status().message().find("export the network to ONNX"), std::string::npos);
  chosen = Choose("weights: {onnx: {source: 'https://x.org/w.onnx'}}\n");
  ASSERT_FALSE(chosen.ok());
  EXPECT_EQ(chosen.status().code(), StatusCode::kNotFound);
  EXPECT_NE(chosen.status().message().find("https://x.org/w.onnx"), std::string::npos);
}

TEST_F(BundleTest, NamesTheFileWhoseHashDiffers) {
  Write(fs::path(scratch_ / "b") / "w.onnx", "abc");
  Write(fs::path(scratch_ / "b") / "rdf.yaml", kHead);
  const Result<Bundle> bundle = OpenBundle(scratch_ / "b");
  ASSERT_TRUE(bundle.ok());
  EXPECT_TRUE(bundle->Verify("w.onnx", kAbc).ok());
  EXPECT_TRUE(bundle->Verify("w.onnx", "").ok());
  const Status other = bundle->Verify("w.onnx", kMillion);
  EXPECT_EQ(other.code(), StatusCode::kCorruptFile);
  EXPECT_NE(other.message().find("w.onnx is not the file"), std::string::npos);
}

TEST_F(BundleTest, FilesOutsideAreNotThere) {
  Write(scratch_ / "secret.npy", "x");
  Write(fs::path(scratch_ / "b") / "rdf.yaml", kHead);
  const Result<Bundle> bundle = OpenBundle(scratch_ / "b");
  ASSERT_TRUE(bundle.ok());
  const std::string secret = scratch_ / "secret.npy";
  for (const std::string& source : {std::string("../secret.npy"), std::string("./a/../../secret.npy"), secret,
                                    std::string(".."), std::string("/")}) {
    EXPECT_EQ(bundle->Locate({source, ""}), "") << source;
  }
}

TEST_F(BundleTest, RefusesWhatIsNoModelDescription) {
  Expect("", StatusCode::kCorruptFile, "no fields");
  Expect("[1, 2]", StatusCode::kCorruptFile, "no fields");
  Expect("name: x\n", StatusCode::kCorruptFile, "no format_version");
  Expect("format_version: 9.9.9\n", StatusCode::kUnsupported, "format_version 9.9.9");
  Expect("type: dataset\nformat_version: 0.4.0\n", StatusCode::kUnsupported, "describes a dataset");
  Expect("type: model\nformat_version: 0.4.0\ninputs: []\n", StatusCode::kCorruptFile, "names no inputs");
  Expect("a: [\n", StatusCode::kCorruptFile, "rdf.yaml: line");
}

// Absurd values are told and left out, and the rest counts.
TEST(Rdf, KeepsWhatItCannotUseAsText) {
  const auto read = ReadDescription(
      "format_version: 0.4.9\nname: n\n"
      "inputs:\n- {name: in, axes: bcyx, shape: {min: [1, 1, -5, 1e30], step: [0, 0, 16, 16]}, halo: [a],\n"
      "   preprocessing: [{name: scale_linear, kwargs: {gain: .nan, offset: {a: 1}}}, {kwargs: {}}]}\n"
      "outputs:\n- {name: out, axes: bcyx, shape: {reference_tensor: in, scale: [1, 1e999, -1, 1], offset: [0, 0, 0, "
      "0]}}\n"
      "weights: {onnx: {source: w.onnx, sha256: xyz}}\n",
      "rdf.yaml");
  ASSERT_TRUE(read.ok()) << read.status().message();
  std::string places;
  for (const auto& [where, text] : read->not_understood) places += where + "\n";
  for (const char* place : {"inputs[0].shape", "inputs[0].halo", "inputs[0].preprocessing[0].kwargs.offset",
                            "inputs[0].preprocessing[1]", "outputs[0].shape", "weights.onnx.sha256"}) {
    EXPECT_NE(places.find(place), std::string::npos) << place << " not in\n" << places;
  }
  EXPECT_EQ(read->inputs[0].axes[1].size.kind, SizeRuleDescription::Kind::kFixed);
  EXPECT_EQ(read->inputs[0].axes[2].size.kind, SizeRuleDescription::Kind::kUnknown);
}

// Modes of 0.4 as axes of 0.5.
TEST(Rdf, TranslatesModes) {
  const auto steps = [](const std::string& kwargs) {
    const auto read = ReadDescription(
        "format_version: 0.4.9\ninputs: [{name: in, axes: bcyx, preprocessing: [{name: zero_mean_unit_variance, "
        "kwargs: " +
            kwargs + "}]}]\noutputs: [{name: out, axes: bcyx}]\n",
        "rdf.yaml");
    return read.ok() ? ToString(read->preprocessing) : read.status().message();
  };
  EXPECT_EQ(steps("{mode: per_sample}"), "zero_mean_unit_variance(axes=[channel, y, x])@in");
  EXPECT_EQ(steps("{mode: per_dataset, axes: yx}"), "zero_mean_unit_variance(axes=[batch, y, x])@in");
  EXPECT_EQ(steps("{mode: per_sample, axes: byx}"), "zero_mean_unit_variance(axes=[y, x])@in");
  EXPECT_EQ(steps("{mode: fixed, axes: yx, mean: [3, 4], std: [0.5, 1]}"),
            "fixed_zero_mean_unit_variance(mean=[3, 4], std=[0.5, 1], axis=channel)@in");
  EXPECT_EQ(steps("{mode: fixed, axes: yx, mean: [3], std: 0.5}"), "fixed_zero_mean_unit_variance(mean=3, std=0.5)@in");
  EXPECT_EQ(steps("{mode: fixed, axes: yx, mean: 3, std: 0.5}"), "fixed_zero_mean_unit_variance(mean=3, std=0.5)@in");
}

// Every operation that the specifications name, with all its arguments, as the step that is run; each can be run.
struct OperationCase {
  const char* yaml;  // 0.4: {name, kwargs}; 0.5: {id, kwargs}
  const char* step;  // without the tensor
};

void ExpectSteps(const std::string& head, const std::string& tail, const std::vector<OperationCase>& cases) {
  for (const OperationCase& c : cases) {
    const auto read = ReadDescription(head + c.yaml + tail, "rdf.yaml");
    ASSERT_TRUE(read.ok()) << c.yaml << ": " << read.status().message();
    EXPECT_TRUE(read->not_understood.empty()) << c.yaml << ": " << read->not_understood[0].first;
    ASSERT_EQ(read->postprocessing.size(), 1u) << c.yaml;
    EXPECT_EQ(ToString(read->postprocessing), std::string(c.step) + "@out");
    EXPECT_TRUE(CheckStepNames(read->postprocessing).ok()) << c.step;
    const auto chain = StepChain::Create(read->postprocessing, {1, 2, 1, 8, 8}, {});
    EXPECT_TRUE(chain.ok()) << c.step << ": " << chain.status().message();
  }
}

TEST(Rdf, ReadsEveryOperationOf04) {
  ExpectSteps(
      "format_version: 0.4.9\ninputs: [{name: in, axes: bcyx}]\noutputs: [{name: out, axes: bcyx, postprocessing: [",
      "]}]\n",
      {{"{name: binarize, kwargs: {threshold: 0.4}}", "binarize(threshold=0.4)"},
       {"{name: clip, kwargs: {min: -1, max: 2.5}}", "clip(min=-1, max=2.5)"},
       {"{name: scale_linear, kwargs: {gain: 2, offset: 3}}", "scale_linear(gain=2, offset=3)"},
       {"{name: scale_linear, kwargs: {gain: [2, 4], offset: [3, 5], axes: xy}}",
        "scale_linear(gain=[2, 4], offset=[3, 5], axis=channel)"},
       {"{name: sigmoid}", "sigmoid"},
       {"{name: zero_mean_unit_variance, kwargs: {mode: per_sample, axes: yx, eps: 1e-5}}",
        "zero_mean_unit_variance(axes=[y, x], eps=1e-05)"},
       {"{name: zero_mean_unit_variance, kwargs: {mode: per_dataset, axes: cyx}}",
        "zero_mean_unit_variance(axes=[batch, channel, y, x])"},
       {"{name: zero_mean_unit_variance, kwargs: {mode: fixed, mean: 1, std: 2}}",
        "fixed_zero_mean_unit_variance(mean=1, std=2)"},
       {"{name: scale_range, kwargs: {mode: per_sample, axes: yx, min_percentile: 1, max_percentile: 99.8, eps: "
        "0.001}}",
        "scale_range(axes=[y, x], min_percentile=1, max_percentile=99.8, eps=0.001)"},
       {"{name: scale_range, kwargs: {mode: per_dataset, axes: cyx, reference_tensor: in}}",
        "scale_range(axes=[batch, channel, y, x], reference_tensor=in)"},
       {"{name: scale_mean_variance, kwargs: {mode: per_sample, reference_tensor: in, axes: cyx, eps: 1e-4}}",
        "scale_mean_variance(axes=[channel, y, x], reference_tensor=in, eps=1e-04)"},
       {"{name: scale_mean_variance, kwargs: {mode: per_dataset, reference_tensor: in}}",
        "scale_mean_variance(axes=[batch, channel, y, x], reference_tensor=in)"}});
}

TEST(Rdf, ReadsEveryOperationOf05) {
  const std::string axes =
      "[{type: batch}, {type: channel, channel_names: [a, b]}, {type: space, id: y, size: 8}, {type: space, id: x, "
      "size: 8}]";
  ExpectSteps(
      "format_version: 0.5.7\ninputs: [{id: in, axes: " + axes + "}]\noutputs: [{id: out, axes: " + axes +
          ", postprocessing: [",
      "]}]\n",
      {{"{id: binarize, kwargs: {threshold: 0.4}}", "binarize(threshold=0.4)"},
       {"{id: binarize, kwargs: {threshold: [0.4, 1], axis: channel}}", "binarize(threshold=[0.4, 1], axis=channel)"},
       {"{id: clip, kwargs: {min: 0}}", "clip(min=0)"},
       {"{id: clip, kwargs: {min_percentile: 2, max_percentile: 98, axes: [x, y]}}",
        "clip(axes=[x, y], min_percentile=2, max_percentile=98)"},
       {"{id: ensure_dtype, kwargs: {dtype: uint8}}", "ensure_dtype(dtype=uint8)"},
       {"{id: fixed_zero_mean_unit_variance, kwargs: {mean: 3, std: 2}}",
        "fixed_zero_mean_unit_variance(mean=3, std=2)"},
       {"{id: fixed_zero_mean_unit_variance, kwargs: {mean: [3, 4], std: [2, 1], axis: channel}}",
        "fixed_zero_mean_unit_variance(mean=[3, 4], std=[2, 1], axis=channel)"},
       {"{id: scale_linear, kwargs: {gain: [1, 2], offset: 3, axis: channel}}",
        "scale_linear(gain=[1, 2], offset=3, axis=channel)"},
       {"{id: scale_mean_variance, kwargs: {reference_tensor: in, axes: [channel, x, y], eps: 1e-3}}",
        "scale_mean_variance(axes=[channel, x, y], reference_tensor=in, eps=0.001)"},
       {"{id: scale_range, kwargs: {axes: [batch, x, y], min_percentile: 5, max_percentile: 95, eps: 1e-3}}",
        "scale_range(axes=[batch, x, y], min_percentile=5, max_percentile=95, eps=0.001)"},
       {"{id: scale_range, kwargs: {reference_tensor: in}}", "scale_range(reference_tensor=in)"},
       {"{id: sigmoid}", "sigmoid"},
       {"{id: softmax, kwargs: {axis: channel}}", "softmax(axis=channel)"},
       {"{id: softmax}", "softmax"},
       {"{id: zero_mean_unit_variance, kwargs: {axes: [x, y], eps: 1e-5}}",
        "zero_mean_unit_variance(axes=[x, y], eps=1e-05)"}});
}

TEST(ConfigXml, RefusesEntitiesAndDepth) {
  const auto refused = [](const std::string& text, const char* part) {
    const auto read = ReadDescription(text, "config.xml");
    ASSERT_FALSE(read.ok()) << part;
    EXPECT_NE(read.status().message().find(part), std::string::npos) << read.status().message();
  };
  refused("<!DOCTYPE m [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><Model><Name>&b;</Name></Model>", "document type");
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "<a>";
  refused(deep, "nested too deep");
  refused("<Model><Name>x</Name>", "at byte");
  refused("<Other/>", "no <Model>");
  refused("<Model/>", "names no inputs");
  refused("<Model><InputNames0>a</InputNames0><InputOrganization0>NHWQ</InputOrganization0></Model>",
          "InputOrganization0");
}

// The traps of semantics: no indentation, a false number of outputs, absent FixedPatch, commas.
TEST(ConfigXml, ReadsTrapsAsTheyAreMeant) {
  const auto read = ReadDescription(
      "<Model><Name>n</Name><MemoryPeak>172,9 Mb</MemoryPeak><PixelSize>1,50µmx2.5µm</PixelSize>"
      "<InputTensorDimensions>,-1,-1,-1,3,</InputTensorDimensions><NumberOfInputs>1</NumberOfInputs>"
      "<InputNames0>in</InputNames0><InputOrganization0>NHWC</InputOrganization0><NumberOfOutputs>1</NumberOfOutputs>"
      "<OutputNames0>a</OutputNames0><OutputOrganization0>NHWC</OutputOrganization0>"
      "<OutputNames1>b</OutputNames1><OutputOrganization1>HWC</OutputOrganization1>"
      "<PatchSize>128</PatchSize><MinimumSize>32</MinimumSize><Padding>7</Padding></Model>",
      "config.xml");
  ASSERT_TRUE(read.ok()) << read.status().message();
  ASSERT_EQ(read->outputs.size(), 2u);
  EXPECT_EQ(read->outputs[1].Letters(), "yxc");
  EXPECT_EQ(read->outputs[1].axes[0].halo_px, 7);
  EXPECT_TRUE(read->fixed_patch);
  EXPECT_EQ(read->inputs[0].axes[1].size.kind, SizeRuleDescription::Kind::kFixed);
  EXPECT_EQ(read->inputs[0].axes[1].size.min, 128);
  EXPECT_EQ(read->inputs[0].axes[3].size.min, 3);
  EXPECT_EQ(read->pixel_x.value, 1.5);
  EXPECT_EQ(read->pixel_y.value, 2.5);
  EXPECT_EQ(read->pixel_x.unit, "µm");
  EXPECT_EQ(read->test_memory, "172,9 Mb");
}

TEST(Stardist, ReadsConfigurationAndThresholds) {
  const ScratchFolder scratch;
  Write(fs::path(scratch / "s") / "config.json",
        R"({"n_dim": 2, "axes": "YXC", "n_channel_in": 1, "n_channel_out": 33, "n_rays": 32, "grid": [2, 2],
            "unet_n_depth": 3, "unet_pool": [2, 2]})");
  Write(fs::path(scratch / "s") / "thresholds.json", R"({"prob": 0.479071463157368, "nms": 0.3})");
  const auto bundle = OpenBundle(scratch / "s");
  ASSERT_TRUE(bundle.ok()) << bundle.status().message();
  const BundleDescription& d = bundle->description();
  EXPECT_EQ(d.format, "StarDist config.json");
  EXPECT_EQ(d.inputs[0].axes[1].size.step, 16);  // grid 2 times 2^3
  EXPECT_EQ(d.probability_threshold, 0.479071463157368);
  EXPECT_EQ(d.nms_threshold, 0.3);
  EXPECT_EQ(ToString(d.preprocessing),
            "scale_range(axes=[y, x, channel], min_percentile=1, max_percentile=99.8, eps=1e-20)@input");
}

// Every prefix of a description, and every byte of it changed, ends in a description or in one sentence.
TEST(Descriptions, SurviveDamage) {
  const std::string yaml =
      std::string(kHead) + "weights: {onnx: {source: w.onnx}}\nconfig: {deepimagej: {a: &x [1], b: *x}}\n";
  for (size_t n = 0; n <= yaml.size(); ++n) (void)ReadDescription(yaml.substr(0, n), "rdf.yaml").ok();
  for (size_t i = 0; i < yaml.size(); ++i) {
    for (const char c : {'\0', '[', '{', '*', '&', ':', '\xff', '9'}) {
      std::string damaged = yaml;
      damaged[i] = c;
      const auto read = ReadDescription(damaged, "rdf.yaml");
      if (!read.ok()) {
        EXPECT_EQ(read.status().message().find('\n'), std::string::npos);
      }
    }
  }
}

}  // namespace
}  // namespace fovea::formats
