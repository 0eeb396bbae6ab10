#include "archive/zip.h"

#include <zip.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>

namespace fovea::archive {

namespace {

constexpr uint64_t kMaxEntries = 10'000;
constexpr uint64_t kMaxBytes = uint64_t{64} << 30;
constexpr uint64_t kFreeBytes = uint64_t{64} << 20;  // unpacking to this much is harmless at any ratio
constexpr uint64_t kMaxRatio = 250;                  // zero weights pack well; a bomb is beyond 1000
constexpr uint32_t kUnixTypeMask = 0170000, kUnixLink = 0120000;

struct CloseArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseEntry {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
// Entries keep the archive that they are read from.
struct Archive {
  std::string bytes;  // of an archive in memory; outlives `handle`
  std::unique_ptr<zip_t, CloseArchive> handle;
};

class Entry : public ByteSource {
 public:
  Entry(std::shared_ptr<Archive> archive, uint64_t index, uint64_t size, std::string name)
      : archive_(std::move(archive)), index_(index), size_(size), name_(std::move(name)) {}

  uint64_t size() const override { return size_; }

  Status Read(uint64_t offset, std::span<std::byte> out) override {
    if (offset > size_ || out.size() > size_ - offset) return Internal(name_ + ": read beyond its end");
    if (file_ == nullptr || offset < at_) {
      file_.reset(zip_fopen_index(archive_->handle.get(), index_, 0));
      at_ = 0;
      if (file_ == nullptr) return Damaged();
    }
    std::array<std::byte, 1 << 16> skipped;
    while (at_ < offset) {
      FOVEA_RETURN_IF_ERROR(Next(std::span(skipped).first(std::min<uint64_t>(skipped.size(), offset - at_))));
    }
    FOVEA_RETURN_IF_ERROR(Next(out));
    // One byte more than there is makes the library compare the CRC.
    std::byte beyond;
    if (at_ == size_ && zip_fread(file_.get(), &beyond, 1) != 0) return Damaged();
    return OkStatus();
  }

 private:
  Status Next(std::span<std::byte> out) {
    while (!out.empty()) {
      const zip_int64_t got = zip_fread(file_.get(), out.data(), out.size());
      if (got <= 0) return Damaged();
      out = out.subspan(static_cast<size_t>(got));
      at_ += static_cast<uint64_t>(got);
    }
    return OkStatus();
  }
  Status Damaged() const { return CorruptFile("'" + name_ + "' in the zip is damaged or cut off"); }

  std::shared_ptr<Archive> archive_;
  uint64_t index_, size_;
  std::string name_;
  std::unique_ptr<zip_file_t, CloseEntry> file_;
  uint64_t at_ = 0;
};

class ZipTree : public FileTree {
 public:
  struct Row {
    uint64_t index, size;
    uint16_t method;
  };
  ZipTree(std::shared_ptr<Archive> archive, std::map<std::string, Row> rows)
      : archive_(std::move(archive)), rows_(std::move(rows)) {
    for (const auto& [name, row] : rows_) files_.push_back(name);
  }

  const std::vector<std::string>& files() const override { return files_; }

  Result<std::unique_ptr<ByteSource>> Open(const std::string& name) override {
    const auto row = rows_.find(name);
    if (row == rows_.end()) return NotFound("the zip has no file '" + name + "'");
    if (row->second.method != ZIP_CM_STORE && row->second.method != ZIP_CM_DEFLATE) {
      return Unsupported("'" + name + "' in the zip is packed by method " + std::to_string(row->second.method) +
                         "; only deflate is read");
    }
    return std::unique_ptr<ByteSource>(new Entry(archive_, row->second.index, row->second.size, name));
  }

 private:
  std::shared_ptr<Archive> archive_;
  std::map<std::string, Row> rows_;
  std::vector<std::string> files_;
};

// '\' becomes '/', "./" goes; empty for a path that leaves the archive.
std::string CleanPath(std::string name) {
  std::replace(name.begin(), name.end(), '\\', '/');
  if (name.empty() || name[0] == '/' || (name.size() > 1 && name[1] == ':')) return "";
  const std::filesystem::path path = std::filesystem::path(name).lexically_normal();
  for (const auto& part : path) {
    if (part == "..") return "";
  }
  for (const auto& part : std::filesystem::path(name)) {
    if (part == "..") return "";  // harmless where it is resolved, but no honest writer makes it
  }
  return path.generic_string();
}

Result<std::unique_ptr<FileTree>> Check(std::shared_ptr<Archive> archive, uint64_t archive_bytes) {
  zip_t* handle = archive->handle.get();
  const auto count = static_cast<uint64_t>(std::max<zip_int64_t>(zip_get_num_entries(handle, 0), 0));
  if (count == 0) return CorruptFile("a zip without files");
  if (count > kMaxEntries) return CorruptFile("a zip with " + std::to_string(count) + " entries");
  std::map<std::string, ZipTree::Row> rows;
  uint64_t total = 0;
  for (uint64_t i = 0; i < count; ++i) {
    zip_stat_t stat;
    zip_stat_init(&stat);
    constexpr uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
    if (zip_stat_index(handle, i, ZIP_FL_ENC_RAW, &stat) != 0 || (stat.valid & kNeeded) != kNeeded) {
      return CorruptFile("a zip with a damaged directory");
    }
    const std::string raw = stat.name;
    const std::string name = CleanPath(raw);
    if (name.empty()) return CorruptFile("a zip with a path that leaves it: '" + raw.substr(0, 200) + "'");
    zip_uint8_t system = 0;
    zip_uint32_t attributes = 0;
    if (zip_file_get_external_attributes(handle, i, 0, &system, &attributes) == 0 && system == ZIP_OPSYS_UNIX &&
        ((attributes >> 16) & kUnixTypeMask) == kUnixLink) {
      return CorruptFile("a zip with a link: '" + name + "'");
    }
    if (raw.back() == '/' || raw.back() == '\\') continue;
    if ((stat.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && stat.encryption_method != ZIP_EM_NONE) {
      return Unsupported("a zip with a password");
    }
    if (stat.comp_size > archive_bytes || (stat.comp_method == ZIP_CM_STORE && stat.comp_size != stat.size)) {
      return CorruptFile("a zip whose directory contradicts its size at '" + name + "'");
    }
    if (__builtin_add_overflow(total, stat.size, &total) || total > kMaxBytes ||
        (total > kFreeBytes && total / kMaxRatio > archive_bytes)) {
      return CorruptFile("a zip of " + std::to_string(archive_bytes) + " bytes that claims to hold " +
                         (total > kMaxBytes ? "more than 64 GiB" : std::to_string(total) + " bytes and more") +
                         ": not unpacked");
    }
    if (!rows.emplace(name, ZipTree::Row{i, stat.size, stat.comp_method}).second) {
      return CorruptFile("a zip with two files named '" + name + "'");
    }
  }
  return std::unique_ptr<FileTree>(new ZipTree(std::move(archive), std::move(rows)));
}

}  // namespace

Result<std::unique_ptr<FileTree>> OpenZip(const std::string& path) {
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(path, error);
  if (error) return IoError(path + ": cannot be opened");
  auto archive = std::make_shared<Archive>();
  int code = 0;
  archive->handle.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (archive->handle == nullptr) return CorruptFile(path + ": not a zip, or cut off");
  Result<std::unique_ptr<FileTree>> tree = Check(std::move(archive), size);
  return tree.ok() ? std::move(tree) : tree.status().Prefixed(path);
}

Result<std::unique_ptr<FileTree>> OpenZipBytes(std::string bytes, const std::string& name) {
  auto archive = std::make_shared<Archive>();
  archive->bytes = std::move(bytes);
  zip_source_t* source = zip_source_buffer_create(archive->bytes.data(), archive->bytes.size(), 0, nullptr);
  if (source == nullptr) return OutOfMemory(name + ": no memory to read it");
  archive->handle.reset(zip_open_from_source(source, ZIP_RDONLY, nullptr));
  if (archive->handle == nullptr) {
    zip_source_free(source);
    return CorruptFile(name + ": not a zip, or cut off");
  }
  const uint64_t size = archive->bytes.size();
  Result<std::unique_ptr<FileTree>> tree = Check(std::move(archive), size);
  return tree.ok() ? std::move(tree) : tree.status().Prefixed(name);
}

}  // namespace fovea::archive
