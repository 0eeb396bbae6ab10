// TF.js models from anywhere, through the importer: model.json, a zero byte, and the bytes of its only shard.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "converter/tfjs/import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const uint8_t* end = std::find(data, data + size, uint8_t{0});
  const std::string json(data, end);
  const std::string shard(end == data + size ? end : end + 1, data + size);
  const auto read_shard = [&](const std::string&, uint64_t limit) -> fovea::Result<std::string> {
    if (shard.size() > limit) return fovea::CorruptFile("too large");
    return shard;
  };
  fovea::ir::Graph graph;
  fovea::converter::Report report;
  const fovea::Status status = fovea::converter::ImportTfjsFromText(json, read_shard, "fuzz", {}, &graph, &report);
  if (!status.ok() && status.message().empty()) __builtin_trap();
  return 0;
}
