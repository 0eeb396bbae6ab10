// Limits of a size expression, by interval arithmetic. They decide minima, maxima and equalities: the padding that
// TensorFlow's SAME computes, max((ceil(h / 2) - 1) 2 + 3 - h, 0), loses its maximum here, and what is built upon it
// its complexity.
#include <algorithm>
#include <numeric>

#include "runtime/model/dim_expr_node.h"

namespace fovea {
namespace {

constexpr int64_t kLowest = DimBounds::kLowest, kHighest = DimBounds::kHighest;

// Visits that one question may make: more means "unlimited", never a wrong answer.
constexpr int kMaxVisits = 400;

int64_t AddLow(int64_t a, int64_t b) {
  int64_t sum = 0;
  return a == kLowest || b == kLowest || __builtin_add_overflow(a, b, &sum) ? kLowest : sum;
}
int64_t AddHigh(int64_t a, int64_t b) {
  int64_t sum = 0;
  return a == kHighest || b == kHighest || __builtin_add_overflow(a, b, &sum) ? kHighest : sum;
}
DimBounds Add(DimBounds a, DimBounds b) { return {AddLow(a.low, b.low), AddHigh(a.high, b.high)}; }

DimBounds Times(DimBounds a, int64_t c) {  // c != 0
  const auto times = [c](int64_t limit, int64_t unlimited) {
    int64_t product = 0;
    return limit == kLowest || limit == kHighest || __builtin_mul_overflow(limit, c, &product) ? unlimited : product;
  };
  return c > 0 ? DimBounds{times(a.low, kLowest), times(a.high, kHighest)}
               : DimBounds{times(a.high, kLowest), times(a.low, kHighest)};
}

DimBounds Product(DimBounds a, DimBounds b) {
  if (a.low == a.high && a.low != 0) return Times(b, a.low);
  if (a.low < 0 || b.low < 0) return {};
  int64_t high = 0;
  const bool limited = a.high != kHighest && b.high != kHighest && !__builtin_mul_overflow(a.high, b.high, &high);
  int64_t low = 0;
  if (__builtin_mul_overflow(a.low, b.low, &low)) return {};
  return {low, limited ? high : kHighest};
}

int64_t FloorQuotient(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

DimBounds NodeBounds(const DimExpr& e, int* visits);

DimBounds AtomBounds(const DimAtom& atom, int* visits) {
  switch (atom.op) {
    case DimOp::kInputDim: return {0, kHighest};
    case DimOp::kIsEqual: return {0, 1};
    case DimOp::kMultiply: return Product(NodeBounds(atom.a, visits), NodeBounds(atom.b, visits));
    case DimOp::kMin: {
      const DimBounds a = NodeBounds(atom.a, visits), b = NodeBounds(atom.b, visits);
      return {std::min(a.low, b.low), std::min(a.high, b.high)};
    }
    case DimOp::kMax: {
      const DimBounds a = NodeBounds(atom.a, visits), b = NodeBounds(atom.b, visits);
      return {std::max(a.low, b.low), std::max(a.high, b.high)};
    }
    case DimOp::kFloorDiv: {
      if (!atom.b.IsConst()) return {};
      const DimBounds a = NodeBounds(atom.a, visits);
      const int64_t c = atom.b.Const();  // > 0 in the canonical form
      return {a.low == kLowest ? kLowest : FloorQuotient(a.low, c),
              a.high == kHighest ? kHighest : FloorQuotient(a.high, c)};
    }
    default: return {};
  }
}

const DimAtom* AsFloorByConstant(const DimTerm& t) {
  const DimAtom& atom = *t.factors[0];
  return t.factors.size() == 1 && atom.op == DimOp::kFloorDiv && atom.b.IsConst() ? &atom : nullptr;
}

// c floor(x / c) = x - (x mod c): the x may cancel against other terms, and the remainder is in [0, c - 1]. `times` is
// the multiple of e in which every floor has such a coefficient: times e = opened + remainders.
bool OpenFloors(const DimExpr& e, int64_t* times, DimExpr* opened, DimBounds* remainders) {
  constexpr int64_t kMaxTimes = int64_t{1} << 20;
  const DimExpr::Node& node = DimExprBuilder::NodeOf(e);
  *times = 1;
  bool any = false;
  for (const DimTerm& t : node.terms) {
    const DimAtom* const floor = AsFloorByConstant(t);
    if (floor == nullptr) continue;
    any = true;
    const int64_t c = floor->b.Const();
    const int64_t needed = c / std::gcd(t.coefficient % c, c);
    if (needed > kMaxTimes) return false;
    *times = std::lcm(*times, needed);
    if (*times > kMaxTimes) return false;
  }
  *opened = *times * e;
  *remainders = {0, 0};
  for (const DimTerm& t : node.terms) {
    const DimAtom* const floor = AsFloorByConstant(t);
    int64_t coefficient = 0;
    if (floor == nullptr) continue;
    if (__builtin_mul_overflow(t.coefficient, *times, &coefficient)) return false;
    const int64_t c = floor->b.Const();
    *opened = *opened - DimExprBuilder::Make(0, {{coefficient, t.factors}}) + floor->a * (coefficient / c);
    *remainders = Add(*remainders, Times({1 - c, 0}, coefficient / c));
  }
  return any && DimExprBuilder::NodeOf(*opened).error == nullptr;
}

DimBounds NodeBounds(const DimExpr& e, int* visits) {
  const DimExpr::Node& node = DimExprBuilder::NodeOf(e);
  if (node.error != nullptr || --*visits < 0) return {};
  DimBounds sum{node.constant, node.constant};
  for (const DimTerm& t : node.terms) {
    DimBounds product{1, 1};
    for (const DimAtomPtr& f : t.factors) product = Product(product, AtomBounds(*f, visits));
    sum = Add(sum, Times(product, t.coefficient));
  }
  int64_t times = 1;
  DimExpr opened;
  DimBounds remainders;
  if (*visits > 0 && OpenFloors(e, &times, &opened, &remainders)) {
    const DimBounds other = Add(NodeBounds(opened, visits), remainders);
    if (other.low != kLowest) sum.low = std::max(sum.low, -FloorQuotient(-other.low, times));
    if (other.high != kHighest) sum.high = std::min(sum.high, FloorQuotient(other.high, times));
  }
  return sum;
}

}  // namespace

DimBounds BoundsOf(const DimExpr& e) {
  int visits = kMaxVisits;
  return NodeBounds(e, &visits);
}

}  // namespace fovea
