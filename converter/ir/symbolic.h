// Arithmetic on tensors of sizes: what Shape, Gather, Slice, Concat, Cast, Mul ... compute, as expressions of the input
// sizes.
//
// Tensors are row-major lists of rational sizes (SizeRatio); integers have factor and denominator 1. Anything that
// cannot be said exactly gives nullopt, never an approximation.
#ifndef FOVEA_CONVERTER_IR_SYMBOLIC_H_
#define FOVEA_CONVERTER_IR_SYMBOLIC_H_

#include <optional>
#include <span>
#include <vector>

#include "converter/ir/graph.h"

namespace fovea::ir {

// Larger tensors are data, not sizes.
inline constexpr int64_t kMaxSizeElements = 1024;

// The double that the shortest decimal of x denotes: 0.7 for 0.7f. Scales are written by people as decimals: 10 * 0.7f
// is 7 in float32 arithmetic, and in double only with this factor.
double DecimalOf(float x);

bool IsInteger(const SizeRatio& x);

// Number of elements when all dims are numbers and the product is at most `limit`.
std::optional<int64_t> SmallCount(const std::vector<DimExpr>& dims, int64_t limit);

// What is known of a value's elements (constants included). nullopt: data.
std::optional<std::vector<SizeRatio>> KnownElements(const Value& value);

// Elements of an operator's result. out_dims and out_dtype: the result's.
std::optional<std::vector<SizeRatio>> InferElements(const Graph& graph, const OpParams& params,
                                                    std::span<const ValueId> inputs,
                                                    const std::vector<DimExpr>& out_dims, DType out_dtype);

// True when x can be computed from the sizes of the model's inputs alone, without elements of shape inputs.
bool OnlyInputSizes(const Graph& graph, const DimExpr& x);

}  // namespace fovea::ir

#endif  // FOVEA_CONVERTER_IR_SYMBOLIC_H_
