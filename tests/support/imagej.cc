#include "tests/support/imagej.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace fovea::testing {
namespace {

constexpr const char* kJar = "/usr/share/java/ij.jar";

}  // namespace

bool HaveImageJ() {
  return std::filesystem::exists(kJar) &&
         std::system("command -v xvfb-run >/dev/null && command -v java >/dev/null") == 0;
}

ProcessResult RunImageJ(const std::string& macro, const std::string& folder) {
  const std::string path = folder + "/macro.ijm";
  std::ofstream(path, std::ios::binary) << macro;
  return RunProcess({"/usr/bin/timeout", "60", "xvfb-run", "-a", "java", "-Xmx256m", "-cp", kJar, "ij.ImageJ", "-batch",
                     path, folder + "/"});
}

}  // namespace fovea::testing
