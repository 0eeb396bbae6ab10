// Every file of ../shared/images gives the pixels that independent readers saw (decoded.json), or is refused for the
// reason listed here.
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "tests/formats/image/image_test_util.h"

namespace fovea::formats {
namespace {

namespace fs = std::filesystem;

struct Expectation {
  std::string shape, dtype, crc;  // crc is empty where no independent reader could decode the file
};

// The value of `key` in one flat JSON object: a string without quotes, or a list without spaces.
std::string JsonValue(const std::string& object, const std::string& key) {
  const size_t at = object.find("\"" + key + "\":");
  if (at == std::string::npos) return {};
  const size_t from = object.find_first_of("\"[", at + key.size() + 3);
  const size_t to = object.find(object[from] == '[' ? ']' : '"', from + 1);
  std::string value = object.substr(from + 1, to - from - 1);
  value.erase(std::remove_if(value.begin(), value.end(), [](char c) { return c == ' ' || c == '\n'; }), value.end());
  return value;
}

std::map<std::string, Expectation> ReadExpectations(const fs::path& json) {
  const std::vector<uint8_t> bytes = FileBytes(json.string());
  const std::string text(bytes.begin(), bytes.end());
  std::map<std::string, Expectation> expectations;
  size_t at = 1;
  while ((at = text.find('"', at)) != std::string::npos) {
    const size_t name_end = text.find('"', at + 1);
    const size_t open = text.find('{', name_end), close = text.find('}', open);
    const std::string object = text.substr(open, close - open);
    expectations[text.substr(at + 1, name_end - at - 1)] = {JsonValue(object, "decoded_shape"),
                                                            JsonValue(object, "decoded_dtype"),
                                                            JsonValue(object, "crc32_of_raw_le_c_order")};
    at = close;
  }
  return expectations;
}

// Files that fovea refuses, with the words of the sentence that name the reason.
const std::map<std::string, std::string> kRefused = {
    {"t1_crop.nii.gz", "gzip-compressed"},
    {"hpredict-1c-12b.tiff", "a predictor without a compression"},
};

std::vector<fs::path> Corpora() {
  const fs::path root = fs::path(FOVEA_SHARED_DIR) / "images";
  return {root / "microscopy", root / "tiff-variants" / "image-js", root / "tiff-variants" / "image-tiff"};
}

bool HaveCorpora() { return fs::exists(Corpora()[0] / "decoded.json"); }

int64_t Product(const std::string& shape) {
  int64_t product = 1;
  for (size_t at = 0; at < shape.size();) {
    const size_t end = std::min(shape.find(',', at), shape.size());
    product *= std::stoll(shape.substr(at, end - at));
    at = end + 1;
  }
  return product;
}

TEST(Corpus, EveryFileHasTheExpectedPixels) {
  if (!HaveCorpora()) GTEST_SKIP() << "../shared/images is absent";
  int compared = 0, opened = 0, refused = 0;
  for (const fs::path& folder : Corpora()) {
    for (const auto& [name, expected] : ReadExpectations(folder / "decoded.json")) {
      SCOPED_TRACE(name);
      const std::string path = (folder / name).string();
      auto reader = OpenImage(path);
      std::vector<uint8_t> pixels;
      Status status = reader.status();
      if (reader.ok()) {
        auto whole = ReadWhole(**reader);
        status = whole.status();
        if (whole.ok()) pixels = std::move(*whole);
      }
      if (!status.ok()) {
        ++refused;
        const auto listed = kRefused.find(name);
        EXPECT_TRUE(listed != kRefused.end() && status.message().find(listed->second) != std::string::npos)
            << status.message();
        EXPECT_NE(status.message().find(name), std::string::npos) << status.message();
        continue;
      }
      ++opened;
      EXPECT_EQ(kRefused.count(name), 0u) << "is readable now";
      const ImageInfo& info = (*reader)->info();
      EXPECT_FALSE(info.format.empty());
      if (expected.crc.empty()) continue;
      EXPECT_EQ(info.plane_count() * info.y * info.x, Product(expected.shape)) << info.axes;
      EXPECT_EQ(expected.dtype == "bool" ? "uint8" : expected.dtype, DTypeName(info.dtype));
      char crc[16];
      std::snprintf(crc, sizeof crc, "%08lx", crc32(0, pixels.data(), static_cast<uInt>(pixels.size())));
      EXPECT_EQ(expected.crc, crc) << info.format << " " << info.axes;
      ++compared;
    }
  }
  RecordProperty("compared", compared);
  std::printf("%d files opened, %d compared by CRC, %d refused\n", opened, compared, refused);
  EXPECT_GE(compared, 120);
}

// Copies an image plane by plane into a file of its own type.
Status Copy(ImageReader& reader, const std::string& path) {
  const ImageInfo& info = reader.info();
  FOVEA_ASSIGN_OR_RETURN(auto writer, CreateImage(path, info, {.dtype = info.dtype}));
  std::vector<uint8_t> plane(static_cast<size_t>(info.y * info.x) * DTypeBytes(info.dtype));
  for (int64_t i = 0; i < info.plane_count(); ++i) {
    const Region region{i / info.c / info.z, i / info.c % info.z, i % info.c, 0, 0, info.y, info.x};
    FOVEA_RETURN_IF_ERROR(reader.Read(region, plane.data()));
    FOVEA_RETURN_IF_ERROR(writer->Write(region, plane.data()));
  }
  return writer->Finish();
}

// The planes' pixels in the order t, z, c, whatever the layout of the file.
std::vector<uint8_t> Planes(ImageReader& reader) {
  const ImageInfo& info = reader.info();
  const size_t bytes = static_cast<size_t>(info.y * info.x) * DTypeBytes(info.dtype);
  std::vector<uint8_t> all(static_cast<size_t>(info.plane_count()) * bytes);
  for (int64_t i = 0; i < info.plane_count(); ++i) {
    const Status read = reader.Read({i / info.c / info.z, i / info.c % info.z, i % info.c, 0, 0, info.y, info.x},
                                    all.data() + static_cast<size_t>(i) * bytes);
    EXPECT_TRUE(read.ok()) << read.message();
  }
  return all;
}

void ExpectSameCalibration(const PixelSize& a, const PixelSize& b) {
  // Resolutions are fractions of 32-bit numbers.
  const auto near = [](double expected, double got) { EXPECT_NEAR(got, expected, 1e-6 * std::abs(expected)); };
  EXPECT_EQ(a.unit, b.unit);
  if (!a.unit.empty()) near(a.x, b.x), near(a.y, b.y), near(a.z, b.z);
  near(a.frame_interval_s, b.frame_interval_s);
  near(a.origin_x_px, b.origin_x_px), near(a.origin_y_px, b.origin_y_px), near(a.origin_z_px, b.origin_z_px);
}

TEST(Corpus, ReadWriteReadKeepsPixelsAndMetadata) {
  if (!HaveCorpora()) GTEST_SKIP() << "../shared/images is absent";
  TemporaryFolder scratch;
  int copied = 0;
  for (const fs::path& folder : Corpora()) {
    for (const auto& [name, expected] : ReadExpectations(folder / "decoded.json")) {
      if (kRefused.count(name) != 0) continue;
      auto reader = OpenImage((folder / name).string());
      ASSERT_OK(reader.status());
      const ImageInfo& in = (*reader)->info();
      const std::vector<uint8_t> pixels = Planes(**reader);
      for (const char* kind : {"copy.tif", "copy.ome.tif"}) {
        SCOPED_TRACE(name + " as " + kind);
        const bool ome = std::string(kind) == "copy.ome.tif";
        const bool no_ome = in.dtype == DType::kFloat16 || in.dtype == DType::kInt64 || in.dtype == DType::kUInt64;
        if (ome && no_ome) continue;
        ASSERT_OK(Copy(**reader, scratch.File(kind)));
        auto again = OpenImage(scratch.File(kind));
        ASSERT_OK(again.status());
        const ImageInfo& out = (*again)->info();
        EXPECT_EQ(std::tuple(in.t, in.z, in.c, in.y, in.x), std::tuple(out.t, out.z, out.c, out.y, out.x));
        EXPECT_STREQ(DTypeName(in.dtype), DTypeName(out.dtype));
        EXPECT_TRUE(Planes(**again) == pixels);
        if (no_ome) continue;  // a type that neither ImageJ nor OME knows: plain TIFF carries sizes and axes
        ExpectSameCalibration(in.pixel_size, out.pixel_size);
        EXPECT_EQ(in.channel_names, out.channel_names);
        if (ome) continue;
        EXPECT_EQ(in.slice_labels, out.slice_labels);
        EXPECT_EQ(in.luts, out.luts);
        ASSERT_EQ(in.display_ranges.size(), out.display_ranges.size());
        for (size_t i = 0; i < in.display_ranges.size(); ++i) {
          EXPECT_EQ(in.display_ranges[i].min, out.display_ranges[i].min);
          EXPECT_EQ(in.display_ranges[i].max, out.display_ranges[i].max);
        }
        EXPECT_EQ(in.notes, out.notes);
        EXPECT_EQ(in.imagej_blocks.size(), out.imagej_blocks.size());
        EXPECT_EQ(in.date, out.date);
      }
      ++copied;
    }
  }
  EXPECT_GE(copied, 150);
}

TEST(Corpus, RegionsAreCropsOfTheWhole) {
  if (!HaveCorpora()) GTEST_SKIP() << "../shared/images is absent";
  std::mt19937 random(7);
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); };
  for (const fs::path& folder : Corpora()) {
    for (const auto& [name, expected] : ReadExpectations(folder / "decoded.json")) {
      if (kRefused.count(name) != 0) continue;
      SCOPED_TRACE(name);
      auto reader = OpenImage((folder / name).string());
      ASSERT_OK(reader.status());
      const ImageInfo info = (*reader)->info();
      const auto element = static_cast<int64_t>(DTypeBytes(info.dtype));
      for (int round = 0; round < 12; ++round) {
        const int64_t t = below(info.t), z = below(info.z), c = below(info.c);
        std::vector<uint8_t> plane(static_cast<size_t>(info.y * info.x * element));
        ASSERT_OK((*reader)->Read({t, z, c, 0, 0, info.y, info.x}, plane.data()));
        if (round % 4 == 3) (*reader)->SetCacheBytes(0);
        const int64_t y = below(info.y), x = below(info.x);
        const int64_t h = 1 + below(info.y - y), w = 1 + below(info.x - x);
        std::vector<uint8_t> part(static_cast<size_t>(h * w * element));
        ASSERT_OK((*reader)->Read({t, z, c, y, x, h, w}, part.data()));
        for (int64_t row = 0; row < h; ++row) {
          ASSERT_TRUE(std::equal(part.begin() + row * w * element, part.begin() + (row + 1) * w * element,
                                 plane.begin() + ((y + row) * info.x + x) * element))
              << info.axes << " row " << row << " of " << h << "x" << w << " at " << y << "," << x;
        }
      }
      std::vector<uint8_t> one(8);
      EXPECT_FALSE((*reader)->Read({0, 0, 0, info.y, 0, 1, 1}, one.data()).ok());
      EXPECT_FALSE((*reader)->Read({0, 0, info.c, 0, 0, 1, 1}, one.data()).ok());
      EXPECT_FALSE((*reader)->Read({-1, 0, 0, 0, 0, 1, 1}, one.data()).ok());
      EXPECT_FALSE((*reader)->Read({0, 0, 0, 0, 1, 1, info.x}, one.data()).ok());
    }
  }
}

TEST(Corpus, ReadAsFloatInterleavesChannels) {
  if (!HaveCorpora()) GTEST_SKIP() << "../shared/images is absent";
  auto reader = OpenImage((Corpora()[0] / "hela-cells.tif").string());
  ASSERT_OK(reader.status());
  const ImageInfo& info = (*reader)->info();
  ASSERT_EQ(info.c, 3);
  std::vector<float> pixels(static_cast<size_t>(info.y * info.x * 3));
  for (int64_t c = 0; c < 3; ++c)
    ASSERT_OK(ReadAsFloat(**reader, {0, 0, c, 0, 0, info.y, info.x}, &pixels[static_cast<size_t>(c)], 3));
  const auto whole = ReadWhole(**reader);
  ASSERT_OK(whole.status());
  const auto* stored = reinterpret_cast<const uint16_t*>((*whole).data());
  for (size_t i = 0; i < pixels.size(); ++i) ASSERT_EQ(pixels[i], static_cast<float>(stored[i]));
}

// Depths that no reference reader decodes. Their files hold the numbers 0, 1, 2 ... 255 (modulo the depth), one for
// each pixel, or for each sample where there are three.
TEST(Corpus, OddBitDepthsHoldTheirSequence) {
  if (!HaveCorpora()) GTEST_SKIP() << "../shared/images is absent";
  int checked = 0;
  for (const auto& [name, expected] : ReadExpectations(Corpora()[2] / "decoded.json")) {
    if (!name.starts_with("seq__") || !expected.crc.empty()) continue;
    SCOPED_TRACE(name);
    const int bits = std::stoi(name.substr(name.find("c-") + 2));
    const int64_t range = int64_t{1} << std::min(bits, 16);
    auto reader = OpenImage((Corpora()[2] / name).string());
    ASSERT_OK(reader.status());
    const ImageInfo& info = (*reader)->info();
    std::vector<float> pixels(static_cast<size_t>(info.y * info.x * info.c));
    const bool planar = info.axes == "SYX";
    const int64_t plane = info.y * info.x;
    for (int64_t c = 0; c < info.c; ++c) {
      ASSERT_OK(ReadAsFloat(**reader, {0, 0, c, 0, 0, info.y, info.x},
                            &pixels[static_cast<size_t>(planar ? c * plane : c)], planar ? 1 : info.c));
    }
    // The sequence may begin anew, and need not begin at 0 (min-is-white counts down).
    const bool down = pixels[1] < pixels[0];
    for (size_t i = 1; i < pixels.size(); ++i) {
      const float step = pixels[i] - pixels[i - 1];
      const bool wraps = planar && i % static_cast<size_t>(plane) == 0;
      if (wraps || pixels[i] == 0 || pixels[i - 1] == 0) continue;
      if (static_cast<int64_t>(pixels[i - 1]) == range - 1 || static_cast<int64_t>(pixels[i]) == range - 1) continue;
      ASSERT_EQ(step, down ? -1.0f : 1.0f) << i << ": " << pixels[i - 1] << " " << pixels[i];
    }
    ++checked;
  }
  EXPECT_GE(checked, 25);
}

}  // namespace
}  // namespace fovea::formats
