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
  // The temporary name is always PartName(path), so that a later process finds it; locked, so that only one writes it.
  // resume: goes on with what is there instead of beginning anew; kNotFound when there is nothing.
  Status CreateResumable(const std::string& path, bool resume);
  bool is_open() const { return fd_ >= 0; }

  // kIo with both numbers when the file system has less than `bytes` left for us.
  Status CheckSpace(uint64_t bytes) const;
  Status WriteAt(uint64_t offset, const void* src, size_t n);
  Status ReadAt(uint64_t offset, void* dst, size_t n) const;  // bytes never written read as 0
  Status Resize(uint64_t bytes);
  Status Sync();  // what was written survives a power cut
  Status Commit();
  // Whether the destructor leaves the temporary file where it is.
  void Keep(bool keep);

  static std::string PartName(const std::string& path);  // "folder/.name.part"

 private:
  Status Fail(const char* what) const;
  Status CheckPath(const std::string& path);

  std::string path_, temporary_;
  int fd_ = -1;
  bool keep_ = false;
};

// Removes the temporary files of this process that are not kept. For a process that is about to be ended while other
// threads still write. From here on no file is closed before the process ends: where blocks are many, freeing those of
// a removed file takes the system seconds (a disk that discards them: 13 s for 5000 pieces), which nobody should wait
// for; see cli::HandOverRemovedFiles.
void RemoveTemporaryFiles();

}  // namespace fovea::formats

#endif  // FOVEA_FORMATS_IMAGE_OUTPUT_FILE_H_
