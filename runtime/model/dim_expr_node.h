// The canonical form behind DimExpr: a polynomial with integer coefficients over atoms.
//
//   node = constant + sum over terms of coefficient * product of factors
//
// Factors are atoms: a symbol, or what a polynomial cannot express (floor division, minimum, ...), whose operands are
// nodes again. Factors within a term and terms within a node are sorted by a structural order, like terms are merged
// and zero terms dropped, so that equal polynomials are equal structures. An expression that has no value whatever the
// input (division by the constant 0, coefficients beyond 64 bits, more than kMaxTokens) is a node with `error` set; it
// equals nothing, itself included.
//
// Internal to dim_expr*.cc.
#ifndef FOVEA_RUNTIME_MODEL_DIM_EXPR_NODE_H_
#define FOVEA_RUNTIME_MODEL_DIM_EXPR_NODE_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "runtime/model/dim_expr.h"

namespace fovea {

// Limits on what is kept or read: numbers of tokens in the encoded form, and of operators inside one another.
inline constexpr int kMaxTokens = 4096;
inline constexpr int kMaxDepth = 256;

// First token of each item of the encoded form. Stored in .fov files: append only.
enum class DimOp : int64_t {
  kConst = 0,         // value
  kInputDim = 1,      // input, axis
  kInputValue = 2,    // input, element
  kAdd = 3,           // of the two expressions before it; so are the next ones
  kMultiply = 4,      //
  kFloorDiv = 5,      //
  kMin = 6,           //
  kMax = 7,           //
  kIsEqual = 8,       //
  kScale = 9,         // of the expression before it; bits of the factor as a double
  kScaleByInput = 10  // of the expression before it; input, element
};

struct DimAtom {
  DimOp op;          // any but kConst and kAdd; kMultiply: a product too long to multiply out
  int64_t i = 0;     // input; bits of the factor
  int64_t j = 0;     // axis or element
  DimExpr a{}, b{};  // operands, 0 where there is none
};
using DimAtomPtr = std::shared_ptr<const DimAtom>;

struct DimTerm {
  int64_t coefficient = 1;
  std::vector<DimAtomPtr> factors;  // sorted, not empty
};

struct DimExpr::Node {
  int64_t constant = 0;
  std::vector<DimTerm> terms;  // sorted, coefficients not 0
  const char* error = nullptr;
  int tokens = 3;  // of the encoded form; an upper bound
  int depth = 1;
};

// Access to the form for the functions that make up DimExpr.
struct DimExprBuilder {
  static const DimExpr::Node& NodeOf(const DimExpr& e) { return *e.node_; }
  static DimExpr Error(const char* sentence);
  // Sorts, merges, measures and checks the limits.
  static DimExpr Make(int64_t constant, std::vector<DimTerm> terms);
  static DimExpr Atom(DimAtom atom);
};

// Structural order; 0 when equal. Terms: a monomial order (lexicographic), as exact division needs.
int CompareAtoms(const DimAtom& a, const DimAtom& b);
int CompareNodes(const DimExpr& a, const DimExpr& b);
int CompareFactors(const std::vector<DimAtomPtr>& a, const std::vector<DimAtomPtr>& b);

// Limits of what an expression can be, sizes of inputs being 0 or more. The extremes of int64_t mean unlimited.
struct DimBounds {
  static constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
  static constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();
  int64_t low = kLowest, high = kHighest;
  bool operator==(const DimBounds&) const = default;
};
DimBounds BoundsOf(const DimExpr& e);

}  // namespace fovea

#endif  // FOVEA_RUNTIME_MODEL_DIM_EXPR_NODE_H_
