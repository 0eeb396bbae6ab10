// Our TIFFs in ImageJ itself (Debian's imagej under a virtual display): type, dimensions, calibration, labels, tables
// and ranges as its macro language reports them. Skips where ImageJ, Java or xvfb-run is absent.
#include "tests/support/imagej.h"

#include <cmath>
#include <map>
#include <sstream>

#include "formats/image/lut.h"
#include "tests/formats/image/image_test_util.h"

namespace fovea::formats {
namespace {

// Prints "file|key|value" for each file of the folder in its argument: one start of Java for all of them.
constexpr const char* kMacro = R"(
folder = getArgument();
files = getFileList(folder);
for (i = 0; i < files.length; i++) {
  if (!endsWith(files[i], ".tif")) continue;
  name = files[i];
  open(folder + name);
  getDimensions(width, height, channels, slices, frames);
  say("size", "" + width + " " + height + " " + channels + " " + slices + " " + frames);
  say("bits", bitDepth());
  getVoxelSize(w, h, d, unit);
  say("voxel", d2s(w, 9) + " " + d2s(h, 9) + " " + d2s(d, 9) + " " + unit);
  say("interval", d2s(Stack.getFrameInterval(), 6));
  x = 0; y = 0;
  toScaled(x, y);
  say("origin", d2s(x, 6) + " " + d2s(y, 6));
  say("hyperstack", Stack.isHyperstack);
  say("composite", is("composite"));
  say("info", getMetadata("Info"));
  say("selection", selectionType());
  for (n = 1; n <= nSlices; n++) {
    setSlice(n);
    say("label " + n, getMetadata("Label"));
    say("pixel " + n, d2s(getPixel(1, 2), 4));
    getMinAndMax(min, max);
    say("range " + n, d2s(min, 4) + " " + d2s(max, 4));
    if (bitDepth == 24) continue;
    getLut(reds, greens, blues);
    say("lut " + n, "" + reds[1] + " " + greens[1] + " " + blues[1] + " " + reds[255] + " " + greens[255] + " " +
                    blues[255]);
  }
  close();
}
function say(key, value) { print(name + "|" + key + "|" + value); }
)";

class ImageJPrograms : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::HaveImageJ()) GTEST_SKIP() << "imagej, java or xvfb-run is absent";
  }

  // Writes planes whose pixel is `base` + 100 plane + x + 10 y.
  void Add(const std::string& name, const ImageInfo& info, const WriteOptions& options, float base = 0) {
    auto writer = CreateImage(folder_.File(name), info, options);
    ASSERT_OK(writer.status());
    std::vector<float> plane(static_cast<size_t>(info.y * info.x));
    for (int64_t i = 0; i < info.plane_count(); ++i) {
      for (size_t p = 0; p < plane.size(); ++p) {
        const auto x = static_cast<int64_t>(p) % info.x, y = static_cast<int64_t>(p) / info.x;
        plane[p] = base + static_cast<float>(100 * i + x + 10 * y);
      }
      ASSERT_OK((*writer)->WriteFloat({i / info.c / info.z, i / info.c % info.z, i % info.c, 0, 0, info.y, info.x},
                                      plane.data(), 1));
    }
    ASSERT_OK((*writer)->Finish());
  }

  // What ImageJ says of all files added: (file, key) to value.
  void Ask() {
    const auto asked = testing::RunImageJ(kMacro, folder_.File(""));
    std::istringstream lines(asked.out);
    for (std::string line; std::getline(lines, line);) {
      const size_t first = line.find('|'), second = line.find('|', first + 1);
      if (second == std::string::npos) continue;
      said_[line.substr(0, first)][line.substr(first + 1, second - first - 1)] = line.substr(second + 1);
    }
    ASSERT_FALSE(said_.empty()) << asked.out << asked.err;
  }

  void Expect(const std::string& name, const std::map<std::string, std::string>& expected) {
    for (const auto& [key, value] : expected) EXPECT_EQ(said_[name][key], value) << name << ": " << key;
  }

  TemporaryFolder folder_;
  std::map<std::string, std::map<std::string, std::string>> said_;
};

ImageInfo Stack() {
  ImageInfo info;
  info.t = 2, info.z = 3, info.c = 2, info.y = 10, info.x = 12;
  info.axes = "TZCYX";
  info.pixel_size = {0.25, 0.125, 0.5, "\xc2\xb5m", 2.5, 4, -8, 0};
  for (int i = 0; i < 12; ++i) info.slice_labels.push_back("slice " + std::to_string(i));
  info.display_ranges = {{10, 2000}, {5, 4000}};
  info.luts.resize(2);
  for (size_t i = 0; i < 256; ++i) info.luts[0][i] = info.luts[1][512 + i] = static_cast<uint8_t>(i);
  info.notes = "Objective: 63x";
  return info;
}

TEST_F(ImageJPrograms, ShowsWhatWasWritten) {
  const std::vector<std::pair<std::string, DType>> types = {
      {"8", DType::kUInt8}, {"16", DType::kUInt16}, {"32", DType::kFloat32}};
  for (const auto& [bits, dtype] : types) Add("stack" + bits + ".tif", Stack(), {.dtype = dtype});
  Add("deflated.tif", Stack(), {.dtype = DType::kUInt16, .compression = WriteOptions::kDeflate});
  Add("packed.tif", Stack(), {.dtype = DType::kUInt16, .compression = WriteOptions::kLzw});

  ImageInfo names = Stack();
  names.t = names.z = 1;
  names.axes = "CYX";
  names.slice_labels.clear();
  names.channel_names = {"DAPI", "GFP"};
  Add("names.tif", names, {.dtype = DType::kFloat32});

  ImageInfo labels;
  labels.y = 10, labels.x = 12;
  labels.luts = {LabelLut()};
  labels.display_ranges = {LabelRange(9)};
  Add("labels.tif", labels, {.dtype = DType::kUInt16});
  labels.display_ranges = {LabelRange(70000)};
  Add("many_labels.tif", labels, {.dtype = DType::kFloat32}, 66000);

  ImageInfo probability;
  probability.y = 10, probability.x = 12;
  probability.pixel_size = {2, 2, 0, "inch", 0, 0, 0, 0};
  probability.display_ranges = {{0, 1}};
  Add("probability.tif", probability, {.dtype = DType::kFloat32});

  ImageInfo colour;
  colour.c = 3, colour.y = 10, colour.x = 12;
  colour.axes = "YXS";
  Add("colour.tif", colour, {.dtype = DType::kUInt8});

  ImageInfo dot;
  dot.y = 1, dot.x = 1;
  Add("dot.tif", dot, {.dtype = DType::kFloat32});
  Ask();

  for (const auto& [bits, dtype] : types) {
    Expect("stack" + bits + ".tif", {{"size", "12 10 2 3 2"},
                                     {"bits", bits},
                                     {"voxel", "0.125000000 0.250000000 0.500000000 \xc2\xb5m"},
                                     {"interval", "2.500000"},
                                     {"origin", "1.000000 -1.000000"},  // (0 - -8) 0.125, (0 - 4) 0.25
                                     {"hyperstack", "1"},
                                     {"composite", "1"},
                                     {"info", "Objective: 63x"},
                                     {"label 1", "slice 0"},
                                     {"label 12", "slice 11"},
                                     {"range 2", "5.0000 4000.0000"},
                                     {"pixel 1", "21.0000"},
                                     {"pixel 12", dtype == DType::kUInt8 ? "255.0000" : "1121.0000"},
                                     {"lut 1", "1 0 0 255 0 0"},
                                     {"lut 2", "0 0 1 0 0 255"}});
  }
  for (const char* name : {"deflated.tif", "packed.tif"}) {
    Expect(name, {{"size", "12 10 2 3 2"}, {"bits", "16"}, {"pixel 12", "1121.0000"}, {"composite", "1"}});
  }
  Expect("names.tif", {{"size", "12 10 2 1 1"}, {"label 1", "DAPI"}, {"label 2", "GFP"}, {"bits", "32"}});
  const std::array<uint8_t, 3> first = LabelColour(1), last = LabelColour(255);
  std::string lut;
  for (const uint8_t value : {first[0], first[1], first[2], last[0], last[1], last[2]}) {
    lut += (lut.empty() ? "" : " ") + std::to_string(value);
  }
  Expect("labels.tif", {{"bits", "16"}, {"lut 1", lut}, {"range 1", "0.0000 255.0000"}, {"pixel 1", "21.0000"}});
  Expect("many_labels.tif",
         {{"bits", "32"}, {"lut 1", lut}, {"range 1", "0.0000 70000.0000"}, {"pixel 1", "66021.0000"}});
  Expect("probability.tif", {{"bits", "32"},
                             {"range 1", "0.0000 1.0000"},
                             {"voxel", "2.000000000 2.000000000 1.000000000 inches"},
                             {"size", "12 10 1 1 1"}});
  Expect("colour.tif", {{"bits", "24"}, {"size", "12 10 1 1 1"}});
  Expect("dot.tif", {{"bits", "32"}, {"size", "1 1 1 1 1"}});
}

}  // namespace
}  // namespace fovea::formats
