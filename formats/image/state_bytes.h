// Numbers and byte strings to and from a flat record, for the state of an interrupted writer. Host byte order: the
// record is read by the same program on the same machine. Reading past the end gives zeros and clears ok().
#ifndef FOVEA_FORMATS_IMAGE_STATE_BYTES_H_
#define FOVEA_FORMATS_IMAGE_STATE_BYTES_H_

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace fovea::formats {

class StateWriter {
 public:
  void Put(uint64_t value) {
    const size_t at = bytes_.size();
    bytes_.resize(at + sizeof(value));
    std::memcpy(bytes_.data() + at, &value, sizeof(value));
  }
  std::vector<uint8_t> Take() { return std::move(bytes_); }

 private:
  std::vector<uint8_t> bytes_;
};

class StateReader {
 public:
  explicit StateReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  uint64_t Get() {
    uint64_t value = 0;
    if (bytes_.size() < sizeof(value)) {
      ok_ = false;
      bytes_ = {};
      return 0;
    }
    std::memcpy(&value, bytes_.data(), sizeof(value));
    bytes_ = bytes_.subspan(sizeof(value));
    return value;
  }
  // A count of things of at least 8 bytes each that follow: never more than there is room for.
  uint64_t GetCount() {
    const uint64_t count = Get();
    if (count <= bytes_.size() / sizeof(uint64_t)) return count;
    ok_ = false;
    return 0;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }

 private:
  std::span<const uint8_t> bytes_;
  bool ok_ = true;
};

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_STATE_BYTES_H_
