// Files in memory as a model's folder, for fuzz targets.
#ifndef FOVEA_TESTS_FUZZ_MEMORY_TREE_H_
#define FOVEA_TESTS_FUZZ_MEMORY_TREE_H_

#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "archive/file_tree.h"

namespace fovea::fuzz {

class MemorySource : public archive::ByteSource {
 public:
  explicit MemorySource(std::string bytes) : bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_.size(); }
  Status Read(uint64_t offset, std::span<std::byte> out) override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) return Internal("read beyond its end");
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return OkStatus();
  }

 private:
  std::string bytes_;
};

class MemoryTree : public archive::FileTree {
 public:
  explicit MemoryTree(std::map<std::string, std::string> contents) : contents_(std::move(contents)) {
    for (const auto& [name, bytes] : contents_) names_.push_back(name);
  }
  const std::vector<std::string>& files() const override { return names_; }
  Result<std::unique_ptr<archive::ByteSource>> Open(const std::string& name) override {
    const auto found = contents_.find(name);
    if (found == contents_.end()) return NotFound(name);
    return std::unique_ptr<archive::ByteSource>(new MemorySource(found->second));
  }

 private:
  std::map<std::string, std::string> contents_;
  std::vector<std::string> names_;
};

}  // namespace fovea::fuzz

#endif  // FOVEA_TESTS_FUZZ_MEMORY_TREE_H_
