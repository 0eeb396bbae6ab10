// Writing images larger than memory: tiles in any order, pyramids, a writer that another process goes on with.
// Pixels and structure are read back with libtiff, which shares nothing with our writer.
#include <gtest/gtest.h>
#include <tiffio.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "formats/image/image.h"
#include "tests/support/process.h"

namespace fovea::formats {
namespace {

using testing::ScratchFolder;

std::string BytesOf(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A pixel that depends on everything.
uint8_t Value(int64_t page, int64_t y, int64_t x) { return static_cast<uint8_t>(page * 59 + y * 31 + x * x % 251); }

ImageInfo InfoOf(int64_t z, int64_t y, int64_t x) {
  ImageInfo info;
  info.z = z;
  info.y = y;
  info.x = x;
  info.axes = z > 1 ? "ZYX" : "YX";
  return info;
}

// Every pixel once, in rectangles of up to 70 x 50 pixels, shuffled.
std::vector<Region> Shuffled(const ImageInfo& info, unsigned seed) {
  std::vector<Region> regions;
  for (int64_t z = 0; z < info.z; ++z) {
    for (int64_t y = 0; y < info.y; y += 70) {
      for (int64_t x = 0; x < info.x; x += 50) {
        Region region;
        region.z = z;
        region.y = y;
        region.x = x;
        region.height = std::min<int64_t>(70, info.y - y);
        region.width = std::min<int64_t>(50, info.x - x);
        regions.push_back(region);
      }
    }
  }
  std::shuffle(regions.begin(), regions.end(), std::mt19937(seed));
  return regions;
}

Status WriteRegion(ImageWriter* writer, const Region& region) {
  std::vector<uint8_t> block;
  for (int64_t y = 0; y < region.height; ++y) {
    for (int64_t x = 0; x < region.width; ++x) block.push_back(Value(region.z, region.y + y, region.x + x));
  }
  return writer->Write(region, block.data());
}

// The directory that libtiff stands at, as a plane.
std::vector<uint8_t> PlaneOf(TIFF* tiff, uint32_t* width, uint32_t* height) {
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, height);
  uint32_t tile_width = 0, tile_height = 0;
  TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &tile_width);
  TIFFGetField(tiff, TIFFTAG_TILELENGTH, &tile_height);
  std::vector<uint8_t> plane(static_cast<size_t>(*width) * *height), tile(static_cast<size_t>(TIFFTileSize(tiff)));
  for (uint32_t y = 0; y < *height; y += tile_height) {
    for (uint32_t x = 0; x < *width; x += tile_width) {
      EXPECT_GT(TIFFReadTile(tiff, tile.data(), x, y, 0, 0), 0);
      for (uint32_t r = 0; r < std::min(tile_height, *height - y); ++r) {
        std::copy_n(tile.data() + r * tile_width, std::min(tile_width, *width - x),
                    plane.data() + static_cast<size_t>(y + r) * *width + x);
      }
    }
  }
  return plane;
}

struct Case {
  WriteOptions::Compression compression;
  bool pyramid, nearest, big;
};

class LargeOutputTest : public ::testing::TestWithParam<Case> {
 protected:
  WriteOptions Options() const {
    WriteOptions options;
    options.dtype = DType::kUInt8;
    options.compression = GetParam().compression;
    options.tile = 64;
    options.pyramid = GetParam().pyramid;
    options.pyramid_nearest = GetParam().nearest;
    options.force_bigtiff = GetParam().big;
    return options;
  }
  ScratchFolder scratch_;
};

TEST_P(LargeOutputTest, TilesInAnyOrderAndLevels) {
  const ImageInfo info = InfoOf(2, 301, 423);
  auto writer = CreateImage(scratch_ / "a.ome.tif", info, Options());
  ASSERT_TRUE(writer.ok()) << writer.status().message();
  for (const Region& region : Shuffled(info, 7)) ASSERT_TRUE(WriteRegion(writer->get(), region).ok());
  ASSERT_TRUE((*writer)->Finish().ok());
  EXPECT_EQ(scratch_.Files(), std::vector<std::string>{"a.ome.tif"});
  EXPECT_EQ(BytesOf(scratch_ / "a.ome.tif")[2], GetParam().big ? 43 : 42);

  TIFF* tiff = TIFFOpen((scratch_ / "a.ome.tif").c_str(), "r");
  ASSERT_NE(tiff, nullptr);
  ASSERT_EQ(TIFFNumberOfDirectories(tiff), 2);
  for (int64_t page = 0; page < 2; ++page) {
    ASSERT_TRUE(TIFFSetDirectory(tiff, static_cast<tdir_t>(page)));
    uint32_t width = 0, height = 0;
    std::vector<uint8_t> above = PlaneOf(tiff, &width, &height);
    ASSERT_EQ(width, 423u);
    ASSERT_EQ(height, 301u);
    for (int64_t y = 0; y < 301; ++y) {
      for (int64_t x = 0; x < 423; ++x) {
        ASSERT_EQ(above[static_cast<size_t>(y * 423 + x)], Value(page, y, x)) << page << " " << y << " " << x;
      }
    }
    uint16_t levels = 0;
    void* offsets = nullptr;
    const bool has_levels = TIFFGetField(tiff, TIFFTAG_SUBIFD, &levels, &offsets) != 0;
    ASSERT_EQ(has_levels, GetParam().pyramid);
    if (!has_levels) continue;
    ASSERT_EQ(levels, 3);  // 423 -> 212 -> 106 -> 53, which is one tile of 64
    const std::vector<uint64_t> places(static_cast<uint64_t*>(offsets), static_cast<uint64_t*>(offsets) + levels);
    for (const uint64_t place : places) {
      ASSERT_TRUE(TIFFSetSubDirectory(tiff, place));
      uint32_t subfile = 0, half_width = 0, half_height = 0;
      TIFFGetField(tiff, TIFFTAG_SUBFILETYPE, &subfile);
      EXPECT_EQ(subfile, FILETYPE_REDUCEDIMAGE);
      const std::vector<uint8_t> level = PlaneOf(tiff, &half_width, &half_height);
      ASSERT_EQ(half_width, (width + 1) / 2);
      ASSERT_EQ(half_height, (height + 1) / 2);
      for (uint32_t y = 0; y < half_height; ++y) {
        for (uint32_t x = 0; x < half_width; ++x) {
          int sum = 0, count = 0;
          for (uint32_t v = 2 * y; v < std::min(height, 2 * y + 2); ++v) {
            for (uint32_t u = 2 * x; u < std::min(width, 2 * x + 2); ++u) {
              sum += above[static_cast<size_t>(v) * width + u];
              ++count;
            }
          }
          const double mean = static_cast<double>(sum) / count;  // std::nearbyint rounds half to even
          const int want = GetParam().nearest ? above[static_cast<size_t>(2 * y) * width + 2 * x]
                                              : static_cast<int>(std::nearbyint(mean));
          ASSERT_EQ(level[static_cast<size_t>(y) * half_width + x], want) << y << " " << x;
        }
      }
      above = level;
      width = half_width;
      height = half_height;
    }
  }
  TIFFClose(tiff);
}

// Killed at every few rectangles: a new writer with the last checkpoint's state repeats what came after it, and the
// file is the same as without interruptions.
TEST_P(LargeOutputTest, GoesOnWhereAnotherWriterStopped) {
  const ImageInfo info = InfoOf(2, 301, 423);
  const std::vector<Region> regions = Shuffled(info, 11);
  WriteOptions options = Options();
  {
    auto writer = CreateImage(scratch_ / "once.ome.tif", info, options);
    ASSERT_TRUE(writer.ok());
    for (const Region& region : regions) ASSERT_TRUE(WriteRegion(writer->get(), region).ok());
    ASSERT_TRUE((*writer)->Finish().ok());
  }
  std::filesystem::create_directory(scratch_ / "again");
  const std::string path = scratch_ / "again/once.ome.tif";  // OME-XML has the file's name
  options.resumable = true;
  std::mt19937 random(3);
  size_t saved = 0;
  for (int attempts = 0; saved < regions.size(); ++attempts) {
    ASSERT_LT(attempts, 1000);
    auto writer = CreateImage(path, info, options);
    ASSERT_TRUE(writer.ok()) << writer.status().message();
    (*writer)->KeepUnfinished(true);
    const size_t checkpoint = std::min(regions.size(), saved + 1 + random() % 9);
    for (size_t i = saved; i < checkpoint; ++i) ASSERT_TRUE(WriteRegion(writer->get(), regions[i]).ok());
    auto state = (*writer)->Checkpoint();
    ASSERT_TRUE(state.ok());
    options.resume_state = *state;
    saved = checkpoint;
    // Work that is lost.
    for (size_t i = saved; i < std::min(regions.size(), saved + random() % 9); ++i) {
      ASSERT_TRUE(WriteRegion(writer->get(), regions[i]).ok());
    }
  }
  auto writer = CreateImage(path, info, options);
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->Finish().ok());
  writer->reset();
  EXPECT_TRUE(BytesOf(path) == BytesOf(scratch_ / "once.ome.tif"));
  std::filesystem::remove(path);
  EXPECT_TRUE(std::filesystem::is_empty(scratch_ / "again"));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, LargeOutputTest,
    ::testing::Values(Case{WriteOptions::kNone, false, false, false}, Case{WriteOptions::kNone, true, false, false},
                      Case{WriteOptions::kDeflate, false, false, true}, Case{WriteOptions::kDeflate, true, true, false},
                      Case{WriteOptions::kDeflate, true, false, true}, Case{WriteOptions::kLzw, true, false, false}));

// More unfinished tiles than memory may hold: every tile gets its left half first.
TEST(LargeOutput, UnfinishedTilesBeyondTheirShareOfMemoryWaitOnDisk) {
  ScratchFolder scratch;
  const ImageInfo info = InfoOf(1, 2048, 4096);  // 128 tiles of 256 KiB as float: 32 MiB
  WriteOptions options;
  options.tile = 256;
  options.compression = WriteOptions::kDeflate;
  options.resumable = true;
  const auto value = [](int64_t y, int64_t x) { return static_cast<float>(y * 7 % 31 + x / 16); };
  const auto write = [&](ImageWriter* writer, int64_t half) {
    std::vector<float> block(256 * 128);
    for (int64_t y = 0; y < info.y; y += 256) {
      for (int64_t x = half * 128; x < info.x; x += 256) {
        Region region;
        region.y = y;
        region.x = x;
        region.height = 256;
        region.width = 128;
        for (int64_t i = 0; i < 256 * 128; ++i) block[static_cast<size_t>(i)] = value(y + i / 128, x + i % 128);
        ASSERT_TRUE(writer->Write(region, block.data()).ok());
      }
    }
  };
  {
    auto writer = CreateImage(scratch / "a.tif", info, options);
    ASSERT_TRUE(writer.ok());
    EXPECT_LT((*writer)->WorkingBytes(64), 11 << 20);
    write(writer->get(), 0);
    EXPECT_EQ(scratch.Files(), (std::vector<std::string>{".a.tif.chunks.part", ".a.tif.part"}));
    auto other = CreateImage(scratch / "a.tif", info, options);
    ASSERT_FALSE(other.ok());
    EXPECT_NE(other.status().message().find("another run"), std::string::npos);
    auto state = (*writer)->Checkpoint();
    ASSERT_TRUE(state.ok());
    options.resume_state = *state;
    (*writer)->KeepUnfinished(true);
  }
  auto writer = CreateImage(scratch / "a.tif", info, options);
  ASSERT_TRUE(writer.ok()) << writer.status().message();
  write(writer->get(), 1);
  ASSERT_TRUE((*writer)->Finish().ok());
  writer->reset();
  EXPECT_EQ(scratch.Files(), std::vector<std::string>{"a.tif"});
  auto reader = OpenImage(scratch / "a.tif");
  ASSERT_TRUE(reader.ok());
  Region all;
  all.height = info.y;
  all.width = info.x;
  std::vector<float> got(static_cast<size_t>(info.y * info.x));
  ASSERT_TRUE((*reader)->Read(all, got.data()).ok());
  for (int64_t i = 0; i < info.y * info.x; ++i) {
    ASSERT_EQ(got[static_cast<size_t>(i)], value(i / info.x, i % info.x)) << i;
  }
}

TEST(LargeOutput, DamagedStateIsRefused) {
  ScratchFolder scratch;
  const ImageInfo info = InfoOf(1, 301, 423);
  WriteOptions options;
  options.dtype = DType::kUInt8;
  options.tile = 64;
  options.pyramid = options.resumable = true;
  std::vector<uint8_t> state;
  {
    auto writer = CreateImage(scratch / "a.tif", info, options);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(WriteRegion(writer->get(), Shuffled(info, 5)[0]).ok());
    auto saved = (*writer)->Checkpoint();
    ASSERT_TRUE(saved.ok());
    state = *saved;
    (*writer)->KeepUnfinished(true);
  }
  for (size_t length = 8; length < state.size(); length += 40) {
    options.resume_state.assign(state.begin(), state.begin() + static_cast<std::ptrdiff_t>(length));
    auto writer = CreateImage(scratch / "a.tif", info, options);
    ASSERT_FALSE(writer.ok()) << length;
    EXPECT_NE(writer.status().message().find("a.tif"), std::string::npos);
    std::ofstream(scratch / ".a.tif.part").close();  // the failed one removed it
  }
}

// Any number of the state may have been changed: refused, or a file that is wrong, but nothing is touched that is not
// the writer's own.
TEST(LargeOutput, ForgedStateDoesNoHarm) {
  ScratchFolder scratch;
  const ImageInfo info = InfoOf(1, 301, 423);
  WriteOptions options;
  options.dtype = DType::kUInt8;
  options.tile = 64;
  options.pyramid = options.resumable = true;
  const std::vector<Region> regions = Shuffled(info, 5);
  std::vector<uint64_t> words;
  const auto interrupted = [&] {
    options.resume_state.clear();
    auto writer = CreateImage(scratch / "a.tif", info, options);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(WriteRegion(writer->get(), regions[0]).ok());
    auto saved = (*writer)->Checkpoint();
    ASSERT_TRUE(saved.ok());
    words.resize(saved->size() / sizeof(uint64_t));
    std::memcpy(words.data(), saved->data(), saved->size());
    (*writer)->KeepUnfinished(true);
  };
  const auto resume = [&](size_t at, uint64_t value) {
    interrupted();
    words[at] = value;
    options.resume_state.resize(words.size() * sizeof(uint64_t));
    std::memcpy(options.resume_state.data(), words.data(), options.resume_state.size());
    auto writer = CreateImage(scratch / "a.tif", info, options);
    for (size_t i = 1; writer.ok() && i < regions.size(); ++i) {
      if (!WriteRegion(writer->get(), regions[i]).ok()) break;
    }
    return writer.status();
  };
  interrupted();
  // The end of the file, then of the first level how many chunks are being collected, and of each its number, its slot
  // and the pixels that it lacks.
  constexpr size_t kNumber = 2, kSlot = 3;
  ASSERT_GT(words[1], 0u);
  EXPECT_TRUE(resume(kSlot, words[kSlot]).ok());
  for (const uint64_t value : {uint64_t{1} << 20, uint64_t{1} << 27, uint64_t{1} << 63}) {
    EXPECT_EQ(resume(kSlot, value).code(), StatusCode::kCorruptFile) << value;
    EXPECT_EQ(resume(kNumber, value).code(), StatusCode::kCorruptFile) << value;
  }
  for (size_t at = 1; at < words.size(); at += at < 20 || at + 20 > words.size() ? 1 : 7) {
    for (const uint64_t value : {uint64_t{0}, uint64_t{5}, uint64_t{1} << 16, ~uint64_t{0}}) (void)resume(at, value);
  }
}

TEST(LargeOutput, FilesOver4GBAreTiledAndNeedTheSpace) {
  ScratchFolder scratch;
  WriteOptions options;
  const ImageInfo vast = InfoOf(1, 1 << 23, 1 << 23);  // 256 TiB of float
  auto writer = CreateImage(scratch / "a.tif", vast, options);
  ASSERT_FALSE(writer.ok());
  EXPECT_NE(writer.status().message().find("disk space"), std::string::npos) << writer.status().message();
  options.compression = WriteOptions::kDeflate;
  EXPECT_FALSE(CreateImage(scratch / "a.tif", InfoOf(1, int64_t{1} << 40, int64_t{1} << 40), options).ok());
  auto compressed = CreateImage(scratch / "a.tif", InfoOf(1, 50000, 50000), options);
  ASSERT_TRUE(compressed.ok());
  EXPECT_EQ((*compressed)->band_alignment(), 512);
  EXPECT_LT((*compressed)->WorkingBytes(64), 20 << 20);
  compressed->reset();
  EXPECT_TRUE(scratch.Files().empty());
}

}  // namespace
}  // namespace fovea::formats
