// Pixels written are the pixels read: all types, compressions, layouts and axes, in bands of any order.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>
#include <numeric>
#include <random>

#include "tests/formats/image/image_test_util.h"

namespace fovea::formats {
namespace {

std::vector<uint8_t> RandomPixels(const ImageInfo& info, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> bytes(static_cast<size_t>(info.plane_count() * info.y * info.x) * DTypeBytes(info.dtype));
  // Runs as well as noise, so that compression has both to deal with.
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i % 700 < 300 ? i / 700 : random());
  if (info.dtype == DType::kBool) {
    for (uint8_t& b : bytes) b &= 1;
  }
  return bytes;
}

struct Band {
  int64_t t, z, c, y;
};

// Writes planes (t, z, c) of tight rows in bands of `band` rows; `shuffled`: in random order.
Status WriteAll(ImageWriter& writer, const std::vector<uint8_t>& pixels, int64_t band, bool shuffled) {
  const ImageInfo& info = writer.info();
  std::vector<Band> bands;
  for (int64_t y = 0; y < info.y; y += band) {
    for (int64_t t = 0; t < info.t; ++t) {
      for (int64_t z = 0; z < info.z; ++z) {
        for (int64_t c = 0; c < info.c; ++c) bands.push_back({t, z, c, y});
      }
    }
  }
  if (shuffled) std::shuffle(bands.begin(), bands.end(), std::mt19937(3));
  const size_t row_bytes = static_cast<size_t>(info.x) * DTypeBytes(info.dtype);
  for (const Band& b : bands) {
    const size_t at = static_cast<size_t>(info.plane_index(b.t, b.z, b.c) * info.y + b.y) * row_bytes;
    const int64_t rows = std::min(band, info.y - b.y);
    FOVEA_RETURN_IF_ERROR(writer.Write({b.t, b.z, b.c, b.y, 0, rows, info.x}, pixels.data() + at));
  }
  return writer.Finish();
}

void ExpectSame(const std::string& path, const ImageInfo& info, const std::vector<uint8_t>& pixels) {
  auto reader = OpenImage(path);
  ASSERT_OK(reader.status());
  const ImageInfo& got = (*reader)->info();
  ASSERT_EQ(DTypeName(got.dtype),
            DTypeName(info.dtype == DType::kBool && !path.ends_with("npy") ? DType::kUInt8 : info.dtype));
  ASSERT_EQ(got.t, info.t);
  ASSERT_EQ(got.z, info.z);
  ASSERT_EQ(got.c, info.c);
  ASSERT_EQ(got.y, info.y);
  ASSERT_EQ(got.x, info.x);
  const size_t plane_bytes = pixels.size() / static_cast<size_t>(info.plane_count());
  std::vector<uint8_t> plane(plane_bytes);
  for (int64_t i = 0; i < info.plane_count(); ++i) {
    ASSERT_OK(
        (*reader)->Read({i / info.c / info.z, i / info.c % info.z, i % info.c, 0, 0, info.y, info.x}, plane.data()));
    ASSERT_EQ(std::memcmp(plane.data(), pixels.data() + static_cast<size_t>(i) * plane_bytes, plane_bytes), 0)
        << "plane " << i;
  }
}

TEST(Roundtrip, EveryTypeCompressionAndLayout) {
  TemporaryFolder folder;
  int cases = 0;
  for (int type = 0; type < kDTypeCount; ++type) {
    for (const auto compression : {WriteOptions::kNone, WriteOptions::kDeflate, WriteOptions::kLzw}) {
      for (const int64_t tile : {0, 16, 48}) {
        for (const char* name : {"a.tif", "a.ome.tif"}) {
          for (const bool colour : {false, true}) {
            const auto dtype = static_cast<DType>(type);
            const bool no_ome = dtype == DType::kFloat16 || dtype == DType::kInt64 || dtype == DType::kUInt64;
            ImageInfo info;
            info.dtype = dtype;
            info.t = 2, info.z = colour ? 1 : 3, info.c = 3, info.y = 41, info.x = 67;
            info.axes = colour ? "TYXS" : "TZCYX";
            WriteOptions options;
            options.dtype = dtype;
            options.compression = compression;
            options.tile = tile;
            options.rows_per_strip = cases % 3 == 0 ? 0 : 7;
            options.force_bigtiff = cases % 5 == 0;
            SCOPED_TRACE(std::string(name) + " " + DTypeName(dtype) + " compression " + std::to_string(compression) +
                         " tile " + std::to_string(tile) + (colour ? " colour" : ""));
            auto writer = CreateImage(folder.File(name), info, options);
            if (no_ome && std::string(name) == "a.ome.tif") {
              EXPECT_EQ(writer.status().code(), StatusCode::kUnsupported);
              continue;
            }
            ASSERT_OK(writer.status());
            const std::vector<uint8_t> pixels = RandomPixels(info, static_cast<unsigned>(cases));
            ASSERT_OK(WriteAll(**writer, pixels, cases % 2 == 0 ? 10 : 7, cases % 2 == 1));
            ASSERT_NO_FATAL_FAILURE(ExpectSame(folder.File(name), info, pixels));
            ++cases;
          }
        }
      }
    }
  }
  EXPECT_EQ(folder.FileCount(), 2u);
}

TEST(Roundtrip, NpyAndPng) {
  TemporaryFolder folder;
  for (int type = 0; type < kDTypeCount; ++type) {
    for (const bool colour : {false, true}) {
      ImageInfo info;
      info.dtype = static_cast<DType>(type);
      info.t = colour ? 1 : 2, info.z = colour ? 1 : 5, info.c = 3, info.y = 19, info.x = 23;
      info.axes = colour ? "YXS" : "TZCYX";
      SCOPED_TRACE(DTypeName(info.dtype));
      const std::vector<uint8_t> pixels = RandomPixels(info, 5);
      auto npy = CreateImage(folder.File("a.npy"), info, {.dtype = info.dtype});
      ASSERT_OK(npy.status());
      ASSERT_OK(WriteAll(**npy, pixels, 4, true));
      ASSERT_NO_FATAL_FAILURE(ExpectSame(folder.File("a.npy"), info, pixels));
      auto png = CreateImage(folder.File("a.png"), info, {.dtype = info.dtype});
      if (!colour || (info.dtype != DType::kUInt8 && info.dtype != DType::kUInt16)) {
        EXPECT_EQ(png.status().code(), StatusCode::kUnsupported);
        continue;
      }
      ASSERT_OK(png.status());
      ASSERT_OK(WriteAll(**png, pixels, 4, true));
      ASSERT_NO_FATAL_FAILURE(ExpectSame(folder.File("a.png"), info, pixels));
    }
  }
}

TEST(Roundtrip, LargeCompressedStripsAreReadRowByRow) {
  TemporaryFolder folder;
  for (const auto compression : {WriteOptions::kDeflate, WriteOptions::kLzw}) {
    for (const bool colour : {false, true}) {
      ImageInfo info;
      info.dtype = colour ? DType::kUInt8 : DType::kUInt16;
      info.z = colour ? 1 : 2, info.c = colour ? 3 : 1, info.y = 2100, info.x = 1300;
      info.axes = colour ? "YXS" : "ZYX";
      const std::vector<uint8_t> pixels = RandomPixels(info, 9);
      auto writer = CreateImage(folder.File("a.tif"), info,
                                {.dtype = info.dtype, .compression = compression, .rows_per_strip = 2100});
      ASSERT_OK(writer.status());
      ASSERT_OK(WriteAll(**writer, pixels, 300, false));
      auto reader = OpenImage(folder.File("a.tif"));
      ASSERT_OK(reader.status());
      // libtiff takes in the strip's compressed bytes, all at once.
      const auto compressed = static_cast<int64_t>(std::filesystem::file_size(folder.File("a.tif"))) / info.z;
      EXPECT_LT((*reader)->WorkingBytes(100), compressed + (3 << 20));
      EXPECT_GT((*reader)->WorkingBytes(100), compressed);
      const auto element = static_cast<int64_t>(DTypeBytes(info.dtype));
      std::vector<uint8_t> part(static_cast<size_t>(120 * 700 * element));
      // Bands with overlap, all channels of each; then backwards.
      for (const int64_t y : {0, 90, 180, 900, 1980, 400, 410, 0}) {
        for (int64_t i = 0; i < info.plane_count(); ++i) {
          const Region region{0, i / info.c, i % info.c, y, 500, 120, 700};
          ASSERT_OK((*reader)->Read(region, part.data()));
          for (int64_t row = 0; row < 120; ++row) {
            ASSERT_EQ(std::memcmp(part.data() + row * 700 * element,
                                  pixels.data() + ((i * info.y + y + row) * info.x + 500) * element,
                                  static_cast<size_t>(700 * element)),
                      0)
                << "band " << y << " row " << row << " plane " << i;
          }
        }
      }
    }
  }
}

TEST(Roundtrip, FloatsRoundHalfToEvenAndSaturate) {
  TemporaryFolder folder;
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {0.5f,  1.5f, 2.5f,  -0.5f, -1.5f, 254.5f, 255.5f, 300.0f,
                                     -7.0f, 3e9f, -3e9f, 1e20f, inf,   -inf,   NAN,    0.25f};
  struct Case {
    DType dtype;
    std::vector<float> expected;
  };
  const std::vector<Case> cases = {
      {DType::kUInt8, {0, 2, 2, 0, 0, 254, 255, 255, 0, 255, 0, 255, 255, 0, 0, 0}},
      {DType::kInt8, {0, 2, 2, 0, -2, 127, 127, 127, -7, 127, -128, 127, 127, -128, 0, 0}},
      {DType::kUInt16, {0, 2, 2, 0, 0, 254, 256, 300, 0, 65535, 0, 65535, 65535, 0, 0, 0}},
      {DType::kInt32,
       {0, 2, 2, 0, -2, 254, 256, 300, -7, 2147483648.0f, -2147483648.0f, 2147483648.0f, 2147483648.0f, -2147483648.0f,
        0, 0}},
      {DType::kUInt64,
       {0, 2, 2, 0, 0, 254, 256, 300, 0, 3e9f, 0, 18446744073709551616.0f, 18446744073709551616.0f, 0, 0, 0}},
      {DType::kFloat32, values},
      {DType::kFloat64, values},
      {DType::kFloat16,
       {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 254.5f, 255.5f, 300, -7, inf, -inf, inf, inf, -inf, NAN, 0.25f}},
      {DType::kBool, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(DTypeName(c.dtype));
    ImageInfo info;
    info.y = 4, info.x = 4;
    auto writer = CreateImage(folder.File("f.npy"), info, {.dtype = c.dtype});
    ASSERT_OK(writer.status());
    std::vector<float> spread(values.size() * 3, 77.0f);  // one channel of three
    for (size_t i = 0; i < values.size(); ++i) spread[3 * i + 1] = values[i];
    ASSERT_OK((*writer)->WriteFloat({0, 0, 0, 0, 0, 4, 4}, spread.data() + 1, 3));
    ASSERT_OK((*writer)->Finish());
    auto reader = OpenImage(folder.File("f.npy"));
    ASSERT_OK(reader.status());
    std::vector<float> got(16);
    ASSERT_OK(ReadAsFloat(**reader, {0, 0, 0, 0, 0, 4, 4}, got.data(), 1));
    for (size_t i = 0; i < 16; ++i) {
      if (std::isnan(c.expected[i])) {
        EXPECT_TRUE(std::isnan(got[i])) << i;
      } else {
        EXPECT_EQ(got[i], c.expected[i]) << i;
      }
    }
  }
}

TEST(Roundtrip, UnwrittenPixelsAreZero) {
  TemporaryFolder folder;
  for (const auto compression : {WriteOptions::kNone, WriteOptions::kDeflate}) {
    ImageInfo info;
    info.z = 2, info.y = 50, info.x = 40;
    auto writer = CreateImage(folder.File("z.tif"), info,
                              {.dtype = DType::kUInt8, .compression = compression, .rows_per_strip = 8});
    ASSERT_OK(writer.status());
    const std::vector<uint8_t> block(200, 9);
    ASSERT_OK((*writer)->Write({0, 1, 0, 12, 5, 10, 20}, block.data()));
    EXPECT_FALSE((*writer)->Write({0, 2, 0, 12, 5, 10, 20}, block.data()).ok());
    ASSERT_OK((*writer)->Finish());
    EXPECT_FALSE((*writer)->Finish().ok());
    EXPECT_FALSE((*writer)->Write({0, 1, 0, 12, 5, 10, 20}, block.data()).ok());
    auto reader = OpenImage(folder.File("z.tif"));
    ASSERT_OK(reader.status());
    const auto whole = ReadWhole(**reader);
    ASSERT_OK(whole.status());
    EXPECT_EQ(std::accumulate((*whole).begin(), (*whole).end(), 0), 9 * 200);
  }
}

TEST(Writer, LeavesNothingWithoutFinish) {
  TemporaryFolder folder;
  ImageInfo info;
  info.y = 30, info.x = 30;
  const std::vector<float> pixels(900, 1.0f);
  for (const char* name : {"a.tif", "a.ome.tif", "a.npy", "a.png"}) {
    WriteBytes(folder.File(name), {1, 2, 3});  // an older result survives a run that fails
    auto writer = CreateImage(folder.File(name), info, {.dtype = DType::kUInt8});
    ASSERT_OK(writer.status());
    ASSERT_OK((*writer)->WriteFloat({0, 0, 0, 0, 0, 30, 30}, pixels.data(), 1));
    writer = Result<std::unique_ptr<ImageWriter>>(Cancelled("stop"));
    EXPECT_EQ(FileBytes(folder.File(name)), (std::vector<uint8_t>{1, 2, 3}));
  }
  EXPECT_EQ(folder.FileCount(), 4u);
}

TEST(Writer, RefusesWhatCannotBe) {
  TemporaryFolder folder;
  ImageInfo info;
  info.y = 30, info.x = 30;
  EXPECT_FALSE(CreateImage(folder.File("a.jpg"), info, {}).ok());
  EXPECT_FALSE(CreateImage(folder.File("none/a.tif"), info, {}).ok());
  EXPECT_FALSE(CreateImage(folder.File(""), info, {}).ok());
  EXPECT_FALSE(CreateImage(folder.File("a.tif"), info, {.tile = 20}).ok());
  info.x = 0;
  EXPECT_FALSE(CreateImage(folder.File("a.tif"), info, {}).ok());
  info.x = int64_t{1} << 31;
  EXPECT_FALSE(CreateImage(folder.File("a.tif"), info, {}).ok());
  info.x = info.y = info.t = (int64_t{1} << 31) - 1;
  EXPECT_FALSE(CreateImage(folder.File("a.tif"), info, {}).ok());
  EXPECT_EQ(folder.FileCount(), 0u);
}

// Over 4 GB the file becomes a BigTIFF by itself. Sparse on disk: only two rows are written.
TEST(Writer, GrowsIntoBigTiff) {
  TemporaryFolder folder;
  ImageInfo info;
  info.z = 5, info.y = 30000, info.x = 30000;
  auto writer = CreateImage(folder.File("big.tif"), info, {.dtype = DType::kUInt8});
  ASSERT_OK(writer.status());
  EXPECT_LT((*writer)->WorkingBytes(64), 16 << 20);
  std::vector<uint8_t> row(30000);
  std::iota(row.begin(), row.end(), uint8_t{0});
  ASSERT_OK((*writer)->Write({0, 0, 0, 0, 0, 1, 30000}, row.data()));
  ASSERT_OK((*writer)->Write({0, 4, 0, 29999, 0, 1, 30000}, row.data()));
  ASSERT_OK((*writer)->Finish());
  auto reader = OpenImage(folder.File("big.tif"));
  ASSERT_OK(reader.status());
  EXPECT_EQ((*reader)->info().z, 5);
  std::vector<uint8_t> got(30000);
  ASSERT_OK((*reader)->Read({0, 4, 0, 29999, 0, 1, 30000}, got.data()));
  EXPECT_EQ(got, row);
  ASSERT_OK((*reader)->Read({0, 4, 0, 29998, 0, 1, 30000}, got.data()));
  EXPECT_EQ(std::accumulate(got.begin(), got.end(), 0), 0);
}

}  // namespace
}  // namespace fovea::formats
