// SHA-256 (FIPS 180-4) of bytes that come in pieces.
#ifndef FOVEA_FORMATS_BUNDLE_SHA256_H_
#define FOVEA_FORMATS_BUNDLE_SHA256_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace fovea::formats {

class Sha256 {
 public:
  void Add(std::span<const std::byte> bytes);
  // 64 lower-case hexadecimal digits. The object is used up.
  std::string Finish();

 private:
  void Block(const std::byte* block);

  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> pending_{};
  uint64_t bytes_ = 0;
};

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_BUNDLE_SHA256_H_
