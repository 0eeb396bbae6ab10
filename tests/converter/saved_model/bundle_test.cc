// Checkpoints written by the test, through leveldb.
#include "converter/saved_model/bundle.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "converter/saved_model/tensor.h"
#include "tests/converter/saved_model/support.h"

namespace fovea {
namespace {

using converter::Bundle;
using converter::SliceKey;
using converter::TfTensor;
using testing::Bytes;
using testing::CheckpointWriter;
using testing::MemoryTree;

Result<TfTensor> ReadOne(MemoryTree* tree, const std::string& key, const std::string& slice = "") {
  FOVEA_ASSIGN_OR_RETURN(Bundle bundle, Bundle::Open(tree, "v"));
  FOVEA_ASSIGN_OR_RETURN(const std::vector<TfTensor> tensors, bundle.Read({{key, slice, key}}));
  return tensors.at(0);
}

std::vector<float> Count(size_t n) {
  std::vector<float> values(n);
  std::iota(values.begin(), values.end(), 1.0f);
  return values;
}

TEST(Bundle, ShardsByteOrdersAndCompression) {
  for (const bool big_endian : {false, true}) {
    for (const bool snappy : {false, true}) {
      CheckpointWriter writer(2, big_endian);
      writer.AddFloats("a", {2, 3}, Count(6), 1);
      writer.AddFloats("b", {4}, {9, 8, 7, 6}, 0);
      writer.AddFloats("c", {}, {-2.5f}, 1);
      writer.AddFloats("empty", {0, 3}, {}, 1);
      MemoryTree tree(writer.Write("v", snappy));
      auto bundle = Bundle::Open(&tree, "v");
      ASSERT_TRUE(bundle.ok()) << bundle.status().message();
      EXPECT_EQ(bundle->Names(), (std::vector<std::string>{"a", "b", "c", "empty"}));
      const auto tensors =
          bundle->Read({{"c", "", "c"}, {"a", "", "a"}, {"b", "", "b"}, {"c", "", "c"}, {"empty", "", ""}});
      ASSERT_TRUE(tensors.ok()) << tensors.status().message();
      EXPECT_EQ(*(*tensors)[0].data, std::vector<float>{-2.5f});
      EXPECT_EQ(*(*tensors)[1].data, Count(6));
      EXPECT_EQ((*tensors)[1].dims, (std::vector<int64_t>{2, 3}));
      EXPECT_EQ(*(*tensors)[2].data, (std::vector<float>{9, 8, 7, 6}));
      EXPECT_EQ((*tensors)[3].data, (*tensors)[0].data) << "one variable, one copy";
      EXPECT_TRUE((*tensors)[4].data->empty());
    }
  }
}

TEST(Bundle, ElementTypes) {
  for (const bool big : {false, true}) {
    CheckpointWriter writer(1, big);
    writer.Add("double", converter::kTfDouble, {2}, Bytes<double>({0.1, -1e300}, big));
    writer.Add("half", converter::kTfHalf, {4}, Bytes<uint16_t>({0x3c00, 0xc100, 0x0001, 0x7c00}, big));
    writer.Add("bfloat16", converter::kTfBFloat16, {2}, Bytes<uint16_t>({0x3f80, 0xc020}, big));
    writer.Add("int64", converter::kTfInt64, {2}, Bytes<int64_t>({int64_t{1} << 53, -7}, big));
    writer.Add("uint64", converter::kTfUInt64, {1}, Bytes<uint64_t>({~uint64_t{0}}, big));
    writer.Add("int32", converter::kTfInt32, {2}, Bytes<int32_t>({-5, 2'000'000'011}, big));
    writer.Add("int16", converter::kTfInt16, {1}, Bytes<int16_t>({-300}, big));
    writer.Add("uint8", converter::kTfUInt8, {2}, Bytes<uint8_t>({0, 255}, big));
    writer.Add("bool", converter::kTfBool, {2}, Bytes<uint8_t>({0, 1}, big));
    MemoryTree tree(writer.Write("v"));
    const auto read = [&](const std::string& key) {
      auto tensor = ReadOne(&tree, key);
      EXPECT_TRUE(tensor.ok()) << key << ": " << tensor.status().message();
      return tensor.ok() ? *tensor : TfTensor();
    };
    EXPECT_EQ(*read("double").data, (std::vector<float>{0.1f, -INFINITY}));
    EXPECT_EQ(*read("half").data, (std::vector<float>{1, -2.5f, 0x1p-24f, INFINITY}));
    EXPECT_EQ(*read("bfloat16").data, (std::vector<float>{1, -2.5f}));
    EXPECT_EQ(read("int64").integers, (std::vector<int64_t>{int64_t{1} << 53, -7}));
    EXPECT_EQ(*read("uint64").data, (std::vector<float>{0x1p64f}));
    EXPECT_EQ(read("int32").integers, (std::vector<int64_t>{-5, 2'000'000'011}));
    EXPECT_EQ(read("int32").dtype, DType::kInt32);
    EXPECT_EQ(*read("int16").data, (std::vector<float>{-300}));
    EXPECT_EQ(*read("uint8").data, (std::vector<float>{0, 255}));
    EXPECT_EQ(read("bool").integers, (std::vector<int64_t>{0, 1}));
    EXPECT_EQ(read("bool").dtype, DType::kBool);
  }
}

// Keys of slices as TensorFlow's ordered code gives them, worked out by hand from its description.
TEST(Bundle, KeysOfSlices) {
  using converter::Extent;
  EXPECT_EQ(SliceKey("w", {Extent{0, 2}}), std::string("\0w\0\1\1\1\x80\x82", 8));
  EXPECT_EQ(SliceKey("w", {Extent{0, -1}}), std::string("\0w\0\1\1\1\x80\x7f", 8));
  // 64 needs two bytes, 8192 three: 13 and 20 bits with their signs.
  EXPECT_EQ(SliceKey("", {Extent{64, 8192}}), std::string("\0\0\1\1\1\xc0\x40\xe0\x20\x00", 10));
  EXPECT_EQ(SliceKey(std::string("a\0b\xff", 4), {}), std::string("\0a\0\xff\x62\xff\0\0\1\0", 10));
}

CheckpointWriter Partitioned() {
  CheckpointWriter writer(2);
  auto& whole = writer.AddSliced("w", {4, 3});
  // Rows 0-1 whole; rows 2-3 in columns 0-1 and 2.
  auto* first = whole.add_slices();
  first->add_extent()->set_length(2);
  first->add_extent();
  auto* second = whole.add_slices();
  auto* rows = second->add_extent();
  rows->set_start(2);
  rows->set_length(2);
  second->add_extent()->set_length(2);
  auto* third = whole.add_slices();
  *third->add_extent() = *rows;
  auto* column = third->add_extent();
  column->set_start(2);
  column->set_length(1);
  writer.AddFloats(SliceKey("w", {{0, 2}, {0, -1}}), {2, 3}, {1, 2, 3, 4, 5, 6}, 1);
  writer.AddFloats(SliceKey("w", {{2, 2}, {0, 2}}), {2, 2}, {7, 8, 10, 11}, 0);
  writer.AddFloats(SliceKey("w", {{2, 2}, {2, 1}}), {2, 1}, {9, 12}, 1);
  return writer;
}

TEST(Bundle, PartitionedVariables) {
  MemoryTree tree(Partitioned().Write("v"));
  const auto whole = ReadOne(&tree, "w");
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  EXPECT_EQ(*whole->data, Count(12));
  EXPECT_EQ(whole->dims, (std::vector<int64_t>{4, 3}));
  const auto part = ReadOne(&tree, "w", "4 3 1,2:1,2");
  ASSERT_TRUE(part.ok()) << part.status().message();
  EXPECT_EQ(*part->data, (std::vector<float>{5, 6, 8, 9}));
  EXPECT_EQ(part->dims, (std::vector<int64_t>{2, 2}));
  const auto rows = ReadOne(&tree, "w", "4 3 3,1:-");
  ASSERT_TRUE(rows.ok()) << rows.status().message();
  EXPECT_EQ(*rows->data, (std::vector<float>{10, 11, 12}));
  EXPECT_FALSE(ReadOne(&tree, "w", "4 3 3,2:-").ok());
  EXPECT_FALSE(ReadOne(&tree, "w", "4 3 -").ok());
  EXPECT_FALSE(ReadOne(&tree, "w", "nonsense").ok());
  EXPECT_EQ((*Bundle::Open(&tree, "v")).Names(), std::vector<std::string>{"w"});
}

TEST(Bundle, SlicesThatOverlapLeaveGapsOrAreMissingAreRefused) {
  const auto message = [](CheckpointWriter writer) {
    MemoryTree tree(writer.Write("v"));
    return ReadOne(&tree, "w").status().message();
  };
  CheckpointWriter gap = Partitioned();
  gap.entries["w"].mutable_slices()->RemoveLast();
  EXPECT_NE(message(gap).find("gaps"), std::string::npos) << message(gap);
  CheckpointWriter overlap = Partitioned();
  *overlap.entries["w"].add_slices() = overlap.entries["w"].slices(0);
  EXPECT_NE(message(overlap).find("overlap"), std::string::npos) << message(overlap);
  CheckpointWriter missing = Partitioned();
  missing.entries.erase(SliceKey("w", {{2, 2}, {2, 1}}));
  EXPECT_NE(message(missing).find("no such tensor"), std::string::npos) << message(missing);
  CheckpointWriter huge = Partitioned();
  testing::SetShape(huge.entries["w"].mutable_shape(), {int64_t{1} << 40, 3});
  EXPECT_FALSE(message(huge).empty());
}

TEST(Bundle, StringsOfOneElement) {
  for (const bool big : {false, true}) {
    CheckpointWriter writer(1, big);
    writer.AddString("_CHECKPOINTABLE_OBJECT_GRAPH", "graph");
    MemoryTree tree(writer.Write("v"));
    auto bundle = Bundle::Open(&tree, "v");
    ASSERT_TRUE(bundle.ok());
    const auto text = bundle->ReadString("_CHECKPOINTABLE_OBJECT_GRAPH");
    ASSERT_TRUE(text.ok()) << text.status().message();
    EXPECT_EQ(*text, "graph");
    tree.at("v.data-00000-of-00001").back() = 'H';
    auto damaged = Bundle::Open(&tree, "v");
    EXPECT_FALSE(damaged->ReadString("_CHECKPOINTABLE_OBJECT_GRAPH").ok());
  }
}

TEST(Bundle, EveryFlippedByteOfATensorIsFound) {
  CheckpointWriter writer;
  writer.AddFloats("a", {3}, {1, 2, 3});
  const auto files = writer.Write("v");
  for (size_t i = 0; i < 12; ++i) {
    MemoryTree tree(files);
    tree.at("v.data-00000-of-00001")[i] ^= 4;
    const auto tensor = ReadOne(&tree, "a");
    ASSERT_FALSE(tensor.ok()) << i;
    EXPECT_EQ(tensor.status().code(), StatusCode::kCorruptFile);
    EXPECT_NE(tensor.status().message().find("checksum"), std::string::npos) << tensor.status().message();
  }
}

TEST(Bundle, EveryTruncationIsFound) {
  CheckpointWriter writer;
  writer.AddFloats("a", {3}, {1, 2, 3});
  const auto files = writer.Write("v", true);
  for (const auto& [name, bytes] : files) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      MemoryTree tree(files);
      tree.at(name).resize(size);
      EXPECT_FALSE(ReadOne(&tree, "a").ok()) << name << " " << size;
    }
  }
}

TEST(Bundle, MissingThingsAreNamed) {
  CheckpointWriter writer(2);
  writer.AddFloats("a", {3}, {1, 2, 3}, 1);
  MemoryTree tree(writer.Write("v"));
  EXPECT_EQ(ReadOne(&tree, "b").status().code(), StatusCode::kNotFound);
  tree.Remove("v.data-00001-of-00002");
  const auto tensor = ReadOne(&tree, "a");
  EXPECT_EQ(tensor.status().code(), StatusCode::kNotFound);
  EXPECT_NE(tensor.status().message().find("v.data-00001-of-00002"), std::string::npos) << tensor.status().message();
  tree.Remove("v.index");
  EXPECT_EQ(Bundle::Open(&tree, "v").status().code(), StatusCode::kNotFound);
}

TEST(Bundle, EntriesThatLieAreRefusedBeforeMemoryIsTaken) {
  const auto lie = [](const std::function<void(tfproto::BundleEntryProto&)>& change) {
    CheckpointWriter writer;
    writer.AddFloats("a", {3}, {1, 2, 3});
    change(writer.entries["a"]);
    MemoryTree tree(writer.Write("v"));
    return ReadOne(&tree, "a").status().code();
  };
  using Entry = tfproto::BundleEntryProto;
  EXPECT_EQ(lie([](Entry&) {}), StatusCode::kOk);
  EXPECT_EQ(lie([](Entry& e) { e.set_size(int64_t{1} << 60); }), StatusCode::kCorruptFile);
  EXPECT_EQ(lie([](Entry& e) { e.set_size(-12); }), StatusCode::kCorruptFile);
  EXPECT_EQ(lie([](Entry& e) { e.set_offset(INT64_MAX); }), StatusCode::kCorruptFile);
  EXPECT_EQ(lie([](Entry& e) { e.set_offset(-1); }), StatusCode::kCorruptFile);
  EXPECT_EQ(lie([](Entry& e) { e.set_shard_id(1); }), StatusCode::kCorruptFile);
  EXPECT_EQ(lie([](Entry& e) { e.set_shard_id(-1); }), StatusCode::kCorruptFile);
  EXPECT_EQ(lie([](Entry& e) {
              testing::SetShape(e.mutable_shape(), {int64_t{1} << 40, int64_t{1} << 40});
            }),
            StatusCode::kCorruptFile);
  EXPECT_EQ(lie([](Entry& e) { testing::SetShape(e.mutable_shape(), {-1}); }), StatusCode::kCorruptFile);
  EXPECT_EQ(lie([](Entry& e) { e.set_dtype(converter::kTfDouble); }), StatusCode::kCorruptFile);
  EXPECT_EQ(lie([](Entry& e) { e.set_dtype(8); }), StatusCode::kUnsupported);  // complex64
}

}  // namespace
}  // namespace fovea
