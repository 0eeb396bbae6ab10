// Files from strangers: every bad file ends in a Status - no crash, no large allocation.
#include <cstring>
#include <functional>
#include <random>

#include "tests/formats/image/image_test_util.h"

namespace fovea::formats {
namespace {

namespace fs = std::filesystem;

// Opens and reads like a program would, with a cap on what it allocates itself.
void Exercise(std::span<const uint8_t> bytes, const std::string& name) {
  auto reader = OpenImageFromMemory(bytes, name);
  if (!reader.ok()) {
    EXPECT_FALSE(reader.status().message().empty());
    return;
  }
  const ImageInfo& info = (*reader)->info();
  const int64_t width = std::min<int64_t>(info.x, 4096);
  const int64_t height = std::min<int64_t>(info.y, (1 << 18) / width + 1);
  std::vector<uint8_t> pixels(static_cast<size_t>(height * width) * DTypeBytes(info.dtype));
  const Status first = (*reader)->Read({0, 0, 0, 0, 0, height, width}, pixels.data());
  const Status last = (*reader)->Read(
      {info.t - 1, info.z - 1, info.c - 1, info.y - height, info.x - width, height, width}, pixels.data());
  EXPECT_TRUE(first.ok() || !first.message().empty());
  EXPECT_TRUE(last.ok() || !last.message().empty());
}

// One small file for each way of storing pixels.
std::vector<std::vector<uint8_t>> Samples() {
  TemporaryFolder folder;
  std::vector<std::vector<uint8_t>> samples;
  for (const char* name : {"a.tif", "a.ome.tif", "a.png", "a.npy"}) {
    for (const auto compression : {WriteOptions::kNone, WriteOptions::kDeflate, WriteOptions::kLzw}) {
      for (const int64_t tile : {0, 16}) {
        const bool png = std::string(name) == "a.png";
        if (std::string(name) == "a.npy" && (tile > 0 || compression != WriteOptions::kNone)) continue;
        ImageInfo info;
        info.z = png ? 1 : 3, info.c = png ? 3 : 2, info.y = 23, info.x = 31;
        info.axes = png ? "YXS" : "ZCYX";
        info.pixel_size = {0.5, 0.5, 1, "\xc2\xb5m"};
        info.channel_names = {"DAPI", "GFP"};
        info.notes = "notes";
        auto writer =
            CreateImage(folder.File(name), info,
                        {.dtype = DType::kUInt16, .compression = compression, .rows_per_strip = 5, .tile = tile});
        if (!writer.ok()) continue;
        std::vector<float> pixels(23 * 31);
        for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(i * i % 3001);
        for (int64_t z = 0; z < info.z; ++z) {
          for (int64_t c = 0; c < info.c; ++c) {
            EXPECT_TRUE((*writer)->WriteFloat({0, z, c, 0, 0, 23, 31}, pixels.data(), 1).ok());
          }
        }
        EXPECT_TRUE((*writer)->Finish().ok());
        samples.push_back(FileBytes(folder.File(name)));
      }
    }
  }
  return samples;
}

TEST(Hostile, EveryPrefixOfOurOwnFiles) {
  for (const std::vector<uint8_t>& sample : Samples()) {
    for (size_t n = 0; n < sample.size(); n += 1 + n / 200) {
      // A copy of its own, so that the address sanitizer sees reads beyond the end.
      const std::vector<uint8_t> prefix(sample.begin(), sample.begin() + static_cast<std::ptrdiff_t>(n));
      Exercise(prefix, "prefix");
    }
  }
}

TEST(Hostile, PrefixesAreNeverCompleteImages) {
  for (const std::vector<uint8_t>& sample : Samples()) {
    const std::vector<uint8_t> prefix(sample.begin(), sample.end() - 40);
    EXPECT_FALSE(OpenImageFromMemory(prefix, "cut.tif").ok());
  }
}

TEST(Hostile, FlippedBytesOfOurOwnFiles) {
  std::mt19937 random(11);
  for (const std::vector<uint8_t>& sample : Samples()) {
    for (int round = 0; round < 300; ++round) {
      std::vector<uint8_t> bytes = sample;
      for (int i = 0; i < 1 + round % 4; ++i) bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
      Exercise(bytes, "flipped");
    }
  }
}

TEST(Hostile, SharedFilesCutAndFlipped) {
  const fs::path root = fs::path(FOVEA_SHARED_DIR) / "images";
  if (!fs::exists(root)) GTEST_SKIP() << "../shared/images is absent";
  std::mt19937 random(13);
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file() || entry.file_size() > 300000) continue;
    SCOPED_TRACE(entry.path().filename().string());
    const std::vector<uint8_t> whole = FileBytes(entry.path().string());
    for (size_t n = 0; n < whole.size(); n += 1 + whole.size() / 24) {
      Exercise(std::vector<uint8_t>(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)), "cut");
    }
    for (int round = 0; round < 16; ++round) {
      std::vector<uint8_t> bytes = whole;
      // Mostly in the first and last bytes: headers and directories.
      for (int i = 0; i < 3; ++i) {
        const size_t span = std::min<size_t>(bytes.size(), 600);
        const size_t at = i == 0   ? random() % bytes.size()
                          : i == 1 ? random() % span
                                   : bytes.size() - 1 - random() % span;
        bytes[at] = static_cast<uint8_t>(random());
      }
      Exercise(bytes, "flipped.tga");
    }
  }
}

TEST(Hostile, RandomBytesAfterEverySignature) {
  std::mt19937 random(17);
  const std::vector<std::vector<uint8_t>> signatures = {
      {},
      {'I', 'I', 42, 0, 8, 0, 0, 0},
      {'M', 'M', 0, 42, 0, 0, 0, 8},
      {'I', 'I', 43, 0, 8, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0},
      {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I', 'H', 'D', 'R'},
      {0xff, 0xd8, 0xff, 0xe0},
      {0xff, 0xd8, 0xff, 0xc0, 0, 17, 8},
      {'B', 'M'},
      {'P', '5', '\n', '9', '9', '9', '9', '9', ' ', '9', '9', '9', '9', '9', ' ', '2', '5', '5', '\n'},
      {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 64, 0},
  };
  for (const auto& signature : signatures) {
    for (int round = 0; round < 400; ++round) {
      std::vector<uint8_t> bytes = signature;
      const size_t n = random() % 600;
      // Small values are the ones that mean something in headers.
      for (size_t i = 0; i < n; ++i) bytes.push_back(static_cast<uint8_t>(round % 2 == 0 ? random() : random() % 5));
      Exercise(bytes, round % 3 == 0 ? "random.tga" : "random");
    }
  }
}

// Directories by hand: (tag, type, count, value) in little-endian classic TIFF.
struct Tag {
  uint16_t id, type;
  uint32_t count, value;
};
std::vector<uint8_t> HandMade(const std::vector<Tag>& tags, uint32_t next = 0, size_t tail = 256) {
  std::vector<uint8_t> bytes = {'I', 'I', 42, 0, 8, 0, 0, 0};
  const auto put = [&bytes](uint64_t value, int n) {
    for (int i = 0; i < n; ++i) bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
  };
  put(tags.size(), 2);
  for (const Tag& tag : tags) {
    put(tag.id, 2);
    put(tag.type, 2);
    put(tag.count, 4);
    put(tag.value, 4);
  }
  put(next, 4);
  bytes.resize(bytes.size() + tail, 0x5a);
  return bytes;
}

std::vector<Tag> Grey(uint32_t width, uint32_t height, uint16_t compression) {
  return {{256, 4, 1, width}, {257, 4, 1, height}, {258, 3, 1, 8},      {259, 3, 1, compression}, {262, 3, 1, 1},
          {273, 4, 1, 8},     {277, 3, 1, 1},      {278, 4, 1, height}, {279, 4, 1, 64}};
}

TEST(Hostile, AbsurdTiffHeaders) {
  const auto with = [](std::vector<Tag> tags, Tag changed) {
    for (Tag& tag : tags) {
      if (tag.id == changed.id) {
        tag = changed;
        return tags;
      }
    }
    tags.push_back(changed);
    return tags;
  };
  ASSERT_TRUE(OpenImageFromMemory(HandMade(Grey(8, 8, 1)), "fine.tif").ok());
  const std::vector<std::pair<std::string, std::vector<uint8_t>>> cases = {
      {"huge plain", HandMade(Grey(60000, 60000, 1))},
      {"huge LZW", HandMade(Grey(60000, 60000, 5))},
      {"huge Deflate", HandMade(Grey(0x7fffffff, 0x7fffffff, 8))},
      {"huge JPEG", HandMade(Grey(65000, 65000, 7))},
      {"huge fax", HandMade(Grey(0x7fffffff, 100, 4))},
      {"over the limit", HandMade(Grey(0xffffffff, 0xffffffff, 1))},
      {"no width", HandMade(Grey(0, 8, 1))},
      {"no height", HandMade(Grey(8, 0, 1))},
      {"0 samples", HandMade(with(Grey(8, 8, 1), {277, 3, 1, 0}))},
      {"65535 samples", HandMade(with(Grey(8, 8, 1), {277, 3, 1, 65535}))},
      {"1000 bits", HandMade(with(Grey(8, 8, 1), {258, 3, 1, 1000}))},
      {"0 bits", HandMade(with(Grey(8, 8, 1), {258, 3, 1, 0}))},
      {"rows per strip 0", HandMade(with(Grey(8, 8, 1), {278, 4, 1, 0}))},
      {"unknown compression", HandMade(Grey(8, 8, 4711))},
      {"JPEG 2000", HandMade(Grey(8, 8, 33003))},
      {"positions outside", HandMade(with(Grey(8, 8, 1), {273, 4, 1000, 0x7ffffff0}))},
      {"too few positions", HandMade(with(Grey(8, 8, 1), {278, 4, 1, 1}))},
      {"huge tiles",
       HandMade(with(with(with(Grey(8, 8, 5), {322, 4, 1, 0x40000000}), {323, 4, 1, 0x40000000}), {324, 4, 1, 8}))},
      {"large tiles",
       HandMade(with(with(with(Grey(8, 8, 5), {322, 4, 1, 0x4000}), {323, 4, 1, 0x8000}), {324, 4, 1, 8}))},
      {"complex", HandMade(with(with(Grey(8, 8, 1), {258, 3, 1, 64}), {339, 3, 1, 6}))},
      {"text as a width", HandMade(with(Grey(8, 8, 1), {256, 2, 4, 0x41414141}))},
      {"loop to itself", HandMade(Grey(8, 8, 1), 8)},
      {"next page outside", HandMade(Grey(8, 8, 1), 0x7fffffff)},
      {"next page in the tail", HandMade(Grey(8, 8, 1), 150)},
      {"first page outside", {'I', 'I', 42, 0, 255, 255, 255, 255}},
      {"no page", {'I', 'I', 42, 0, 0, 0, 0, 0}},
      {"header only", {'I', 'I', 42, 0}},
      {"empty", {}},
  };
  for (const auto& [what, bytes] : cases) {
    auto reader = OpenImageFromMemory(bytes, "absurd.tif");
    ASSERT_FALSE(reader.ok()) << what;
    EXPECT_NE(reader.status().message().find("absurd.tif"), std::string::npos) << reader.status().message();
  }
}

TEST(Hostile, DirectoriesThatLoop) {
  // Two pages that follow each other in a circle.
  std::vector<uint8_t> bytes = HandMade(Grey(8, 8, 1), 0, 0);
  const auto second = static_cast<uint32_t>(bytes.size());
  bytes = HandMade(Grey(8, 8, 1), second, 0);
  const std::vector<uint8_t> copy(bytes.begin() + 8, bytes.end());
  bytes.insert(bytes.end(), copy.begin(), copy.end());
  const uint32_t first = 8;
  std::memcpy(bytes.data() + bytes.size() - 4, &first, 4);
  bytes.resize(bytes.size() + 100);
  const auto reader = OpenImageFromMemory(bytes, "loop.tif");
  ASSERT_FALSE(reader.ok());
  EXPECT_NE(reader.status().message().find("loop"), std::string::npos) << reader.status().message();
}

TEST(Hostile, AbsurdImageJAndOmeTexts) {
  for (const std::string& text :
       {std::string("ImageJ=1\nimages=2000000000\nslices=2000000000\n"),
        std::string("ImageJ=1\nimages=-5\nchannels=0\n"),
        std::string("ImageJ=1\nimages=9223372036854775807\nchannels=9223372036854775807\nslices=9223372036854775807\n"),
        std::string("ImageJ=1\nunit=\\u00\nspacing=1e999\nfinterval=nan\nmin=inf\n\n\n=\n==\n"),
        std::string("<OME><Image><Pixels SizeX=\"8\" SizeY=\"8\" SizeZ=\"1000000\" SizeC=\"1000000\" "
                    "SizeT=\"1000000\"/></Image></OME>"),
        std::string("<OME><Image><Pixels SizeX=\"8\" SizeY=\"8\" SizeZ=\"4\" SizeC=\"1\" SizeT=\"1\" "
                    "DimensionOrder=\"XYZCT\"><TiffData IFD=\"-3\" PlaneCount=\"99999\"/></Pixels></Image></OME>"),
        std::string("<OME><Image><Pixels SizeX=\"8\" SizeY=\"8\" SizeZ=\"1\" SizeC=\"1\" SizeT=\"1\"><TiffData><UUID "
                    "FileName=\"../../etc/passwd\">x</UUID></TiffData></Pixels></Image></OME>"),
        std::string("<OME UUID=\"a\"><BinaryOnly MetadataFile=\"/etc/passwd\"/></OME>"), std::string("<OME "),
        std::string("<OME>"), std::string("{\"shape\": [1, 2, 99999999999, 8, 8]}"), std::string("{\"shape\": [")}) {
    std::vector<Tag> tags = Grey(8, 8, 1);
    tags.insert(tags.begin() + 5, {270, 2, static_cast<uint32_t>(text.size() + 1), 0});
    tags[5].value = static_cast<uint32_t>(8 + 2 + 12 * tags.size() + 4);
    std::vector<uint8_t> bytes = HandMade(tags, 0, 0);
    bytes.insert(bytes.end(), text.begin(), text.end());
    bytes.resize(bytes.size() + 300);
    Exercise(bytes, text.substr(0, 20));
  }
}

TEST(Hostile, NotARegularFile) {
  EXPECT_EQ(OpenImage("/nonexistent.tif").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(OpenImage("/tmp").status().code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(OpenImage("/dev/null").ok());
}

}  // namespace
}  // namespace fovea::formats
