#include "converter/onnx/external_data.h"

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>

namespace fovea::converter {
namespace fs = std::filesystem;

namespace {

Result<uint64_t> ParseNumber(const std::string& key, const std::string& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return CorruptFile("external data with " + key + " that is not a number");
  }
  return value;
}

// True where `inner` lies below `outer`; both canonical.
bool IsBelow(const fs::path& outer, const fs::path& inner) {
  auto i = inner.begin();
  for (const fs::path& part : outer) {
    if (i == inner.end() || *i != part) return false;
    ++i;
  }
  return i != inner.end();
}

}  // namespace

Result<std::string> ReadExternalData(const onnx::TensorProto& tensor, const std::string& folder, size_t bytes) {
  std::string location;
  uint64_t offset = 0, length = bytes;
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") {
      FOVEA_ASSIGN_OR_RETURN(offset, ParseNumber("offset", entry.value()));
    }
    if (entry.key() == "length") {
      FOVEA_ASSIGN_OR_RETURN(length, ParseNumber("length", entry.value()));
    }
  }
  if (location.empty()) return CorruptFile("external data without a location");
  if (folder.empty()) return Unsupported("external data cannot be read from a model in memory");
  if (length != bytes) {
    return CorruptFile("external data of " + std::to_string(length) + " bytes where the dims ask for " +
                       std::to_string(bytes));
  }

  const fs::path relative(location);
  bool leaves = relative.is_absolute() || location.find('\0') != std::string::npos;
  for (const fs::path& part : relative) leaves = leaves || part == "..";
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  if (error) return IoError("cannot resolve the folder " + folder);
  const fs::path file = leaves ? fs::path() : fs::canonical(root / relative, error);
  if (!leaves && error) return NotFound("external data file '" + location + "' is missing beside the model");
  if (leaves || !IsBelow(root, file)) {
    return CorruptFile("external data '" + location + "' lies outside the model's folder");
  }
  if (!fs::is_regular_file(file, error)) return CorruptFile("external data '" + location + "' is not a file");
  const uint64_t size = fs::file_size(file, error);
  if (error) return IoError("cannot read the size of " + location);
  if (offset > size || length > size - offset) {
    return CorruptFile("external data ends at byte " + std::to_string(offset) + " + " + std::to_string(length) +
                       " but '" + location + "' has " + std::to_string(size));
  }

  std::ifstream in(file, std::ios::binary);
  std::string data(length, '\0');
  in.seekg(static_cast<std::streamoff>(offset));
  in.read(data.data(), static_cast<std::streamsize>(length));
  if (!in) return IoError("cannot read external data '" + location + "'");
  return data;
}

}  // namespace fovea::converter
