#include <cstring>

#include "formats/image/pixels.h"
#include "formats/image/tiff_decoder.h"

namespace fovea::formats {
namespace {

// `bits` bits from bit position `at`, the most significant first.
uint32_t TakeBits(const uint8_t* row, int64_t at, int bits) {
  uint32_t value = 0;
  for (int done = 0; done < bits;) {
    const int offset = static_cast<int>((at + done) & 7);
    const int take = bits - done < 8 - offset ? bits - done : 8 - offset;
    const uint32_t byte = row[(at + done) >> 3];
    value = value << take | ((byte >> (8 - offset - take)) & ((1u << take) - 1));
    done += take;
  }
  return value;
}

template <class T>
void UnpackBits(const uint8_t* row, int64_t first, int64_t count, int64_t step, int64_t sample, int bits,
                uint8_t* dst) {
  for (int64_t i = 0; i < count; ++i) {
    const T value = static_cast<T>(TakeBits(row, ((first + i) * step + sample) * bits, bits));
    std::memcpy(dst + static_cast<size_t>(i) * sizeof(T), &value, sizeof(T));
  }
}

template <size_t kBytes>
void Gather(const uint8_t* src, int64_t count, int64_t step, uint8_t* dst) {
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(dst + static_cast<size_t>(i) * kBytes, src + static_cast<size_t>(i * step) * kBytes, kBytes);
  }
}

}  // namespace

void UnpackRow(const TiffPage& page, bool swapped, const uint8_t* row, int64_t first, int64_t count, int64_t sample,
               uint8_t* dst) {
  const int64_t step = page.chunk_samples();
  if (page.separate) sample = 0;
  const size_t bytes = DTypeBytes(page.dtype);
  if (page.bits == static_cast<int>(bytes * 8)) {
    const uint8_t* src = row + static_cast<size_t>(first * step + sample) * bytes;
    if (step == 1) {
      std::memcpy(dst, src, static_cast<size_t>(count) * bytes);
    } else if (bytes == 1) {
      Gather<1>(src, count, step, dst);
    } else if (bytes == 2) {
      Gather<2>(src, count, step, dst);
    } else if (bytes == 4) {
      Gather<4>(src, count, step, dst);
    } else {
      Gather<8>(src, count, step, dst);
    }
    if (swapped) SwapBytes(dst, bytes, static_cast<size_t>(count));
  } else if (page.bits == 24) {
    // Written as packed bits, the most significant byte first whatever the file's byte order, as are all odd depths.
    // libtiff takes them for words instead and has reversed the bytes of files in the other byte order.
    const bool reversed = page.swapped && !page.raw();
    for (int64_t i = 0; i < count; ++i) {
      const uint8_t* b = row + ((first + i) * step + sample) * 3;
      const uint32_t value = reversed ? static_cast<uint32_t>(b[2] << 16 | b[1] << 8 | b[0])
                                      : static_cast<uint32_t>(b[0] << 16 | b[1] << 8 | b[2]);
      std::memcpy(dst + i * 4, &value, 4);
    }
  } else if (bytes == 1) {
    UnpackBits<uint8_t>(row, first, count, step, sample, page.bits, dst);
  } else if (bytes == 2) {
    UnpackBits<uint16_t>(row, first, count, step, sample, page.bits, dst);
  } else {
    UnpackBits<uint32_t>(row, first, count, step, sample, page.bits, dst);
  }
}

}  // namespace fovea::formats
