// The published CARE networks of ../shared/models, from a CSBDeep zip to a result: their expected tensors, and the
// normalisation that meta.json's programs do, computed here.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "formats/image/npy.h"
#include "tests/converter/saved_model/support.h"
#include "tests/tools/steps_testing.h"

namespace fovea::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kModels = fs::path(FOVEA_SHARED_DIR) / "models";

struct CareCase {
  const char* name;
  const char* zip;     // empty: the SavedModel's folder, zipped here
  const char* folder;  // inside the zip that is made
  int64_t channels;    // of the result
};

class BundleCareTest : public StepsTest, public ::testing::WithParamInterface<CareCase> {
 protected:
  static std::string Slurp(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  std::string Zip(const fs::path& folder, const std::string& prefix) {
    std::vector<ZipEntry> entries;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file()) {
        entries.push_back({prefix + entry.path().lexically_relative(folder).generic_string(), Slurp(entry.path())});
      }
    }
    std::ofstream(scratch_ / "bundle.zip", std::ios::binary) << WriteZip(entries);
    return scratch_ / "bundle.zip";
  }
  formats::NpyArray Array(const std::string& name) {
    auto array = formats::ReadNpy((kModels / GetParam().name / name).string());
    EXPECT_TRUE(array.ok()) << array.status().message();
    return *array;
  }
};

double Percentile(Values values, double percent) {
  std::sort(values.begin(), values.end());
  const double at = static_cast<double>(values.size() - 1) * percent / 100;
  const auto low = static_cast<size_t>(at);
  const double next = values[std::min(low + 1, values.size() - 1)];
  return values[low] + (next - static_cast<double>(values[low])) * (at - static_cast<double>(low));
}

TEST_P(BundleCareTest, FromTheZipToTheResult) {
  const CareCase& care = GetParam();
  if (!fs::exists(kModels / care.name)) GTEST_SKIP() << "../shared is absent";
  const std::string zip = *care.zip == '\0' ? Zip(kModels / care.name / "saved_model", care.folder)
                                            : (kModels / care.name / care.zip).string();
  const ProcessResult converted = RunProcess({kConvert, zip, "-o", scratch_ / "care.fov", "-q"});
  ASSERT_EQ(converted.exit_code, 0) << converted.err;
  const json info = json::parse(Run({"info", scratch_ / "care.fov", "--json"}).out);
  EXPECT_EQ(info["outputs"][0]["dims"].back(), care.channels);
  const std::string page = Run({"info", scratch_ / "care.fov"}).out;
  EXPECT_EQ(page.find("the first half of the channels is the mean") != std::string::npos, care.channels == 2) << page;

  const formats::NpyArray in = Array("input.npy"), wanted = Array("expected.npy");
  const int64_t rows = in.shape[1], cols = in.shape[2];
  const Values pixels = formats::ToFloatVector(in), expected = formats::ToFloatVector(wanted);
  const std::string image = Write("in.tif", Sizes(1, 1, 1, rows, cols), pixels);
  // The tensor of the authors is normalised already.
  formats::ImageInfo result;
  const Values got = Result(scratch_ / "care.fov", image, {"--pre", "none"}, nullptr, &result);
  ASSERT_EQ(got.size(), expected.size());
  EXPECT_EQ(result.c, care.channels);
  const json cases = json::parse(Slurp(kModels / care.name / "case.json"));
  const double atol = cases["cases"][0]["outputs"][0]["atol"];
  const auto plane = static_cast<size_t>(rows * cols), channels = static_cast<size_t>(care.channels);
  for (size_t c = 0; c < channels; ++c) {
    for (size_t p = 0; p < plane; ++p)
      ASSERT_NEAR(got[c * plane + p], expected[p * channels + c], atol) << c << " " << p;
  }
  // Raw pixels, as they come from a camera: normalised as CSBDeep does, whole or in tiles.
  Values raw, normalised;
  for (const float v : pixels) raw.push_back(100 + 37 * v);
  const double low = Percentile(raw, 3), high = Percentile(raw, 99.8);
  for (const float v : raw)
    normalised.push_back(static_cast<float>((static_cast<double>(v) - low) / (high - low + 1e-20)));
  const Values by_hand =
      Result(scratch_ / "care.fov", Write("n.tif", Sizes(1, 1, 1, rows, cols), normalised), {"--pre", "none"});
  const std::string camera = Write("raw.tif", Sizes(1, 1, 1, rows, cols), raw);
  const Values whole = Result(scratch_ / "care.fov", camera, {});
  ASSERT_EQ(whole.size(), by_hand.size());
  for (size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(whole[i], by_hand[i], 1e-6) << i;
  EXPECT_EQ(Result(scratch_ / "care.fov", camera, {"--tile", "32x40"}), whole);
}

INSTANTIATE_TEST_SUITE_P(Published, BundleCareTest,
                         ::testing::Values(CareCase{"sm1-care2d-probabilistic", "", "", 2},
                                           CareCase{"sm1-care2d-probabilistic", "", "TF_SavedModel/", 2},
                                           CareCase{"sm1-care2d-residual", "TF_SavedModel.zip", "", 1},
                                           CareCase{"sm1-care2d-residual", "", "", 1}),
                         [](const auto& param) { return "Case" + std::to_string(param.index); });

}  // namespace
}  // namespace fovea::testing
