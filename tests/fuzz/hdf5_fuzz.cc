// Keras HDF5 files from anywhere, through import, passes and emission.
#include <cstddef>
#include <cstdint>
#include <span>

#include "converter/keras/import.h"
#include "converter/passes/pipeline.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fovea;
  converter::Report report;
  converter::Options options;
  ir::Graph graph;
  Status status =
      converter::ImportKerasFromBytes(std::as_bytes(std::span(data, size)), "fuzz", options, &graph, &report);
  if (status.ok()) status = converter::RunPasses(&graph, options, &report);
  if (status.ok()) (void)converter::Emit(graph, options).ok();
  return 0;
}
