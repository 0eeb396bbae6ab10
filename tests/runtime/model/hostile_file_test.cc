// Model files that are cut, changed or made to attack: an error or a verified graph, never a crash. Meant to run under
// the address and undefined-behaviour sanitizers.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "runtime/model/model_writer.h"
#include "tests/runtime/model/file_testing.h"
#include "tests/runtime/model/random_network.h"

namespace fovea {
namespace {

using Bytes = std::vector<std::byte>;

Bytes SampleFile(uint32_t seed, int nodes) {
  testing::RandomNetwork network = testing::MakeRandomNetwork(seed, nodes);
  const Result<Bytes> bytes = SerializeModel(network.graph, network.weights);
  EXPECT_TRUE(bytes.ok()) << bytes.status().message();
  return *bytes;
}

// True when the bytes are a model; either way nothing must go wrong.
bool Survives(const Bytes& bytes) {
  const auto file = ModelFile::FromBytes(bytes, "hostile.fov");
  if (file.ok()) {
    EXPECT_NE(testing::Walk(**file), 0u);
    return true;
  }
  EXPECT_EQ(file.status().message().rfind("hostile.fov: ", 0), 0u) << file.status().message();
  EXPECT_TRUE(file.status().code() == StatusCode::kCorruptFile || file.status().code() == StatusCode::kUnsupported);
  return false;
}

TEST(HostileFile, EveryTruncationIsRefused) {
  const Bytes whole = SampleFile(11, 8);
  ASSERT_TRUE(Survives(whole));
  for (size_t size = 0; size < whole.size(); ++size) {
    Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    ASSERT_FALSE(Survives(cut)) << size;
    testing::FixHash(&cut);
    ASSERT_FALSE(Survives(cut)) << size;
  }
}

TEST(HostileFile, EveryChangedByteIsNoticed) {
  const Bytes whole = SampleFile(11, 8);
  for (size_t at = kHeaderBytes; at < whole.size(); ++at) {
    Bytes changed = whole;
    changed[at] ^= std::byte{1};
    const auto file = ModelFile::FromBytes(changed, "m.fov");
    ASSERT_EQ(file.status().message(), "m.fov: content hash does not match: the file was changed or damaged") << at;
  }
}

TEST(HostileFile, EveryChangedByteUnderAFittingHashIsSurvived) {
  for (const uint32_t seed : {3u, 11u}) {
    const Bytes whole = SampleFile(seed, 10);
    FileHeader header;
    ASSERT_TRUE(ParseHeader(whole, &header));
    int refused = 0;
    for (size_t at = 0; at < header.graph_offset + header.graph_bytes; ++at) {
      for (const int flip : {0x01, 0x04, 0x10, 0x80, 0xff}) {
        Bytes changed = whole;
        changed[at] ^= static_cast<std::byte>(flip);
        testing::FixHash(&changed);
        refused += Survives(changed) ? 0 : 1;
      }
    }
    EXPECT_GT(refused, 1000);
  }
}

TEST(HostileFile, ManyChangesAtOnceAreSurvived) {
  std::mt19937 random(7);
  const Bytes wholes[] = {SampleFile(21, 12), SampleFile(22, 12), SampleFile(23, 12)};
  for (int round = 0; round < 6000; ++round) {
    Bytes changed = wholes[round % 3];
    for (uint32_t n = 1 + random() % 4; n > 0; --n) {
      const size_t at = random() % changed.size();
      const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff, static_cast<uint8_t>(random())};
      const size_t length = random() % 3 == 0 ? 4 : 1;
      for (size_t i = at; i < std::min(at + length, changed.size()); ++i) {
        changed[i] = static_cast<std::byte>(values[random() % 6]);
      }
    }
    testing::FixHash(&changed);
    Survives(changed);
  }
}

TEST(HostileFile, HeaderFieldsAreChecked) {
  const Bytes whole = SampleFile(11, 4);
  const auto error = [&whole](auto change) {
    FileHeader header;
    ParseHeader(whole, &header);
    change(&header);
    Bytes bytes = whole;
    StoreHeader(header, std::span<std::byte, kHeaderBytes>(bytes.data(), kHeaderBytes));
    return ModelFile::FromBytes(bytes, "m.fov").status();
  };
  EXPECT_EQ(error([](FileHeader* h) { h->major = 2; }).code(), StatusCode::kUnsupported);
  EXPECT_EQ(error([](FileHeader* h) { h->major = 2; }).message(),
            "m.fov: has format 2.1, this program reads up to 1; a newer fovea is needed");
  EXPECT_TRUE(error([](FileHeader* h) { h->minor = 9; }).ok());
  for (const uint64_t value :
       {uint64_t{0}, uint64_t{8}, uint64_t{63}, uint64_t{72}, uint64_t{1} << 40, ~uint64_t{0}, ~uint64_t{0} - 63}) {
    EXPECT_EQ(error([=](FileHeader* h) { h->graph_offset = value; }).code(), StatusCode::kCorruptFile) << value;
    EXPECT_EQ(error([=](FileHeader* h) { h->graph_bytes = value; }).code(), StatusCode::kCorruptFile) << value;
    EXPECT_EQ(error([=](FileHeader* h) { h->weight_offset = value; }).code(), StatusCode::kCorruptFile) << value;
    EXPECT_EQ(error([=](FileHeader* h) { h->weight_bytes = value; }).code(), StatusCode::kCorruptFile) << value;
  }
}

TEST(HostileFile, NamesInMessagesAreTamed) {
  EXPECT_EQ(Quoted("conv\x1b[31m\n"), "'conv?[31m?'");
  EXPECT_EQ(Quoted(std::string(500, 'a')).size(), 125u);
}

}  // namespace
}  // namespace fovea
