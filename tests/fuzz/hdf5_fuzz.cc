// Keras HDF5 files from anywhere, through the importer.
#include <cstddef>
#include <cstdint>
#include <span>

#include "converter/keras/import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fovea::ir::Graph graph;
  fovea::converter::Report report;
  const fovea::Status status =
      fovea::converter::ImportKerasFromBytes(std::as_bytes(std::span(data, size)), "fuzz", {}, &graph, &report);
  if (!status.ok() && status.message().empty()) __builtin_trap();
  return 0;
}
