// Published TensorFlow networks (../shared/models/sm1-*, sm2-*, pb-*, tiny-savedmodels/*): file to result, each case
// within its own tolerance, on every instruction set and by the reference executor. Graphs without weights with random
// ones. The Noise2Void bundle against the pictures that come with it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/image/image.h"
#include "formats/image/npy.h"
#include "kernels/isa.h"
#include "tests/converter/onnx/support.h"
#include "tests/converter/support.h"
#include "tests/support/run_session.h"
#include "tests/support/sanitizers.h"

namespace fovea::testing {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kModels = fs::path(FOVEA_SHARED_DIR) / "models";

Tensor ReadArray(const fs::path& path) {
  const formats::NpyArray array = Must(formats::ReadNpy(path));
  const std::vector<float> values = formats::ToFloatVector(array);
  return {DTypeName(array.dtype), array.shape, {values.begin(), values.end()}};
}

Json ReadJson(const fs::path& path) {
  std::ifstream in(path);
  return Json::parse(in);
}

converter::Options OptionsFor(const Json& folder) {
  converter::Options options;
  for (const auto& name : folder.value("inputs", Json::array())) options.inputs.push_back(name);
  for (const auto& name : folder.value("outputs", Json::array())) options.outputs.push_back(name);
  const Json constants = folder.value("constants", Json::object());
  for (const auto& [name, value] : constants.items()) {
    if (value.is_boolean()) options.set.push_back({name, DType::kBool, {}, {value.get<bool>() ? 1.0f : 0.0f}});
  }
  return options;
}

// fn(session options, their name): every instruction set of this machine, then the reference executor.
template <class Fn>
void ForEachExecutor(Fn&& fn) {
  for (const kernels::Isa isa : test::IsasForLargeNetworks()) {
    const std::string name = kernels::IsaName(isa);
    SessionOptions options;
    options.isa = name;
    options.threads = 2;
    fn(options, name);
  }
  if (test::kSanitized) return;
  SessionOptions reference;
  reference.executor = Executor::kReference;
  fn(reference, "reference executor");
}

void RunFolder(const fs::path& path) {
  SCOPED_TRACE(path.string());
  const Json folder = ReadJson(path / "case.json");
  const Result<Model> model = ConvertAndLoad(path / folder["model"].get<std::string>(), OptionsFor(folder), nullptr);
  ASSERT_TRUE(model.ok()) << model.status().message();
  ASSERT_FALSE(folder["cases"].empty());
  for (const Json& c : folder["cases"]) {
    std::vector<Tensor> inputs;
    for (const TensorSpec& spec : model->inputs()) {
      const auto named = std::find_if(c["inputs"].begin(), c["inputs"].end(),
                                      [&](const Json& input) { return input["name"] == spec.name; });
      ASSERT_NE(named, c["inputs"].end()) << "input " << spec.name;
      inputs.push_back(ReadArray(path / (*named)["file"].get<std::string>()));
    }
    ForEachExecutor([&](const SessionOptions& options, const std::string& who) {
      const Result<std::vector<Tensor>> got = Run(*model, inputs, options);
      ASSERT_TRUE(got.ok()) << who << ": " << got.status().message();
      for (const Json& output : c["outputs"]) {
        const auto specs = model->outputs();
        const auto found = std::find_if(specs.begin(), specs.end(),
                                        [&](const TensorSpec& spec) { return output["name"] == spec.name; });
        ASSERT_NE(found, specs.end()) << output["name"];
        const Tensor want = ReadArray(path / output["file"].get<std::string>());
        EXPECT_EQ(Compare((*got)[static_cast<size_t>(found - specs.begin())], want, 0, output["atol"].get<double>()),
                  "")
            << output["name"] << ", " << who;
      }
    });
  }
}

void RunAll(const fs::path& folder, const std::vector<std::string>& prefixes) {
  if (!fs::exists(folder)) GTEST_SKIP() << "no ../shared";
  int count = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    const auto begins = [&](const std::string& prefix) { return name.rfind(prefix, 0) == 0; };
    if (!fs::is_directory(entry) || std::none_of(prefixes.begin(), prefixes.end(), begins)) continue;
    RunFolder(entry.path());
    ++count;
  }
  EXPECT_GT(count, 0);
}

TEST(TensorFlowModels, TensorFlow1) { RunAll(kModels, {"sm1-"}); }
TEST(TensorFlowModels, TensorFlow2) { RunAll(kModels, {"sm2-"}); }
TEST(TensorFlowModels, FrozenGraphs) { RunAll(kModels, {"pb-"}); }
TEST(TensorFlowModels, TinySavedModels) { RunAll(kModels / "tiny-savedmodels", {""}); }

// Weights in 16 bits, in every kind of source: half the size, and results that differ by what their rounding explains
// (a relative 2^-11 for f16, 2^-8 for bf16, through a dozen layers).
TEST(TensorFlowModels, NarrowWeightsOfEveryFrontend) {
  if (!fs::exists(kModels)) GTEST_SKIP() << "no ../shared";
  for (const char* name : {"sm1-care2d-residual", "pb-espcn-x2", "h5-nuclei-unet", "onnx-superres-espcn-op10"}) {
    SCOPED_TRACE(name);
    const fs::path path = kModels / name;
    const Json folder = ReadJson(path / "case.json");
    converter::Options options = OptionsFor(folder);
    const std::string file = path / folder["model"].get<std::string>();
    const Json& c = folder["cases"][0];
    const Tensor input = ReadArray(path / c["inputs"][0]["file"].get<std::string>());
    const Model exact = Must(ConvertAndLoad(file, options, nullptr));
    const std::vector<double> want = Must(fovea::testing::Run(exact, {input}, {}))[0].values;
    const auto [low, high] = std::minmax_element(want.begin(), want.end());
    for (const auto& [type, share] : {std::pair(WeightType::kFloat16, 0.005), {WeightType::kBFloat16, 0.04}}) {
      options.weights = type;
      const Model narrow = Must(ConvertAndLoad(file, options, nullptr));
      EXPECT_LT(static_cast<double>(narrow.info().file_bytes), 0.6 * static_cast<double>(exact.info().file_bytes));
      const std::vector<double> got = Must(fovea::testing::Run(narrow, {input}, {}))[0].values;
      double largest = 0;
      for (size_t i = 0; i < want.size(); ++i) largest = std::max(largest, std::fabs(got[i] - want[i]));
      EXPECT_LT(largest, share * (*high - *low));
      EXPECT_GT(largest, 0);
    }
  }
}

// Whole image and tiles, reference and fast executors agree on random weights too; what cannot be tiled says so.
TEST(TensorFlowModels, GraphsAloneWithRandomWeights) {
  if (!fs::exists(kModels)) GTEST_SKIP() << "no ../shared";
  for (const char* name : {"denoiseg_prediction_2d", "defcon_density_map"}) {
    SCOPED_TRACE(name);
    converter::Options options;
    options.random_weights = 1;
    converter::Report report;
    const Model model = Must(ConvertAndLoad(kModels / "graphs-only" / name, options, &report));
    const std::vector<std::vector<int64_t>> dims{{1, 64, 48, 1}};
    const test::Tensors inputs = test::RandomTensors(dims, 1);
    SessionOptions reference;
    reference.executor = Executor::kReference;
    Session exact = Must(Session::Create(model, dims, reference));
    const test::Tensors want = test::RunSession(exact, inputs);
    double largest = 0;
    for (const float v : want[0]) largest = std::max(largest, std::fabs(static_cast<double>(v)));
    EXPECT_GT(largest, 1e-6);
    EXPECT_LT(largest, 1e6);
    Session fast = Must(Session::Create(model, dims, {}));
    const test::Tensors whole = test::RunSession(fast, inputs);
    for (size_t i = 0; i < want[0].size(); ++i) ASSERT_NEAR(whole[0][i], want[0][i], 1e-4 * largest);
    SessionOptions tiled;
    tiled.tile[1] = tiled.tile[2] = 32;
    auto tiles = Session::Create(model, dims, tiled);
    const bool global = std::string(name) == "defcon_density_map";  // a min-max over the image
    EXPECT_EQ(tiles.ok(), !global);
    if (tiles.ok()) {
      EXPECT_EQ(test::FirstDifference(test::RunSession(*tiles, inputs), whole), "");
    }
    bool marked = false;
    for (const auto& [key, value] : model.info().properties) marked = marked || key == "whole_image";
    EXPECT_EQ(marked, global);
  }
}

std::vector<float> ReadPicture(const fs::path& path, int64_t* height, int64_t* width) {
  auto reader = Must(formats::OpenImage(path));
  formats::Region all;
  all.height = *height = reader->info().y;
  all.width = *width = reader->info().x;
  std::vector<float> pixels(static_cast<size_t>(all.height * all.width));
  Must(formats::ReadAsFloat(*reader, all, pixels.data(), 1));
  return pixels;
}

std::vector<float> Transposed(const std::vector<float>& in, int64_t height, int64_t width) {
  std::vector<float> out(in.size());
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x)
      out[static_cast<size_t>(x * height + y)] = in[static_cast<size_t>(y * width + x)];
  }
  return out;
}

// Pictures written by Fiji with TensorFlow. testinput.tif is normalised already, and Fiji's network saw it with rows
// and columns exchanged.
TEST(TensorFlowModels, Noise2VoidBundleGivesItsOwnPicture) {
  const fs::path folder = kModels / "sm1-n2v2d-fiji";
  if (!fs::exists(folder)) GTEST_SKIP() << "no ../shared";
  const Model model = Must(ConvertAndLoad(folder / "bundle.zip", {}, nullptr));
  int64_t height = 0, width = 0, out_height = 0, out_width = 0;
  const std::vector<float> input = ReadPicture(folder / "bundle" / "testinput.tif", &height, &width);
  const std::vector<float> want = ReadPicture(folder / "bundle" / "testoutput.tif", &out_height, &out_width);
  ASSERT_EQ(std::pair(height, width), std::pair(out_height, out_width));
  const std::vector<float> turned = Transposed(input, height, width);
  Tensor image{"float32", {1, width, height, 1}, {turned.begin(), turned.end()}};
  ForEachExecutor([&](const SessionOptions& options, const std::string& who) {
    const std::vector<Tensor> got = Must(fovea::testing::Run(model, {image}, options));
    const std::vector<float> result(got[0].values.begin(), got[0].values.end());
    const std::vector<float> back = Transposed(result, width, height);
    double largest = 0;
    for (size_t i = 0; i < want.size(); ++i) {
      largest = std::max(largest, std::fabs(static_cast<double>(back[i]) - static_cast<double>(want[i])));
    }
    EXPECT_LT(largest, 5e-5) << who;  // float32 in another order; the interpreter beside the files was 7e-6 away
  });
}

}  // namespace
}  // namespace fovea::testing
