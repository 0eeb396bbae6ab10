// fovea run with processing steps, on networks of known arithmetic: the model's own steps and those of the command
// line, labels beyond 16 bits, statistics of images larger than memory, odd images, resuming.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "formats/image/npy.h"
#include "tests/tools/steps_testing.h"

namespace fovea::testing {
namespace {

using formats::ImageInfo;
namespace fs = std::filesystem;
using nlohmann::json;

TEST_F(StepsTest, OfTheModelUnlessTheCommandLineSaysOthers) {
  const std::string net = Network("n.fov", "byxc", 1, "scale_linear(gain=2) | clip(max=10)", "scale_linear(offset=1)");
  const std::string in = WriteRow("in.tif", {1, 2, 30});
  json report;
  EXPECT_EQ(Result(net, in, {}, &report), (Values{3, 5, 11}));
  EXPECT_EQ(report["pre"], "scale_linear(gain=2) | clip(max=10)");
  EXPECT_EQ(report["post"], "scale_linear(offset=1)");
  EXPECT_EQ(Result(net, in, {"--pre", "none"}), (Values{2, 3, 31}));
  EXPECT_EQ(Result(net, in, {"--post", "none"}), (Values{2, 4, 10}));
  EXPECT_EQ(Result(net, in, {"--pre", "+ scale_linear(gain=-1)"}), (Values{-1, -3, -9}));
  EXPECT_EQ(Result(net, in, {"--pre", "invert(min=0, max=1)", "--post", "+ binarize(threshold=0)"}), (Values{1, 0, 0}));
  EXPECT_EQ(Result(net, in, {"--normalize", "none", "--post", "none"}), (Values{1, 2, 30}));
  EXPECT_EQ(Result(net, in, {"--threshold", "4"}), (Values{0, 255, 255}));
  EXPECT_EQ(Result(net, in, {"--labels", "--threshold", "4"}, &report), (Values{0, 1, 1}));
  EXPECT_EQ(report["objects"], 1);
  // A recorded run repeats with the same steps.
  const ProcessResult recorded =
      Run({"run", net, in, "-o", scratch_ / "r.tif", "--pre", "clip(min=2)", "--compat", "core", "--record"});
  EXPECT_EQ(recorded.exit_code, 0) << recorded.err;
  EXPECT_EQ(Run({"run", "--again", scratch_ / "r.tif", "-o", scratch_ / "again.tif"}).exit_code, 0);
  EXPECT_EQ(Read(scratch_ / "again.tif"), (Values{3, 3, 31}));
}

TEST_F(StepsTest, WhatIsWrongIsSaidWithTheNearestName) {
  const std::string net = Network("n.fov", "byxc", 1), in = WriteRow("in.tif", {1, 2, 30});
  const auto wrong = [&](const std::string& option, const std::string& steps, const std::vector<std::string>& parts) {
    ExpectError(Run({"run", net, in, "-o", scratch_ / "o.tif", option, steps}), 2, parts);
  };
  wrong("--pre", "scale-rnge", {"--pre", "'scale-rnge'", "did you mean scale_range?"});
  wrong("--pre", "gaussian_blur(sgima=2)", {"no argument sgima", "did you mean sigma?"});
  wrong("--post", "threshold(method=Otsu)", {"'Otsu' is not known", "did you mean otsu?"});
  wrong("--post", "treshold(value=1", {"--post", "',' or ')' is missing"});
  wrong("--post", "normalise_everything", {"there are binarize", "watershed"});
  wrong("--post", "binarize(threshold=1)@mask", {"no output 'mask'", "it has"});
  wrong("--pre", "binarize(threshold=1)@mask", {"no input 'mask'"});
  wrong("--pre", "scale_range(min_percentile=-1)", {"scale_range", "from 0 to 100"});
  wrong("--compat", "fiji", {"'fiji'", "csbdeep-fiji"});
  wrong("--pre", "crop(y=5)", {"in.tif", "crop"});
  ExpectError(Run({"run", net, in, "-o", scratch_ / "o.tif", "--pre", "none", "--normalize", "range"}), 2,
              {"--normalize and --pre"});
  const ProcessResult page = Run({"run", "--steps"});
  EXPECT_EQ(page.exit_code, 0);
  for (const StepDocumentation& step : StepCatalogue()) {
    EXPECT_NE(page.out.find("\n" + step.name), std::string::npos) << step.name;
  }
  EXPECT_EQ(scratch_.Files(), (std::vector<std::string>{"in.tif", "n.fov"}));
}

// One step, five programs: each published one has numbers of its own (../shared/semantics.md, 2.4 and 2.6).
TEST_F(StepsTest, NumbersOfPublishedPrograms) {
  const std::string net = Network("n.fov", "byxc", 1);
  const std::string in = WriteRow("in.tif", {3, 1, 4, 0, 5, 9, 2, 6, 8, 7});
  const std::string step = "scale_range(min_percentile=25, max_percentile=75, eps=0.5, mode=per_sample)";
  struct {
    const char* program;
    double low, range, zero;  // lo, hi - lo + eps; what becomes of 0
  } const programs[] = {
      {"exact", 2.25, 4.5 + 0.5, -2.25 / 5},       // linear between sorted[2] and [3], [6] and [7]
      {"core", 2.25, 4.5 + 1e-6, -2.25 / 4.5},     // its own eps
      {"jdll", 2, 5 + 0.5, -2 / 5.5},              // sorted[int(2.5)], sorted[int(7.5)]
      {"csbdeep-fiji", 2, 5, 0},                   // sorted[round(2.25)], sorted[round(6.75)]; negative ones cut
      {"dij1", 2.9883, 4.0078, -2.9883 / 4.0078},  // left edges of bins 85 and 199 of 256, in four decimals
  };
  for (const auto& [program, low, range, zero] : programs) {
    const Values out = Result(net, in, {"--pre", step, "--compat", program});
    ASSERT_EQ(out.size(), 10u) << program;
    EXPECT_NEAR(out[5], (9 - low) / range, 2e-6) << program;
    EXPECT_NEAR(out[3], zero, 2e-6) << program;
  }
  EXPECT_EQ(Result(net, in, {"--pre", "binarize(threshold=4)", "--compat", "jdll"})[2], 1);
  EXPECT_EQ(Result(net, in, {"--pre", "binarize(threshold=4)"})[2], 0);
  ExpectError(Run({"run", net, in, "-o", scratch_ / "o.tif", "--post", "softmax", "--compat", "jdll"}), 2,
              {"JDLL has none"});
}

TEST_F(StepsTest, TimePointsPlanesAndChannelsEachWithTheirStatistics) {
  // Values 0 .. 3 in each plane, times a factor of the plane.
  const ImageInfo info = Sizes(2, 2, 3, 2, 2);
  Values values;
  for (int i = 0; i < 12; ++i) {
    for (int p = 0; p < 4; ++p) values.push_back(static_cast<float>(p * (i + 1)));
  }
  const std::string in = Write("in.tif", info, values);
  const std::string single = Network("single.fov", "byxc", 1), three = Network("three.fov", "byxc", 3),
                    volumes = Network("volumes.fov", "bzyxc", 1);
  const auto scaled = [&](auto largest_of_plane) {
    Values expected;
    for (int i = 0; i < 12; ++i) {
      for (int p = 0; p < 4; ++p) expected.push_back(static_cast<float>(p * (i + 1)) / largest_of_plane(i));
    }
    return expected;
  };
  const auto near = [&](const Values& got, const Values& expected) {
    ASSERT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 2e-6) << i;
  };
  // Planes are t, z, c: a one-channel 2-D network sees each plane on its own.
  const std::string each = "scale_range(mode=per_sample)";
  near(Result(single, in, {"--pre", each}), scaled([](int i) { return 3.0f * static_cast<float>(i + 1); }));
  near(Result(three, in, {"--pre", each}), scaled([](int i) { return 3.0f * static_cast<float>(i / 3 * 3 + 3); }));
  near(Result(three, in, {"--pre", "scale_range(axes=[y, x])"}),
       scaled([](int i) { return 3.0f * static_cast<float>(i + 1); }));
  near(Result(volumes, in, {"--pre", each}),
       scaled([](int i) { return 3.0f * static_cast<float>(i / 6 * 6 + 4 + i % 3); }));
  // The data set: all samples of the file.
  near(Result(single, in, {"--pre", "scale_range(mode=per_dataset)"}), scaled([](int) { return 36.0f; }));
  near(Result(three, in, {"--pre", "scale_range(mode=per_dataset, axes=[batch, y, x])"}),
       scaled([](int i) { return 3.0f * static_cast<float>(10 + i % 3); }));
  // Channels taken away: the network of one channel gets what is left.
  ImageInfo out;
  const Values second = Result(single, in, {"--pre", "select_channels(channels=2)"}, nullptr, &out);
  EXPECT_EQ(out.c, 1);
  EXPECT_EQ(second.size(), 16u);
  EXPECT_EQ(second[1], 2);
}

TEST_F(StepsTest, OddImages) {
  const std::string net = Network("n.fov", "byxc", 1, "zero_mean_unit_variance(mode=per_sample)", "none", 16);
  // One pixel: no deviation, and mirrored to the network's 16 x 16.
  ImageInfo info;
  EXPECT_EQ(Result(net, WriteRow("one.tif", {5}), {}, nullptr, &info), Values{0});
  EXPECT_EQ(info.x * info.y, 1);
  // Smaller than the multiple: as without it.
  const Values small = Result(net, WriteRow("small.tif", {-1, 1, -1, 1, -1}), {});
  ASSERT_EQ(small.size(), 5u);  // mean -1/5, std sqrt(24/25)
  EXPECT_NEAR(small[0], -0.8 / std::sqrt(0.96), 1e-5);
  EXPECT_NEAR(small[1], 1.2 / std::sqrt(0.96), 1e-5);
  // NaN stays what it is and does not count; a plane of nothing else has no statistics.
  const Values holes = Result(net, WriteRow("holes.tif", {1, NAN, 3, INFINITY}), {});
  ASSERT_EQ(holes.size(), 4u);
  EXPECT_NEAR(holes[0], -1, 1e-5);
  EXPECT_TRUE(std::isnan(holes[1]));
  EXPECT_NEAR(holes[2], 1, 1e-5);
  EXPECT_TRUE(std::isinf(holes[3]));
  const Values nothing = Result(net, WriteRow("nothing.tif", {NAN, NAN}), {});
  ASSERT_EQ(nothing.size(), 2u);
  EXPECT_TRUE(std::isnan(nothing[0]));
  EXPECT_EQ(Result(net, WriteRow("flat.tif", {7, 7, 7}), {"--post", "threshold(value=0.5) | connected_components"}),
            (Values{0, 0, 0}));
  // No pixels at all, and more than any computer has.
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{0, 5}, {5, 0}, {3, 0, 5}, {0, 0}}) {
    ASSERT_TRUE(formats::WriteNpy(scratch_ / "empty.npy", DType::kFloat32, shape, nullptr).ok());
    ExpectError(Run({"run", net, scratch_ / "empty.npy", "-o", scratch_ / "x.tif"}), 2, {"empty.npy"});
  }
  {
    const std::string header =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 16), }" + std::string(37, ' ') + "\n";
    std::string bytes = "\x93NUMPY" + std::string("\x01\0", 2);
    bytes += {static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
    std::ofstream(scratch_ / "vast.npy", std::ios::binary) << bytes << header << "1234";
    ExpectError(Run({"run", net, scratch_ / "vast.npy", "-o", scratch_ / "x.tif"}), 2, {"vast.npy"});
  }
  // Steps that leave nothing, or more than there is.
  for (const char* steps : {"crop(height=0)", "crop(x=3)", "crop(width=9)"}) {
    ExpectError(Run({"run", net, scratch_ / "flat.tif", "-o", scratch_ / "x.tif", "--post", steps}), 2, {"crop"});
  }
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "x.tif"));
}

TEST_F(StepsTest, LabelsBeyond16BitsAre32BitIntegers) {
  const std::string net = Network("n.fov", "byxc", 1);
  // Single pixels, two apart: 300 x 250 objects in the second plane, one in the first.
  const ImageInfo info = Sizes(1, 2, 1, 500, 600);
  Values values(2 * 500 * 600);
  values[0] = 1;
  for (size_t y = 0; y < 500; y += 2) {
    for (size_t x = 0; x < 600; x += 2) values[500 * 600 + y * 600 + x] = 1;
  }
  const std::string in = Write("in.tif", info, values);
  json report;
  ImageInfo out;
  const Values labels = Result(net, in, {"--labels"}, &report, &out);
  EXPECT_EQ(report["objects"], 75001);
  EXPECT_EQ(out.dtype, DType::kUInt32);
  ASSERT_EQ(labels.size(), values.size());
  EXPECT_EQ(labels[0], 1);
  const std::set<float> numbers(labels.begin() + 500 * 600, labels.end());
  EXPECT_EQ(numbers.size(), 75001u);
  EXPECT_EQ(*numbers.rbegin(), 75000);
  // Unless the user asks for a type: then it is that one, or an error.
  Result(net, in, {"--labels", "--dtype", "float32"}, &report, &out);
  EXPECT_EQ(out.dtype, DType::kFloat32);
  ExpectError(Run({"run", net, in, "-o", scratch_ / "x.tif", "--labels", "--dtype", "uint8"}), 2,
              {"more than 255 objects", "leave --dtype out"});
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "x.tif"));
  values[500 * 600 + 1] = values[500 * 600 + 600] = 1;  // still more than 65535 without these
  std::fill(values.begin() + 500 * 600 + 300 * 600, values.end(), 0.0f);
  Result(net, Write("fewer.tif", info, values), {"--labels"}, &report, &out);
  EXPECT_EQ(out.dtype, DType::kUInt16);
}

TEST_F(StepsTest, StatisticsOfMoreThanMemory) {
  // 64 MB of float in a budget of 45 MB: two passes over the file, nothing held, and the same bits as with more memory
  // or other tiles.
  constexpr int64_t kSide = 4096;
  Values values(kSide * kSide);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>((i * 2654435761u) >> 8 & 0xffff) - 1000;
  ImageInfo info = Sizes(1, 1, 1, kSide, kSide);
  const std::string in = Write("in.tif", info, values);
  const std::string net = Network("n.fov", "byxc", 1, "scale_range(min_percentile=1, max_percentile=99.8)");
  json report;
  const std::vector<std::string> words = {"run", net, in, "-o", scratch_ / "small.tif", "--memory", "45MB", "--json"};
  const ProcessResult r = Run(words);
  ASSERT_EQ(r.exit_code, 0) << r.err;
  report = json::parse(r.out);
  EXPECT_LE(report["measured_peak_bytes"].get<int64_t>(), 45000000);
  EXPECT_LE(report["measured_peak_bytes"].get<int64_t>(), report["predicted_peak_bytes"].get<int64_t>());
  // numpy.percentile's definition, from the sorted values.
  const auto percentile = [sorted = [&values] {
    Values copy = values;
    std::sort(copy.begin(), copy.end());
    return copy;
  }()](double p) {
    const double at = p / 100 * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<size_t>(at);
    const double a = static_cast<double>(sorted[below]), b = static_cast<double>(sorted[below + 1]);
    return a + (b - a) * (at - static_cast<double>(below));
  };
  const double low = percentile(1), high = percentile(99.8);
  const Values small = Read(scratch_ / "small.tif");
  ASSERT_EQ(small.size(), values.size());
  int64_t wrong = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double expected = (static_cast<double>(values[i]) - low) / (high - low + 1e-6);
    if (std::abs(static_cast<double>(small[i]) - expected) > 1e-6) ++wrong;
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(Result(net, in, {"--tile", "512x999", "--threads", "1"}), small);
  // A step that holds the plane is counted: refused with the number that would do, before anything is written.
  const ProcessResult refused =
      Run({"run", net, in, "-o", scratch_ / "x.tif", "--memory", "45MB", "--post", "gaussian_blur(sigma=2)"});
  ExpectError(refused, 3, {"at least --memory"});
  const size_t at = refused.err.find("at least --memory ") + 18;
  const std::string least = refused.err.substr(at, refused.err.find(',', at) - at);
  const ProcessResult enough =
      Run({"run", net, in, "-o", scratch_ / "x.tif", "--memory", least, "--post", "gaussian_blur(sigma=2)", "--json"});
  ASSERT_EQ(enough.exit_code, 0) << enough.err;
  report = json::parse(enough.out);
  EXPECT_LE(report["measured_peak_bytes"].get<int64_t>(), report["predicted_peak_bytes"].get<int64_t>());
}

TEST_F(StepsTest, ThePictureOutlinesWhatTheResultHolds) {
  // Two squares of 200 on 50: everything is above the overlay's own threshold, but the result has two objects.
  Values values(20 * 30, 50);
  for (size_t y = 5; y < 11; ++y) {
    for (size_t x = 4; x < 10; ++x) values[y * 30 + x] = values[y * 30 + x + 12] = 200;
  }
  const std::string net = Network("n.fov", "byxc", 1);
  const std::string in = Write("in.tif", Sizes(1, 1, 1, 20, 30), values);
  const auto pixel = [&](const Values& rgb, size_t y, size_t x) {
    return Values{rgb[y * 30 + x], rgb[600 + y * 30 + x], rgb[1200 + y * 30 + x]};
  };
  const auto is_grey = [](const Values& v) { return v[0] == v[1] && v[1] == v[2]; };
  for (const std::string post : {"threshold(value=100)", "binarize(threshold=100)",
                                 "threshold(value=100) | connected_components", "threshold(method=otsu) | watershed"}) {
    Result(net, in, {"--post", post, "--overlay", scratch_ / "o.png"});
    const Values rgb = Read(scratch_ / "o.png");
    ASSERT_EQ(rgb.size(), 1800u);
    EXPECT_FALSE(is_grey(pixel(rgb, 5, 6))) << post;
    EXPECT_FALSE(is_grey(pixel(rgb, 10, 21))) << post;
    EXPECT_NE(pixel(rgb, 5, 6), pixel(rgb, 5, 18)) << post << ": two objects, two colours";
    for (const auto& [y, x] : {std::pair(0, 0), {4, 6}, {11, 6}, {8, 7}, {19, 29}}) {
      EXPECT_TRUE(is_grey(pixel(rgb, static_cast<size_t>(y), static_cast<size_t>(x)))) << post << " " << y << "," << x;
    }
  }
  // Without objects in the result: what is above 0.5 after the steps.
  Result(net, in, {"--post", "scale_linear(gain=0.004)", "--overlay", scratch_ / "o.png"});
  EXPECT_FALSE(is_grey(pixel(Read(scratch_ / "o.png"), 5, 6)));
  EXPECT_TRUE(is_grey(pixel(Read(scratch_ / "o.png"), 4, 6)));
  ExpectError(Run({"run", net, in, "-o", scratch_ / "x.tif", "--post", "crop(x=1)", "--overlay", scratch_ / "x.png"}),
              2, {"--overlay", "own size"});
}

// Names that fovea chooses say model and output; names and folders that the user gives are kept.
TEST_F(StepsTest, ResultsAreNamed) {
  test::NetBuilder net(1);
  const int x = net.Input("byxc", {1, DimExpr::InputDim(0, 1), DimExpr::InputDim(0, 2), 1});
  net.Output(net.Unary(x, {kernels::UnaryFn::kIdentity}));
  net.Output(net.Unary(x, {kernels::UnaryFn::kNeg}));
  net.graph().outputs[0].name = "prob/a";
  net.graph().outputs[1].name = "dist:0";
  ASSERT_TRUE(net.Write(scratch_ / "two.fov").ok());
  const std::string one = Network("one.fov", "byxc", 1), two = scratch_ / "two.fov";
  fs::create_directory(scratch_ / "images");
  const std::string in = WriteRow("images/cells.ome.tif", {1, 2, 3});
  const auto made = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "run");
    words.push_back("--json");
    const ProcessResult r = Run(words);
    EXPECT_EQ(r.exit_code, 0) << r.err;
    std::vector<std::string> names;
    if (r.exit_code != 0) return names;
    const json report = json::parse(r.out);
    for (const auto& path : report["outputs"]) {
      EXPECT_TRUE(fs::exists(path.get<std::string>())) << path;
      names.push_back(fs::path(path.get<std::string>()).lexically_relative(scratch_.path()).string());
    }
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(made({one, in}), Names{"images/cells_one.ome.tif"});
  EXPECT_EQ(made({two, in}), (Names{"images/cells_two_prob_a.ome.tif", "images/cells_two_dist_0.ome.tif"}));
  fs::remove(scratch_ / "images/cells_one.ome.tif");
  fs::remove(scratch_ / "images/cells_two_prob_a.ome.tif");
  fs::remove(scratch_ / "images/cells_two_dist_0.ome.tif");
  EXPECT_EQ(made({one, scratch_ / "images"}), Names{"images_one/cells.ome.tif"});
  EXPECT_EQ(made({two, scratch_ / "images/"}),
            (Names{"images_two/cells_prob_a.ome.tif", "images_two/cells_dist_0.ome.tif"}));
  EXPECT_EQ(made({one, scratch_ / "images", "-o", scratch_ / "out"}), Names{"out/cells.ome.tif"});
  EXPECT_EQ(made({two, in, "-o", scratch_ / "out/"}), (Names{"out/cells_prob_a.ome.tif", "out/cells_dist_0.ome.tif"}));
  EXPECT_EQ(made({one, in, "-o", scratch_ / "mine.tif"}), Names{"mine.tif"});
  EXPECT_EQ(made({two, in, "-o", scratch_ / "mine.tif"}), (Names{"mine.tif", "mine_dist_0.tif"}));
  EXPECT_EQ(made({two, in, "-o", scratch_ / "my_prob_a.tif", "--record"}), (Names{"my_prob_a.tif", "my_dist_0.tif"}));
  EXPECT_EQ(Read(scratch_ / "my_dist_0.tif"), (Values{-1, -2, -3}));
  EXPECT_EQ(made({"--again", scratch_ / "my_prob_a.tif"}), (Names{"my_prob_a.tif", "my_dist_0.tif"}));
}

TEST_F(StepsTest, PixelsThatMoveTakeTheirCalibrationAlong) {
  const std::string net = Network("n.fov", "byxc", 1);
  ImageInfo info = Sizes(1, 1, 1, 4, 6), out;
  info.pixel_size = {0.5, 0.25, 1, "\xc2\xb5m", 0, 0, 0, 0};
  Values values(24);
  for (size_t i = 0; i < 24; ++i) values[i] = static_cast<float>(i);
  const std::string in = Write("in.tif", info, values);
  EXPECT_EQ(Result(net, in, {"--pre", "crop(y=1, x=2, height=2, width=3)"}, nullptr, &out),
            (Values{8, 9, 10, 14, 15, 16}));
  EXPECT_DOUBLE_EQ(out.pixel_size.x, info.pixel_size.x);
  EXPECT_DOUBLE_EQ(out.pixel_size.origin_x_px, -2);
  EXPECT_DOUBLE_EQ(out.pixel_size.origin_y_px, -1);
  Result(net, in, {"--post", "resize(scale=2, method=nearest)"}, nullptr, &out);
  EXPECT_EQ(out.x, 12);
  EXPECT_DOUBLE_EQ(out.pixel_size.x, info.pixel_size.x / 2);
  const Values turned = Result(net, in, {"--pre", "transpose"}, nullptr, &out);
  EXPECT_EQ(out.y, 6);
  EXPECT_EQ(turned[1], 6);
  EXPECT_DOUBLE_EQ(out.pixel_size.x, info.pixel_size.y);
  // Back on the image's grid is not possible for pixels that moved.
  ExpectError(Run({"run", net, in, "-o", scratch_ / "x.tif", "--pixel-size", "0.5um", "--post", "crop(x=1)"}), 2,
              {":model"});
}

}  // namespace
}  // namespace fovea::testing
