// What control groups (cgroups: containers, batch systems, service managers) leave this process of the machine's
// memory.
#ifndef FOVEA_TOOLS_CLI_CONTAINER_MEMORY_H_
#define FOVEA_TOOLS_CLI_CONTAINER_MEMORY_H_

#include <cstdint>
#include <optional>
#include <string>

namespace fovea::cli {

// Bytes up to the nearest limit of the groups that the process is in, from its own up to the root, of version 2 and
// version 1; copies of files, which are given back when memory is short, do not count as used. Nothing when there is no
// limit. The arguments are the system's, but for tests.
//   mounted     where the groups are: version 2 at mounted or mounted/unified, version 1 at mounted/memory
//   membership  lines "0::/path" (version 2) and "4:memory:/path" (version 1). In a container the path may be the
//               host's, which is not there: then the group that is mounted as the root is ours.
// Formats: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
std::optional<uint64_t> ContainerMemoryBytes(const std::string& mounted = "/sys/fs/cgroup",
                                             const std::string& membership = "/proc/self/cgroup");

}  // namespace fovea::cli

#endif  // FOVEA_TOOLS_CLI_CONTAINER_MEMORY_H_
