// Model files from anywhere. The hash is made to fit, so that the fuzzer reaches what lies behind it.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tests/runtime/model/file_testing.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> input = std::as_bytes(std::span(data, size));
  std::vector<std::byte> bytes(input.begin(), input.end());
  fovea::testing::FixHash(&bytes);
  const auto file = fovea::ModelFile::FromBytes(bytes, "fuzz");
  if (file.ok()) fovea::testing::Walk(**file);
  return 0;
}
