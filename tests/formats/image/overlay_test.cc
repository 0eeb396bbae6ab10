#include "formats/image/overlay.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

#include "tests/formats/image/image_test_util.h"

namespace fovea::formats {
namespace {

TEST(LabelMask, CountsComponentsOfBothConnectivities) {
  // Two diagonal neighbours, a U that closes at its foot, and one pixel apart.
  const std::vector<float> plane = {
      1, 0, 0, 1, 0, 1, 0,  //
      0, 1, 0, 1, 0, 1, 0,  //
      0, 0, 0, 1, 1, 1, 0,  //
      0, 0, 0, 0, 0, 0, 9,
  };
  std::vector<int32_t> labels(plane.size());
  auto count = LabelMask(plane.data(), 4, 7, 0.5f, Connectivity::kFour, labels.data());
  ASSERT_OK(count.status());
  EXPECT_EQ(*count, 4);
  EXPECT_EQ(labels,
            (std::vector<int32_t>{1, 0, 0, 2, 0, 2, 0, 0, 3, 0, 2, 0, 2, 0, 0, 0, 0, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 4}));
  count = LabelMask(plane.data(), 4, 7, 0.5f, Connectivity::kEight, labels.data());
  EXPECT_EQ(*count, 2);
  EXPECT_EQ(labels.back(), 2);
  count = LabelMask(plane.data(), 4, 7, 1.0f, Connectivity::kEight, labels.data());
  EXPECT_EQ(*count, 1);  // strictly above the threshold
  const std::vector<float> nothing(9, std::numeric_limits<float>::quiet_NaN());
  count = LabelMask(nothing.data(), 3, 3, -1e30f, Connectivity::kFour, labels.data());
  EXPECT_EQ(*count, 0);
  EXPECT_FALSE(LabelMask(nothing.data(), 0, 3, 0, Connectivity::kFour, labels.data()).ok());
}

// What a killed run left under the temporary name is written over, and nothing stays.
TEST(Overlay, TakesThePlaceOfWhatAKilledRunLeft) {
  TemporaryFolder folder;
  std::ofstream(folder.File(".o.png.part")) << std::string(5000, 'x');
  const std::vector<float> grey(12, 1.0f);
  const std::vector<int32_t> labels(12, 0);
  ASSERT_OK(WriteOverlayPng(folder.File("o.png"), grey.data(), labels.data(), 3, 4));
  EXPECT_FALSE(std::filesystem::exists(folder.File(".o.png.part")));
  auto reader = OpenImage(folder.File("o.png"));
  ASSERT_OK(reader.status());
  EXPECT_EQ((*reader)->info().x, 4);
  EXPECT_LT(std::filesystem::file_size(folder.File("o.png")), 5000u);
}

TEST(Overlay, DrawsOutlinesInDistinctColours) {
  TemporaryFolder folder;
  const int64_t height = 40, width = 60;
  std::vector<float> grey(static_cast<size_t>(height * width));
  std::vector<int32_t> labels(grey.size(), 0);
  for (size_t i = 0; i < grey.size(); ++i) grey[i] = static_cast<float>(i) * 3 - 500;
  grey[5] = std::numeric_limits<float>::quiet_NaN();
  for (int32_t object = 0; object < 6; ++object) {
    for (int64_t y = 10; y < 20; ++y) {
      for (int64_t x = 0; x < 8; ++x) labels[static_cast<size_t>(y * width + object * 8 + x)] = object + 1;
    }
  }
  ASSERT_OK(WriteOverlayPng(folder.File("o.png"), grey.data(), labels.data(), height, width));
  auto reader = OpenImage(folder.File("o.png"));
  ASSERT_OK(reader.status());
  const auto rgb = ReadWhole(**reader);
  ASSERT_OK(rgb.status());
  ASSERT_EQ((*reader)->info().c, 3);
  const auto pixel = [&](int64_t y, int64_t x) {
    const auto at = static_cast<size_t>((y * width + x) * 3);
    return std::array<uint8_t, 3>{(*rgb)[at], (*rgb)[at + 1], (*rgb)[at + 2]};
  };
  std::set<std::array<uint8_t, 3>> colours;
  for (int64_t object = 0; object < 6; ++object) {
    colours.insert(pixel(10, object * 8 + 4));
    const auto inside = pixel(15, object * 8 + 4);
    EXPECT_TRUE(inside[0] == inside[1] && inside[1] == inside[2]);
  }
  EXPECT_EQ(colours.size(), 6u);
  EXPECT_EQ(pixel(0, 0), (std::array<uint8_t, 3>{0, 0, 0}));
  EXPECT_EQ(pixel(39, 59), (std::array<uint8_t, 3>{255, 255, 255}));
  EXPECT_EQ(pixel(0, 5), (std::array<uint8_t, 3>{0, 0, 0}));
}

}  // namespace
}  // namespace fovea::formats
