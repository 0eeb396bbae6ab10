#include "formats/image/npy.h"

#include <cstring>

#include "tests/formats/image/image_test_util.h"

namespace fovea::formats {
namespace {

namespace fs = std::filesystem;

std::vector<uint8_t> Npy(const std::string& header, size_t data_bytes, uint8_t version = 1) {
  std::vector<uint8_t> file = {0x93, 'N', 'U', 'M', 'P', 'Y', version, 0};
  file.push_back(static_cast<uint8_t>(header.size() & 255));
  file.push_back(static_cast<uint8_t>(header.size() >> 8));
  for (int i = 0; version > 1 && i < 2; ++i) file.push_back(0);
  file.insert(file.end(), header.begin(), header.end());
  for (size_t i = 0; i < data_bytes; ++i) file.push_back(static_cast<uint8_t>(i));
  return file;
}

std::string Header(const std::string& descr, const std::string& fortran, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}

TEST(Npy, RoundtripsEveryType) {
  TemporaryFolder folder;
  for (int type = 0; type < kDTypeCount; ++type) {
    for (const std::vector<int64_t>& shape : {std::vector<int64_t>{}, {7}, {2, 3}, {0, 4}, {2, 1, 3, 4, 2}}) {
      const auto dtype = static_cast<DType>(type);
      const int64_t count = ElementCount(shape, 1);
      std::vector<float> values(static_cast<size_t>(count));
      for (size_t i = 0; i < values.size(); ++i)
        values[i] = dtype == DType::kBool ? static_cast<float>(i % 2) : static_cast<float>(i);
      const auto array = FromFloatVector(values, shape, dtype);
      ASSERT_OK(array.status());
      ASSERT_OK(WriteNpy(folder.File("a.npy"), *array));
      EXPECT_EQ((FileBytes(folder.File("a.npy")).size() - array->data.size()) % 64, 0u);
      const auto got = ReadNpy(folder.File("a.npy"));
      ASSERT_OK(got.status());
      EXPECT_EQ(got->shape, shape);
      EXPECT_EQ(got->dtype, dtype);
      EXPECT_EQ(ToFloatVector(*got), values);
    }
  }
  EXPECT_EQ(folder.FileCount(), 1u);
}

TEST(Npy, OrdersAndVersions) {
  for (const uint8_t version : {uint8_t{1}, uint8_t{2}, uint8_t{3}}) {
    const auto big = ReadNpyFromMemory(Npy(Header(">u2", "False", "(2, 3)"), 12, version), "big");
    ASSERT_OK(big.status());
    EXPECT_EQ(ToFloatVector(*big), (std::vector<float>{1, 0x203, 0x405, 0x607, 0x809, 0xa0b}));
  }
  const auto fortran = ReadNpyFromMemory(Npy(Header("|u1", "True", "(2, 3)"), 6), "fortran");
  ASSERT_OK(fortran.status());
  EXPECT_EQ(ToFloatVector(*fortran), (std::vector<float>{0, 2, 4, 1, 3, 5}));
  const auto deep = ReadNpyFromMemory(Npy(Header("|u1", "True", "(2, 3, 2)"), 12), "fortran");
  EXPECT_EQ(ToFloatVector(*deep), (std::vector<float>{0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11}));
  // As an image: the same elements whatever the order.
  const std::vector<uint8_t> bytes = Npy(Header("<u2", "True", "(20, 30)"), 1200);
  const auto array = ReadNpyFromMemory(bytes, "image.npy");
  auto reader = OpenImageFromMemory(bytes, "image.npy");
  ASSERT_OK(reader.status());
  std::vector<float> pixels(600);
  ASSERT_OK(ReadAsFloat(**reader, {0, 0, 0, 0, 0, 20, 30}, pixels.data(), 1));
  EXPECT_EQ(pixels, ToFloatVector(*array));
}

TEST(Npy, AcceptsDeepImageJHeaders) {
  const auto array = ReadNpyFromMemory(Npy(Header("<f4", "False", "(8,4,1,1,0, )"), 8 * 4 * 4), "dij");
  ASSERT_OK(array.status());
  EXPECT_EQ(array->shape, (std::vector<int64_t>{8, 4, 1, 1, 1}));
  // A true zero-length axis with unrelated bytes behind it stays empty.
  const auto empty = ReadNpyFromMemory(Npy(Header("<f4", "False", "(8,0)"), 5), "empty");
  ASSERT_OK(empty.status());
  EXPECT_EQ(empty->data.size(), 0u);
}

TEST(Npy, RefusesWithASentence) {
  const std::vector<std::pair<std::vector<uint8_t>, std::string>> cases = {
      {Npy(Header("|O", "False", "(2,)"), 16), "type"},
      {Npy(Header("<c8", "False", "(2,)"), 16), "type"},
      {Npy(Header("<U4", "False", "(2,)"), 32), "type"},
      {Npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8), "structured"},
      {Npy(Header("<f4", "False", "(2, 3)"), 23), "fewer"},
      {Npy(Header("<f4", "False", "(4294967296, 4294967296, 8)"), 23), "fewer"},
      {Npy(Header("<f4", "False", "(99999999999999999999,)"), 23), "shape"},
      {Npy(Header("<f4", "False", "(-1,)"), 23), "shape"},
      {Npy(Header("<f4", "False", "(2"), 8), "shape"},
      {Npy(Header("<f4", "Maybe", "(2,)"), 8), "fortran_order"},
      {Npy(Header("<f4", "False", "(2,)"), 8, 9), "format 9"},
      {{0x93, 'N', 'U'}, "cut short"},
      {{}, "cut short"},
  };
  for (const auto& [bytes, word] : cases) {
    const auto array = ReadNpyFromMemory(bytes, "bad.npy");
    ASSERT_FALSE(array.ok());
    EXPECT_NE(array.status().message().find("bad.npy"), std::string::npos) << array.status().message();
    EXPECT_NE(array.status().message().find(word), std::string::npos) << array.status().message();
  }
  EXPECT_EQ(ReadNpy("/nonexistent/a.npy").status().code(), StatusCode::kNotFound);
}

TEST(Npy, EveryPrefixIsRefused) {
  const std::vector<uint8_t> whole = Npy(Header("<f4", "False", "(2, 3)"), 24);
  for (size_t n = 0; n < whole.size(); ++n) {
    EXPECT_FALSE(ReadNpyFromMemory(std::span(whole).first(n), "cut.npy").ok()) << n;
    EXPECT_FALSE(OpenImageFromMemory(std::span(whole).first(n), "cut.npy").ok()) << n;
  }
}

TEST(Npy, ReadsAllSharedArrays) {
  if (!fs::exists(FOVEA_SHARED_DIR)) GTEST_SKIP() << "../shared is absent";
  int count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(FOVEA_SHARED_DIR)) {
    if (entry.path().extension() != ".npy") continue;
    SCOPED_TRACE(entry.path().string());
    const auto array = ReadNpy(entry.path().string());
    if (entry.path().filename() == "Results.npy") {  // a header without any data, as DeepImageJ saved it
      EXPECT_NE(array.status().message().find("holds 0 bytes"), std::string::npos);
      continue;
    }
    ASSERT_OK(array.status());
    EXPECT_EQ(static_cast<size_t>(ElementCount(array->shape, 1)) * DTypeBytes(array->dtype), array->data.size());
    EXPECT_GT(array->data.size(), 0u);
    ++count;
  }
  EXPECT_GT(count, 50);
}

}  // namespace
}  // namespace fovea::formats
