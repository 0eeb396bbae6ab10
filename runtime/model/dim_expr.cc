// The algebra of DimExpr: what brings every operation into the canonical form of dim_expr_node.h.
#include "runtime/model/dim_expr.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include "runtime/model/dim_expr_node.h"

namespace fovea {
namespace {

using Builder = DimExprBuilder;

constexpr const char* kOverflow = "numbers beyond 64 bits";
constexpr const char* kZeroDivision = "division by zero";
// Products are multiplied out up to here; beyond, the product is an atom.
constexpr size_t kMaxProductTerms = 64;
constexpr size_t kMaxFactors = 16;

const DimExpr::Node& N(const DimExpr& e) { return Builder::NodeOf(e); }

int64_t FloorQuotient(int64_t a, int64_t b) {  // b > 0
  const int64_t q = a / b;
  return q - (a % b < 0 ? 1 : 0);
}

int64_t FloorRemainder(int64_t a, int64_t b) { return a % b + (a % b < 0 ? b : 0); }

int Sign(int64_t a, int64_t b) { return a < b ? -1 : a > b ? 1 : 0; }

// The one of the operands that failed, if any did.
const DimExpr* Failed(const DimExpr& a, const DimExpr& b) {
  return N(a).error != nullptr ? &a : N(b).error != nullptr ? &b : nullptr;
}

bool MultiplyTerms(const DimTerm& a, const DimTerm& b, DimTerm* product) {
  if (__builtin_mul_overflow(a.coefficient, b.coefficient, &product->coefficient)) return false;
  product->factors.resize(a.factors.size() + b.factors.size());
  std::merge(a.factors.begin(), a.factors.end(), b.factors.begin(), b.factors.end(), product->factors.begin(),
             [](const DimAtomPtr& x, const DimAtomPtr& y) { return CompareAtoms(*x, *y) < 0; });
  return true;
}

DimExpr Times(const DimExpr& e, int64_t factor) {
  if (N(e).error != nullptr) return e;
  if (factor == 0) return 0;
  int64_t constant = 0;
  std::vector<DimTerm> terms = N(e).terms;
  if (__builtin_mul_overflow(N(e).constant, factor, &constant)) return Builder::Error(kOverflow);
  for (DimTerm& t : terms) {
    if (__builtin_mul_overflow(t.coefficient, factor, &t.coefficient)) return Builder::Error(kOverflow);
  }
  return Builder::Make(constant, std::move(terms));
}

// The terms with the constant as one of them, without factors; first the leading one.
std::vector<DimTerm> AllTerms(const DimExpr& e) {
  std::vector<DimTerm> terms = N(e).terms;
  if (N(e).constant != 0) terms.push_back({N(e).constant, {}});
  return terms;
}

DimExpr FromTerm(DimTerm t) {
  if (t.factors.empty()) return DimExpr(t.coefficient);
  std::vector<DimTerm> terms;
  terms.push_back(std::move(t));
  return Builder::Make(0, std::move(terms));
}

// a / b where it is a term; false where it is not.
bool DivideTerms(const DimTerm& a, const DimTerm& b, DimTerm* quotient) {
  if (a.coefficient == DimBounds::kLowest || a.coefficient % b.coefficient != 0) return false;
  quotient->coefficient = a.coefficient / b.coefficient;
  quotient->factors.clear();
  size_t used = 0;
  for (const DimAtomPtr& f : a.factors) {
    if (used < b.factors.size() && CompareAtoms(*f, *b.factors[used]) == 0) {
      ++used;
    } else {
      quotient->factors.push_back(f);
    }
  }
  return used == b.factors.size();
}

// Long division; true when the remainder is 0, and then the quotient times b is a.
bool DivideExactly(const DimExpr& a, const DimExpr& b, DimExpr* quotient) {
  const DimTerm lead = AllTerms(b).front();
  DimExpr rest = a;
  *quotient = 0;
  for (size_t step = 0; step <= kMaxProductTerms; ++step) {
    if (N(rest).error != nullptr || N(*quotient).error != nullptr) return false;
    const std::vector<DimTerm> terms = AllTerms(rest);
    if (terms.empty()) return true;
    DimTerm q;
    if (!DivideTerms(terms.front(), lead, &q)) return false;
    const DimExpr part = FromTerm(std::move(q));
    *quotient = *quotient + part;
    rest = rest - part * b;
  }
  return false;
}

// floor(e / c), c > 0.
DimExpr DivideByConstant(const DimExpr& e, int64_t c) {
  if (c == 1) return e;
  // Whole multiples of c leave the floor: e = c whole + rest with every coefficient of rest in [0, c).
  const int64_t whole_constant = FloorQuotient(N(e).constant, c);
  int64_t rest_constant = FloorRemainder(N(e).constant, c);
  int64_t common = c;
  std::vector<DimTerm> whole, rest;
  for (const DimTerm& t : N(e).terms) {
    const int64_t q = FloorQuotient(t.coefficient, c);
    const int64_t r = FloorRemainder(t.coefficient, c);
    if (q != 0) whole.push_back({q, t.factors});
    if (r != 0) rest.push_back({r, t.factors});
    common = std::gcd(common, r);
  }
  const DimExpr outside = Builder::Make(whole_constant, std::move(whole));
  if (rest.empty()) return outside;
  // floor((g x + r) / (g c)) = floor((x + floor(r / g)) / c)
  for (DimTerm& t : rest) t.coefficient /= common;
  rest_constant /= common;
  c /= common;
  DimExpr inside = Builder::Make(rest_constant, rest);
  if (c == 1) return outside + inside;
  // floor((floor(x / b) + r) / c) = floor((x + r b) / (b c))
  if (rest.size() == 1 && rest[0].coefficient == 1 && rest[0].factors.size() == 1) {
    const DimAtom& atom = *rest[0].factors[0];
    int64_t product = 0;
    if (atom.op == DimOp::kFloorDiv && atom.b.IsConst() && !__builtin_mul_overflow(atom.b.Const(), c, &product)) {
      const DimExpr joined = atom.a + Times(atom.b, rest_constant);
      if (N(joined).error == nullptr) return outside + DivideByConstant(joined, product);
    }
  }
  const DimBounds bounds = BoundsOf(inside);
  if (bounds.low != DimBounds::kLowest && bounds.high != DimBounds::kHighest &&
      FloorQuotient(bounds.low, c) == FloorQuotient(bounds.high, c)) {
    return outside + FloorQuotient(bounds.low, c);
  }
  return outside + Builder::Atom({DimOp::kFloorDiv, 0, 0, std::move(inside), c});
}

// Minimum and maximum and equality do not depend on the order of their operands.
DimExpr Symmetric(DimOp op, const DimExpr& a, const DimExpr& b) {
  return CompareNodes(a, b) <= 0 ? Builder::Atom({op, 0, 0, a, b}) : Builder::Atom({op, 0, 0, b, a});
}

}  // namespace

DimExpr DimExprBuilder::Error(const char* sentence) {
  auto node = std::make_shared<DimExpr::Node>();
  node->error = sentence;
  return DimExpr(std::shared_ptr<const DimExpr::Node>(std::move(node)));
}

DimExpr DimExprBuilder::Make(int64_t constant, std::vector<DimTerm> terms) {
  std::sort(terms.begin(), terms.end(),
            [](const DimTerm& a, const DimTerm& b) { return CompareFactors(a.factors, b.factors) < 0; });
  auto node = std::make_shared<DimExpr::Node>();
  node->constant = constant;
  for (DimTerm& t : terms) {
    if (!node->terms.empty() && CompareFactors(node->terms.back().factors, t.factors) == 0) {
      int64_t& sum = node->terms.back().coefficient;
      if (__builtin_add_overflow(sum, t.coefficient, &sum)) return Error(kOverflow);
    } else {
      if (!node->terms.empty() && node->terms.back().coefficient == 0) node->terms.pop_back();
      node->terms.push_back(std::move(t));
    }
  }
  if (!node->terms.empty() && node->terms.back().coefficient == 0) node->terms.pop_back();
  for (const DimTerm& t : node->terms) {
    node->tokens += 4;  // coefficient, product, sum
    for (const DimAtomPtr& f : t.factors) {
      node->tokens += N(f->a).tokens + N(f->b).tokens + 4;
      node->depth = std::max({node->depth, N(f->a).depth + 1, N(f->b).depth + 1});
    }
    if (node->tokens > kMaxTokens || node->depth > kMaxDepth) return Error("an expression that is too long");
  }
  return DimExpr(std::shared_ptr<const DimExpr::Node>(std::move(node)));
}

DimExpr DimExprBuilder::Atom(DimAtom atom) {
  std::vector<DimTerm> terms(1);
  terms[0].factors.push_back(std::make_shared<const DimAtom>(std::move(atom)));
  return Make(0, std::move(terms));
}

int CompareAtoms(const DimAtom& a, const DimAtom& b) {
  if (&a == &b) return 0;
  if (a.op != b.op) return Sign(static_cast<int64_t>(a.op), static_cast<int64_t>(b.op));
  if (a.i != b.i) return Sign(a.i, b.i);
  if (a.j != b.j) return Sign(a.j, b.j);
  const int first = CompareNodes(a.a, b.a);
  return first != 0 ? first : CompareNodes(a.b, b.b);
}

int CompareFactors(const std::vector<DimAtomPtr>& a, const std::vector<DimAtomPtr>& b) {
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const int order = CompareAtoms(*a[i], *b[i]);
    if (order != 0) return order;
  }
  return Sign(static_cast<int64_t>(b.size()), static_cast<int64_t>(a.size()));  // of higher degree: first
}

int CompareNodes(const DimExpr& a, const DimExpr& b) {
  const DimExpr::Node& x = N(a);
  const DimExpr::Node& y = N(b);
  if (&x == &y) return 0;
  if (x.terms.size() != y.terms.size()) return x.terms.size() < y.terms.size() ? -1 : 1;
  for (size_t i = 0; i < x.terms.size(); ++i) {
    const int order = CompareFactors(x.terms[i].factors, y.terms[i].factors);
    if (order != 0) return order;
    if (x.terms[i].coefficient != y.terms[i].coefficient) {
      return Sign(x.terms[i].coefficient, y.terms[i].coefficient);
    }
  }
  return Sign(x.constant, y.constant);
}

DimExpr::DimExpr(int64_t constant) {
  auto node = std::make_shared<Node>();
  node->constant = constant;
  node_ = std::move(node);
}
DimExpr::DimExpr(std::shared_ptr<const Node> node) : node_(std::move(node)) {}

DimExpr DimExpr::InputDim(int input, int axis) { return Builder::Atom({DimOp::kInputDim, input, axis}); }
DimExpr DimExpr::InputValue(int input, int element) { return Builder::Atom({DimOp::kInputValue, input, element}); }

bool DimExpr::IsConst() const { return node_->terms.empty() && node_->error == nullptr; }
int64_t DimExpr::Const() const { return node_->constant; }

bool operator==(const DimExpr& a, const DimExpr& b) { return Failed(a, b) == nullptr && CompareNodes(a, b) == 0; }

DimExpr operator+(const DimExpr& a, const DimExpr& b) {
  if (const DimExpr* failed = Failed(a, b)) return *failed;
  int64_t constant = 0;
  if (__builtin_add_overflow(a.Const(), b.Const(), &constant)) return Builder::Error(kOverflow);
  if (a.IsConst() && b.IsConst()) return DimExpr(constant);
  std::vector<DimTerm> terms = N(a).terms;
  terms.insert(terms.end(), N(b).terms.begin(), N(b).terms.end());
  return Builder::Make(constant, std::move(terms));
}

DimExpr operator-(const DimExpr& a, const DimExpr& b) { return a + Times(b, -1); }

DimExpr operator*(const DimExpr& a, const DimExpr& b) {
  if (const DimExpr* failed = Failed(a, b)) return *failed;
  if (b.IsConst()) return Times(a, b.Const());
  if (a.IsConst()) return Times(b, a.Const());
  const std::vector<DimTerm> left = AllTerms(a), right = AllTerms(b);
  std::vector<DimTerm> terms;
  bool multiply_out = left.size() * right.size() <= kMaxProductTerms;
  for (size_t i = 0; i < left.size() && multiply_out; ++i) {
    for (const DimTerm& r : right) {
      DimTerm product;
      if (!MultiplyTerms(left[i], r, &product)) return Builder::Error(kOverflow);
      multiply_out = multiply_out && product.factors.size() <= kMaxFactors;
      terms.push_back(std::move(product));
    }
  }
  if (!multiply_out) return Symmetric(DimOp::kMultiply, a, b);
  int64_t constant = 0;
  if (!terms.empty() && terms.back().factors.empty()) {  // the product of the two constants, which come last
    constant = terms.back().coefficient;
    terms.pop_back();
  }
  return Builder::Make(constant, std::move(terms));
}

DimExpr FloorDiv(const DimExpr& a, const DimExpr& b) {
  if (const DimExpr* failed = Failed(a, b)) return *failed;
  if (b.IsConst()) {
    const int64_t c = b.Const();
    if (c == 0) return Builder::Error(kZeroDivision);
    if (c > 0) return DivideByConstant(a, c);
    if (c == DimBounds::kLowest) return Builder::Error(kOverflow);
    const DimExpr negated = Times(a, -1);
    return N(negated).error != nullptr ? negated : DivideByConstant(negated, -c);
  }
  DimExpr quotient;
  if (DivideExactly(a, b, &quotient)) return quotient;
  return Builder::Atom({DimOp::kFloorDiv, 0, 0, a, b});
}

DimExpr CeilDiv(const DimExpr& a, const DimExpr& b) {
  if (b.IsConst() && b.Const() > 0) return FloorDiv(a + (b.Const() - 1), b);
  return Times(FloorDiv(Times(a, -1), b), -1);
}

DimExpr Mod(const DimExpr& a, const DimExpr& b) { return a - b * FloorDiv(a, b); }

DimExpr Min(const DimExpr& a, const DimExpr& b) {
  if (const DimExpr* failed = Failed(a, b)) return *failed;
  const DimBounds difference = BoundsOf(a - b);
  if (difference.high <= 0) return a;
  if (difference.low >= 0) return b;
  return Symmetric(DimOp::kMin, a, b);
}

DimExpr Max(const DimExpr& a, const DimExpr& b) {
  if (const DimExpr* failed = Failed(a, b)) return *failed;
  const DimBounds difference = BoundsOf(a - b);
  if (difference.low >= 0) return a;
  if (difference.high <= 0) return b;
  return Symmetric(DimOp::kMax, a, b);
}

DimExpr IsEqual(const DimExpr& a, const DimExpr& b) {
  if (const DimExpr* failed = Failed(a, b)) return *failed;
  const DimBounds difference = BoundsOf(a - b);
  if (difference.low == 0 && difference.high == 0) return 1;
  if (difference.low > 0 || difference.high < 0) return 0;
  return Symmetric(DimOp::kIsEqual, a, b);
}

DimExpr ScaleFloor(const DimExpr& a, double factor) {
  if (N(a).error != nullptr) return a;
  if (!std::isfinite(factor)) return Builder::Error("a scale that is not a number");
  if (a.IsConst()) {
    const double scaled = std::floor(static_cast<double>(a.Const()) * factor);
    if (!(std::fabs(scaled) < 0x1p62)) return Builder::Error(kOverflow);
    return DimExpr(static_cast<int64_t>(scaled));
  }
  // Short binary fractions (2, 0.5, 1.5) multiply exactly in double, so the floor is that of the exact quotient.
  for (int64_t denominator = 1; denominator <= 1024; denominator *= 2) {
    const double numerator = factor * static_cast<double>(denominator);
    if (std::fabs(numerator) <= 1024 && numerator == std::floor(numerator)) {
      return FloorDiv(Times(a, static_cast<int64_t>(numerator)), denominator);
    }
  }
  return Builder::Atom({DimOp::kScale, std::bit_cast<int64_t>(factor), 0, a});
}

DimExpr ScaleFloorByInput(const DimExpr& a, int input, int element) {
  if (N(a).error != nullptr) return a;
  return Builder::Atom({DimOp::kScaleByInput, input, element, a});
}

}  // namespace fovea
