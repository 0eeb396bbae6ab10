// The passes and their order. Each pass is one rewrite in one file, does not know of the others, and leaves a graph
// that computes the same; the pipeline verifies the graph after each.
#ifndef FOVEA_CONVERTER_PASSES_PIPELINE_H_
#define FOVEA_CONVERTER_PASSES_PIPELINE_H_

#include <span>

#include "converter/convert.h"
#include "converter/ir/graph.h"

namespace fovea::converter {

struct Pass {
  const char* name;
  Status (*run)(ir::Graph* graph);
};
std::span<const Pass> Passes();

// What --dump-ir takes: the passes, the rewrites that frontends do after reading, "import" and "all".
bool IsDumpable(const std::string& name);
std::string DumpableNames();
// Prints the graph to stderr where options.dump_ir names the pass.
void Dump(const ir::Graph& graph, const std::string& pass, const Options& options);

Status RunPasses(ir::Graph* graph, const Options& options, Report* report);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_PASSES_PIPELINE_H_
