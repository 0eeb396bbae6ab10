#include "converter/onnx/import.h"

#include <google/protobuf/io/coded_stream.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "converter/onnx/importer.h"

namespace fovea::converter {

Status ImportOnnxFromBytes(std::span<const std::byte> bytes, const std::string& name, const std::string& folder,
                           const Options& options, ir::Graph* graph, Report* report) {
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return CorruptFile(name + ": more than 2 GiB; the format keeps larger weights in a second file");
  }
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  stream.SetTotalBytesLimit(std::numeric_limits<int>::max());
  stream.SetRecursionLimit(100);  // subgraphs in subgraphs, each four messages deep
  onnx::ModelProto model;
  if (bytes.empty() || !model.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    return CorruptFile(name + ": not an ONNX file, or cut off");
  }
  return Importer(options, graph, report, folder).Import(&model).Prefixed(name);
}

Status ImportOnnx(const std::string& path, const Options& options, ir::Graph* graph, Report* report) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::exists(path, error)) return NotFound(path + ": no such file");
  if (!fs::is_regular_file(path, error)) return InvalidArgument(path + ": not a file");
  const uint64_t size = fs::file_size(path, error);
  if (error) return IoError(path + ": cannot be read");
  if (size > static_cast<uint64_t>(std::numeric_limits<int>::max())) {
    return CorruptFile(path + ": more than 2 GiB; the format keeps larger weights in a second file");
  }
  std::vector<std::byte> bytes(size);
  std::ifstream in(path, std::ios::binary);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (!in) return IoError(path + ": cannot be read");
  fs::path folder = fs::path(path).parent_path();
  if (folder.empty()) folder = ".";
  return ImportOnnxFromBytes(bytes, path, folder.string(), options, graph, report);
}

}  // namespace fovea::converter
