#include "converter/keras/hdf5_object.h"

namespace fovea::converter::keras {

namespace {

constexpr uint64_t kMaxReads = 1'000'000;
constexpr uint64_t kFreeBytes = uint64_t{64} << 20;

}  // namespace

uint64_t Fields::Number(size_t width) {
  const std::string_view bytes = Take(width);
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) value |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return value;
}

std::string_view Fields::Take(uint64_t count) {
  if (count > left()) {
    ok_ = false;
    at_ = bytes_.size();
    return {};
  }
  at_ += count;
  return bytes_.substr(at_ - count, count);
}

Result<std::string> Hdf5Bytes::Read(uint64_t address, uint64_t count) {
  if (address > size() || count > size() - address) {
    return CorruptFile("something at byte " + std::to_string(address) + " lies outside the file");
  }
  // Everything in a sound file is read about once.
  read_bytes_ += count;
  if (++reads_ > kMaxReads || read_bytes_ > 8 * size() + kFreeBytes) {
    return CorruptFile("its structures have no end");
  }
  std::string bytes(count, '\0');
  FOVEA_RETURN_IF_ERROR(source_->Read(address, std::as_writable_bytes(std::span(bytes))));
  return bytes;
}

}  // namespace fovea::converter::keras
