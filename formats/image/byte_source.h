// Where a reader's bytes come from: a file, memory, or a synthetic head before either. Positions are absolute.
#ifndef FOVEA_FORMATS_IMAGE_BYTE_SOURCE_H_
#define FOVEA_FORMATS_IMAGE_BYTE_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/include/fovea/status.h"

namespace fovea::formats {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  const std::string& name() const { return name_; }      // for messages
  const std::string& folder() const { return folder_; }  // with a final '/'; empty for memory: no companions there
  uint64_t size() const { return size_; }

  // As many bytes as there are, up to n. Fewer means the end, or a read error that is treated like it.
  virtual size_t ReadSome(uint64_t offset, void* dst, size_t n) const = 0;

  // All n bytes, or kCorruptFile: the file ends before what its headers promise.
  Status ReadAt(uint64_t offset, void* dst, size_t n) const;

 protected:
  ByteSource() = default;
  std::string name_, folder_;
  uint64_t size_ = 0;
};

// Regular files only.
Result<std::unique_ptr<ByteSource>> OpenFileSource(const std::string& path);
std::unique_ptr<ByteSource> MakeMemorySource(std::span<const uint8_t> bytes, std::string name);
// `head`, then the bytes of `rest`.
std::unique_ptr<ByteSource> MakePrefixedSource(std::vector<uint8_t> head, std::unique_ptr<ByteSource> rest);

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_BYTE_SOURCE_H_
