// A folder for the time being: removed, with all that is in it, when it goes out of scope, and by a program that ends
// early.
#ifndef FOVEA_TOOLS_CLI_TEMPORARY_H_
#define FOVEA_TOOLS_CLI_TEMPORARY_H_

#include <string>

#include "runtime/include/fovea/status.h"

namespace fovea::cli {

class TemporaryFolder {
 public:
  // Below $TMPDIR or /tmp, or below `parent` where that is given.
  static Result<TemporaryFolder> Create(const std::string& parent = "");
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  TemporaryFolder& operator=(TemporaryFolder&& other) noexcept;
  ~TemporaryFolder() { Remove(); }

  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  void Remove();
  std::string path_;
};

// Those that there are; none is made afterwards. For a program that ends without leaving its scopes, from any thread.
void RemoveTemporaryFolders();

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CLI_TEMPORARY_H_
