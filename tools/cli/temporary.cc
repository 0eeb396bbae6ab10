#include "tools/cli/temporary.h"

#include <stdlib.h>

#include <filesystem>

namespace fovea::cli {

namespace fs = std::filesystem;

Result<TemporaryFolder> TemporaryFolder::Create(const std::string& parent) {
  std::error_code error;
  const fs::path below = parent.empty() ? fs::temp_directory_path(error) : fs::path(parent);
  std::string path = (below / "fovea-XXXXXX").string();
  if (error || mkdtemp(path.data()) == nullptr) {
    return IoError(below.string() + ": a folder can't be made in it; is there room, and may you write to it?");
  }
  return TemporaryFolder(path);
}

TemporaryFolder& TemporaryFolder::operator=(TemporaryFolder&& other) noexcept {
  if (this != &other) {
    Remove();
    path_ = std::move(other.path_);
    other.path_.clear();
  }
  return *this;
}

void TemporaryFolder::Remove() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace fovea::cli
