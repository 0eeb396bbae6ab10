#include "archive/zip_writer.h"

#include <zip.h>

#include <algorithm>
#include <filesystem>
#include <vector>

namespace fovea::archive {

namespace fs = std::filesystem;

Status WriteZip(const std::string& folder, const std::string& path) {
  constexpr time_t kDate = 315532800;  // 1980-01-01, the first that zips can hold
  std::vector<std::string> names;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->is_regular_file(error)) names.push_back(it->path().lexically_relative(folder).generic_string());
  }
  if (error) return IoError(folder + ": can't be listed: " + error.message());
  std::sort(names.begin(), names.end());
  const Status failed = IoError(path + ": can't be written; is there such a folder and room in it?");
  const std::string part = path + ".part";
  zip_t* zip = zip_open(part.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  if (zip == nullptr) return failed;
  bool good = true;
  for (const std::string& name : names) {
    zip_source_t* source = zip_source_file(zip, (fs::path(folder) / name).c_str(), 0, -1);
    const zip_int64_t index = source == nullptr ? -1 : zip_file_add(zip, name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0 && source != nullptr) zip_source_free(source);
    good = good && index >= 0 && zip_file_set_mtime(zip, static_cast<zip_uint64_t>(index), kDate, 0) == 0;
  }
  // zip_close writes; libzip itself writes to a temporary name first.
  if (!good || zip_close(zip) != 0) {
    zip_discard(zip);
    return failed;
  }
  fs::rename(part, path, error);
  return error ? failed : OkStatus();
}

}  // namespace fovea::archive
