#include "converter/tensorflow/idioms.h"

#include "converter/passes/pipeline.h"

namespace fovea::converter::tf {

std::span<const Idiom> Idioms() {
  static constexpr Idiom kIdioms[] = {{"fuse_activation_spellings", FuseActivationSpellings},
                                      {"fuse_normalization", FuseNormalization},
                                      {"fuse_upsampling", FuseUpsampling}};
  return kIdioms;
}

Status RecogniseIdioms(ir::Graph* graph, const Options& options, Report* report) {
  for (const Idiom& idiom : Idioms()) {
    const int before = static_cast<int>(graph->nodes.size());
    FOVEA_RETURN_IF_ERROR(idiom.run(graph).Prefixed(idiom.name));
    report->passes.push_back({idiom.name, before, static_cast<int>(graph->nodes.size())});
    Dump(*graph, idiom.name, options);
  }
  return OkStatus();
}

}  // namespace fovea::converter::tf
