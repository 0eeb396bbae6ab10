// What TensorFlow and Keras spell out in small operators, found again after the import. Each function is one rewrite,
// one a file (its opening says what it finds), and leaves a graph that computes the same.
#ifndef FOVEA_CONVERTER_TENSORFLOW_IDIOMS_H_
#define FOVEA_CONVERTER_TENSORFLOW_IDIOMS_H_

#include <span>

#include "converter/convert.h"
#include "converter/ir/graph.h"

namespace fovea::converter::tf {

Status FuseUpsampling(ir::Graph* graph);
Status FuseNormalization(ir::Graph* graph);
Status FuseActivationSpellings(ir::Graph* graph);

struct Idiom {
  const char* name;
  Status (*run)(ir::Graph* graph);
};
std::span<const Idiom> Idioms();

// All of them; the report gets a line a rewrite.
Status RecogniseIdioms(ir::Graph* graph, const Options& options, Report* report);

// Letters of the axes of inputs and outputs: images are channels last unless the graph says otherwise.
void NameAxes(ir::Graph* graph);

}  // namespace fovea::converter::tf

#endif  // FOVEA_CONVERTER_TENSORFLOW_IDIOMS_H_
