// Runs one of our programs and keeps what it prints.
#ifndef FOVEA_TESTS_SUPPORT_PROCESS_H_
#define FOVEA_TESTS_SUPPORT_PROCESS_H_

#include <string>
#include <vector>

namespace fovea::testing {

struct ProcessResult {
  int exit_code = -1;  // 128 + signal when a signal ended it
  std::string out, err;
};

// argv[0] is a path. environment: "NAME=value" words added to ours. interrupt_after_ms >= 0: sends SIGINT then.
ProcessResult RunProcess(const std::vector<std::string>& argv, const std::vector<std::string>& environment = {},
                         int interrupt_after_ms = -1);

// A folder of its own for one test, removed at the end.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // Names in the folder, sorted.
  std::vector<std::string> Files() const;

 private:
  std::string path_;
};

}  // namespace fovea::testing

#endif  // FOVEA_TESTS_SUPPORT_PROCESS_H_
