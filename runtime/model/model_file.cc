#include "runtime/model/model_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "runtime/model/file_layout.h"

namespace fovea {
namespace {

// binary16 to binary32, exact.
float HalfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t magnitude = half & 0x7fffu;
  if (magnitude >= 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  // The exponent's bias is 112 larger in binary32; subnormals come out right because the product is exact.
  const float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(scaled));
}

uint16_t LoadHalf(const std::byte* at) {
  return static_cast<uint16_t>(std::to_integer<unsigned>(at[0]) | std::to_integer<unsigned>(at[1]) << 8);
}

// Pages that were only hashed or packed go back at once, so that they do not count into the peak memory.
void ReleasePages(std::span<const std::byte> bytes) {
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(bytes.data()) + page - 1) / page * page;
  const uintptr_t end = reinterpret_cast<uintptr_t>(bytes.data() + bytes.size()) / page * page;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

// Where pages of the cache are large (2 MiB; Linux 6.16 on), touching one maps all of it that lies in the same mapping,
// so that a constant brings megabytes of its neighbours along, which no budget knows of. Mappings with different advice
// are mappings of their own: constants of at least kOwnMapping bytes get one each. The advice says nothing of weight,
// but that pages of every other constant are left out of core files.
void SeparateConstants(const Graph& graph, std::span<const std::byte> weights) {
#ifdef MADV_DONTDUMP
  constexpr uint64_t kOwnMapping = 64 << 10;
  std::vector<std::pair<uint64_t, uint64_t>> places;
  for (const Value& value : graph.values) {
    if (value.is_const && value.bytes >= kOwnMapping) places.emplace_back(value.offset, value.bytes);
  }
  std::sort(places.begin(), places.end());
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  int advice = MADV_DONTDUMP;
  for (const auto& [offset, bytes] : places) {
    const auto first = reinterpret_cast<uintptr_t>(weights.data() + offset);
    const uintptr_t begin = (first + page - 1) / page * page, end = (first + bytes) / page * page;
    madvise(reinterpret_cast<void*>(begin), end - begin, advice);
    advice = advice == MADV_DONTDUMP ? MADV_SEQUENTIAL : MADV_DONTDUMP;
  }
#else
  static_cast<void>(graph);
  static_cast<void>(weights);
#endif
}

Status CheckSections(const FileHeader& header, uint64_t file_bytes) {
  const std::string size = "the file has " + std::to_string(file_bytes) + " bytes";
  if (header.graph_offset < kHeaderBytes || header.graph_offset % 8 != 0 || header.graph_offset > file_bytes ||
      header.graph_bytes > file_bytes - header.graph_offset) {
    return CorruptFile("the graph section (offset " + std::to_string(header.graph_offset) + ", " +
                       std::to_string(header.graph_bytes) + " bytes) is not inside the file; " + size);
  }
  if (header.weight_offset < header.graph_offset + header.graph_bytes || header.weight_offset % kWeightAlignment != 0 ||
      header.weight_offset > file_bytes || header.weight_bytes != file_bytes - header.weight_offset) {
    return CorruptFile("the weight section (offset " + std::to_string(header.weight_offset) + ", " +
                       std::to_string(header.weight_bytes) + " bytes) does not end the file; " + size);
  }
  return OkStatus();
}

}  // namespace

ModelFile::~ModelFile() {
  if (mapping_ != nullptr) munmap(mapping_, bytes_.size());
}

Result<std::shared_ptr<const ModelFile>> ModelFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const int error = errno;
    if (error == ENOENT) return NotFound(path + ": there is no such file");
    return IoError(path + ": cannot be opened: " + std::strerror(error));
  }
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return IoError(path + ": is not a regular file");
  }
  if (info.st_size < static_cast<off_t>(kHeaderBytes)) {
    close(fd);
    return CorruptFile(path + ": is not a fovea model: only " + std::to_string(info.st_size) + " bytes");
  }
  const size_t bytes = static_cast<size_t>(info.st_size);
  void* const mapping = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  const int error = errno;
  close(fd);
  if (mapping == MAP_FAILED) return IoError(path + ": cannot be mapped: " + std::strerror(error));
  std::shared_ptr<ModelFile> file(new ModelFile());
  file->mapping_ = mapping;
  file->bytes_ = {static_cast<const std::byte*>(mapping), bytes};
  return Parse(std::move(file), path);
}

Result<std::shared_ptr<const ModelFile>> ModelFile::FromBytes(std::span<const std::byte> bytes,
                                                              const std::string& name) {
  if (bytes.size() < kHeaderBytes) {
    return CorruptFile(name + ": is not a fovea model: only " + std::to_string(bytes.size()) + " bytes");
  }
  std::shared_ptr<ModelFile> file(new ModelFile());
  file->storage_.assign(bytes.begin(), bytes.end());
  file->bytes_ = file->storage_;
  return Parse(std::move(file), name);
}

Result<std::shared_ptr<const ModelFile>> ModelFile::Parse(std::shared_ptr<ModelFile> file, const std::string& name) {
  const std::span<const std::byte> bytes = file->bytes_;
  FileHeader header;
  if (!ParseHeader(bytes, &header)) return CorruptFile(name + ": is not a fovea model: the first bytes are not FOVEA");
  if (header.major > kFormatMajor) {
    return Unsupported(name + ": has format " + std::to_string(header.major) + "." + std::to_string(header.minor) +
                       ", this program reads up to " + std::to_string(kFormatMajor) + "; a newer fovea is needed");
  }
  if (header.major == 0) return CorruptFile(name + ": has format 0");
  FOVEA_RETURN_IF_ERROR(CheckSections(header, bytes.size()).Prefixed(name));

  FileHeader computed;
  const std::span<const std::byte> content[] = {bytes.subspan(kHeaderBytes)};
  HashContent(content, file->mapping_ != nullptr ? ReleasePages : nullptr, &computed);
  if (computed.hash_low != header.hash_low || computed.hash_high != header.hash_high) {
    return CorruptFile(name + ": content hash does not match: the file was changed or damaged");
  }
  char digits[33];
  std::snprintf(digits, sizeof(digits), "%016llx%016llx", static_cast<unsigned long long>(header.hash_high),
                static_cast<unsigned long long>(header.hash_low));
  file->content_hash_ = digits;

  Result<Graph> graph = DecodeGraph(bytes.subspan(header.graph_offset, header.graph_bytes));
  FOVEA_RETURN_IF_ERROR(graph.status().Prefixed(name));
  FOVEA_RETURN_IF_ERROR(VerifyGraph(*graph, header.weight_bytes).Prefixed(name));
  file->graph_ = *std::move(graph);
  file->weights_ = bytes.subspan(header.weight_offset, header.weight_bytes);
  if (file->mapping_ != nullptr) SeparateConstants(file->graph_, file->weights_);
  return std::shared_ptr<const ModelFile>(std::move(file));
}

void ModelFile::Release(const Value& value) const {
  if (mapping_ != nullptr) ReleasePages(weights_.subspan(value.offset, value.bytes));
}

void ModelFile::Expect(const Value& value) const {
#ifdef MADV_POPULATE_READ  // Linux 5.14; an older one refuses, and pages come when they are touched
  if (mapping_ == nullptr) return;
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto first = reinterpret_cast<uintptr_t>(weights_.data() + value.offset);
  const uintptr_t begin = first / page * page;
  madvise(reinterpret_cast<void*>(begin), first + value.bytes - begin, MADV_POPULATE_READ);
#else
  static_cast<void>(value);
#endif
}

std::span<const float> ModelFile::Floats(const Value& value, std::vector<float>* storage) const {
  const std::span<const std::byte> bytes = weights_.subspan(value.offset, value.bytes);
  if (value.weight_type == WeightType::kFloat32) {
    const bool aligned = reinterpret_cast<uintptr_t>(bytes.data()) % alignof(float) == 0;
    if (aligned && std::endian::native == std::endian::little) {
      return {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
    }
    storage->resize(bytes.size() / sizeof(float));
    for (size_t i = 0; i < storage->size(); ++i) {
      const uint32_t bits = LoadHalf(&bytes[4 * i]) | static_cast<uint32_t>(LoadHalf(&bytes[4 * i + 2])) << 16;
      (*storage)[i] = std::bit_cast<float>(bits);
    }
    return *storage;
  }
  storage->resize(bytes.size() / sizeof(uint16_t));
  for (size_t i = 0; i < storage->size(); ++i) {
    const uint16_t half = LoadHalf(&bytes[2 * i]);
    (*storage)[i] = value.weight_type == WeightType::kFloat16 ? HalfToFloat(half)
                                                              : std::bit_cast<float>(static_cast<uint32_t>(half) << 16);
  }
  return *storage;
}

}  // namespace fovea
