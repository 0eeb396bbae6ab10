#include "tools/fovea/run_paths.h"

#include <glob.h>

#include <algorithm>
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

Result<RunPaths> MatchPaths(const std::vector<std::string>& words, const std::string& out) {
  RunPaths paths;
  FOVEA_ASSIGN_OR_RETURN(paths.inputs, ExpandInputs(words));
  std::error_code error;
  const bool folder = paths.inputs.size() > 1 || words.size() > 1 || fs::is_directory(words[0], error) ||
                      fs::is_directory(out, error) || out.back() == '/';
  paths.folder = folder;
  if (!folder) {
    paths.outputs = {out};
    return paths;
  }
  fs::create_directories(out, error);
  if (!fs::is_directory(out))
    return IoError(out + ": can't make this folder" + (error ? ": " + error.message() : std::string()));
  for (const std::string& input : paths.inputs) {
    const std::string path = (fs::path(out) / OutputName(input)).string();
    if (std::find(paths.outputs.begin(), paths.outputs.end(), path) != paths.outputs.end()) {
      return InvalidArgument("two inputs would be written to " + path + "; run them into folders of their own");
    }
    paths.outputs.push_back(path);
  }
  return paths;
}

}  // namespace fovea::cli
