#include "formats/image/output_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <set>

namespace fovea::formats {
namespace {

std::atomic<bool> g_ending{false};  // RemoveTemporaryFiles was called

// Temporary files that exist and are not kept.
std::mutex g_mutex;
std::set<std::string>& Temporaries() {
  static std::set<std::string> names;
  return names;
}

void Register(const std::string& name) {
  const std::lock_guard<std::mutex> lock(g_mutex);
  Temporaries().insert(name);
}

void Unregister(const std::string& name) {
  const std::lock_guard<std::mutex> lock(g_mutex);
  Temporaries().erase(name);
}

size_t NameStart(const std::string& path) { return path.rfind('/') == std::string::npos ? 0 : path.rfind('/') + 1; }

}  // namespace

void RemoveTemporaryFiles() {
  g_ending = true;
  const std::lock_guard<std::mutex> lock(g_mutex);
  for (const std::string& name : Temporaries()) unlink(name.c_str());
  Temporaries().clear();
}

std::string OutputFile::PartName(const std::string& path) {
  // A leading dot keeps file browsers and input globs from picking up a half-written file.
  return path.substr(0, NameStart(path)) + "." + path.substr(NameStart(path)) + ".part";
}

Status OutputFile::Fail(const char* what) const {
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return IoError("cannot " + std::string(what) + " '" + path_ + "': " + std::strerror(errno) +
                 (full ? "; free some space, or write to another disk" : ""));
}

Status OutputFile::CheckPath(const std::string& path) {
  path_ = path;
  struct stat st {};
  if (stat(path.c_str(), &st) == 0 && !S_ISREG(st.st_mode)) {
    return InvalidArgument("cannot write '" + path + "': it exists and is not a regular file");
  }
  if (NameStart(path) == path.size()) return InvalidArgument("cannot write '" + path + "': it names a folder");
  return OkStatus();
}

Status OutputFile::Create(const std::string& path) {
  static std::atomic<uint32_t> counter{0};
  FOVEA_RETURN_IF_ERROR(CheckPath(path));
  for (int attempt = 0; attempt < 1000; ++attempt) {
    temporary_ = PartName(path) + "-" + std::to_string(getpid()) + "-" + std::to_string(counter++);
    fd_ = open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd_ >= 0) return Register(temporary_), OkStatus();
    if (errno != EEXIST) break;
  }
  return Fail("create");
}

Status OutputFile::CreateResumable(const std::string& path, bool resume) {
  FOVEA_RETURN_IF_ERROR(CheckPath(path));
  temporary_ = PartName(path);
  fd_ = open(temporary_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | (resume ? 0 : O_CREAT), 0666);
  if (fd_ < 0 && errno == ENOENT && resume) return NotFound("'" + temporary_ + "' is not there any more");
  if (fd_ < 0) return Fail("create");
  if (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    close(fd_);
    fd_ = -1;
    return IoError("cannot write '" + path_ + "': another run is writing it");
  }
  Register(temporary_);
  if (!resume && ftruncate(fd_, 0) != 0) return Fail("create");
  return OkStatus();
}

Status OutputFile::CheckSpace(uint64_t bytes) const {
  struct statvfs fs {};
  // Where the file system does not tell, writing will.
  if (fstatvfs(fd_, &fs) != 0 || fs.f_blocks == 0) return OkStatus();
  const uint64_t free = static_cast<uint64_t>(fs.f_bavail) * fs.f_frsize;
  if (free >= bytes) return OkStatus();
  const auto size = [](uint64_t n) {
    return n < 10000000 ? std::to_string((n + 999) / 1000) + " kB" : std::to_string(n / 1000000) + " MB";
  };
  return IoError("cannot write '" + path_ + "': it needs " + size(bytes) + " of disk space, " + size(free) +
                 " are free; free some space, or write to another disk");
}

Status OutputFile::Sync() { return fdatasync(fd_) == 0 ? OkStatus() : Fail("write"); }

void OutputFile::Keep(bool keep) {
  keep_ = keep;
  keep ? Unregister(temporary_) : Register(temporary_);
}

Status OutputFile::WriteAt(uint64_t offset, const void* src, size_t n) {
  size_t done = 0;
  while (done < n) {
    const ssize_t put = pwrite(fd_, static_cast<const char*>(src) + done, n - done, static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return Fail("write");
    done += static_cast<size_t>(put);
  }
  return OkStatus();
}

Status OutputFile::ReadAt(uint64_t offset, void* dst, size_t n) const {
  size_t done = 0;
  while (done < n) {
    const ssize_t got = pread(fd_, static_cast<char*>(dst) + done, n - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail("read back");
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  std::memset(static_cast<char*>(dst) + done, 0, n - done);
  return OkStatus();
}

Status OutputFile::Resize(uint64_t bytes) {
  return ftruncate(fd_, static_cast<off_t>(bytes)) == 0 ? OkStatus() : Fail("enlarge");
}

Status OutputFile::Commit() {
  const int fd = fd_;
  fd_ = -1;
  // close reports delayed write errors of network file systems; no fsync: a crash of the machine may cost the file.
  Status status;
  if (close(fd) != 0) {
    status = Fail("complete");
  } else if (std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    status = Fail("rename the finished file to");
  }
  if (!status.ok()) unlink(temporary_.c_str());
  Unregister(temporary_);
  return status;
}

OutputFile::~OutputFile() {
  if (fd_ < 0) return;
  if (!keep_) {
    unlink(temporary_.c_str());
    Unregister(temporary_);
  }
  if (!g_ending) close(fd_);
}

}  // namespace fovea::formats
