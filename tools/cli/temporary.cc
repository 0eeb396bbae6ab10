#include "tools/cli/temporary.h"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <vector>

namespace fovea::cli {

namespace fs = std::filesystem;

namespace {

// Never destroyed: a thread that ends the program may still look at them.
struct Folders {
  std::mutex mutex;
  std::vector<std::string> paths;
  bool closed = false;
};
Folders& AllFolders() {
  static auto* const folders = new Folders;
  return *folders;
}

}  // namespace

void RemoveTemporaryFolders() {
  Folders& folders = AllFolders();
  const std::lock_guard<std::mutex> lock(folders.mutex);
  folders.closed = true;
  std::error_code error;
  for (const std::string& path : folders.paths) {
    // Another thread may still be filling it.
    for (int attempts = 0; attempts < 100 && fs::exists(path, error); ++attempts) fs::remove_all(path, error);
  }
}

Result<TemporaryFolder> TemporaryFolder::Create(const std::string& parent) {
  std::error_code error;
  const fs::path below = parent.empty() ? fs::temp_directory_path(error) : fs::path(parent);
  std::string path = (below / "fovea-XXXXXX").string();
  Folders& folders = AllFolders();
  const std::lock_guard<std::mutex> lock(folders.mutex);
  if (folders.closed) return Cancelled("cancelled");
  if (error || mkdtemp(path.data()) == nullptr) {
    if (below.empty()) return IoError("TMPDIR does not name a folder; a folder for the time being is made in it");
    return IoError(below.string() + ": a folder can't be made in it; is there room, and may you write to it?");
  }
  folders.paths.push_back(path);
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
  if (path_.empty()) return;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  Folders& folders = AllFolders();
  const std::lock_guard<std::mutex> lock(folders.mutex);
  folders.paths.erase(std::remove(folders.paths.begin(), folders.paths.end(), path_), folders.paths.end());
}

}  // namespace fovea::cli
