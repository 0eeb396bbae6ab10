// DimExpr: a size as an exact integer expression over the sizes of the model's inputs.
//
// A network with dynamic height and width is converted once and planned for each image: what the source file computes
// from Shape nodes, SAME padding, pooling with ceil_mode and so on becomes an expression here. Expressions are kept in
// a canonical form (a polynomial over atoms; floor((a + k c) / c) = floor(a / c) + k), so that equality of the forms
// proves equality of the sizes. Sizes of inputs are taken to be 0 or more. Immutable and cheap to copy.
//
// Operators cannot fail: an expression without a value (constant division by zero, numbers beyond 64 bits, more than
// 4096 tokens) equals nothing, itself included, and Evaluate and Decode report it.
#ifndef FOVEA_RUNTIME_MODEL_DIM_EXPR_H_
#define FOVEA_RUNTIME_MODEL_DIM_EXPR_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/include/fovea/status.h"

namespace fovea {

// What the symbols stand for when an expression is evaluated.
struct DimBindings {
  // Sizes of each model input, stored axis order.
  std::span<const std::vector<int64_t>> input_dims;
  // Elements of each model input that is a small vector of numbers deciding sizes (ONNX shape inputs); empty vectors
  // otherwise.
  std::span<const std::vector<double>> input_values;
};

class DimExpr {
 public:
  DimExpr(int64_t constant = 0);  // NOLINT(google-explicit-constructor): a number is an expression
  static DimExpr InputDim(int input, int axis);
  static DimExpr InputValue(int input, int element);  // truncated to an integer

  friend DimExpr operator+(const DimExpr& a, const DimExpr& b);
  friend DimExpr operator-(const DimExpr& a, const DimExpr& b);
  friend DimExpr operator*(const DimExpr& a, const DimExpr& b);
  friend DimExpr FloorDiv(const DimExpr& a, const DimExpr& b);  // towards minus infinity
  friend DimExpr CeilDiv(const DimExpr& a, const DimExpr& b);
  friend DimExpr Mod(const DimExpr& a, const DimExpr& b);  // a - b floor(a / b)
  friend DimExpr Min(const DimExpr& a, const DimExpr& b);
  friend DimExpr Max(const DimExpr& a, const DimExpr& b);
  // floor(a * factor) computed in double, as ONNX Resize defines output sizes.
  friend DimExpr ScaleFloor(const DimExpr& a, double factor);
  // The same with a factor that is element `element` of model input `input`.
  friend DimExpr ScaleFloorByInput(const DimExpr& a, int input, int element);
  friend DimExpr IsEqual(const DimExpr& a, const DimExpr& b);  // 1 or 0

  bool IsConst() const;
  int64_t Const() const;  // requires IsConst()
  // True: equal for every input. False: not provably so.
  friend bool operator==(const DimExpr& a, const DimExpr& b);

  // Fails on division by zero, overflow, and symbols that the bindings do not have.
  Result<int64_t> Evaluate(const DimBindings& bindings) const;

  // Whether every symbol exists: inputs of these ranks, which hold so many values (0: not an input of sizes).
  bool RefersOnlyTo(std::span<const int> input_ranks, std::span<const int64_t> input_values) const;

  // "2*floor(in0.1/2)"; `input_names` (may be empty) replace "in0".
  std::string ToString(std::span<const std::string> input_names = {}) const;

  // Reverse Polish form for the model file. Decode checks depth, length and every token.
  std::vector<int64_t> Encode() const;
  static Result<DimExpr> Decode(std::span<const int64_t> tokens);

  struct Node;

 private:
  explicit DimExpr(std::shared_ptr<const Node> node);
  std::shared_ptr<const Node> node_;
  friend struct DimExprBuilder;
};

}  // namespace fovea

#endif  // FOVEA_RUNTIME_MODEL_DIM_EXPR_H_
