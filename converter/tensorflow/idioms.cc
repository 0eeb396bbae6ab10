#include "converter/tensorflow/idioms.h"

namespace fovea::converter::tf {

Status RecogniseIdioms(ir::Graph* graph, Report* report) {
  constexpr struct {
    const char* name;
    Status (*run)(ir::Graph*);
  } kIdioms[] = {{"fuse_activation_spellings", FuseActivationSpellings},
                 {"fuse_normalization", FuseNormalization},
                 {"fuse_upsampling", FuseUpsampling}};
  for (const auto& idiom : kIdioms) {
    const int before = static_cast<int>(graph->nodes.size());
    FOVEA_RETURN_IF_ERROR(idiom.run(graph).Prefixed(idiom.name));
    report->passes.push_back({idiom.name, before, static_cast<int>(graph->nodes.size())});
  }
  return OkStatus();
}

}  // namespace fovea::converter::tf
