// Calibration, axes, names, labels, tables: what comes in goes out, and other programs see it.
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "tests/formats/image/image_test_util.h"

namespace fovea::formats {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMicrometre = "\xc2\xb5m";

ImageInfo Annotated() {
  ImageInfo info;
  info.dtype = DType::kUInt16;
  info.t = 2, info.z = 3, info.c = 2, info.y = 10, info.x = 12;
  info.axes = "TZCYX";
  info.pixel_size = {0.1625, 0.1625, 0.5, kMicrometre, 2.5, 4, -3, 1.5};
  info.channel_names = {"DAPI", "GFP \xce\xb1"};
  for (int i = 0; i < 12; ++i) info.slice_labels.push_back(i == 5 ? "" : "slice " + std::to_string(i));
  info.display_ranges = {{10, 2000}, {-5.5, 4095}};
  info.luts.resize(2);
  for (size_t i = 0; i < 256; ++i) info.luts[0][i] = info.luts[1][256 + i] = static_cast<uint8_t>(i);
  info.notes =
      "Objective: 63x\nTemperature: 37 \xc2\xb0"
      "C";
  info.properties = {{"loop", "false"}, {"cf", "0"}, {"mode", "composite"}};
  info.imagej_blocks = {{0x726f6920, {'I', 'o', 'u', 't', 1, 2, 3}}, {0x6f766572, {9, 8}}, {0x6f766572, {7}}};
  info.software = "a microscope";
  info.date = "2024:02:03 04:05:06";
  return info;
}

// Every pixel says where it is.
uint16_t Value(int64_t t, int64_t z, int64_t c, int64_t y, int64_t x) {
  return static_cast<uint16_t>(t * 10000 + z * 3000 + c * 1000 + y * 50 + x);
}

Status WriteAnnotated(const std::string& path, const ImageInfo& info, WriteOptions options) {
  FOVEA_ASSIGN_OR_RETURN(auto writer, CreateImage(path, info, options));
  for (int64_t i = 0; i < info.plane_count(); ++i) {
    const int64_t t = i / info.c / info.z, z = i / info.c % info.z, c = i % info.c;
    std::vector<float> plane;
    for (int64_t y = 0; y < info.y; ++y) {
      for (int64_t x = 0; x < info.x; ++x) plane.push_back(Value(t, z, c, y, x));
    }
    FOVEA_RETURN_IF_ERROR(writer->WriteFloat({t, z, c, 0, 0, info.y, info.x}, plane.data(), 1));
  }
  return writer->Finish();
}

void ExpectPixelSize(const PixelSize& got, const PixelSize& expected) {
  EXPECT_NEAR(got.x, expected.x, 1e-9);
  EXPECT_NEAR(got.y, expected.y, 1e-9);
  EXPECT_EQ(got.z, expected.z);
  EXPECT_EQ(got.unit, expected.unit);
  EXPECT_EQ(got.frame_interval_s, expected.frame_interval_s);
  EXPECT_NEAR(got.origin_x_px, expected.origin_x_px, 1e-9);
  EXPECT_NEAR(got.origin_y_px, expected.origin_y_px, 1e-9);
  EXPECT_NEAR(got.origin_z_px, expected.origin_z_px, 1e-9);
}

TEST(ImageJ, MetadataRoundtrip) {
  TemporaryFolder folder;
  const ImageInfo info = Annotated();
  ASSERT_OK(WriteAnnotated(folder.File("a.tif"), info, {.dtype = DType::kUInt16}));
  const auto reader = OpenImage(folder.File("a.tif"));
  ASSERT_OK(reader.status());
  const ImageInfo& got = (*reader)->info();
  EXPECT_EQ(got.format, "ImageJ TIFF");
  EXPECT_EQ(got.axes, "TZCYX");
  ExpectPixelSize(got.pixel_size, info.pixel_size);
  EXPECT_EQ(got.slice_labels, info.slice_labels);
  ASSERT_EQ(got.display_ranges.size(), 2u);
  EXPECT_EQ(got.display_ranges[1].min, -5.5);
  EXPECT_EQ(got.display_ranges[1].max, 4095);
  EXPECT_EQ(got.luts, info.luts);
  EXPECT_EQ(got.notes, info.notes);
  EXPECT_EQ(got.properties.size(), 3u);
  EXPECT_EQ(got.software, info.software);
  EXPECT_EQ(got.date, info.date);
  ASSERT_EQ(got.imagej_blocks.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(got.imagej_blocks[i].type, info.imagej_blocks[i].type);
    EXPECT_EQ(got.imagej_blocks[i].bytes, info.imagej_blocks[i].bytes);
  }
  // A second generation is the same file.
  ASSERT_OK(WriteAnnotated(folder.File("b.tif"), got, {.dtype = DType::kUInt16}));
  EXPECT_EQ(FileBytes(folder.File("a.tif")), FileBytes(folder.File("b.tif")));
}

TEST(ImageJ, ChannelNamesBecomeLabels) {
  TemporaryFolder folder;
  ImageInfo info = Annotated();
  info.slice_labels.clear();
  ASSERT_OK(WriteAnnotated(folder.File("a.tif"), info, {.dtype = DType::kFloat32}));
  const auto reader = OpenImage(folder.File("a.tif"));
  ASSERT_OK(reader.status());
  EXPECT_EQ((*reader)->info().channel_names, info.channel_names);
}

TEST(ImageJ, ColourMapIsALookUpTable) {
  TemporaryFolder folder;
  ImageInfo info;
  info.y = 10, info.x = 12;
  info.luts.resize(1);
  for (size_t i = 0; i < 768; ++i) info.luts[0][i] = static_cast<uint8_t>(i * 7);
  ASSERT_OK(WriteAnnotated(folder.File("a.tif"), info, {.dtype = DType::kUInt8}));
  const auto reader = OpenImage(folder.File("a.tif"));
  ASSERT_OK(reader.status());
  EXPECT_EQ((*reader)->info().luts, info.luts);
  EXPECT_EQ((*reader)->info().c, 1);
}

TEST(Ome, MetadataRoundtrip) {
  TemporaryFolder folder;
  const ImageInfo info = Annotated();
  for (const auto compression : {WriteOptions::kNone, WriteOptions::kDeflate}) {
    ASSERT_OK(WriteAnnotated(folder.File("a.ome.tif"), info,
                             {.dtype = DType::kUInt16, .compression = compression, .tile = 16}));
    auto reader = OpenImage(folder.File("a.ome.tif"));
    ASSERT_OK(reader.status());
    const ImageInfo& got = (*reader)->info();
    EXPECT_EQ(got.format, "OME-TIFF");
    EXPECT_EQ(got.axes, "TZCYX");
    EXPECT_EQ(got.channel_names, info.channel_names);
    ExpectPixelSize(got.pixel_size, info.pixel_size);
    uint16_t value = 0;
    ASSERT_OK((*reader)->Read({1, 2, 1, 9, 11, 1, 1}, &value));
    EXPECT_EQ(value, Value(1, 2, 1, 9, 11));
  }
}

// Replaces `from` by `to`, of the same length, in a file.
void Patch(const std::string& path, const std::string& from, const std::string& to) {
  std::vector<uint8_t> bytes = FileBytes(path);
  const auto at = std::search(bytes.begin(), bytes.end(), from.begin(), from.end());
  ASSERT_NE(at, bytes.end());
  ASSERT_EQ(from.size(), to.size());
  std::copy(to.begin(), to.end(), at);
  WriteBytes(path, bytes);
}

TEST(Ome, PlaneOrderOfTheFile) {
  TemporaryFolder folder;
  ImageInfo info = Annotated();
  ASSERT_OK(WriteAnnotated(folder.File("a.ome.tif"), info, {.dtype = DType::kUInt16}));
  Patch(folder.File("a.ome.tif"), "XYCZT", "XYTZC");
  auto reader = OpenImage(folder.File("a.ome.tif"));
  ASSERT_OK(reader.status());
  EXPECT_EQ((*reader)->info().axes, "CZTYX");
  uint16_t value = 0;
  // Page 1 is now t = 1 of z = 0, c = 0; it was written as c = 1.
  ASSERT_OK((*reader)->Read({1, 0, 0, 2, 3, 1, 1}, &value));
  EXPECT_EQ(value, Value(0, 0, 1, 2, 3));
}

// ImageJ writes stacks over 4 GB with one directory; the planes follow each other.
TEST(ImageJ, PlanesBeyondTheFirstDirectory) {
  TemporaryFolder folder;
  ImageInfo info = Annotated();
  info.t = 1, info.c = 1;
  info.slice_labels.clear();
  info.channel_names.clear();
  ASSERT_OK(WriteAnnotated(folder.File("a.tif"), info, {.dtype = DType::kUInt16}));
  std::vector<uint8_t> bytes = FileBytes(folder.File("a.tif"));
  uint32_t directory = 0;
  std::memcpy(&directory, bytes.data() + 4, 4);
  uint16_t entries = 0;
  std::memcpy(&entries, bytes.data() + directory, 2);
  std::memset(bytes.data() + directory + 2 + 12 * entries, 0, 4);  // no next directory
  WriteBytes(folder.File("b.tif"), bytes);
  auto reader = OpenImage(folder.File("b.tif"));
  ASSERT_OK(reader.status());
  EXPECT_EQ((*reader)->info().z, 3);
  uint16_t value = 0;
  ASSERT_OK((*reader)->Read({0, 2, 0, 9, 11, 1, 1}, &value));
  EXPECT_EQ(value, Value(0, 2, 0, 9, 11));
}

TEST(SharedImages, CalibrationAndAxes) {
  const fs::path root = fs::path(FOVEA_SHARED_DIR) / "images" / "microscopy";
  if (!fs::exists(root)) GTEST_SKIP() << "../shared/images is absent";
  const auto open = [&](const char* name) {
    auto reader = OpenImage((root / name).string());
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    return (*reader)->info();
  };
  const ImageInfo bead = open("Bead_Image1_crop.tif");
  EXPECT_EQ(bead.axes, "ZYX");
  EXPECT_EQ(bead.pixel_size.unit, kMicrometre);
  EXPECT_EQ(bead.pixel_size.z, 0.125);
  EXPECT_NEAR(bead.pixel_size.x, 1 / 44.460534, 1e-9);
  EXPECT_EQ(bead.luts.size(), 1u);
  const ImageInfo cells = open("hela-cells.tif");
  EXPECT_EQ(cells.axes, "YXS");
  EXPECT_EQ(cells.c, 3);
  const ImageInfo screen = open("BBBC022_IXMtest_A02_s9.tif");
  EXPECT_EQ(screen.axes, "CYX");
  EXPECT_EQ(screen.c, 3);
  EXPECT_EQ(screen.display_ranges.size(), 3u);
  EXPECT_EQ(screen.luts.size(), 3u);
  const ImageInfo mri = open("banana0010_mri.tif");
  EXPECT_EQ(mri.pixel_size.unit, "mm");
  EXPECT_NEAR(mri.pixel_size.x, 0.390625, 1e-9);
  const ImageInfo histology = open("chromosomes.tif");
  EXPECT_EQ(histology.pixel_size.unit, "inch");
  const ImageInfo ome = open("ome_multi-channel.ome.tif");
  EXPECT_EQ(ome.axes, "CYX");
  EXPECT_EQ(ome.format, "OME-TIFF");
  const ImageInfo part = open("multifile-Z3.ome.tiff");
  EXPECT_EQ(part.z, 1);  // its companion is not there
  EXPECT_EQ(part.warnings.size(), 1u);
  EXPECT_EQ(ome.warnings.size(), 0u);
  EXPECT_EQ(open("stardist_img3d.tif").axes, "QYX");
  EXPECT_EQ(open("stardist_img3d.tif").z, 31);
}

// tifffile as an independent reader of everything that is written.
TEST(Tifffile, ReadsWhatIsWritten) {
  if (std::system("/usr/bin/python3 -c 'import tifffile, numpy' 2>/dev/null") != 0) {
    GTEST_SKIP() << "python3-tifffile is absent";
  }
  TemporaryFolder folder;
  std::string script =
      "import sys, zlib, numpy as np, tifffile\n"
      "def value(t, z, c, y, x): return t * 10000 + z * 3000 + c * 1000 + y * 50 + x\n"
      "whole = np.fromfunction(value, (2, 3, 2, 10, 12))\n"
      "def check(name, dtype, imagej, ome, big):\n"
      "    with tifffile.TiffFile(name) as f:\n"
      "        assert f.is_imagej == imagej and bool(f.is_ome) == ome, name\n"
      "        assert f.is_bigtiff == big, name\n"
      "        s = f.series[0]\n"
      "        assert s.axes == 'TZCYX' and s.shape == whole.shape, (name, s.axes, s.shape)\n"
      "        assert s.dtype == np.dtype(dtype), (name, s.dtype)\n"
      "        a = s.asarray()\n"
      "        info = np.iinfo(dtype) if np.dtype(dtype).kind in 'iu' else None\n"
      "        e = whole if info is None else np.clip(whole, info.min, info.max)\n"
      "        assert np.array_equal(a, e.astype(dtype)), name\n"
      "        if imagej:\n"
      "            m = f.imagej_metadata\n"
      "            assert m['channels'] == 2 and m['slices'] == 3 and m['frames'] == 2 and m['hyperstack'], m\n"
      "            assert m['unit'] in ('\\\\u00B5m', '\\u00b5m') and m['spacing'] == 0.5 and m['finterval'] == 2.5, "
      "m\n"
      "            assert m['Labels'][2] == 'slice 2' and len(m['Labels']) == 12, m\n"
      "            assert list(m['Ranges']) == [10, 2000, -5.5, 4095], m\n"
      "            assert len(m['LUTs']) == 2 and m['LUTs'][0][0][255] == 255, m\n"
      "            assert m['Info'].startswith('Objective') and m['ROI'][:4] == b'Iout', m\n"
      "            n, d = f.pages[0].tags['XResolution'].value\n"
      "            assert abs(d / n - 0.1625) < 1e-9\n"
      "        if ome:\n"
      "            x = f.ome_metadata\n"
      "            assert 'PhysicalSizeX=\"0.1625\"' in x and 'Name=\"DAPI\"' in x, x\n";
  int files = 0;
  for (int type = 0; type < kDTypeCount; ++type) {
    const auto dtype = static_cast<DType>(type);
    if (dtype == DType::kBool) continue;
    for (const auto compression : {WriteOptions::kNone, WriteOptions::kDeflate, WriteOptions::kLzw}) {
      for (const bool ome : {false, true}) {
        const bool wide = dtype == DType::kFloat16 || dtype == DType::kInt64 || dtype == DType::kUInt64;
        if (ome && wide) continue;
        // LZW and Predictor need tifffile's optional codecs; libtiff's own reader checks them in roundtrip_test.
        if (compression == WriteOptions::kLzw) continue;
        const std::string path = folder.File("f" + std::to_string(files) + (ome ? ".ome.tif" : ".tif"));
        WriteOptions options{.dtype = dtype, .compression = compression, .tile = files % 3 == 0 ? 16 : 0};
        options.force_bigtiff = files % 4 == 0;
        ASSERT_OK(WriteAnnotated(path, Annotated(), options));
        const bool imagej = !ome && !wide && dtype != DType::kInt8;
        script += "check('" + path + "', '" + DTypeName(dtype) + "', " + (imagej ? "True" : "False") + ", " +
                  (ome ? "True" : "False") + ", " + (options.force_bigtiff ? "True" : "False") + ")\n";
        ++files;
      }
    }
  }
  ImageInfo colour;
  colour.t = 2, colour.c = 3, colour.y = 10, colour.x = 12;
  colour.axes = "TYXS";
  ASSERT_OK(
      WriteAnnotated(folder.File("rgb.tif"), colour, {.dtype = DType::kUInt8, .compression = WriteOptions::kDeflate}));
  ASSERT_OK(WriteAnnotated(folder.File("rgb.ome.tif"), colour, {.dtype = DType::kUInt16}));
  script += "for name, dtype, top in (('" + folder.File("rgb.tif") + "', 'uint8', 255), ('" +
            folder.File("rgb.ome.tif") +
            "', 'uint16', 65535)):\n"
            "    with tifffile.TiffFile(name) as f:\n"
            "        s = f.series[0]\n"
            "        assert s.axes == 'TYXS' and s.shape == (2, 10, 12, 3), (s.axes, s.shape)\n"
            "        e = np.fromfunction(lambda t, y, x, c: value(t, 0, c, y, x), s.shape)\n"
            "        assert np.array_equal(s.asarray(), np.clip(e, 0, top).astype(dtype)), name\n";
  WriteBytes(folder.File("check.py"), {script.begin(), script.end()});
  EXPECT_EQ(std::system(("/usr/bin/python3 " + folder.File("check.py")).c_str()), 0);
  EXPECT_GT(files, 30);
}

}  // namespace
}  // namespace fovea::formats
