#include <algorithm>
#include <filesystem>
#include <fstream>

#include "archive/file_tree.h"

namespace fovea::archive {

namespace fs = std::filesystem;

namespace {

constexpr size_t kMaxFiles = 10'000;
constexpr int kMaxDepth = 2;

class DiskFile : public ByteSource {
 public:
  DiskFile(std::ifstream in, uint64_t size, std::string path)
      : in_(std::move(in)), size_(size), path_(std::move(path)) {}

  uint64_t size() const override { return size_; }

  Status Read(uint64_t offset, std::span<std::byte> out) override {
    if (offset > size_ || out.size() > size_ - offset) return Internal(path_ + ": read beyond its end");
    in_.clear();
    in_.seekg(static_cast<std::streamoff>(offset));
    in_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size()));
    return in_ ? OkStatus() : IoError(path_ + ": cannot be read");
  }

 private:
  std::ifstream in_;
  uint64_t size_;
  std::string path_;
};

class Folder : public FileTree {
 public:
  Folder(fs::path root, std::vector<std::string> files) : root_(std::move(root)), files_(std::move(files)) {}

  const std::vector<std::string>& files() const override { return files_; }

  Result<std::unique_ptr<ByteSource>> Open(const std::string& name) override {
    if (!Has(name)) return NotFound((root_ / name).string() + ": no such file");
    return OpenFile((root_ / name).string());
  }

 private:
  fs::path root_;
  std::vector<std::string> files_;
};

}  // namespace

bool FileTree::Has(const std::string& name) const { return std::binary_search(files().begin(), files().end(), name); }

Result<std::unique_ptr<ByteSource>> OpenFile(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return NotFound(path + ": no such file");
  if (!fs::is_regular_file(path, error)) return InvalidArgument(path + ": not a file");
  const uint64_t size = fs::file_size(path, error);
  std::ifstream in(path, std::ios::binary);
  if (error || !in) return IoError(path + ": cannot be opened");
  return std::unique_ptr<ByteSource>(new DiskFile(std::move(in), size, path));
}

Result<std::unique_ptr<FileTree>> OpenFolder(const std::string& path) {
  std::error_code error;
  fs::recursive_directory_iterator it(path, fs::directory_options::skip_permission_denied, error);
  if (error) return IoError(path + ": cannot be listed: " + error.message());
  std::vector<std::string> files;
  for (; it != fs::recursive_directory_iterator() && files.size() < kMaxFiles; it.increment(error)) {
    if (error) return IoError(path + ": cannot be listed: " + error.message());
    std::error_code ignored;
    if (it.depth() >= kMaxDepth) it.disable_recursion_pending();
    if (it->is_regular_file(ignored)) files.push_back(it->path().lexically_relative(path).generic_string());
  }
  std::sort(files.begin(), files.end());
  return std::unique_ptr<FileTree>(new Folder(path, std::move(files)));
}

Status CreateFoldersBelow(const std::string& root, const std::string& file) {
  fs::path folder = root;
  std::error_code error;
  for (const fs::path& name : fs::path(file).parent_path()) {
    folder /= name;
    fs::create_directory(folder, error);
    if (error) return IoError(folder.string() + ": can't be made: " + error.message());
  }
  return OkStatus();
}

Result<std::string> ReadAll(ByteSource* source, uint64_t max_bytes) {
  if (source->size() > max_bytes) {
    return CorruptFile(std::to_string(source->size()) + " bytes, more than such a file can have");
  }
  std::string text(source->size(), '\0');
  FOVEA_RETURN_IF_ERROR(source->Read(0, std::as_writable_bytes(std::span(text))));
  return text;
}

}  // namespace fovea::archive
