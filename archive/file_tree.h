// Files of a model that is a folder or an archive, by their paths inside it ("variables/variables.index").
//
// Readers see names and bytes and never where they come from, so nothing is unpacked to disk. Names use '/', are
// relative and hold no "..".
#ifndef FOVEA_ARCHIVE_FILE_TREE_H_
#define FOVEA_ARCHIVE_FILE_TREE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/include/fovea/status.h"

namespace fovea::archive {

// The bytes of one file. Reading in ascending order of offsets is one pass; going back may start again from byte 0.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual uint64_t size() const = 0;
  // Fills `out` completely or fails. The caller keeps offset + out.size() within size().
  virtual Status Read(uint64_t offset, std::span<std::byte> out) = 0;
};

class FileTree {
 public:
  virtual ~FileTree() = default;
  // Paths of its files, sorted.
  virtual const std::vector<std::string>& files() const = 0;
  // kNotFound where there is no such file.
  virtual Result<std::unique_ptr<ByteSource>> Open(const std::string& name) = 0;

  bool Has(const std::string& name) const;
};

// Files down to two folders below `path`, at most 10 000 of them.
Result<std::unique_ptr<FileTree>> OpenFolder(const std::string& path);
// One file.
Result<std::unique_ptr<ByteSource>> OpenFile(const std::string& path);

// Makes the folders on the way from `root` to root/file, for unpacking. `root` itself is not made anew where it is
// missing: it may be a folder for the time being that another thread has just removed.
Status CreateFoldersBelow(const std::string& root, const std::string& file);

// The whole file as text; kCorruptFile when it is larger than `max_bytes`.
Result<std::string> ReadAll(ByteSource* source, uint64_t max_bytes);

}  // namespace fovea::archive

#endif  // FOVEA_ARCHIVE_FILE_TREE_H_
