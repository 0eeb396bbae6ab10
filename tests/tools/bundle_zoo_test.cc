// Every bundle of DeepImageJ's zoo, whose weights are not here, with a stand-in for its network: y = 2 x, the channels
// repeated and the image halved where the description says so. The example image goes through steps and network by the
// programs; what comes out is worked out here from the published definitions.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "formats/image/image.h"
#include "formats/image/npy.h"
#include "tests/converter/saved_model/support.h"
#include "tests/tools/program_test.h"

namespace fovea::testing {
namespace {

namespace fs = std::filesystem;

const fs::path kZoo = fs::path(FOVEA_SHARED_DIR) / "deepimagej-zoo";

struct ZooCase {
  const char* folder;
  const char* example;  // empty: none published, or one that only a macro makes fit
  int rank, channels, repeats = 1;
  bool halved = false;
  double low = -1, high = -1;  // percentiles of scale_range; -1: no such step
  bool jointly = false;        // of all channels together
  double threshold = -1;       // of binarize
  bool images = true;          // false: boxes and masks come out, for which no image could stand in
};

const ZooCase kCases[] = {
    {.folder = "2du-net_zerocostdl4mic",
     .example = "exampleImage.tif",
     .rank = 4,
     .channels = 1,
     .low = 0,
     .high = 99.85},
    {.folder = "3du-net_zerocostdl4mic", .example = "exampleImage.tif", .rank = 5, .channels = 1},
    {.folder = "deepstorm_zerocostdl4mic", .example = "exampleImage.tiff", .rank = 4, .channels = 1},
    {.folder = "defcon_density_map_estimation",
     .example = "exampleImage.tif",
     .rank = 4,
     .channels = 1,
     .low = 0,
     .high = 100},
    {.folder = "fru-net_sev_segmentation",
     .example = "exampleImage.npy",
     .rank = 4,
     .channels = 1,
     .low = 0,
     .high = 100,
     .threshold = 0.4},
    {.folder = "jones_virtual_staining", .example = "exampleImage.tif", .rank = 4, .channels = 1, .repeats = 3},
    {.folder = "stardist2D_zerocostdl4mic",
     .example = "",
     .rank = 4,
     .channels = 3,
     .repeats = 11,
     .halved = true,
     .low = 1,
     .high = 99.8,
     .jointly = true},
    {.folder = "u-net_glioblastoma_segmentation", .example = "exampleImage.tiff", .rank = 4, .channels = 1},
    {.folder = "u-net_pancreatic_segmentation",
     .example = "exampleImage.tiff",
     .rank = 4,
     .channels = 1,
     .low = 0,
     .high = 100,
     .threshold = 0.5},
    {.folder = "usiigaci", .example = "", .rank = 4, .channels = 3, .images = false},
    {.folder = "widefield_dapi_super-resolution", .example = "exampleImage.tiff", .rank = 4, .channels = 1},
    {.folder = "widefield_txred_super-resolution", .example = "exampleImage.tiff", .rank = 4, .channels = 1},
};

void WriteStandIn(const fs::path& folder, const ZooCase& zoo) {
  tfproto::SavedModel model;
  model.set_saved_model_schema_version(1);
  tfproto::MetaGraphDef* meta = model.add_meta_graphs();
  meta->mutable_meta_info_def()->add_tags("serve");
  tfproto::GraphDef* graph = meta->mutable_graph_def();
  Attr(AddNode(graph, "x", "Placeholder", {}), "dtype").set_type(1);
  std::string last = "x";
  if (zoo.halved) {
    tfproto::NodeDef& pool = AddNode(graph, "pool", "MaxPool", {last});
    for (const char* list : {"ksize", "strides"}) {
      for (const int64_t v : {1, 2, 2, 1}) Attr(pool, list).mutable_list()->add_i(v);
    }
    Attr(pool, "padding").set_s("VALID");
    last = "pool";
  }
  AddNode(graph, "double", "AddV2", {last, last});
  tfproto::NodeDef& axis = AddNode(graph, "axis", "Const", {});
  Attr(axis, "dtype").set_type(3);
  tfproto::TensorProto* number = Attr(axis, "value").mutable_tensor();
  number->set_dtype(3);
  number->mutable_tensor_shape();
  number->add_int_val(zoo.rank - 1);
  std::vector<std::string> parts(static_cast<size_t>(zoo.repeats), "double");
  parts.push_back("axis");
  tfproto::NodeDef& concat = AddNode(graph, "y", zoo.repeats > 1 ? "ConcatV2" : "Identity", parts);
  if (zoo.repeats > 1) {
    Attr(concat, "N").set_i(zoo.repeats);
  } else {
    concat.mutable_input()->RemoveLast();
  }
  auto* signature = meta->add_signature_def();
  signature->set_key("serving_default");
  const auto port = [&](tfproto::TensorInfoEntry* entry, const std::string& name, int64_t channels) {
    entry->set_key(name);
    entry->mutable_value()->set_name(name + ":0");
    entry->mutable_value()->set_dtype(1);
    std::vector<int64_t> dims(static_cast<size_t>(zoo.rank), -1);
    dims[0] = 1;
    dims.back() = channels;
    SetShape(entry->mutable_value()->mutable_tensor_shape(), dims);
  };
  port(signature->mutable_value()->add_inputs(), "x", zoo.channels);
  port(signature->mutable_value()->add_outputs(), "y", zoo.channels * zoo.repeats);
  std::ofstream(folder / "saved_model.pb", std::ios::binary) << model.SerializeAsString();
}

struct Pixels {
  formats::ImageInfo info;
  std::vector<float> values;  // t z c y x
};

Pixels ReadPixels(const std::string& path) {
  auto reader = formats::OpenImage(path);
  EXPECT_TRUE(reader.ok()) << reader.status().message();
  Pixels pixels;
  if (!reader.ok()) return pixels;
  const formats::ImageInfo& info = pixels.info = (*reader)->info();
  const auto plane = static_cast<size_t>(info.y * info.x);
  pixels.values.resize(plane * static_cast<size_t>(info.plane_count()));
  float* to = pixels.values.data();
  for (int64_t t = 0; t < info.t; ++t) {
    for (int64_t z = 0; z < info.z; ++z) {
      for (int64_t c = 0; c < info.c; ++c, to += plane) {
        EXPECT_TRUE(formats::ReadAsFloat(**reader, {t, z, c, 0, 0, info.y, info.x}, to, 1).ok());
      }
    }
  }
  return pixels;
}

// numpy.percentile: linear between order statistics.
double Percentile(std::vector<float> values, double p) {
  std::sort(values.begin(), values.end());
  const double at = p / 100 * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
}

// What the description's steps and the stand-in make of one sample [c][y][x].
std::vector<double> Expected(const ZooCase& zoo, const std::vector<float>& sample, int64_t rows, int64_t cols) {
  const auto plane = static_cast<size_t>(rows * cols);
  std::vector<double> scaled(sample.begin(), sample.end());
  if (zoo.high >= 0) {
    const size_t group = zoo.jointly ? sample.size() : plane;
    for (size_t at = 0; at < sample.size(); at += group) {
      const auto begin = sample.begin() + static_cast<std::ptrdiff_t>(at);
      const std::vector<float> part(begin, begin + static_cast<std::ptrdiff_t>(group));
      const double low = Percentile(part, zoo.low), high = Percentile(part, zoo.high);
      for (size_t i = at; i < at + group; ++i) scaled[i] = (scaled[i] - low) / (high - low + 1e-6);
    }
  }
  const int64_t step = zoo.halved ? 2 : 1;
  std::vector<double> out;
  for (int repeat = 0; repeat < zoo.repeats; ++repeat) {
    for (int c = 0; c < zoo.channels; ++c) {
      for (int64_t y = 0; y + step <= rows; y += step) {
        for (int64_t x = 0; x + step <= cols; x += step) {
          double value = -1e300;
          for (int64_t i = 0; i < step * step; ++i) {
            const int64_t at = (c * rows + y + i / step) * cols + x + i % step;
            value = std::max(value, 2 * scaled[static_cast<size_t>(at)]);
          }
          out.push_back(zoo.threshold < 0 ? value : value > zoo.threshold ? 1 : 0);
        }
      }
    }
  }
  return out;
}

class BundleZooTest : public ProgramTest, public ::testing::WithParamInterface<ZooCase> {
 protected:
  // Descriptions and macros without arrays and images: the published results are of the real networks.
  void CopyDescription(const std::string& folder) {
    fs::create_directories(scratch_ / "bundle");
    for (const auto& entry : fs::directory_iterator(kZoo / folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".yaml" && extension != ".xml" && extension != ".txt" && extension != ".ijm") continue;
      fs::copy_file(entry.path(), fs::path(scratch_ / "bundle") / entry.path().filename());
      fs::permissions(fs::path(scratch_ / "bundle") / entry.path().filename(), fs::perms(0644));
    }
  }
  // The published example, or a picture of the right kind.
  std::string Example(const ZooCase& zoo) {
    if (*zoo.example != '\0') return (kZoo / zoo.folder / zoo.example).string();
    std::vector<float> values;
    for (int i = 0; i < 32 * 48 * zoo.channels; ++i) values.push_back(static_cast<float>(i * 37 % 1009));
    formats::ImageInfo info;
    info.c = zoo.channels;
    info.y = 32;
    info.x = 48;
    info.axes = "CYX";
    auto writer = formats::CreateImage(scratch_ / "in.tif", info, {});
    EXPECT_TRUE(writer.ok());
    for (int64_t c = 0; c < info.c; ++c) {
      EXPECT_TRUE((*writer)->WriteFloat({0, 0, c, 0, 0, 32, 48}, values.data() + c * 32 * 48, 1).ok());
    }
    EXPECT_TRUE((*writer)->Finish().ok());
    return scratch_ / "in.tif";
  }
};

TEST_P(BundleZooTest, RunsItsStepsOnAStandIn) {
  if (!fs::exists(kZoo)) GTEST_SKIP() << "../shared is absent";
  const ZooCase& zoo = GetParam();
  CopyDescription(zoo.folder);
  WriteStandIn(scratch_ / "bundle", zoo);
  const ProcessResult converted = RunProcess({kConvert, scratch_ / "bundle", "-o", scratch_ / "net.fov", "-q"});
  ASSERT_EQ(converted.exit_code, 0) << converted.err;
  if (!zoo.images) return;
  const std::string example = Example(zoo);
  const ProcessResult ran = Run({"run", scratch_ / "net.fov", example, "-o", scratch_ / "out.tif", "-q"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;

  const Pixels in = ReadPixels(example), out = ReadPixels(scratch_ / "out.tif");
  const int64_t rows = in.info.y, cols = in.info.x;
  const int64_t shrink = zoo.halved ? 2 : 1;
  EXPECT_EQ(out.info.y, rows / shrink);
  EXPECT_EQ(out.info.x, cols / shrink);
  const auto sample = static_cast<size_t>(rows * cols * zoo.channels);
  ASSERT_EQ(in.values.size() % sample, 0u);
  const size_t result = sample * static_cast<size_t>(zoo.repeats) / static_cast<size_t>(shrink * shrink);
  ASSERT_EQ(out.values.size(), in.values.size() / sample * result);
  for (size_t s = 0; s * sample < in.values.size(); ++s) {
    const auto begin = in.values.begin() + static_cast<std::ptrdiff_t>(s * sample);
    const std::vector<double> expected =
        Expected(zoo, {begin, begin + static_cast<std::ptrdiff_t>(sample)}, rows, cols);
    for (size_t i = 0; i < expected.size(); ++i) {
      const double got = out.values[s * result + i];
      // A value within rounding of the threshold may fall on either side; there is none in these images.
      ASSERT_NEAR(got == 255 && zoo.threshold >= 0 ? 1 : got, expected[i], 1e-5 * (1 + std::abs(expected[i])))
          << "sample " << s << ", element " << i;
    }
  }
}

// What the zoo's descriptions say survives a package of our own: built from the stand-in with its description, then
// converted and run like a download.
TEST_P(BundleZooTest, IsBuiltAsAPackageAndReadAgain) {
  if (!fs::exists(kZoo)) GTEST_SKIP() << "../shared is absent";
  const ZooCase& zoo = GetParam();
  if (!zoo.images) return;
  CopyDescription(zoo.folder);
  WriteStandIn(scratch_ / "bundle", zoo);
  const std::string example = Example(zoo);
  // What bioimage.io asks for today and the description, of its time, does not have.
  std::ofstream(scratch_ / "more.yaml") << "license: BSD-2-Clause\ncite: [{text: Paper, doi: 10.1234/5}]\n"
                                        << "name: Again\ndescription: As published.\ntensorflow_version: \"1.15\"\n"
                                        << "authors: [{name: Somebody}]\n";
  const ProcessResult built = RunProcess({kConvert, scratch_ / "bundle", "--bundle", scratch_ / "package.zip",
                                          "--example", example, "--metadata", scratch_ / "more.yaml"});
  ASSERT_EQ(built.exit_code, 0) << built.err;
  const auto converted = [&](const std::string& from, const std::string& to) {
    const ProcessResult r = RunProcess({kConvert, from, "-o", to, "-q"});
    EXPECT_EQ(r.exit_code, 0) << r.err;
    return nlohmann::json::parse(Run({"info", to, "--json"}).out);
  };
  const auto first = converted(scratch_ / "bundle", scratch_ / "first.fov");
  const auto again = converted(scratch_ / "package.zip", scratch_ / "again.fov");
  const auto sizes = [](const nlohmann::json& info) {
    std::vector<nlohmann::json> all;
    for (const auto& port : info["inputs"]) all.insert(all.end(), {port["axes"], port["dims"], port["rules"]});
    for (const auto& port : info["outputs"]) all.insert(all.end(), {port["axes"], port["dims"]});
    return all;
  };
  EXPECT_EQ(sizes(again), sizes(first));
  EXPECT_EQ(again["name"], "Again");
  EXPECT_EQ(again["self_tests"], 1);
  const ProcessResult test = Run({"test", scratch_ / "again.fov"});
  EXPECT_EQ(test.exit_code, 0) << test.out << test.err;
  for (const char* name : {"first", "again"}) {
    const ProcessResult ran = Run(
        {"run", scratch_ / (std::string(name) + ".fov"), example, "-o", scratch_ / (std::string(name) + ".tif"), "-q"});
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
  }
  EXPECT_EQ(ReadPixels(scratch_ / "again.tif").values, ReadPixels(scratch_ / "first.tif").values);
}

INSTANTIATE_TEST_SUITE_P(Zoo, BundleZooTest, ::testing::ValuesIn(kCases), [](const auto& param) {
  std::string name = param.param.folder;
  std::erase_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
  return name;
});

// Its network is TorchScript alone, its macros ask: it is described, and refused with what to do.
class BundleZooTorchTest : public ProgramTest {};
TEST_F(BundleZooTorchTest, WhatHasOnlyPyTorchIsRefused) {
  if (!fs::exists(kZoo)) GTEST_SKIP() << "../shared is absent";
  ExpectError(RunProcess({kConvert, (kZoo / "skin_lesion_classification").string(), "-o", scratch_ / "n.fov"}), 2,
              {"PyTorch only", "ONNX"});
  EXPECT_TRUE(scratch_.Files().empty());
}

}  // namespace
}  // namespace fovea::testing
