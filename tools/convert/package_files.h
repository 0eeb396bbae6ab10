// Files of a package: written, copied and hashed.
#ifndef FOVEA_TOOLS_CONVERT_PACKAGE_FILES_H_
#define FOVEA_TOOLS_CONVERT_PACKAGE_FILES_H_

#include <filesystem>
#include <string>

#include "runtime/include/fovea/status.h"

namespace fovea::cli {

// sha256, 64 hexadecimal digits.
Result<std::string> HashOfFile(const std::string& path);
// In a folder that is there.
Status WriteFile(const std::filesystem::path& path, const std::string& content);

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CONVERT_PACKAGE_FILES_H_
