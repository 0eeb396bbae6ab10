#include "runtime/exec/weight_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <vector>

#define XXH_INLINE_ALL  // header only: no library to link
#include <xxhash.h>

namespace fovea::exec {
namespace {

constexpr char kMagic[8] = {'F', 'O', 'V', 'P', 'A', 'C', 'K', '\n'};
constexpr size_t kPage = 4096;
constexpr size_t kPieceBytes = size_t{4} << 20;

struct Header {
  char magic[8];
  uint64_t key_bytes, weight_bytes;
  XXH128_canonical_t checksum;
};
static_assert(sizeof(Header) == 40);

size_t WeightsAt(size_t key_bytes) { return (sizeof(Header) + key_bytes + kPage - 1) / kPage * kPage; }

XXH128_canonical_t Checksum(const std::string& key, std::span<const std::byte> weights, const ParallelFor& parallel) {
  struct Context {
    std::span<const std::byte> weights;
    std::vector<XXH128_canonical_t> pieces;
  } context;
  context.weights = weights;
  const size_t pieces = (weights.size() + kPieceBytes - 1) / kPieceBytes;
  context.pieces.resize(pieces + 1);
  XXH128_canonicalFromHash(&context.pieces[pieces], XXH3_128bits(key.data(), key.size()));
  const auto hash = [](void* argument, int64_t task, int) {
    Context& c = *static_cast<Context*>(argument);
    const auto rest = c.weights.subspan(static_cast<size_t>(task) * kPieceBytes);
    const auto piece = rest.first(std::min(rest.size(), kPieceBytes));
    XXH128_canonicalFromHash(&c.pieces[static_cast<size_t>(task)], XXH3_128bits(piece.data(), piece.size()));
  };
  if (pieces > 0) parallel.run(parallel.context, static_cast<int64_t>(pieces), hash, &context);
  XXH128_canonical_t sum;
  XXH128_canonicalFromHash(&sum,
                           XXH3_128bits(context.pieces.data(), context.pieces.size() * sizeof(XXH128_canonical_t)));
  return sum;
}

// A file that is open, closed when this goes.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

bool WriteAll(int fd, const void* data, size_t bytes) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = write(fd, from, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    from += written;
    bytes -= static_cast<size_t>(written);
  }
  return true;
}

}  // namespace

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

WeightCache::WeightCache(const std::string& directory, const ModelFile& file, const plan::Plan& plan, kernels::Isa isa)
    : directory_(directory), weight_bytes_(plan.packed_weight_bytes) {
  key_ = "packing " + std::to_string(kernels::kPackingVersion) + "\nmodel " + file.content_hash() + "\nisa " +
         kernels::IsaName(isa) + "\nfloats " + (std::endian::native == std::endian::little ? "little" : "big") + "\n";
  for (size_t n = 0; n < plan.operators.size(); ++n) {
    if (!plan.packed_ahead[n]) continue;
    const Operator& op = plan.operators[n];
    key_ += std::to_string(n) + " " + op.kernel_name() + " " + std::to_string(op.PackedFloats()) + "\n";
  }
  XXH128_canonical_t hash;
  XXH128_canonicalFromHash(&hash, XXH3_128bits(key_.data(), key_.size()));
  path_ = directory_ + "/";
  for (const unsigned char byte : hash.digest) {
    path_ += "0123456789abcdef"[byte >> 4];
    path_ += "0123456789abcdef"[byte & 15];
  }
  path_ += ".packed";
}

const float* WeightCache::Find(const ParallelFor& parallel, Mapping* mapping) const {
  const Descriptor file(open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (file.get() < 0 || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return nullptr;
  const size_t begin = WeightsAt(key_.size());
  if (static_cast<uint64_t>(info.st_size) != begin + weight_bytes_) return nullptr;
  const size_t bytes = static_cast<size_t>(info.st_size);
  void* const data = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) return nullptr;
  *mapping = Mapping(data, bytes);
  Header header;
  std::memcpy(&header, data, sizeof(header));
  const char* const base = static_cast<const char*>(data);
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0 || header.key_bytes != key_.size() ||
      header.weight_bytes != weight_bytes_ || std::memcmp(base + sizeof(Header), key_.data(), key_.size()) != 0) {
    return nullptr;
  }
  const XXH128_canonical_t sum = Checksum(key_, mapping->bytes().subspan(begin), parallel);
  if (std::memcmp(&sum, &header.checksum, sizeof(sum)) != 0) return nullptr;
  return reinterpret_cast<const float*>(base + begin);
}

Status WeightCache::Store(std::span<const std::byte> weights, const ParallelFor& parallel) const {
  const auto failed = [&](const std::string& path) {
    return IoError(path + ": the packed weights can't be kept here: " + std::strerror(errno));
  };
  if (mkdir(directory_.c_str(), 0777) != 0 && errno != EEXIST) return failed(directory_);
  const std::string temporary = path_ + ".tmp";
  const Descriptor file(open(temporary.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (file.get() < 0) return failed(temporary);
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) return OkStatus();
  // Whoever had the lock before may have renamed this very file meanwhile.
  struct stat mine {
  }, named{};
  if (fstat(file.get(), &mine) != 0 || stat(temporary.c_str(), &named) != 0 || mine.st_ino != named.st_ino ||
      mine.st_dev != named.st_dev) {
    return OkStatus();
  }
  Header header{{}, key_.size(), weights.size(), Checksum(key_, weights, parallel)};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  std::vector<char> front(WeightsAt(key_.size()), 0);
  std::memcpy(front.data(), &header, sizeof(header));
  std::memcpy(front.data() + sizeof(header), key_.data(), key_.size());
  if (ftruncate(file.get(), 0) == 0 && WriteAll(file.get(), front.data(), front.size()) &&
      WriteAll(file.get(), weights.data(), weights.size()) && rename(temporary.c_str(), path_.c_str()) == 0) {
    return OkStatus();
  }
  const Status status = failed(path_);
  unlink(temporary.c_str());
  return status;
}

}  // namespace fovea::exec
