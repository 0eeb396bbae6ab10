// Every published description beside the project is read; the expected fields were taken from the files by eye.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "formats/bundle/bundle.h"
#include "tests/formats/bundle/published.h"

namespace fovea::formats {
namespace {

namespace fs = std::filesystem;

using Row = testing::PublishedRow;
using testing::kPublished;

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%g", value);
  return text;
}

std::string SizeText(const SizeRuleDescription& size) {
  switch (size.kind) {
    case SizeRuleDescription::Kind::kFixed: return std::to_string(size.min);
    case SizeRuleDescription::Kind::kSteps: return std::to_string(size.min) + "+" + std::to_string(size.step);
    case SizeRuleDescription::Kind::kReference:
      return "=" + size.tensor + "." + size.axis + "*" + Number(size.scale) +
             (size.offset != 0 ? "+" + Number(size.offset) : "");
    default: return "?";
  }
}

std::string TensorsText(const std::vector<TensorDescription>& tensors, bool halos) {
  std::string text;
  for (const TensorDescription& tensor : tensors) {
    std::string sizes, halo;
    for (const AxisDescription& axis : tensor.axes) {
      sizes += (sizes.empty() ? "" : ",") + SizeText(axis.size);
      halo += (halo.empty() ? "" : ",") + std::to_string(axis.halo_px);
    }
    text += (text.empty() ? "" : " | ") + tensor.name + " " + tensor.Letters() + " " + sizes;
    if (halos) text += " halo " + halo;
  }
  return text;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string SizeText(const PhysicalSize& size) {
  if (size.value == 0) return "-";
  return Number(size.value) + (size.unit.empty() ? "" : " " + size.unit);
}

class Published : public ::testing::TestWithParam<Row> {};

TEST_P(Published, IsReadAsItStands) {
  const Row& row = GetParam();
  const fs::path path = fs::path(FOVEA_SHARED_DIR) / row.path;
  if (!fs::exists(path)) GTEST_SKIP() << path << " is absent";
  EXPECT_TRUE(LooksLikeBundle(path.string()));
  const auto bundle = OpenBundle(path.string());
  ASSERT_TRUE(bundle.ok()) << bundle.status().message();
  const BundleDescription& d = bundle->description();
  EXPECT_EQ(d.format, row.format);
  EXPECT_EQ(d.name, row.name);
  EXPECT_EQ(d.licence, row.licence);
  EXPECT_EQ(d.authors.size(), row.authors);
  EXPECT_EQ(d.authors.empty() ? "" : d.authors[0].name, row.first_author);
  EXPECT_EQ(d.citations.size(), row.citations);
  EXPECT_EQ(d.tags.size(), row.tags);
  EXPECT_EQ(TensorsText(d.inputs, false), row.inputs);
  EXPECT_EQ(TensorsText(d.outputs, true), row.outputs);
  EXPECT_EQ(ToString(d.preprocessing), row.pre);
  EXPECT_EQ(ToString(d.postprocessing), row.post);
  EXPECT_EQ(Joined(d.preprocessing_files), row.pre_files);
  EXPECT_EQ(Joined(d.postprocessing_files), row.post_files);
  std::string weights;
  for (const WeightsDescription& w : d.weights) {
    weights += (weights.empty() ? "" : " ") + w.format_name + ":" + w.file.sha256.substr(0, 8);
  }
  EXPECT_EQ(weights, row.weights);
  EXPECT_EQ(SizeText(d.pixel_x) + " " + SizeText(d.pixel_y), row.pixel);
  EXPECT_EQ(d.test_memory + " " + d.test_runtime, row.memory_and_time);
}

INSTANTIATE_TEST_SUITE_P(Descriptions, Published, ::testing::ValuesIn(kPublished), [](const auto& row) {
  std::string name = row.param.path;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
});

// Nothing beside the project is left out of the table, and what is meant to be refused is refused.
TEST(PublishedFolders, AreAllInTheTable) {
  const fs::path shared = FOVEA_SHARED_DIR;
  if (!fs::exists(shared / "deepimagej-zoo")) GTEST_SKIP() << "../shared is absent";
  std::set<std::string> rows;
  for (const Row& row : kPublished) rows.insert(row.path);
  int seen = 0;
  for (const char* root : {"deepimagej-zoo", "bioimageio-descriptions"}) {
    for (const auto& entry : fs::recursive_directory_iterator(shared / root)) {
      const std::string name = entry.path().filename().string();
      const std::string path = entry.path().lexically_relative(shared).generic_string();
      if (name == "config.xml") {
        EXPECT_TRUE(rows.count(path) == 1) << path;
      }
      if (entry.path().extension() != ".yaml") continue;
      ++seen;
      if (name.rfind("invalid_", 0) == 0) {
        const auto refused = OpenBundle(entry.path().string());
        ASSERT_FALSE(refused.ok());
        EXPECT_NE(refused.status().message().find("both named 'data'"), std::string::npos)
            << refused.status().message();
      } else if (name == "manifest.bioimage.io.yaml") {
        const auto refused = OpenBundle(entry.path().string());
        ASSERT_FALSE(refused.ok());
        EXPECT_NE(refused.status().message().find("describes a collection"), std::string::npos);
      } else {
        const std::string folder = fs::path(path).parent_path().generic_string();
        EXPECT_TRUE(rows.count(path) == 1 || rows.count(folder) == 1) << path;
      }
    }
  }
  EXPECT_GE(seen, 26);
}

}  // namespace
}  // namespace fovea::formats
