// Frozen graphs from anywhere, through flattening, import, passes and emission.
#include <cstddef>
#include <cstdint>

#include "converter/passes/pipeline.h"
#include "converter/saved_model/import.h"
#include "tests/fuzz/memory_tree.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fovea;
  converter::Report report;
  const converter::Options options;
  fuzz::MemorySource source(std::string(data, data + size));
  const auto tf = converter::ReadFrozenGraph(&source, options);
  if (!tf.ok()) return 0;
  ir::Graph graph;
  Status status = converter::ImportTfGraph(*tf, options, &graph, &report);
  if (status.ok()) status = converter::RunPasses(&graph, options, &report);
  if (status.ok()) (void)converter::Emit(graph, options).ok();
  return 0;
}
