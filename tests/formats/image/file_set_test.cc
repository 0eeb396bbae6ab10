// OME-TIFF sets: images whose planes lie in several files, with what describes them in one of these or beside them.
#include <cstring>

#include "tests/formats/image/image_test_util.h"

namespace fovea::formats {
namespace {

namespace fs = std::filesystem;

// Gives a classic TIFF another ImageDescription, at its end.
void SetDescription(const std::string& path, const std::string& text) {
  std::vector<uint8_t> bytes = FileBytes(path);
  const auto at = static_cast<uint32_t>(bytes.size() + bytes.size() % 2);
  const auto length = static_cast<uint32_t>(text.size() + 1);
  bytes.resize(at);
  bytes.insert(bytes.end(), text.begin(), text.end());
  bytes.push_back(0);
  uint32_t directory = 0;
  std::memcpy(&directory, bytes.data() + 4, 4);
  uint16_t entries = 0;
  std::memcpy(&entries, bytes.data() + directory, 2);
  for (uint16_t i = 0; i < entries; ++i) {
    uint8_t* entry = bytes.data() + directory + 2 + 12 * i;
    if (entry[0] != 0x0e || entry[1] != 0x01) continue;
    std::memcpy(entry + 4, &length, 4);
    std::memcpy(entry + 8, &at, 4);
  }
  WriteBytes(path, bytes);
}

class FileSet : public ::testing::Test {
 protected:
  // Three files of one plane each, z0.tif to z2.tif, whose pixels are 100, 101 and 102.
  void SetUp() override {
    for (int z = 0; z < 3; ++z) {
      ImageInfo info;
      info.dtype = DType::kUInt16;
      info.y = 6, info.x = 7;
      auto writer = CreateImage(Plane(z), info, {.dtype = DType::kUInt16});
      ASSERT_OK(writer.status());
      const std::vector<uint16_t> pixels(42, static_cast<uint16_t>(100 + z));
      ASSERT_OK((*writer)->Write({0, 0, 0, 0, 0, 6, 7}, pixels.data()));
      ASSERT_OK((*writer)->Finish());
    }
  }
  std::string Plane(int z) const { return folder_.File("z" + std::to_string(z) + ".tif"); }

  // What says that they are one stack. size_x: as it says it.
  static std::string Description(int size_x = 7) {
    std::string xml =
        "<?xml version=\"1.0\"?><OME UUID=\"urn:uuid:0\"><Image><Pixels DimensionOrder=\"XYZCT\" SizeX=\"" +
        std::to_string(size_x) +
        "\" SizeY=\"6\" SizeZ=\"3\" SizeC=\"1\" SizeT=\"1\" PhysicalSizeX=\"100\" PhysicalSizeXUnit=\"nm\" "
        "PhysicalSizeY=\"0.1\" PhysicalSizeZ=\"0.3\">";
    for (int z = 0; z < 3; ++z) {
      xml += "<TiffData FirstZ=\"" + std::to_string(z) + "\" IFD=\"0\"><UUID FileName=\"z" + std::to_string(z) +
             ".tif\">u" + std::to_string(z) + "</UUID></TiffData>";
    }
    return xml + "</Pixels></Image></OME>";
  }

  // The stack through one of its files, complete and without a word.
  void ExpectWhole(const std::string& path) {
    auto reader = OpenImage(path);
    ASSERT_OK(reader.status());
    EXPECT_EQ((*reader)->info().z, 3);
    EXPECT_EQ((*reader)->info().axes, "ZYX");
    EXPECT_EQ((*reader)->info().pixel_size.unit, "nm");
    EXPECT_DOUBLE_EQ((*reader)->info().pixel_size.y, 100);
    EXPECT_DOUBLE_EQ((*reader)->info().pixel_size.z, 300);
    EXPECT_EQ((*reader)->info().warnings, std::vector<std::string>());
    for (const int64_t z : {2, 0, 1, 0, 2}) {
      uint16_t value = 0;
      ASSERT_OK((*reader)->Read({0, z, 0, 5, 6, 1, 1}, &value));
      EXPECT_EQ(value, 100 + z);
    }
  }
  // The page of one file, with a sentence.
  void ExpectAlone(int z, const std::string& warning) {
    auto reader = OpenImage(Plane(z));
    ASSERT_OK(reader.status());
    const ImageInfo& info = (*reader)->info();
    EXPECT_EQ(info.z, 1);
    ASSERT_EQ(info.warnings.size(), 1u);
    EXPECT_EQ(info.warnings[0], warning);
    uint16_t value = 0;
    ASSERT_OK((*reader)->Read({0, 0, 0, 5, 6, 1, 1}, &value));
    EXPECT_EQ(value, 100 + z);
  }

  TemporaryFolder folder_;
};

TEST_F(FileSet, IsOneStackDescribedInAFile) {
  SetDescription(Plane(0), Description());
  ExpectWhole(Plane(0));
  fs::remove(Plane(2));
  const auto missing = OpenImage(Plane(0));
  EXPECT_EQ(missing.status().code(), StatusCode::kNotFound);
  EXPECT_EQ(missing.status().message(), "'" + Plane(0) + "' is part of a set of files, and 'z2.tif' is not beside it");
}

TEST_F(FileSet, IsOneStackDescribedByACompanion) {
  for (int z = 0; z < 3; ++z) {
    SetDescription(Plane(z), "<OME UUID=\"u" + std::to_string(z) +
                                 "\"><BinaryOnly MetadataFile=\"set.companion.ome\" UUID=\"urn:uuid:0\"/></OME>");
  }
  for (int z = 0; z < 3; ++z) {
    ExpectAlone(z,
                "it is part of a set of files that 'set.companion.ome' describes, which is not beside it: this file's "
                "own pages alone are read");
  }
  const std::string xml = Description();
  WriteBytes(folder_.File("set.companion.ome"), {xml.begin(), xml.end()});
  for (int z = 0; z < 3; ++z) ExpectWhole(Plane(z));
}

// One page is unambiguous, whatever is said of it.
TEST_F(FileSet, DescriptionsThatDoNotFitLeaveThePage) {
  SetDescription(Plane(1), Description(8));
  ExpectAlone(1, "its OME-XML is of an image of another size: its one page is read");
  SetDescription(Plane(1), "<OME><Image></Image></OME>");
  ExpectAlone(1, "its OME-XML describes no image: its one page is read, without calibration");
  SetDescription(Plane(1), Description().substr(0, 200));
  auto reader = OpenImage(Plane(1));
  ASSERT_OK(reader.status());
  ASSERT_EQ((*reader)->info().warnings.size(), 1u);
  EXPECT_EQ((*reader)->info().warnings[0].rfind("its OME-XML is broken: ", 0), 0u) << (*reader)->info().warnings[0];
}

}  // namespace
}  // namespace fovea::formats
