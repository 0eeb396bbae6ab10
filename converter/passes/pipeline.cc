#include "converter/passes/pipeline.h"

#include <algorithm>
#include <cstdio>

#include "converter/passes/passes.h"
#include "converter/tensorflow/idioms.h"

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
    {"split_doubled", SplitDoubled},
    {"fold_constants", FoldConstants},
    {"common_subexpressions", CommonSubexpressions},
};

// A pass may open the way for itself (chains of pads, of additions), so it runs until the graph stops shrinking.
constexpr int kMaxRepeats = 8;

std::vector<std::string> Dumpable() {
  std::vector<std::string> names{"import"};
  for (const auto& idiom : tf::Idioms()) names.emplace_back(idiom.name);
  for (const Pass& pass : kPasses) {
    if (std::find(names.begin(), names.end(), pass.name) == names.end()) names.emplace_back(pass.name);
  }
  names.emplace_back("all");
  return names;
}

}  // namespace

bool IsDumpable(const std::string& name) {
  const std::vector<std::string> names = Dumpable();
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string DumpableNames() {
  std::string list;
  for (const std::string& name : Dumpable()) list += (list.empty() ? "" : ", ") + name;
  return list;
}

void Dump(const ir::Graph& graph, const std::string& pass, const Options& options) {
  if (options.dump_ir != pass && options.dump_ir != "all") return;
  std::fprintf(stderr, "# after %s\n%s\n", pass.c_str(), graph.ToString().c_str());
}

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
