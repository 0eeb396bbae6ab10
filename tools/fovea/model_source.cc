#include "tools/fovea/model_source.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <sstream>
#include <string_view>

#include "formats/bundle/bundle.h"
#include "tools/cli/program.h"
#include "tools/cli/temporary.h"

extern char** environ;

namespace fovea::cli {
namespace {

namespace fs = std::filesystem;

// The converter in this program's folder; "" where only this one is installed. No other one is looked for, so that
// what runs does not depend on the environment.
std::string Converter() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const std::string path = (self.parent_path() / "fovea-convert").string();
  return !error && access(path.c_str(), X_OK) == 0 ? path : "";
}

// Runs a program to its end; its exit code, and what it wrote to stderr. It makes its own folders for the time being
// below `temporary`, so that they go with that one even where this program can't wait for it.
struct Ended {
  int exit_code = -1;
  std::string said;
};
Result<Ended> RunToEnd(const std::vector<std::string>& words, const std::string& temporary) {
  std::string tmpdir = "TMPDIR=" + temporary;
  std::vector<char*> variables = {tmpdir.data()};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!std::string_view(*variable).starts_with("TMPDIR=")) variables.push_back(*variable);
  }
  variables.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return IoError("no pipe can be made");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t child = -1;
  const int failed = posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), variables.data());
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  Ended ended;
  char piece[4096];
  while (failed == 0) {
    const ssize_t n = read(ends[0], piece, sizeof(piece));
    if (n > 0) ended.said.append(piece, static_cast<size_t>(n));
    if (n < 0 && errno == EINTR && !Interrupted()) continue;
    if (n <= 0) break;
  }
  close(ends[0]);
  if (failed != 0) return IoError(words[0] + ": can't be started");
  if (Interrupted()) kill(child, SIGTERM);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (Interrupted()) return Cancelled("cancelled");
  if (WIFEXITED(status)) ended.exit_code = WEXITSTATUS(status);
  return ended;
}

// The last line of what fovea-convert says is why it failed; those before it, or all when it did not, are warnings.
// for_test: those about a missing self-test too.
std::string PassOnWarnings(const std::string& said, bool failed, bool for_test) {
  std::vector<std::string> lines;
  std::istringstream text(said);
  for (std::string line; std::getline(text, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  std::string last;
  if (failed && !lines.empty()) {
    const std::string prefix = "fovea-convert: ";
    last = lines.back().starts_with(prefix) ? lines.back().substr(prefix.size()) : lines.back();
    lines.pop_back();
  }
  for (const std::string& line : lines) {
    if (for_test || !line.starts_with("warning: no self-test")) std::fprintf(stderr, "%s\n", line.c_str());
  }
  return last;
}

Result<Model> ConvertAndLoad(const std::string& path, bool for_test) {
  const std::string remedy = "run fovea-convert " + path + " -o model.fov";
  const std::string converter = Converter();
  if (converter.empty()) {
    return InvalidArgument(path +
                           ": a bundle that has not been converted, and fovea-convert is not beside this program; " +
                           remedy + " where it is, and take model.fov");
  }
  FOVEA_ASSIGN_OR_RETURN(const TemporaryFolder folder, TemporaryFolder::Create());
  const std::string made = (fs::path(folder.path()) / "model.fov").string();
  const auto ended = RunToEnd({converter, path, "-o", made, "--quiet"}, folder.path());
  if (!ended.ok()) return ended.status();
  // 1: converted, but its self-test failed, which the converter tells.
  const bool failed = ended->exit_code != kDone && ended->exit_code != kCheckFailed;
  const std::string why = PassOnWarnings(ended->said, failed, for_test);
  if (failed) return InvalidArgument(why.empty() ? path + ": can't be converted; " + remedy + " to see why" : why);
  return Model::Load(made);
}

// A network in a format of another program, by its name.
bool LooksLikeNetwork(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    return fs::exists(fs::path(path) / "saved_model.pb", error) || fs::exists(fs::path(path) / "model.json", error);
  }
  static constexpr const char* kEndings[] = {".onnx", ".pb", ".h5", ".hdf5", ".keras", "model.json", ".zip"};
  return fs::is_regular_file(path, error) && std::any_of(std::begin(kEndings), std::end(kEndings),
                                                         [&path](const char* end) { return path.ends_with(end); });
}

}  // namespace

Result<Model> LoadModel(const std::string& path, bool for_test) {
  if (formats::LooksLikeBundle(path)) return ConvertAndLoad(path, for_test);
  auto model = Model::Load(path);
  if (model.ok()) return model;
  if (LooksLikeNetwork(path)) {
    return InvalidArgument(path + ": a network that has not been converted; run fovea-convert " + path +
                           " -o model.fov, and take model.fov");
  }
  std::error_code error;
  if (fs::is_directory(path, error)) {
    return NotFound(path +
                    ": a folder without the description of a model (rdf.yaml, config.xml, meta.json, ...); fovea "
                    "models lists the models in a folder");
  }
  return model;
}

}  // namespace fovea::cli
