// Zip archives as file trees: entries are read as streams, nothing touches the disk.
//
// An archive from a stranger is refused as a whole (kCorruptFile, one sentence) when a path leaves it ("..", absolute,
// drive letters), an entry is a link or encrypted, a name comes twice, there are more than 10 000 entries, or it
// claims to unpack to more than 64 GiB or to more than 64 MiB and 250 times its own size. Stored and deflated entries
// are read; other methods are kUnsupported. CRC-32 is checked where an entry is read to its end.
#ifndef FOVEA_ARCHIVE_ZIP_H_
#define FOVEA_ARCHIVE_ZIP_H_

#include <memory>
#include <string>

#include "archive/file_tree.h"

namespace fovea::archive {

Result<std::unique_ptr<FileTree>> OpenZip(const std::string& path);
// The same from memory; `name` is for messages.
Result<std::unique_ptr<FileTree>> OpenZipBytes(std::string bytes, const std::string& name);

}  // namespace fovea::archive

#endif  // FOVEA_ARCHIVE_ZIP_H_
