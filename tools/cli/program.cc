#include "tools/cli/program.h"

#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>

#include "tools/cli/container_memory.h"

namespace fovea::cli {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;
int g_wake[2] = {-1, -1};  // a pipe: what waits for an interrupt reads, the handler writes

void OnSignal(int) {
  if (g_interrupted != 0 && g_wake[1] < 0) std::_Exit(kInterrupted);
  g_interrupted = 1;
  const char byte = 0;
  if (g_wake[1] >= 0 && write(g_wake[1], &byte, 1) < 0) g_interrupted = 1;  // nothing else can be done here
}

// Descriptors that are looked at; a program of ours has few open.
constexpr int kMostFiles = 1024;

bool IsRemovedFile(int fd) {
  struct stat st {};
  return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0;
}

// Of a child of a process with threads: only calls that may be made in a signal handler.
[[noreturn]] void HoldUntilParentEnds(int parent) {
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, SIG_IGN);
  setsid();
  for (int fd = 0; fd < kMostFiles; ++fd) {
    if (fd != parent && !IsRemovedFile(fd)) close(fd);  // a lock or a pipe must not outlive the parent
  }
  char byte = 0;
  while (read(parent, &byte, 1) < 0 && errno == EINTR) continue;
  _exit(0);
}

// Bytes that a line "field   123 kB" of the file tells; 0: there is none.
uint64_t FieldOf(const char* file, const char* field) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(field, 0) == 0) return std::strtoull(line.c_str() + std::strlen(field), nullptr, 10) * 1024;
  }
  return 0;
}

}  // namespace

ExitCode ExitCodeOf(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk: return kDone;
    case StatusCode::kOverBudget: return kOverTheBudget;
    case StatusCode::kCancelled: return kInterrupted;
    default: return kBadInput;
  }
}

int Fail(const std::string& program, const Status& status) {
  std::fprintf(stderr, "%s: %s\n", program.c_str(), status.message().c_str());
  return ExitCodeOf(status);
}

uint64_t PeakResidentBytes() { return FieldOf("/proc/self/status", "VmHWM:"); }
void ForgetPeakResidentBytes() { std::ofstream("/proc/self/clear_refs") << "5"; }
uint64_t ResidentBytes() { return FieldOf("/proc/self/status", "VmRSS:"); }

uint64_t UsableMemoryBytes() {
  uint64_t bytes = FieldOf("/proc/meminfo", "MemAvailable:");
  const auto limit = [&bytes](uint64_t most) { bytes = bytes == 0 ? most : std::min(bytes, most); };
  rlimit data{};
  if (getrlimit(RLIMIT_DATA, &data) == 0 && data.rlim_cur != RLIM_INFINITY) limit(data.rlim_cur);
  if (const std::optional<uint64_t> left = ContainerMemoryBytes()) limit(*left);
  return bytes;
}

uint64_t UntouchedProgramBytes() {
  char name[4096];
  const ssize_t length = readlink("/proc/self/exe", name, sizeof(name));
  const std::string program(name, length > 0 ? static_cast<size_t>(length) : 0);
  std::ifstream in("/proc/self/smaps");
  const auto kilobytes = [](const std::string& line, const char* field) -> int64_t {
    const size_t skip = std::strlen(field);
    return line.compare(0, skip, field) == 0 ? std::strtoll(line.c_str() + skip, nullptr, 10) : -1;
  };
  bool ours = false;
  int64_t untouched = 0;
  for (std::string line; std::getline(in, line);) {
    // "55d0-55d4 r-xp 0 fe:01 1234  /usr/bin/fovea" begins a mapping, "Size:  16 kB" is a line of one.
    const size_t path = line.find('/');
    if (line.find(" kB") == std::string::npos && line.find('-') < line.find(' ')) {
      ours = path != std::string::npos && line.compare(path, std::string::npos, program) == 0;
    }
    if (!ours) continue;
    untouched += std::max<int64_t>(0, kilobytes(line, "Size:")) - std::max<int64_t>(0, kilobytes(line, "Rss:"));
  }
  return static_cast<uint64_t>(std::max<int64_t>(0, untouched)) * 1024;
}

void ReturnFreedMemory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
}

int AvailableThreads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return CPU_COUNT(&set);
}

void CatchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // A reader that went away and a file that may not grow are errors of the write that meets them.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

bool Interrupted() { return g_interrupted != 0; }

void EndSoonAfterInterrupt(int milliseconds, void (*last)()) {
  if (pipe2(g_wake, O_CLOEXEC | O_NONBLOCK) != 0) return;
  std::thread([=] {
    pollfd wake = {g_wake[0], POLLIN, 0};
    while (g_interrupted == 0) poll(&wake, 1, -1);
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    last();
    HandOverRemovedFiles();
    std::_Exit(kInterrupted);
  }).detach();
}

void HandOverRemovedFiles() {
  bool any = false;
  for (int fd = 0; fd < kMostFiles && !any; ++fd) any = IsRemovedFile(fd);
  int alive[2];  // the child reads the end of it once no process has the other side
  if (!any || pipe2(alive, O_CLOEXEC) != 0) return;
  const pid_t child = fork();
  if (child == 0) HoldUntilParentEnds(alive[0]);
  close(alive[0]);
  if (child < 0) close(alive[1]);
}

double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

bool StderrIsTerminal() { return isatty(STDERR_FILENO) != 0; }

std::string HumanBytes(uint64_t bytes) {
  const char* units[] = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1000 && unit < 4) {
    value /= 1000;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof(text), unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return text;
}

}  // namespace fovea::cli
