// fovea run --pixel-size on networks of known arithmetic: what arrives at the network, what comes back, calibration,
// masks, labels, volumes, and that tiles and budgets change no bit.
#include <cmath>

#include "formats/image/image.h"
#include "tests/support/random_graph.h"
#include "tests/tools/program_test.h"

namespace fovea::testing {
namespace {

using formats::ImageInfo;
using Values = std::vector<float>;

constexpr const char* kMicrometre = "\xc2\xb5m";

class RescaleTest : public ProgramTest {
 protected:
  // y = x, or x put into 2 x 2 pixels each; `properties` as fovea-convert writes them.
  std::string Network(const std::string& name, const std::string& axes, bool doubles,
                      std::vector<std::pair<std::string, std::string>> properties = {}) {
    test::NetBuilder net(1);
    std::vector<DimExpr> dims = {1};
    const size_t spatial = axes.size() - 2;
    for (size_t a = 0; a < spatial; ++a) dims.push_back(DimExpr::InputDim(0, static_cast<int>(a + 1)));
    dims.emplace_back(1);
    int x = net.Input(axes, dims);
    if (doubles) x = net.Upsample2(x, kernels::ResizeMode::kNearest, kernels::ResizeCoordinates::kAsymmetric);
    net.Output(net.Unary(x, {kernels::UnaryFn::kIdentity}));
    net.graph().metadata.properties = std::move(properties);
    const Status written = net.Write(scratch_ / name);
    EXPECT_TRUE(written.ok()) << written.message();
    return scratch_ / name;
  }

  void Write(const std::string& name, const ImageInfo& info, const Values& values) {
    auto writer = formats::CreateImage(scratch_ / name, info, {});
    ASSERT_TRUE(writer.ok()) << writer.status().message();
    const auto plane = static_cast<size_t>(info.y * info.x);
    for (int64_t z = 0; z < info.z; ++z) {
      ASSERT_TRUE((*writer)->Write({0, z, 0, 0, 0, info.y, info.x}, &values[static_cast<size_t>(z) * plane]).ok());
    }
    ASSERT_TRUE((*writer)->Finish().ok());
  }

  Values Read(const std::string& name, ImageInfo* info) {
    auto reader = formats::OpenImage(scratch_ / name);
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    if (!reader.ok()) return {};
    *info = (*reader)->info();
    Values values(static_cast<size_t>(info->z * info->y * info->x));
    for (int64_t z = 0; z < info->z; ++z) {
      float* plane = values.data() + z * info->y * info->x;
      EXPECT_TRUE(formats::ReadAsFloat(**reader, {0, z, 0, 0, 0, info->y, info->x}, plane, 1).ok());
    }
    return values;
  }
};

ImageInfo Calibrated(int64_t z, int64_t y, int64_t x) {
  ImageInfo info;
  info.z = z, info.y = y, info.x = x;
  info.pixel_size = {0.5, 0.25, 1, kMicrometre, 0, 6, -3, 0};
  info.imagej_blocks = {{formats::kImageJRoi, {'I', 'o', 'u', 't', 1}}};
  return info;
}

TEST_F(RescaleTest, TheNetworkSeesItsPixelSizeAndTheResultTheImages) {
  // Columns of 0.25 and rows of 0.5 micrometres to 0.5: pairs of columns are averaged, rows stay.
  const std::string net = Network("same.fov", "byxc", false, {{"pixel size x", "0.5 um"}, {"pixel size y", "500 nm"}});
  Write("in.tif", Calibrated(1, 2, 8), {0, 2, 10, 30, 4, 4, 8, 8, 1, 1, 1, 1, 5, 7, 9, 9});
  ProcessResult r = Run({"run", net, scratch_ / "in.tif", "-o", scratch_ / "m.tif", "--pixel-size", "match:model"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  ImageInfo info;
  EXPECT_EQ(Read("m.tif", &info), (Values{1, 20, 4, 8, 1, 1, 6, 9}));
  EXPECT_DOUBLE_EQ(info.pixel_size.x, 0.5);
  EXPECT_DOUBLE_EQ(info.pixel_size.y, 0.5);
  EXPECT_DOUBLE_EQ(info.pixel_size.origin_x_px, -1.5);  // the same place
  EXPECT_DOUBLE_EQ(info.pixel_size.origin_y_px, 6);
  EXPECT_TRUE(info.imagej_blocks.empty());

  // Back: linear between the centres of pairs, at quarters.
  r = Run({"run", net, scratch_ / "in.tif", "-o", scratch_ / "b.tif", "--pixel-size", "match"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(Read("b.tif", &info), (Values{1, 5.75f, 15.25f, 16, 8, 5, 7, 8, 1, 1, 1, 2.25f, 4.75f, 6.75f, 8.25f, 9}));
  EXPECT_EQ(info.pixel_size.x, 0.25);
  EXPECT_EQ(info.pixel_size.origin_x_px, -3);
  EXPECT_EQ(info.imagej_blocks.size(), 1u);

  // A size of the user's own; a size that the image has already changes nothing.
  r = Run({"run", net, scratch_ / "in.tif", "-o", scratch_ / "u.tif", "--pixel-size", "1um:model"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(Read("u.tif", &info), (Values{5.75f, 6.75f}));
}

TEST_F(RescaleTest, MasksAndLabelsComeBackByNearestPixels) {
  const std::string net = Network("same.fov", "byxc", false);
  ImageInfo info = Calibrated(1, 1, 8);
  info.pixel_size.y = 0.25;
  Write("in.tif", info, {0, 2, 10, 30, 0, 0, 8, 8});
  ProcessResult r =
      Run({"run", net, scratch_ / "in.tif", "-o", scratch_ / "mask.tif", "--pixel-size", "0.5um", "--threshold", "5"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(Read("mask.tif", &info), (Values{0, 0, 255, 255, 0, 0, 255, 255}));
  EXPECT_EQ(info.dtype, DType::kUInt8);
  r = Run({"run", net, scratch_ / "in.tif", "-o", scratch_ / "labels.tif", "--pixel-size", "0.5um", "--threshold", "5",
           "--labels"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(Read("labels.tif", &info), (Values{0, 0, 1, 1, 0, 0, 2, 2}));
  EXPECT_EQ(info.dtype, DType::kUInt16);
  ASSERT_EQ(info.luts.size(), 1u);
  ASSERT_EQ(info.display_ranges.size(), 1u);
  EXPECT_EQ(info.display_ranges[0].max, 255);
}

TEST_F(RescaleTest, NetworksThatEnlargeKeepTheirScale) {
  const std::string net = Network("double.fov", "byxc", true);
  ImageInfo info = Calibrated(1, 2, 4);
  info.pixel_size.y = 0.25;
  Write("in.tif", info, {3, 3, 7, 7, 3, 3, 7, 7});
  const ProcessResult r = Run({"run", net, scratch_ / "in.tif", "-o", scratch_ / "b.tif", "--pixel-size", "0.5um"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  // 1 x 2 pixels at the network, 2 x 4 after it, 4 x 8 back: twice the image.
  const Values row = {3, 3, 3, 4, 6, 7, 7, 7};
  Values expected;
  for (int i = 0; i < 4; ++i) expected.insert(expected.end(), row.begin(), row.end());
  EXPECT_EQ(Read("b.tif", &info), expected);
  EXPECT_DOUBLE_EQ(info.pixel_size.x, 0.125);
}

TEST_F(RescaleTest, VolumesAreRescaledAlongZ) {
  const std::string net = Network("volume.fov", "bzyxc", false,
                                  {{"pixel size x", "0.25 um"}, {"pixel size y", "0.5 um"}, {"pixel size z", "2 um"}});
  Write("in.tif", Calibrated(4, 1, 2), {1, 2, 3, 4, 5, 6, 9, 10});
  ProcessResult r = Run({"run", net, scratch_ / "in.tif", "-o", scratch_ / "m.tif", "--pixel-size", "match:model"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  ImageInfo info;
  EXPECT_EQ(Read("m.tif", &info), (Values{2, 3, 7, 8}));
  EXPECT_EQ(info.z, 2);
  EXPECT_DOUBLE_EQ(info.pixel_size.z, 2);
  r = Run({"run", net, scratch_ / "in.tif", "-o", scratch_ / "b.tif", "--pixel-size", "match"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(Read("b.tif", &info), (Values{2, 3, 3.25f, 4.25f, 5.75f, 6.75f, 7, 8}));
  EXPECT_EQ(info.pixel_size.z, 1);
}

TEST_F(RescaleTest, TilesChangeNoBit) {
  ImageInfo info = Calibrated(1, 300, 410);
  Values values;
  for (int i = 0; i < 300 * 410; ++i) values.push_back(static_cast<float>(i * 7919 % 1009));
  Write("in.tif", info, values);
  const auto with = [&](const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> words = {"run",          Model(),  scratch_ / "in.tif", "-o",       scratch_ / name,
                                      "--pixel-size", "0.37um", "--normalize",       "zero-mean"};
    words.insert(words.end(), more.begin(), more.end());
    const ProcessResult r = Run(words);
    EXPECT_EQ(r.exit_code, 0) << r.err;
    return Read(name, &info);
  };
  const Values whole = with("a.tif", {});
  EXPECT_EQ(whole.size(), values.size());
  EXPECT_TRUE(with("b.tif", {"--tile", "64x48"}) == whole);
  EXPECT_TRUE(with("c.tif", {"--threads", "1", "--compression", "deflate"}) == whole);
  EXPECT_EQ(scratch_.Files(), (std::vector<std::string>{"a.tif", "b.tif", "c.tif", "in.tif"}));
}

TEST_F(RescaleTest, WhatIsNotKnownIsSaid) {
  const std::string net = Network("same.fov", "byxc", false);
  Write("in.tif", Calibrated(1, 4, 4), Values(16));
  ImageInfo bare;
  bare.y = bare.x = 4;
  Write("bare.tif", bare, Values(16));
  const auto run = [&](const std::string& image, const std::string& size) {
    return Run({"run", net, scratch_ / image, "-o", scratch_ / "o.tif", "--pixel-size", size});
  };
  ExpectError(run("in.tif", "match"), 2, {"in.tif", "the model does not tell its pixel size", "--pixel-size 0.65um"});
  ExpectError(run("bare.tif", "0.5um"), 2, {"bare.tif", "does not tell its pixel size"});
  ExpectError(run("in.tif", "1mm"), 2, {"in.tif", "0.5 \xc2\xb5m", "1000 \xc2\xb5m", "check the scale"});
  for (const char* text : {"0.5", "um", "-1um", "0um", "1e999um", "nanum", "match:image", ":model"}) {
    ExpectError(run("in.tif", text), 2, {"--pixel-size", text});
  }
  EXPECT_EQ(scratch_.Files(), (std::vector<std::string>{"bare.tif", "in.tif", "same.fov"}));
}

}  // namespace
}  // namespace fovea::testing
