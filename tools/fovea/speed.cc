#include "tools/fovea/speed.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace fovea::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

fs::path SpeedFile() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache != '\0') return fs::path(cache) / "fovea" / "speed.json";
  const char* home = std::getenv("HOME");
  return home == nullptr ? fs::path() : fs::path(home) / ".cache" / "fovea" / "speed.json";
}

// Another processor behind the same folder has another entry.
std::string Processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 1);
  }
  return "";
}

json Stored(const fs::path& path) {
  std::ifstream file(path);
  json all = json::parse(file, nullptr, /*allow_exceptions=*/false);
  return all.is_object() ? all : json::object();
}

// Under a temporary name first: other processes read while this one writes.
void Store(const fs::path& path, const json& all) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  const fs::path temporary = path.string() + "." + std::to_string(getpid());
  {
    std::ofstream file(temporary);
    file << all.dump(2) << "\n";
    if (!file.flush()) error = std::make_error_code(std::errc::io_error);
  }
  if (!error) fs::rename(temporary, path, error);
  if (error) fs::remove(temporary, error);
}

}  // namespace

Result<MachineSpeed> SpeedOfMachine(const std::string& isa, int threads, bool again) {
  const fs::path path = SpeedFile();
  const char* cap = std::getenv("FOVEA_ISA");
  const std::string key = Processor() + " / " + isa + (cap == nullptr ? "" : cap) + " / " + std::to_string(threads);
  json all = path.empty() ? json::object() : Stored(path);
  if (!again && all.contains(key) && all[key].is_object()) {
    const MachineSpeed speed{all[key].value("multiply_adds", 0.0), all[key].value("memory_bytes", 0.0)};
    if (speed.multiply_adds > 0 && speed.memory_bytes > 0) return speed;
  }
  FOVEA_ASSIGN_OR_RETURN(const MachineSpeed speed, MeasureSpeed(isa, threads));
  all[key] = {{"multiply_adds", speed.multiply_adds}, {"memory_bytes", speed.memory_bytes}};
  if (!path.empty()) Store(path, all);
  return speed;
}

}  // namespace fovea::cli
