// A file that appears under its name only when it is complete: written under a temporary name in the same folder,
// renamed by Commit, removed by the destructor otherwise.
#ifndef FOVEA_FORMATS_IMAGE_OUTPUT_FILE_H_
#define FOVEA_FORMATS_IMAGE_OUTPUT_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "runtime/include/fovea/status.h"

namespace fovea::formats {

class OutputFile {
 public:
  OutputFile() = default;
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  Status Create(const std::string& path);
  Status WriteAt(uint64_t offset, const void* src, size_t n);
  Status ReadAt(uint64_t offset, void* dst, size_t n) const;  // bytes never written read as 0
  Status Resize(uint64_t bytes);
  Status Commit();

 private:
  Status Fail(const char* what) const;

  std::string path_, temporary_;
  int fd_ = -1;
};

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_OUTPUT_FILE_H_
