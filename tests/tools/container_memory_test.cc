// What control groups leave, on folders that look as the kernel's do.
#include "tools/cli/container_memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/process.h"

namespace fovea::testing {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMb = 1'000'000;

class ContainerMemory : public ::testing::Test {
 protected:
  void Put(const std::string& path, const std::string& text) {
    const fs::path at = scratch_ / ("groups/" + path);
    fs::create_directories(at.parent_path());
    std::ofstream(at) << text << "\n";
  }
  // A group of version 2; files: copies of files among what is used, half of them active.
  void Version2(const std::string& group, const std::string& limit, uint64_t used, uint64_t files = 0) {
    Put(group + "/memory.max", limit);
    Put(group + "/memory.current", std::to_string(used));
    Put(group + "/memory.stat", "anon " + std::to_string(used - files) + "\nfile " + std::to_string(files) +
                                    "\ninactive_file " + std::to_string(files / 2) + "\nactive_file " +
                                    std::to_string(files / 2));
  }
  // One of version 1, where fields of the group alone stand beside those with the groups below it.
  void Version1(const std::string& group, uint64_t limit, uint64_t used, uint64_t files = 0) {
    Put(group + "/memory.limit_in_bytes", std::to_string(limit));
    Put(group + "/memory.usage_in_bytes", std::to_string(used));
    Put(group + "/memory.stat", "cache 1\ninactive_file 1\nactive_file 1\ntotal_inactive_file " +
                                    std::to_string(files / 2) + "\ntotal_active_file " + std::to_string(files / 2));
  }
  std::optional<uint64_t> Left(const std::string& membership) {
    std::ofstream(scratch_ / "membership") << membership;
    return cli::ContainerMemoryBytes(scratch_ / "groups", scratch_ / "membership");
  }

  ScratchFolder scratch_;
};

constexpr const char* kAll2 = "0::/\n";
constexpr const char* kJob1 = "12:pids:/job\n4:cpu,memory:/batch/job\n1:name=systemd:/job\n0::/job\n";

TEST_F(ContainerMemory, NothingIsSaidWithoutGroups) {
  EXPECT_EQ(Left(kAll2), std::nullopt);
  EXPECT_EQ(Left(""), std::nullopt);
  EXPECT_EQ(cli::ContainerMemoryBytes(scratch_ / "absent", scratch_ / "absent"), std::nullopt);
}

TEST_F(ContainerMemory, Version2) {
  Version2("", "500000000", 300 * kMb, 120 * kMb);
  EXPECT_EQ(Left(kAll2), 320 * kMb);
  Version2("", "max", 300 * kMb);
  EXPECT_EQ(Left(kAll2), std::nullopt);
  Version2("", "200000000", 300 * kMb);  // lowered below what is used
  EXPECT_EQ(Left(kAll2), 0u);
}

// A limit holds for all that is in a group, so the nearest one of those above counts, too.
TEST_F(ContainerMemory, GroupsWithinGroups) {
  Version2("user", "400000000", 100 * kMb);
  Version2("user/session", "max", 90 * kMb);
  EXPECT_EQ(Left("0::/user/session\n"), 300 * kMb);
  Version2("user/session", "150000000", 90 * kMb);
  EXPECT_EQ(Left("0::/user/session\n"), 60 * kMb);
  EXPECT_EQ(Left("0::/user\n"), 300 * kMb);
}

TEST_F(ContainerMemory, Version1) {
  Version1("memory/batch/job", 1000 * kMb, 700 * kMb, 200 * kMb);
  EXPECT_EQ(Left(kJob1), 500 * kMb);
  Version1("memory/batch", 600 * kMb, 550 * kMb);
  EXPECT_EQ(Left(kJob1), 50 * kMb);
  // "No limit" is a number.
  Version1("memory/batch", 9223372036854771712u, 550 * kMb);
  Version1("memory/batch/job", 9223372036854771712u, 700 * kMb);
  EXPECT_EQ(Left(kJob1), std::nullopt);
}

// The path is the host's, the container sees its own group as the root.
TEST_F(ContainerMemory, Version1InAContainer) {
  Version1("memory", 800 * kMb, 300 * kMb);
  EXPECT_EQ(Left("4:memory:/docker/0123456789ab\n"), 500 * kMb);
}

// Version 1 with memory, version 2 beside it: the machine of many a continuous integration.
TEST_F(ContainerMemory, BothVersions) {
  Version1("memory/batch/job", 900 * kMb, 100 * kMb);
  Put("unified/job/cgroup.procs", "1");
  EXPECT_EQ(Left(kJob1), 800 * kMb);
  Version2("unified/job", "700000000", 100 * kMb);
  EXPECT_EQ(Left(kJob1), 600 * kMb);
}

}  // namespace
}  // namespace fovea::testing
