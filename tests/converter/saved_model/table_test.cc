// The table reader against tables that leveldb wrote.
#include "converter/saved_model/table.h"

#include <gtest/gtest.h>
#include <leveldb/env.h>
#include <leveldb/iterator.h>
#include <leveldb/options.h>
#include <leveldb/table.h>

#include <memory>

#include "converter/saved_model/crc32c.h"
#include "tests/converter/saved_model/support.h"

namespace fovea {
namespace {

using converter::ReadTable;
using testing::Bytes;
using testing::PlainCrc32c;
using testing::PlainMask;
using testing::WriteTable;

TEST(Crc32c, KnownValues) {
  // RFC 3720, B.4, and the check value of the CRC catalogue.
  const auto crc = [](const std::string& s) { return converter::Crc32c(std::as_bytes(std::span(s))); };
  EXPECT_EQ(crc(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc("123456789"), 0xe3069283u);
  EXPECT_EQ(crc(""), 0u);
}

TEST(Crc32c, EveryLengthAndSplitAgreesWithTheBitwiseOne) {
  std::string text;
  for (int i = 0; i < 40; ++i) {
    const auto bytes = std::as_bytes(std::span(text));
    for (size_t cut = 0; cut <= text.size(); ++cut) {
      const uint32_t first = converter::Crc32c(bytes.first(cut));
      EXPECT_EQ(converter::ExtendCrc32c(first, bytes.subspan(cut)), PlainCrc32c(text)) << i << " " << cut;
    }
    text.push_back(static_cast<char>(i * 37 + 11));
  }
}

std::map<std::string, std::string> ManyEntries() {
  std::map<std::string, std::string> entries = {{"", "header"}, {std::string("\0\1x", 3), "slice"}};
  for (int i = 0; i < 300; ++i) {
    entries["layer_" + std::to_string(i) + "/kernel"] = std::string(static_cast<size_t>(i % 50), 'v');
  }
  return entries;
}

TEST(Table, ReadsWhatLeveldbWrote) {
  for (const bool snappy : {false, true}) {
    for (const size_t block : {size_t{1}, size_t{64}, size_t{4096}, size_t{1} << 20}) {
      const auto table = ReadTable(WriteTable(ManyEntries(), snappy, block));
      ASSERT_TRUE(table.ok()) << table.status().message();
      EXPECT_EQ(*table, ManyEntries());
    }
  }
  // Blocks are really packed, else the branch above tests nothing.
  EXPECT_LT(WriteTable(ManyEntries(), true).size(), WriteTable(ManyEntries(), false).size());
}

TEST(Table, EveryFlippedBitAndEveryTruncationIsFound) {
  for (const bool snappy : {false, true}) {
    const std::map<std::string, std::string> entries = {{"", "h"}, {"a", "one"}, {"ab", "two"}};
    const std::string good = WriteTable(entries, snappy, 8);
    for (size_t i = 0; i < good.size(); ++i) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ 1);
      const auto table = ReadTable(bad);
      // The padding of the footer and the unread block of meta data carry nothing.
      if (table.ok()) {
        EXPECT_EQ(*table, entries) << i;
      }
      EXPECT_FALSE(ReadTable(good.substr(0, i)).ok()) << i;
    }
  }
}

// A table of one data block with right checksums, whatever is in it.
std::string Wrap(const std::string& block, char type = 0) {
  const auto with_trailer = [](const std::string& contents, char t) {
    return contents + t + Bytes<uint32_t>({PlainMask(PlainCrc32c(contents + t))});
  };
  const auto varint = [](uint64_t v) {
    std::string out;
    for (; v >= 128; v >>= 7) out.push_back(static_cast<char>(v | 128));
    return out + static_cast<char>(v);
  };
  const std::string restarts = Bytes<uint32_t>({0, 1});
  const std::string data = with_trailer(block, type);
  const std::string handle = varint(0) + varint(block.size());
  const std::string index = std::string({0, 1}) + varint(handle.size()) + "z" + handle + restarts;
  std::string footer = varint(0) + varint(0) + varint(data.size()) + varint(index.size());
  footer.resize(40, '\0');
  return data + with_trailer(index, 0) + footer + Bytes<uint64_t>({0xdb4775248b80fb57u});
}

TEST(Table, LengthsThatLieAreRefusedThoughChecksumsAreRight) {
  const std::string restarts = Bytes<uint32_t>({0, 1});
  const auto good = ReadTable(Wrap(std::string("\0\1\1kv", 5) + restarts));
  ASSERT_TRUE(good.ok()) << good.status().message();
  EXPECT_EQ(good->at("k"), "v");
  const std::string huge = "\xff\xff\xff\xff\x0f";  // 2^32 - 1: added to 2 in 32 bits it would fit anywhere
  for (const std::string& block : {
           std::string(1, '\0') + huge + "\2kv" + restarts,                 // key longer than the block
           std::string("\0\1", 2) + huge + "kv" + restarts,                 // value
           std::string("\5\1\1kv", 5) + restarts,                           // shares with a key that is not there
           std::string("\0\1\1kv\0\1\1jv", 10) + restarts,                  // keys fall
           std::string("\0\1\1kv\0\1\1kv", 10) + restarts,                  // or repeat
           std::string("\0\1\1kv", 5) + Bytes<uint32_t>({0, 0xffffffffu}),  // restarts
           std::string("\0\1", 2),
           std::string(),
       }) {
    EXPECT_FALSE(ReadTable(Wrap(block)).ok());
  }
  EXPECT_FALSE(ReadTable(Wrap("\xff\xff\xff\xff\x0f garbage", 1)).ok());  // snappy of 4 GiB
  EXPECT_FALSE(ReadTable(Wrap(restarts, 7)).ok());                        // compression that nobody knows
}

// A file in memory for leveldb.
class MemoryFile : public leveldb::RandomAccessFile {
 public:
  explicit MemoryFile(std::string bytes) : bytes_(std::move(bytes)) {}
  leveldb::Status Read(uint64_t offset, size_t n, leveldb::Slice* result, char*) const override {
    if (offset > bytes_.size() || n > bytes_.size() - offset) return leveldb::Status::Corruption("beyond the end");
    *result = leveldb::Slice(bytes_.data() + offset, n);
    return leveldb::Status::OK();
  }

 private:
  std::string bytes_;
};

// The number of entries, as leveldb::Table walks them with all its checks on; -1 where it refuses the table.
int CountByLeveldb(const std::string& bytes) {
  MemoryFile file(bytes);
  leveldb::Options options;
  options.paranoid_checks = true;
  leveldb::Table* opened = nullptr;
  if (!leveldb::Table::Open(options, &file, bytes.size(), &opened).ok()) return -1;
  const std::unique_ptr<leveldb::Table> table(opened);
  leveldb::ReadOptions read;
  read.verify_checksums = true;
  const std::unique_ptr<leveldb::Iterator> it(table->NewIterator(read));
  int count = 0;
  for (it->SeekToFirst(); it->Valid(); it->Next()) ++count;
  return it->status().ok() ? count : -1;
}

// Why the reader is ours: with right checksums, a key of 2^32 - 1 bytes and a value of 2 pass leveldb's own check
// (their sum is 1 in 32 bits), and it copies 4 GiB from behind a block of 16 bytes. The day that it refuses the table
// instead, it may take our reader's place.
TEST(TableDeathTest, LeveldbItselfReadsOutsideTheBlock) {
  const std::string restarts = Bytes<uint32_t>({0, 1});
  ASSERT_EQ(CountByLeveldb(Wrap(std::string("\0\1\1kv", 5) + restarts)), 1);
  const std::string hostile = Wrap(std::string(1, '\0') + "\xff\xff\xff\xff\x0f" + "\2kv" + restarts);
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(CountByLeveldb(hostile), "");
  EXPECT_FALSE(ReadTable(hostile).ok());
}

TEST(Table, EntriesThatUnpackWithoutEndAreRefused) {
  // A long key that thousands of three-byte entries share.
  std::string block = std::string("\0\xd0\x86\x03\0", 5) + std::string(50'000, 'k');
  for (int i = 0; i < 100'000; ++i) block += std::string("\xd0\x86\x03\0\0", 5);
  block += Bytes<uint32_t>({0, 1});
  EXPECT_FALSE(ReadTable(Wrap(block)).ok());
}

}  // namespace
}  // namespace fovea
