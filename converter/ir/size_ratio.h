// Arithmetic on single rational sizes. nullopt: not expressible exactly.
//
// Signs: an expression's sign is judged by evaluating it at sample sizes; where samples disagree nothing is assumed.
#ifndef FOVEA_CONVERTER_IR_SIZE_RATIO_H_
#define FOVEA_CONVERTER_IR_SIZE_RATIO_H_

#include <optional>

#include "converter/ir/graph.h"

namespace fovea::ir {

SizeRatio RatioOf(double constant);
std::optional<double> ConstRatio(const SizeRatio& x);

std::optional<SizeRatio> ApplyUnary(const Graph& graph, const kernels::Activation& fn, const SizeRatio& x);
// integers: operands are integer tensors, so that Div truncates.
std::optional<SizeRatio> ApplyBinary(const Graph& graph, kernels::BinaryFn fn, const SizeRatio& a, const SizeRatio& b,
                                     bool integers);
SizeRatio ApplySelect(const SizeRatio& condition, const SizeRatio& a, const SizeRatio& b);
// Truncation towards zero.
std::optional<SizeRatio> Truncate(const Graph& graph, const SizeRatio& x);
std::optional<SizeRatio> IsNotZero(const SizeRatio& x);

// -1, 0 or 1 when x has that sign (0: is zero) at every sample of input sizes; 1 also for "non-negative". nullopt: it
// changes sign.
std::optional<int> SampleSign(const Graph& graph, const DimExpr& x);

}  // namespace fovea::ir

#endif  // FOVEA_CONVERTER_IR_SIZE_RATIO_H_
