#include "tools/cli/container_memory.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

namespace fovea::cli {
namespace {

// Where a version keeps what; files: fields of memory.stat, of the group and those below it.
struct Names {
  const char* limit;
  const char* used;
  const char* active_file;
  const char* inactive_file;
};
constexpr Names kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_active_file",
                             "total_inactive_file"};
constexpr Names kVersion2 = {"memory.max", "memory.current", "active_file", "inactive_file"};

// Version 1 says "no limit" with the largest multiple of the page size.
constexpr uint64_t kNoLimit = uint64_t{1} << 62;

// Whole numbers only; "max" is none.
std::optional<uint64_t> NumberIn(const std::string& path) {
  uint64_t number = 0;
  if (std::ifstream(path) >> number) return number;
  return std::nullopt;
}

uint64_t FileBytes(const std::string& folder, const Names& names) {
  uint64_t files = 0;
  std::ifstream in(folder + "/memory.stat");
  std::string field;
  for (uint64_t bytes = 0; in >> field >> bytes;) {
    if (field == names.active_file || field == names.inactive_file) files += bytes;
  }
  return files;
}

std::optional<uint64_t> LeftIn(const std::string& folder, const Names& names) {
  const std::optional<uint64_t> limit = NumberIn(folder + "/" + names.limit);
  const std::optional<uint64_t> used = NumberIn(folder + "/" + names.used);
  if (!limit || !used || *limit >= kNoLimit) return std::nullopt;
  const uint64_t kept = *used - std::min(*used, FileBytes(folder, names));
  return *limit - std::min(*limit, kept);
}

struct Membership {
  std::string path;
  bool version2 = false;
};

std::vector<Membership> MembershipsIn(const std::string& file) {
  std::vector<Membership> memberships;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    std::string number, controllers, path;
    std::istringstream words(line);
    if (!std::getline(words, number, ':') || !std::getline(words, controllers, ':') || !std::getline(words, path)) {
      continue;
    }
    const bool memory = ("," + controllers + ",").find(",memory,") != std::string::npos;
    if (memory || (number == "0" && controllers.empty())) memberships.push_back({path, !memory});
  }
  return memberships;
}

}  // namespace

std::optional<uint64_t> ContainerMemoryBytes(const std::string& mounted, const std::string& membership) {
  std::optional<uint64_t> least;
  const auto walk = [&least](const std::string& root, std::string path, const Names& names) {
    while (true) {
      const std::optional<uint64_t> left = LeftIn(root + path, names);
      if (left) least = std::min(*left, least.value_or(*left));
      if (path.empty()) return;
      path.erase(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
    }
  };
  for (const Membership& group : MembershipsIn(membership)) {
    if (group.version2) {
      walk(mounted, group.path, kVersion2);
      walk(mounted + "/unified", group.path, kVersion2);
    } else {
      walk(mounted + "/memory", group.path, kVersion1);
    }
  }
  return least;
}

}  // namespace fovea::cli
