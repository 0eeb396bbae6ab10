// A folder as a zip archive.
#ifndef FOVEA_ARCHIVE_ZIP_WRITER_H_
#define FOVEA_ARCHIVE_ZIP_WRITER_H_

#include <string>

#include "runtime/include/fovea/status.h"

namespace fovea::archive {

// All files of `folder` and of the folders in it, deflated, sorted, with one date (1980-01-01), so that the same files
// give the same bytes. Written under another name and renamed when complete.
Status WriteZip(const std::string& folder, const std::string& path);

}  // namespace fovea::archive

#endif  // FOVEA_ARCHIVE_ZIP_WRITER_H_
