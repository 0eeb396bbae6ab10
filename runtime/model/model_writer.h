// Writing .fov files: the converter's side of model.fbs. A target of its own (fovea::model_writer): deployed programs
// only read.
#ifndef FOVEA_RUNTIME_MODEL_MODEL_WRITER_H_
#define FOVEA_RUNTIME_MODEL_MODEL_WRITER_H_

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "runtime/model/graph.h"

namespace fovea {

// The bytes of the file. Verifies first: a graph that could not be loaded is not written.
Result<std::vector<std::byte>> SerializeModel(const Graph& graph, std::span<const std::byte> weights);

// The name beside `path` that WriteModel writes under, of this process.
std::string TemporaryName(const std::string& path);

// Serialises to a temporary name beside `path`, then renames. Nothing is left behind on failure.
Status WriteModel(const std::string& path, const Graph& graph, std::span<const std::byte> weights);
// The same for weights that lie in pieces, which are the weight section one after another: large models are written
// from where their constants are.
Status WriteModel(const std::string& path, const Graph& graph, std::span<const std::span<const std::byte>> weights);

}  // namespace fovea

#endif  // FOVEA_RUNTIME_MODEL_MODEL_WRITER_H_
