#include "formats/image/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fovea::formats {
namespace {

class FileSource final : public ByteSource {
 public:
  FileSource(int fd, uint64_t bytes, const std::string& path) : fd_(fd) {
    name_ = path;
    const size_t slash = path.rfind('/');
    folder_ = slash == std::string::npos ? "./" : path.substr(0, slash + 1);
    size_ = bytes;
  }
  ~FileSource() override { close(fd_); }

  // pread, not a mapping: mapped pages would count against the memory budget without our control.
  size_t ReadSome(uint64_t offset, void* dst, size_t n) const override {
    size_t done = 0;
    while (done < n && offset + done < size_) {
      const ssize_t got = pread(fd_, static_cast<char*>(dst) + done, n - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

 private:
  int fd_;
};

class MemorySource final : public ByteSource {
 public:
  MemorySource(std::span<const uint8_t> bytes, std::string name) : bytes_(bytes) {
    name_ = std::move(name);
    size_ = bytes.size();
  }

  size_t ReadSome(uint64_t offset, void* dst, size_t n) const override {
    if (offset >= size_) return 0;
    n = std::min(n, static_cast<size_t>(size_ - offset));
    if (n > 0) std::memcpy(dst, bytes_.data() + offset, n);
    return n;
  }

 private:
  std::span<const uint8_t> bytes_;
};

class PrefixedSource final : public ByteSource {
 public:
  PrefixedSource(std::vector<uint8_t> head, std::unique_ptr<ByteSource> rest)
      : head_(std::move(head)), rest_(std::move(rest)) {
    name_ = rest_->name();
    size_ = head_.size() + rest_->size();
  }

  size_t ReadSome(uint64_t offset, void* dst, size_t n) const override {
    size_t done = 0;
    if (offset < head_.size()) {
      done = std::min(n, head_.size() - static_cast<size_t>(offset));
      std::memcpy(dst, head_.data() + offset, done);
    }
    if (done == n) return n;
    return done + rest_->ReadSome(offset + done - head_.size(), static_cast<char*>(dst) + done, n - done);
  }

 private:
  std::vector<uint8_t> head_;
  std::unique_ptr<ByteSource> rest_;
};

}  // namespace

Status ByteSource::ReadAt(uint64_t offset, void* dst, size_t n) const {
  if (offset > size_ || n > size_ - offset || ReadSome(offset, dst, n) != n) {
    return CorruptFile("'" + name_ + "' is cut short: it holds " + std::to_string(size_) + " bytes, but " +
                       std::to_string(n) + " bytes are expected at offset " + std::to_string(offset));
  }
  return OkStatus();
}

Result<std::unique_ptr<ByteSource>> OpenFileSource(const std::string& path) {
  // O_NONBLOCK: opening a named pipe must not wait for its writer before it is refused below.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const int error = errno;
    const std::string message = "cannot open '" + path + "': " + std::strerror(error);
    return error == ENOENT || error == ENOTDIR ? NotFound(message) : IoError(message);
  }
  struct stat st {};
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
    close(fd);
    return InvalidArgument("'" + path + "' is not a regular file");
  }
  return std::unique_ptr<ByteSource>(std::make_unique<FileSource>(fd, static_cast<uint64_t>(st.st_size), path));
}

std::unique_ptr<ByteSource> MakeMemorySource(std::span<const uint8_t> bytes, std::string name) {
  return std::make_unique<MemorySource>(bytes, std::move(name));
}

std::unique_ptr<ByteSource> MakePrefixedSource(std::vector<uint8_t> head, std::unique_ptr<ByteSource> rest) {
  return std::make_unique<PrefixedSource>(std::move(head), std::move(rest));
}

}  // namespace fovea::formats
