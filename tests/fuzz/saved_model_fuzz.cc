// saved_model.pb from anywhere, without weights, through flattening, import, passes and emission.
#include <cstddef>
#include <cstdint>

#include "converter/passes/pipeline.h"
#include "converter/saved_model/import.h"
#include "tests/fuzz/memory_tree.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fovea;
  converter::Report report;
  converter::Options options;
  options.no_weights = true;
  if (size > 0 && data[size - 1] % 2 == 1) options.dropout_seed = 1;
  fuzz::MemoryTree tree({{"saved_model.pb", std::string(data, data + size)}});
  std::vector<std::string> warnings;
  const auto tf = converter::ReadSavedModel(&tree, options, &warnings);
  if (!tf.ok()) return 0;
  ir::Graph graph;
  Status status = converter::ImportTfGraph(*tf, options, &graph, &report);
  if (status.ok()) status = converter::RunPasses(&graph, options, &report);
  if (status.ok()) (void)converter::Emit(graph, options).ok();
  return 0;
}
