// Shape inference: the one place that knows how each operator's output sizes follow from its inputs' sizes.
//
// Used with DimExpr by the converter (sizes that depend on the image stay symbolic) and with int64_t by the planner
// (all sizes known).
#ifndef FOVEA_RUNTIME_MODEL_SHAPES_H_
#define FOVEA_RUNTIME_MODEL_SHAPES_H_

#include <span>
#include <vector>

#include "runtime/model/ops.h"

namespace fovea {

// inputs: sizes of each input in the operator's order; an absent optional input has null. Every operator has one
// output. bindings: null leaves parameters symbolic (Dim = DimExpr); with Dim = int64_t they are evaluated with it.
// Fails with a sentence that names what does not fit ("channels 32 of x against 64 of the weights"); the caller adds
// the node.
template <class Dim>
Result<std::vector<Dim>> InferShape(const OpParams& params, std::span<const std::vector<Dim>* const> inputs,
                                    const DimBindings* bindings);

template <>
Result<std::vector<int64_t>> InferShape(const OpParams&, std::span<const std::vector<int64_t>* const>,
                                        const DimBindings*);
template <>
Result<std::vector<DimExpr>> InferShape(const OpParams&, std::span<const std::vector<DimExpr>* const>,
                                        const DimBindings*);

}  // namespace fovea

#endif  // FOVEA_RUNTIME_MODEL_SHAPES_H_
