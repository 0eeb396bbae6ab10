// Runs one of our programs and keeps what it prints.
#ifndef FOVEA_TESTS_SUPPORT_PROCESS_H_
#define FOVEA_TESTS_SUPPORT_PROCESS_H_

#include <string>
#include <vector>

namespace fovea::testing {

struct ProcessResult {
  int exit_code = -1;  // 128 + signal when a signal ended it
  std::string out, err;
  double ms_after_signal = 0;  // from our signal to the end
};

// argv[0] is a path. environment: "NAME=value" words added to ours. signal_after_ms >= 0: sends `signal` then.
ProcessResult RunProcess(const std::vector<std::string>& argv, const std::vector<std::string>& environment = {},
                         int signal_after_ms = -1, int signal = 2 /* SIGINT */);

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
