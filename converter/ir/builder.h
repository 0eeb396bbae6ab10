// Builder: how frontends and passes add to a Graph. Shapes are inferred as nodes are added, and what can be known at
// once is: arithmetic on sizes becomes `elements`, small constant arithmetic becomes constants. So when a frontend
// meets Reshape it asks Elements(shape input) and gets expressions, whatever chain of Shape/Gather/Slice/Concat
// computed them.
#ifndef FOVEA_CONVERTER_IR_BUILDER_H_
#define FOVEA_CONVERTER_IR_BUILDER_H_

#include <optional>
#include <string>
#include <vector>

#include "converter/ir/graph.h"

namespace fovea::ir {

// The numbers of a tensor with its axes moved: axis i of the result is axis perm[i] of the source. dims are numbers.
std::vector<float> PermutedData(const std::vector<float>& src, const std::vector<DimExpr>& dims,
                                const std::vector<int64_t>& perm);

class Builder {
 public:
  explicit Builder(Graph* graph) : graph_(graph) {}

  // A model input. dims in source order; pass DimExpr::InputDim(index, axis) for sizes that are open. Small integer
  // vectors get elements InputValue(index, i): when sizes come to depend on them, the port becomes a shape input.
  ValueId Input(const std::string& name, DType dtype, std::vector<DimExpr> dims);
  void Output(const std::string& name, ValueId value);

  ValueId Constant(const std::string& name, DType dtype, std::vector<int64_t> dims, std::vector<float> data);
  ValueId Constant(const std::string& name, DType dtype, std::vector<int64_t> dims, ConstData data);
  ValueId Scalar(float value);
  // Integers of any magnitude. Sets both constant (rounded to float) and elements (exact).
  ValueId Integers(const std::string& name, DType dtype, std::vector<int64_t> dims, const std::vector<int64_t>& data);
  // A vector (or scalar, rank 0) of size expressions.
  ValueId Sizes(const std::string& name, std::vector<DimExpr> elements, int rank, DType dtype = DType::kInt64);
  // The same of any shape.
  ValueId Sizes(const std::string& name, std::vector<DimExpr> elements, std::vector<int64_t> dims, DType dtype);

  // Adds one operator; the value it gives. dtype: of the result, default that of the first input (comparisons and Not:
  // bool, ArgReduce and Dims: int64, Cast: its target). Constant inputs of at most kFoldLimit elements fold at once;
  // larger constant arithmetic is left to the folding pass. Errors are those of shape inference, prefixed with the
  // node's name.
  Result<ValueId> Add(OpParams params, std::vector<ValueId> inputs, std::optional<DType> dtype = std::nullopt);

  // Convenience for frequent operators; same errors.
  Result<ValueId> Transpose(ValueId x, std::vector<int64_t> perm);  // identity permutations add nothing
  Result<ValueId> Reshape(ValueId x, std::vector<DimExpr> dims);
  Result<ValueId> Unary(kernels::UnaryFn fn, ValueId x, float alpha = 0, float beta = 0);
  Result<ValueId> Binary(kernels::BinaryFn fn, ValueId a, ValueId b);
  Result<ValueId> Cast(ValueId x, DType to);
  // Dropout that stays: elements kept with probability `keep` and divided by it, decided by the seed and by the place
  // along `axes`; the node's number in the graph tells it from others.
  Result<ValueId> Dropout(ValueId x, float keep, std::vector<int64_t> axes, uint64_t seed);

  // What is known of a value. Elements: nullopt when it depends on data.
  const Value& value(ValueId v) const { return graph_->values[static_cast<size_t>(v)]; }
  const std::vector<DimExpr>& dims(ValueId v) const { return value(v).dims; }
  int rank(ValueId v) const { return static_cast<int>(value(v).dims.size()); }
  std::optional<std::vector<DimExpr>> Elements(ValueId v) const;
  std::optional<std::vector<SizeRatio>> Ratios(ValueId v) const;       // floats computed from sizes; integers too
  std::optional<std::vector<int64_t>> ConstIntegers(ValueId v) const;  // elements that are all numbers
  std::optional<std::vector<float>> ConstFloats(ValueId v) const;

  // Nodes added from here on carry these in messages and profiles.
  void SetSource(std::string node_name, std::string source_operator);

  Graph* graph() { return graph_; }

  static constexpr int64_t kFoldLimit = 4096;

 private:
  ValueId NewValue(Value value);
  ValueId AppendNode(OpParams params, std::vector<ValueId> inputs, Value value);

  Graph* graph_;
  std::string node_name_, source_operator_;
};

}  // namespace fovea::ir

#endif  // FOVEA_CONVERTER_IR_BUILDER_H_
