// What the axes of a model's inputs and outputs mean, where nobody says.
//
// Letters: b batch, c channels, z y x space, i anything else (Port::axes in runtime/model/graph.h).
#ifndef FOVEA_CONVERTER_EMIT_AXES_H_
#define FOVEA_CONVERTER_EMIT_AXES_H_

#include <string>

#include "converter/convert.h"
#include "converter/ir/graph.h"

namespace fovea::converter {

// Letters of a port in stored order: those of Options.axes, of the port itself, or guessed: channels last where the
// value meets a spatial operator on its way (those take N, [D,] [H,] W, C), else b c z y x in source order.
Result<std::string> StoredAxes(const ir::Graph& graph, const ir::Port& port, const Options& options);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_EMIT_AXES_H_
