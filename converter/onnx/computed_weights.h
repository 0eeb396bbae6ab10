// Convolutions whose weights are not constants but computed from the model's inputs (hypernetworks; ONNX's own tests).
//
// The runtime packs weights when a session is created, so such a convolution is written with other operators: the
// shifted copies of the padded image side by side, times the weights as a matrix. Slow and large, but right.
#ifndef FOVEA_CONVERTER_ONNX_COMPUTED_WEIGHTS_H_
#define FOVEA_CONVERTER_ONNX_COMPUTED_WEIGHTS_H_

#include "converter/onnx/common.h"

namespace fovea::converter {

// True where v follows from constants and sizes alone, so that it is constant once passes have folded it.
bool IsComputedFromConstants(const ir::Graph& graph, ValueId v);

// x: channels last. weights: [kd, kh, kw, Cin/groups, Cout]. The bias is not added.
Result<ValueId> ConvWithComputedWeights(ir::Builder& b, ValueId x, ValueId weights, const Window& w, int64_t groups);
Result<ValueId> ConvTransposeWithComputedWeights(ir::Builder& b, ValueId x, ValueId weights, const Window& w,
                                                 int64_t groups);

}  // namespace fovea::converter

#endif  // FOVEA_CONVERTER_ONNX_COMPUTED_WEIGHTS_H_
