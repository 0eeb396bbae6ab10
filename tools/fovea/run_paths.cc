#include "tools/fovea/run_paths.h"

#include <glob.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace fovea::cli {
namespace {

namespace fs = std::filesystem;

bool HasImageExtension(const std::string& path) {
  static const std::vector<std::string> kExtensions = {".tif", ".tiff", ".btf", ".png",
                                                       ".jpg", ".jpeg", ".bmp", ".npy"};
  std::string extension = fs::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

// Files, the images of folders, and what patterns match, in order.
Result<std::vector<std::string>> ExpandInputs(const std::vector<std::string>& words) {
  std::vector<std::string> files;
  for (const std::string& word : words) {
    std::error_code error;
    if (fs::is_directory(word, error)) {
      std::vector<std::string> inside;
      for (const auto& entry : fs::directory_iterator(word, error)) {
        if (entry.is_regular_file(error) && HasImageExtension(entry.path().string()))
          inside.push_back(entry.path().string());
      }
      if (inside.empty()) return NotFound(word + ": no images in this folder");
      std::sort(inside.begin(), inside.end());
      files.insert(files.end(), inside.begin(), inside.end());
    } else if (!fs::exists(word, error) && word.find_first_of("*?[") != std::string::npos) {
      glob_t matches = {};
      const int found = glob(word.c_str(), 0, nullptr, &matches);
      for (size_t i = 0; found == 0 && i < matches.gl_pathc; ++i) files.emplace_back(matches.gl_pathv[i]);
      globfree(&matches);
      if (found != 0) return NotFound(word + ": no file matches");
    } else {
      files.push_back(word);
    }
  }
  return files;
}

// Of the words that are not patterns; those that name nothing are told before anything runs.
Status CheckInputs(const std::vector<std::string>& words, bool only_numbers) {
  for (const std::string& word : words) {
    std::error_code error;
    if (fs::status(word, error).type() != fs::file_type::not_found) continue;
    if (word.find_first_of("*?[") != std::string::npos) continue;
    char* end = nullptr;
    std::strtod(word.c_str(), &end);
    const bool number = !word.empty() && *end == '\0';
    if (number) return NotFound(word + ": there is no such input; a threshold is said as --threshold " + word);
    if (!only_numbers) return NotFound(word + ": there is no such file or folder");
  }
  return OkStatus();
}

// Folder outputs keep the input's name; what is not TIFF or NPY becomes .tif.
std::string OutputName(const std::string& input) {
  const fs::path path(input);
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  if (extension == ".tif" || extension == ".tiff" || extension == ".btf" || extension == ".npy")
    return path.filename().string();
  return path.stem().string() + ".tif";
}

}  // namespace

std::string SiblingPath(const std::string& path, const std::string& name) {
  const size_t slash = path.find_last_of('/');
  size_t dot = path.rfind('.');
  if (dot == std::string::npos || (slash != std::string::npos && dot < slash)) dot = path.size();
  if (dot >= 4 && path.compare(dot - 4, 4, ".ome") == 0) dot -= 4;
  std::string safe = name;
  for (char& c : safe) {
    if (c == '/' || c == ':' || c == '\\') c = '_';
  }
  return path.substr(0, dot) + "_" + safe + path.substr(dot);
}

std::string WithoutSuffix(const std::string& path, const std::string& name) {
  const std::string suffix = SiblingPath("", name);
  const size_t at = path.rfind(suffix);
  if (at == std::string::npos) return path;
  const std::string without = path.substr(0, at) + path.substr(at + suffix.size());
  return SiblingPath(without, name) == path ? without : path;
}

Result<RunPaths> MatchPaths(const std::vector<std::string>& words, const std::string& given,
                            const ResultNaming& naming) {
  RunPaths paths;
  std::error_code error;
  FOVEA_RETURN_IF_ERROR(CheckInputs(words, true));
  const bool of_folder = fs::is_directory(words[0], error);
  if (given.empty() && words.size() > 1) {
    return InvalidArgument("say where the results of several inputs go: -o FOLDER");
  }
  FOVEA_RETURN_IF_ERROR(CheckInputs(words, false));
  FOVEA_ASSIGN_OR_RETURN(paths.inputs, ExpandInputs(words));
  const bool several = paths.inputs.size() > 1 || words.size() > 1 || of_folder;
  if (several && HasImageExtension(given) && !fs::is_directory(given, error)) {
    return InvalidArgument(given + ": is the name of one image, but there are several inputs; say a folder, -o " +
                           (fs::path(given).parent_path() / fs::path(given).stem()).string() + "/");
  }
  std::string out = given;
  if (given.empty()) {
    const fs::path input = fs::path(words[0]).lexically_normal();
    const fs::path named = input.has_filename() ? input : input.parent_path();  // "images/"
    out = of_folder ? named.string() + "_" + naming.model
                    : SiblingPath((named.parent_path() / OutputName(paths.inputs[0])).string(), naming.model);
  }
  paths.folder = several || fs::is_directory(out, error) || out.back() == '/';
  paths.says_output =
      !naming.output.empty() && (paths.folder || given.empty() || WithoutSuffix(given, naming.output) != given);
  const auto named = [&](const std::string& path) {
    return paths.says_output && WithoutSuffix(path, naming.output) == path ? SiblingPath(path, naming.output) : path;
  };
  if (!paths.folder) {
    paths.outputs = {named(out)};
    return paths;
  }
  fs::create_directories(out, error);
  if (!fs::is_directory(out))
    return IoError(out + ": can't make this folder" + (error ? ": " + error.message() : std::string()));
  for (const std::string& input : paths.inputs) {
    const std::string path = named((fs::path(out) / OutputName(input)).string());
    if (std::find(paths.outputs.begin(), paths.outputs.end(), path) != paths.outputs.end()) {
      return InvalidArgument("two inputs would be written to " + path + "; run them into folders of their own");
    }
    paths.outputs.push_back(path);
  }
  return paths;
}

}  // namespace fovea::cli
