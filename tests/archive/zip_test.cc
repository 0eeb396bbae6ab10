// Zips written by libzip, honest and hostile.
#include "archive/zip.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/converter/saved_model/support.h"
#include "tests/support/process.h"

namespace fovea {
namespace {

using archive::ByteSource;
using archive::FileTree;
using archive::OpenZipBytes;
using testing::WriteZip;
using testing::ZipEntry;

Result<std::string> ReadFile(FileTree* tree, const std::string& name) {
  FOVEA_ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> source, tree->Open(name));
  return archive::ReadAll(source.get(), uint64_t{1} << 30);
}

// Bytes that do not pack well.
std::string Noise(size_t n) {
  std::string out;
  uint32_t state = 12345;
  for (size_t i = 0; i < n; ++i) out.push_back(static_cast<char>((state = state * 1664525 + 1013904223) >> 24));
  return out;
}

TEST(Zip, ReadsStoredAndDeflatedFilesInAnyOrder) {
  const std::string big = Noise(300'000);
  const std::string zip =
      WriteZip({{"b/two", big, true, false}, {"a", "one", false, false}, {"b/c/three", "", true, false}});
  auto tree = OpenZipBytes(zip, "x.zip");
  ASSERT_TRUE(tree.ok()) << tree.status().message();
  EXPECT_EQ((*tree)->files(), (std::vector<std::string>{"a", "b/c/three", "b/two"}));
  EXPECT_EQ(*ReadFile(tree->get(), "a"), "one");
  EXPECT_EQ(*ReadFile(tree->get(), "b/two"), big);
  EXPECT_EQ(*ReadFile(tree->get(), "b/c/three"), "");
  EXPECT_EQ(ReadFile(tree->get(), "b").status().code(), StatusCode::kNotFound);

  auto source = (*tree)->Open("b/two");
  ASSERT_TRUE(source.ok());
  for (const size_t at : {size_t{200'000}, size_t{250'000}, size_t{10}, size_t{299'000}, size_t{0}}) {
    std::string part(1000, '\0');
    ASSERT_TRUE((*source)->Read(at, std::as_writable_bytes(std::span(part))).ok());
    EXPECT_EQ(part, big.substr(at, 1000)) << at;
  }
  std::string beyond(10, '\0');
  EXPECT_FALSE((*source)->Read(big.size() - 5, std::as_writable_bytes(std::span(beyond))).ok());
}

// A folder that another thread removed while it was filled stays away.
TEST(CreateFoldersBelow, MakesNoRoot) {
  const testing::ScratchFolder scratch;
  const std::string root = scratch / "root";
  EXPECT_EQ(archive::CreateFoldersBelow(root, "a/b/file").code(), StatusCode::kIo);
  EXPECT_FALSE(std::filesystem::exists(root));
  std::filesystem::create_directory(root);
  EXPECT_TRUE(archive::CreateFoldersBelow(root, "a/b/file").ok());
  EXPECT_TRUE(archive::CreateFoldersBelow(root, "a/c/file").ok());
  EXPECT_TRUE(archive::CreateFoldersBelow(root, "file").ok());
  EXPECT_EQ((std::vector<bool>{std::filesystem::is_directory(root + "/a/b"),
                               std::filesystem::is_directory(root + "/a/c"), std::filesystem::exists(root + "/file")}),
            (std::vector<bool>{true, true, false}));
}

TEST(Zip, FromDisk) {
  const auto path = std::filesystem::temp_directory_path() / ("fovea_zip_" + std::to_string(getpid()) + ".zip");
  std::ofstream(path, std::ios::binary) << WriteZip({{"a", "one"}});
  auto tree = archive::OpenZip(path.string());
  ASSERT_TRUE(tree.ok()) << tree.status().message();
  EXPECT_EQ(*ReadFile(tree->get(), "a"), "one");
  std::ofstream(path, std::ios::binary) << "PK\3\4 is not enough";
  EXPECT_EQ(archive::OpenZip(path.string()).status().code(), StatusCode::kCorruptFile);
  std::filesystem::remove(path);
  EXPECT_FALSE(archive::OpenZip(path.string()).ok());
}

TEST(Zip, PathsThatLeaveItAreRefused) {
  for (const char* name : {"../evil", "a/../../evil", "a/../b", "/etc/passwd", "..\\evil", "C:/evil", "C:evil", ".."}) {
    const auto tree = OpenZipBytes(WriteZip({{"good", "x"}, {name, "x"}}), "x.zip");
    EXPECT_EQ(tree.status().code(), StatusCode::kCorruptFile) << name;
  }
  // Names of other systems and odd but harmless ones.
  auto tree = OpenZipBytes(WriteZip({{"a\\b", "1"}, {"./c", "2"}, {"d..e", "3"}}), "x.zip");
  ASSERT_TRUE(tree.ok()) << tree.status().message();
  EXPECT_EQ((*tree)->files(), (std::vector<std::string>{"a/b", "c", "d..e"}));
}

TEST(Zip, LinksAreRefused) {
  const auto tree = OpenZipBytes(WriteZip({{"variables", "/etc", true, true}}), "x.zip");
  EXPECT_EQ(tree.status().code(), StatusCode::kCorruptFile);
  EXPECT_NE(tree.status().message().find("link"), std::string::npos) << tree.status().message();
}

TEST(Zip, TwoFilesOfOneNameAreRefused) {
  EXPECT_EQ(OpenZipBytes(WriteZip({{"a/b", "1"}, {"a\\b", "2"}}), "x.zip").status().code(), StatusCode::kCorruptFile);
}

TEST(Zip, BombsAreRefusedBeforeUnpacking) {
  // Zeros pack a thousand to one.
  const auto bomb = OpenZipBytes(WriteZip({{"zeros", std::string(size_t{80} << 20, '\0')}}), "x.zip");
  EXPECT_EQ(bomb.status().code(), StatusCode::kCorruptFile);
  EXPECT_NE(bomb.status().message().find("not unpacked"), std::string::npos) << bomb.status().message();
  // Zero weights of a harmless size, at the same ratio, are no bomb.
  EXPECT_TRUE(OpenZipBytes(WriteZip({{"zeros", std::string(size_t{8} << 20, '\0')}}), "x.zip").ok());
  std::vector<ZipEntry> many;
  for (int i = 0; i < 10'001; ++i) many.push_back({"f" + std::to_string(i), "", false, false});
  EXPECT_EQ(OpenZipBytes(WriteZip(many), "x.zip").status().code(), StatusCode::kCorruptFile);
}

TEST(Zip, SizesThatLieAreFound) {
  const std::string zip = WriteZip({{"a", Noise(1000), true, false}});
  const size_t directory = zip.rfind("PK\1\2");
  ASSERT_NE(directory, std::string::npos);
  for (const uint32_t size : {0u, 999u, 1001u, 0x7fffffffu, 0xfffffffeu}) {
    std::string bad = zip;
    const std::string bytes = testing::Bytes<uint32_t>({size});
    bad.replace(directory + 24, 4, bytes);  // uncompressed size
    auto tree = OpenZipBytes(bad, "x.zip");
    EXPECT_FALSE(tree.ok() && ReadFile(tree->get(), "a").ok()) << size;
  }
}

TEST(Zip, EveryTruncationAndFlippedByteGivesASentenceOrTheFiles) {
  const std::string text = Noise(200);
  const std::string zip = WriteZip({{"a", text, true, false}, {"b", text, false, false}});
  for (size_t i = 0; i < zip.size(); ++i) {
    const auto cut = OpenZipBytes(zip.substr(0, i), "x.zip");
    EXPECT_FALSE(cut.ok()) << i;
    std::string bad = zip;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    auto tree = OpenZipBytes(bad, "x.zip");
    if (!tree.ok()) continue;
    for (const std::string& name : (*tree)->files()) {
      const auto read = ReadFile(tree->get(), name);
      if (read.ok()) {
        EXPECT_EQ(*read, text) << i;
      }  // times and the like
    }
  }
}

}  // namespace
}  // namespace fovea
