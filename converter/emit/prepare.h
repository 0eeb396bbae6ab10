// The last changes before emission: what the file demands and the passes need not care about.
#ifndef FOVEA_CONVERTER_EMIT_PREPARE_H_
#define FOVEA_CONVERTER_EMIT_PREPARE_H_

#include "converter/ir/graph.h"

namespace fovea::converter {

// Inputs whose elements occur in sizes become shape inputs (read when planned): nodes that read them as data get the
// elements from a Dims node instead. Outputs that are inputs, constants or another output's value get an identity node
// of their own. The result is compact.
Status PrepareForEmission(ir::Graph* graph);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_EMIT_PREPARE_H_
