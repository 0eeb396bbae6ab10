#include "formats/image/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace fovea::formats {

Status OutputFile::Fail(const char* what) const {
  return IoError("cannot " + std::string(what) + " '" + path_ + "': " + std::strerror(errno));
}

Status OutputFile::Create(const std::string& path) {
  static std::atomic<uint32_t> counter{0};
  path_ = path;
  struct stat st {};
  if (stat(path.c_str(), &st) == 0 && !S_ISREG(st.st_mode)) {
    return InvalidArgument("cannot write '" + path + "': it exists and is not a regular file");
  }
  const size_t name_at = path.rfind('/') == std::string::npos ? 0 : path.rfind('/') + 1;
  if (name_at == path.size()) return InvalidArgument("cannot write '" + path + "': it names a folder");
  for (int attempt = 0; attempt < 1000; ++attempt) {
    // A leading dot keeps file browsers and input globs from picking up a half-written file.
    temporary_ = path.substr(0, name_at) + "." + path.substr(name_at) + ".part-" + std::to_string(getpid()) + "-" +
                 std::to_string(counter++);
    fd_ = open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd_ >= 0) return OkStatus();
    if (errno != EEXIST) break;
  }
  return Fail("create");
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
  if (close(fd) != 0) {
    const Status status = Fail("complete");
    unlink(temporary_.c_str());
    return status;
  }
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const Status status = Fail("rename the finished file to");
    unlink(temporary_.c_str());
    return status;
  }
  return OkStatus();
}

OutputFile::~OutputFile() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(temporary_.c_str());
}

}  // namespace fovea::formats
