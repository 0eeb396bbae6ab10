// CRC-32C (Castagnoli, RFC 3720 B.4) and the masking that TensorFlow's files store it with: rotated right by 15 bits
// plus 0xa282ead8, so that checksums of bytes that hold checksums stay meaningful.
#ifndef FOVEA_CONVERTER_SAVED_MODEL_CRC32C_H_
#define FOVEA_CONVERTER_SAVED_MODEL_CRC32C_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace fovea::converter {

// Of the bytes that gave `crc` followed by `bytes`; 0 to begin.
uint32_t ExtendCrc32c(uint32_t crc, std::span<const std::byte> bytes);

inline uint32_t Crc32c(std::span<const std::byte> bytes) { return ExtendCrc32c(0, bytes); }
inline uint32_t MaskCrc32c(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_SAVED_MODEL_CRC32C_H_
