// Steps that promise ImageJ's numbers, against ImageJ itself: thresholds of all methods, filters, binary operations.
// Skips where ImageJ, Java or xvfb-run is absent.
#include "tests/support/imagej.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <sstream>

#include "formats/image/image.h"
#include "tests/runtime/process/apply_steps.h"

namespace fovea {
namespace {

using testing::ScratchFolder;
using Floats = std::vector<float>;
constexpr int64_t kRows = 96, kCols = 120;
const SampleShape kShape{1, 1, 1, kRows, kCols};

// A macro of DeepImageJ 1's zoo: percentiles 1 and 99.8 of a histogram, as --compat dij1 takes them.
const std::string kPercentiles =
    std::string(FOVEA_SHARED_DIR) + "/deepimagej-zoo/2du-net_zerocostdl4mic/preprocessing.ijm";

// Thresholds are printed with all their digits; images are saved beside the original.
constexpr const char* kMacro = R"(
folder = getArgument();
setOption("BlackBackground", true);
methods = newArray("Default", "Huang", "IJ_IsoData", "Intermodes", "IsoData", "Li", "MaxEntropy", "Mean", "MinError",
                   "Minimum", "Moments", "Otsu", "Percentile", "RenyiEntropy", "Shanbhag", "Triangle", "Yen");
files = getFileList(folder);
for (i = 0; i < files.length; i++) {
  name = files[i];
  if (startsWith(name, "float")) {
    open(folder + name);
    for (m = 0; m < methods.length; m++) {
      setAutoThreshold(methods[m] + " dark");
      getThreshold(lower, upper);
      print(name + "|" + methods[m] + "|" + d2s(lower, 9));
      setAutoThreshold(methods[m]);
      getThreshold(lower, upper);
      print(name + "|" + methods[m] + " light|" + d2s(upper, 9));
    }
    resetThreshold();
    change(name, "Gaussian Blur...", "sigma=1", "blur1");
    change(name, "Gaussian Blur...", "sigma=3.5", "blur3");
    change(name, "Gaussian Blur...", "sigma=20", "blur20");
    change(name, "Subtract Background...", "rolling=6", "ball6");
    change(name, "Subtract Background...", "rolling=25", "ball25");
    change(name, "Subtract Background...", "rolling=25 disable", "rough25");
    change(name, "Subtract Background...", "rolling=12 light", "light12");
    change(name, "Invert", "", "invert");
    run("Duplicate...", "title=copy");
    getStatistics(area, mean, min, max, std);
    run("Subtract...", "value=" + mean);
    run("Divide...", "value=" + std);
    saveAs("Tiff", folder + "standard_" + name);
    close();
    if (File.exists(percentiles)) {
      run("Duplicate...", "title=copy");
      runMacro(percentiles);
      saveAs("Tiff", folder + "percentiles_" + name);
      close();
    }
    close();
  }
  if (startsWith(name, "mask")) {
    open(folder + name);
    change(name, "Watershed", "", "watershed");
    change(name, "Fill Holes", "", "fill");
    change(name, "Open", "", "open");
    change(name, "Close-", "", "close");
    change(name, "Erode", "", "erode");
    change(name, "Dilate", "", "dilate");
    close();
  }
}
function change(name, command, options, result) {
  run("Duplicate...", "title=copy");
  run(command, options);
  saveAs("Tiff", folder + result + "_" + name);
  close();
}
)";

Floats ReadImage(const std::string& path) {
  auto reader = formats::OpenImage(path);
  EXPECT_TRUE(reader.ok()) << reader.status().message();
  Floats values(kRows * kCols);
  if (reader.ok() && (*reader)->info().y == kRows && (*reader)->info().x == kCols) {
    EXPECT_TRUE(formats::ReadAsFloat(**reader, {0, 0, 0, 0, 0, kRows, kCols}, values.data(), 1).ok());
  }
  return values;
}

// Round spots of several sizes and heights on a slope, with noise; `kind` changes how much of each.
Floats Spots(int kind) {
  std::mt19937 random(static_cast<unsigned>(kind));
  const auto pick = [&random](int64_t n) { return static_cast<int64_t>(random()) % n; };
  Floats image(kRows * kCols);
  const double slope = kind == 1 ? 3 : 0.5;
  for (int64_t i = 0; i < kRows * kCols; ++i) {
    image[static_cast<size_t>(i)] = static_cast<float>(40 + slope * static_cast<double>(i % kCols) / 10);
  }
  for (int spot = 0; spot < (kind == 2 ? 40 : 12); ++spot) {
    const int64_t cy = pick(kRows), cx = pick(kCols);
    const auto width = static_cast<double>(2 + pick(6)), height = static_cast<double>(kind == 3 ? 15 : 60 + pick(120));
    for (int64_t y = 0; y < kRows; ++y) {
      for (int64_t x = 0; x < kCols; ++x) {
        const auto d2 = static_cast<double>((y - cy) * (y - cy) + (x - cx) * (x - cx));
        image[static_cast<size_t>(y * kCols + x)] += static_cast<float>(height * std::exp(-d2 / (2 * width * width)));
      }
    }
  }
  for (float& v : image) v += static_cast<float>(pick(1000)) / 100 * (kind == 3 ? 3.0f : 1.0f);
  return image;
}

// Discs that touch, some with holes, some cut by the border; even kinds are ragged.
Floats Discs(int kind) {
  std::mt19937 random(static_cast<unsigned>(100 + kind));
  const auto pick = [&random](int64_t n) { return static_cast<int64_t>(random()) % n; };
  Floats image(kRows * kCols);
  for (int disc = 0; disc < 26; ++disc) {
    const int64_t cy = pick(kRows), cx = pick(kCols), r = 4 + pick(9);
    const int64_t hole = disc % 3 == 0 ? r / 3 : -1;
    for (int64_t y = 0; y < kRows; ++y) {
      for (int64_t x = 0; x < kCols; ++x) {
        const int64_t d2 = (y - cy) * (y - cy) + (x - cx) * (x - cx);
        if (d2 <= r * r) image[static_cast<size_t>(y * kCols + x)] = d2 <= hole * hole ? 0.0f : 255.0f;
      }
    }
  }
  for (size_t i = 0; kind % 2 == 0 && i < image.size(); ++i) {
    if (pick(12) == 0) image[i] = 255 - image[i];
  }
  return image;
}

class ImageJSteps : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::HaveImageJ()) GTEST_SKIP() << "imagej, java or xvfb-run is absent";
  }

  void Add(const std::string& name, const Floats& values, DType dtype) {
    formats::ImageInfo info;
    info.y = kRows, info.x = kCols;
    auto writer = formats::CreateImage(folder_ / name, info, {.dtype = dtype});
    ASSERT_TRUE(writer.ok()) << writer.status().message();
    ASSERT_TRUE((*writer)->WriteFloat({0, 0, 0, 0, 0, kRows, kCols}, values.data(), 1).ok());
    ASSERT_TRUE((*writer)->Finish().ok());
    images_[name] = values;
  }

  void Ask() {
    const auto asked = testing::RunImageJ("percentiles = \"" + kPercentiles + "\";" + kMacro, folder_.path());
    std::istringstream lines(asked.out);
    for (std::string line; std::getline(lines, line);) {
      const size_t first = line.find('|'), second = line.find('|', first + 1);
      if (second == std::string::npos) continue;
      said_[line.substr(0, first)][line.substr(first + 1, second - first - 1)] = std::stod(line.substr(second + 1));
    }
    ASSERT_FALSE(said_.empty()) << asked.out << asked.err;
  }

  // Our result and ImageJ's, which is in the file of that prefix.
  void Compare(const std::string& steps, const std::string& name, const std::string& prefix, double tolerance,
               Compatibility compatibility = Compatibility::kExact) {
    const Floats ours = Apply(steps, kShape, images_[name], compatibility),
                 theirs = ReadImage(folder_ / (prefix + "_" + name));
    ASSERT_NE(theirs, images_[name]) << prefix << " changes nothing";
    int64_t count = 0;
    double largest = 0;
    for (size_t i = 0; i < ours.size(); ++i) {
      const double error = std::abs(static_cast<double>(ours[i]) - static_cast<double>(theirs[i]));
      largest = std::max(largest, error);
      if (!(error <= tolerance)) ++count;
    }
    EXPECT_EQ(count, 0) << steps << " on " << name << ": largest difference " << largest;
  }

  ScratchFolder folder_;
  std::map<std::string, Floats> images_;
  std::map<std::string, std::map<std::string, double>> said_;
};

TEST_F(ImageJSteps, GiveItsNumbers) {
  std::vector<std::string> floats, masks;
  for (int kind = 1; kind <= 4; ++kind) {
    floats.push_back("float" + std::to_string(kind) + ".tif");
    Add(floats.back(), Spots(kind), DType::kFloat32);
  }
  for (int kind = 1; kind <= 10; ++kind) {
    masks.push_back("mask" + std::to_string(kind) + ".tif");
    Add(masks.back(), Discs(kind), DType::kUInt8);
  }
  Ask();

  const std::map<std::string, std::string> methods = {{"Default", "default"},
                                                      {"Huang", "huang"},
                                                      {"IJ_IsoData", "ij_isodata"},
                                                      {"Intermodes", "intermodes"},
                                                      {"IsoData", "isodata"},
                                                      {"Li", "li"},
                                                      {"MaxEntropy", "max_entropy"},
                                                      {"Mean", "mean"},
                                                      {"MinError", "min_error"},
                                                      {"Minimum", "minimum"},
                                                      {"Moments", "moments"},
                                                      {"Otsu", "otsu"},
                                                      {"Percentile", "percentile"},
                                                      {"RenyiEntropy", "renyi_entropy"},
                                                      {"Shanbhag", "shanbhag"},
                                                      {"Triangle", "triangle"},
                                                      {"Yen", "yen"}};
  for (const std::string& name : floats) {
    for (const auto& [theirs, ours] : methods) {
      for (const bool light : {false, true}) {
        const std::string key = theirs + (light ? " light" : "");
        ASSERT_TRUE(said_[name].contains(key)) << name << " " << key;
        const double border = said_[name][key];
        const Floats mask =
            Apply("threshold(method=" + ours + (light ? ", background=light)" : ")"), kShape, images_[name]);
        int64_t wrong = 0;
        for (size_t i = 0; i < mask.size(); ++i) {
          const double v = static_cast<double>(images_[name][i]);
          if (std::abs(v - border) < 1e-4) continue;  // where digits decide
          if ((mask[i] != 0) != (light ? v < border : v > border)) ++wrong;
        }
        EXPECT_EQ(wrong, 0) << name << " " << key << " " << border;
      }
    }
    Compare("gaussian_blur(sigma=1, kernel=imagej)", name, "blur1", 1e-4);
    Compare("gaussian_blur(sigma=3.5, kernel=imagej)", name, "blur3", 1e-4);
    Compare("gaussian_blur(sigma=20, kernel=imagej)", name, "blur20", 1e-2);
    Compare("subtract_background(radius=6)", name, "ball6", 1e-3);
    Compare("subtract_background(radius=25)", name, "ball25", 1e-3);
    Compare("subtract_background(radius=25, smooth=false)", name, "rough25", 1e-3);
    Compare("subtract_background(radius=12, background=light)", name, "light12", 1e-3);
    Compare("invert", name, "invert", 1e-4);
    Compare("zero_mean_unit_variance", name, "standard", 1e-6, Compatibility::kDij1);
    if (std::filesystem::exists(kPercentiles)) {
      Compare("scale_range(min_percentile=1, max_percentile=99.8)", name, "percentiles", 1e-6, Compatibility::kDij1);
    }
  }
  for (const std::string& name : masks) {
    Compare("fill_holes", name, "fill", 0);
    Compare("opening(pad_edges=false)", name, "open", 0);
    Compare("closing(pad_edges=false)", name, "close", 0);
    Compare("erosion(pad_edges=false)", name, "erode", 0);
    Compare("dilation", name, "dilate", 0);
    Compare("watershed", name, "watershed", 0);
  }
}

}  // namespace
}  // namespace fovea
