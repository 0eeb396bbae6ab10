#include "converter/passes/pipeline.h"

#include <cstdio>

#include "converter/passes/passes.h"

namespace fovea::converter {
namespace {

// Clean up; recognise what exporters spell out, while axes are still the source's; then order of axes; then what only
// shows in channels-last order. fuse_activation runs twice: before residuals, so that conv-relu-add is not taken for
// conv-add-relu, and after them for the activation behind the sum.
constexpr Pass kPasses[] = {
    {"dead_code", DeadCode},
    {"remove_identity", RemoveIdentity},
    {"fold_constants", FoldConstants},
    {"fuse_depth_to_space", FuseDepthToSpace},
    {"fuse_group_norm", FuseGroupNorm},
    {"layout", Layout},
    {"compose_reshapes", ComposeReshapes},
    {"remove_identity", RemoveIdentity},
    {"common_subexpressions", CommonSubexpressions},
    {"merge_pads", MergePads},
    {"simplify_affine", SimplifyAffine},
    {"fold_batch_norm", FoldBatchNorm},
    {"fuse_activation", FuseActivation},
    {"fold_pad", FoldPad},
    {"fuse_residual", FuseResidual},
    {"fuse_activation", FuseActivation},
    {"fold_constants", FoldConstants},
    {"common_subexpressions", CommonSubexpressions},
};

// A pass may open the way for itself (chains of pads, of additions), so it runs until the graph stops shrinking.
constexpr int kMaxRepeats = 8;

void Dump(const ir::Graph& graph, const std::string& pass, const Options& options) {
  if (options.dump_ir != pass && options.dump_ir != "all") return;
  std::fprintf(stderr, "# after %s\n%s\n", pass.c_str(), graph.ToString().c_str());
}

}  // namespace

std::span<const Pass> Passes() { return kPasses; }

Status RunPasses(ir::Graph* graph, const Options& options, Report* report) {
  graph->Compact();
  Dump(*graph, "import", options);
  FOVEA_RETURN_IF_ERROR(ir::Verify(*graph).Prefixed("after import"));
  for (const Pass& pass : kPasses) {
    const int before = static_cast<int>(graph->nodes.size());
    for (int repeat = 0, count = before; repeat < kMaxRepeats; ++repeat) {
      FOVEA_RETURN_IF_ERROR(pass.run(graph).Prefixed(std::string("pass ") + pass.name));
      FOVEA_RETURN_IF_ERROR(ir::Verify(*graph).Prefixed(std::string("after pass ") + pass.name));
      if (static_cast<int>(graph->nodes.size()) >= count) break;
      count = static_cast<int>(graph->nodes.size());
    }
    if (report != nullptr) report->passes.push_back({pass.name, before, static_cast<int>(graph->nodes.size())});
    Dump(*graph, pass.name, options);
  }
  return OkStatus();
}

}  // namespace fovea::converter
