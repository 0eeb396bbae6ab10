// TF.js models from anywhere, through import, passes and emission: model.json, a zero byte, and the bytes of its only
// shard.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "converter/passes/pipeline.h"
#include "converter/tfjs/import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fovea;
  const uint8_t* end = std::find(data, data + size, uint8_t{0});
  const std::string json(data, end);
  const std::string shard(end == data + size ? end : end + 1, data + size);
  const auto read_shard = [&](const std::string&, uint64_t limit) -> Result<std::string> {
    if (shard.size() > limit) return CorruptFile("too large");
    return shard;
  };
  converter::Report report;
  converter::Options options;
  ir::Graph graph;
  Status status = converter::ImportTfjsFromText(json, read_shard, "fuzz", options, &graph, &report);
  if (status.ok()) status = converter::RunPasses(&graph, options, &report);
  if (status.ok()) (void)converter::Emit(graph, options).ok();
  return 0;
}
