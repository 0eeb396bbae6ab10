// Stands in for libFuzzer: runs a fuzz target over a corpus and over seeded mutations of it. usage: NAME_fuzz
// CORPUS_DIR [MUTATIONS]
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

void Mutate(std::mt19937* random, Bytes* bytes) {
  const uint32_t kind = (*random)() % 4;
  if (bytes->empty() || kind == 0) {
    bytes->insert(bytes->begin() + static_cast<int64_t>((*random)() % (bytes->size() + 1)),
                  static_cast<uint8_t>((*random)()));
    return;
  }
  const size_t at = (*random)() % bytes->size();
  const uint8_t interesting[] = {0, 1, 0x7f, 0x80, 0xff};
  if (kind == 1) (*bytes)[at] = static_cast<uint8_t>((*random)());
  if (kind == 2) (*bytes)[at] = interesting[(*random)() % std::size(interesting)];
  if (kind == 3) bytes->resize(at);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: %s CORPUS_DIR [MUTATIONS]\n", argv[0]), 2;
  const int mutations = argc > 2 ? std::atoi(argv[2]) : 400;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  if (files.empty()) return std::fprintf(stderr, "%s: the corpus is empty\n", argv[1]), 1;
  std::mt19937 random(20260101);
  int runs = 0;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    const Bytes seed((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    LLVMFuzzerTestOneInput(seed.data(), seed.size());
    ++runs;
    for (int i = 0; i < mutations / static_cast<int>(files.size()) + 1; ++i, ++runs) {
      Bytes bytes = seed;
      for (uint32_t n = 1 + random() % 4; n > 0; --n) Mutate(&random, &bytes);
      LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    }
  }
  std::printf("%d runs over %zu corpus files\n", runs, files.size());
  return 0;
}
