// What DimExpr gives away: its value, its text, its encoded form.
#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "runtime/model/dim_expr_node.h"

namespace fovea {
namespace {

using Node = DimExpr::Node;

const Node& N(const DimExpr& e) { return DimExprBuilder::NodeOf(e); }

Status Overflow() { return InvalidArgument("a size is beyond 64 bits"); }

Result<int64_t> Truncated(double value) {
  if (!(std::fabs(value) < 0x1p62)) return Overflow();
  return static_cast<int64_t>(value);
}

Result<double> InputValueOf(const DimBindings& bindings, int64_t input, int64_t element) {
  if (input < 0 || static_cast<size_t>(input) >= bindings.input_values.size() || element < 0 ||
      static_cast<size_t>(element) >= bindings.input_values[static_cast<size_t>(input)].size()) {
    return InvalidArgument("element " + std::to_string(element) + " of model input " + std::to_string(input) +
                           " decides a size and is not given");
  }
  return bindings.input_values[static_cast<size_t>(input)][static_cast<size_t>(element)];
}

Result<int64_t> EvaluateAtom(const DimAtom& atom, const DimBindings& bindings) {
  if (atom.op == DimOp::kInputDim) {
    if (atom.i < 0 || static_cast<size_t>(atom.i) >= bindings.input_dims.size() || atom.j < 0 ||
        static_cast<size_t>(atom.j) >= bindings.input_dims[static_cast<size_t>(atom.i)].size()) {
      return InvalidArgument("the size of axis " + std::to_string(atom.j) + " of model input " +
                             std::to_string(atom.i) + " is not given");
    }
    return bindings.input_dims[static_cast<size_t>(atom.i)][static_cast<size_t>(atom.j)];
  }
  if (atom.op == DimOp::kInputValue) {
    FOVEA_ASSIGN_OR_RETURN(const double value, InputValueOf(bindings, atom.i, atom.j));
    return Truncated(value);
  }
  FOVEA_ASSIGN_OR_RETURN(const int64_t a, atom.a.Evaluate(bindings));
  FOVEA_ASSIGN_OR_RETURN(const int64_t b, atom.b.Evaluate(bindings));
  switch (atom.op) {
    case DimOp::kMultiply: {
      int64_t product = 0;
      if (__builtin_mul_overflow(a, b, &product)) return Overflow();
      return product;
    }
    case DimOp::kFloorDiv:
      if (b == 0) return InvalidArgument("a size is divided by zero");
      if (b == -1) return a == DimBounds::kLowest ? Result<int64_t>(Overflow()) : Result<int64_t>(-a);
      return a / b - (a % b != 0 && (a % b < 0) != (b < 0) ? 1 : 0);
    case DimOp::kMin: return std::min(a, b);
    case DimOp::kMax: return std::max(a, b);
    case DimOp::kIsEqual: return a == b ? 1 : 0;
    case DimOp::kScale: return Truncated(std::floor(static_cast<double>(a) * std::bit_cast<double>(atom.i)));
    case DimOp::kScaleByInput: {
      FOVEA_ASSIGN_OR_RETURN(const double factor, InputValueOf(bindings, atom.i, atom.j));
      return Truncated(std::floor(static_cast<double>(a) * factor));
    }
    default: return Internal("an unknown kind of size expression");
  }
}

// Calls visit(atom) for every atom, operands after the atom they belong to; stops and gives false when it does.
template <class Visit>
bool AllAtoms(const DimExpr& e, const Visit& visit) {
  for (const DimTerm& t : N(e).terms) {
    for (const DimAtomPtr& f : t.factors) {
      if (!visit(*f) || !AllAtoms(f->a, visit) || !AllAtoms(f->b, visit)) return false;
    }
  }
  return true;
}

std::string Number(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value);  // shortest text that reads back, in any locale
  return std::string(text, end.ptr);
}

struct Printer {
  std::span<const std::string> names;

  std::string Input(int64_t i) const {
    return i >= 0 && static_cast<size_t>(i) < names.size() ? names[static_cast<size_t>(i)] : "in" + std::to_string(i);
  }
  std::string Element(const DimAtom& atom) const { return Input(atom.i) + "[" + std::to_string(atom.j) + "]"; }

  // In brackets where a sum would be taken apart by what surrounds it.
  std::string Operand(const DimExpr& e) const {
    const std::string text = Text(e);
    return N(e).terms.size() + (N(e).constant != 0 ? 1 : 0) > 1 ? std::string("(") + text + ")" : text;
  }
  std::string Atom(const DimAtom& atom) const {
    switch (atom.op) {
      case DimOp::kInputDim: return Input(atom.i) + "." + std::to_string(atom.j);
      case DimOp::kInputValue: return Element(atom);
      case DimOp::kMultiply: return Operand(atom.a) + "*" + Operand(atom.b);
      case DimOp::kFloorDiv: return std::string("floor(") + Operand(atom.a) + "/" + Operand(atom.b) + ")";
      case DimOp::kMin: return std::string("min(") + Text(atom.a) + "," + Text(atom.b) + ")";
      case DimOp::kMax: return std::string("max(") + Text(atom.a) + "," + Text(atom.b) + ")";
      case DimOp::kIsEqual: return std::string("(") + Text(atom.a) + "==" + Text(atom.b) + ")";
      case DimOp::kScale:
        return std::string("floor(") + Operand(atom.a) + "*" + Number(std::bit_cast<double>(atom.i)) + ")";
      case DimOp::kScaleByInput: return std::string("floor(") + Operand(atom.a) + "*" + Element(atom) + ")";
      default: return "?";
    }
  }
  std::string Text(const DimExpr& e) const {
    if (N(e).error != nullptr) return std::string("(") + N(e).error + ")";
    std::string text;
    for (const DimTerm& t : N(e).terms) {
      std::string term;
      for (const DimAtomPtr& f : t.factors) {
        if (!term.empty()) term += "*";
        term += Atom(*f);
      }
      if (t.coefficient == -1) {
        text += "-";
      } else {
        if (t.coefficient > 0 && !text.empty()) text += "+";
        if (t.coefficient != 1) text += std::to_string(t.coefficient) + "*";
      }
      text += term;
    }
    if (N(e).constant == 0 && !text.empty()) return text;
    if (N(e).constant > 0 && !text.empty()) text += "+";
    return text + std::to_string(N(e).constant);
  }
};

void EncodeTo(const DimExpr& e, std::vector<int64_t>* tokens);

void EncodeAtom(const DimAtom& atom, std::vector<int64_t>* tokens) {
  const bool is_symbol = atom.op == DimOp::kInputDim || atom.op == DimOp::kInputValue;
  const bool is_scale = atom.op == DimOp::kScale || atom.op == DimOp::kScaleByInput;
  if (!is_symbol) EncodeTo(atom.a, tokens);
  if (!is_symbol && !is_scale) EncodeTo(atom.b, tokens);
  tokens->push_back(static_cast<int64_t>(atom.op));
  if (is_symbol || is_scale) tokens->push_back(atom.i);
  if (is_symbol || atom.op == DimOp::kScaleByInput) tokens->push_back(atom.j);
}

void EncodeTo(const DimExpr& e, std::vector<int64_t>* tokens) {
  const Node& node = N(e);
  const auto constant = [tokens](int64_t value) {
    tokens->push_back(static_cast<int64_t>(DimOp::kConst));
    tokens->push_back(value);
  };
  bool first = true;
  for (const DimTerm& t : node.terms) {
    bool first_factor = t.coefficient == 1;
    if (!first_factor) constant(t.coefficient);
    for (const DimAtomPtr& f : t.factors) {
      EncodeAtom(*f, tokens);
      if (!first_factor) tokens->push_back(static_cast<int64_t>(DimOp::kMultiply));
      first_factor = false;
    }
    if (!first) tokens->push_back(static_cast<int64_t>(DimOp::kAdd));
    first = false;
  }
  if (first) return constant(node.constant);
  if (node.constant == 0) return;
  constant(node.constant);
  tokens->push_back(static_cast<int64_t>(DimOp::kAdd));
}

DimExpr Apply(DimOp op, const DimExpr& a, const DimExpr& b) {
  switch (op) {
    case DimOp::kAdd: return a + b;
    case DimOp::kMultiply: return a * b;
    case DimOp::kFloorDiv: return FloorDiv(a, b);
    case DimOp::kMin: return Min(a, b);
    case DimOp::kMax: return Max(a, b);
    default: return IsEqual(a, b);
  }
}

}  // namespace

Result<int64_t> DimExpr::Evaluate(const DimBindings& bindings) const {
  if (node_->error != nullptr) return InvalidArgument(std::string("a size has no value: ") + node_->error);
  int64_t sum = node_->constant;
  for (const DimTerm& t : node_->terms) {
    int64_t product = t.coefficient;
    for (const DimAtomPtr& f : t.factors) {
      FOVEA_ASSIGN_OR_RETURN(const int64_t value, EvaluateAtom(*f, bindings));
      if (__builtin_mul_overflow(product, value, &product)) return Overflow();
    }
    if (__builtin_add_overflow(sum, product, &sum)) return Overflow();
  }
  return sum;
}

bool DimExpr::RefersOnlyTo(std::span<const int> input_ranks, std::span<const int64_t> input_values) const {
  return AllAtoms(*this, [&](const DimAtom& atom) {
    if (atom.op == DimOp::kInputDim) {
      return atom.i >= 0 && static_cast<size_t>(atom.i) < input_ranks.size() && atom.j >= 0 &&
             atom.j < input_ranks[static_cast<size_t>(atom.i)];
    }
    if (atom.op == DimOp::kInputValue || atom.op == DimOp::kScaleByInput) {
      return atom.i >= 0 && static_cast<size_t>(atom.i) < input_values.size() && atom.j >= 0 &&
             atom.j < input_values[static_cast<size_t>(atom.i)];
    }
    return true;
  });
}

std::string DimExpr::ToString(std::span<const std::string> input_names) const {
  return Printer{input_names}.Text(*this);
}

std::vector<int64_t> DimExpr::Encode() const {
  std::vector<int64_t> tokens;
  if (node_->error != nullptr) return tokens;  // which Decode refuses
  EncodeTo(*this, &tokens);
  return tokens;
}

Result<DimExpr> DimExpr::Decode(std::span<const int64_t> tokens) {
  if (tokens.empty()) return CorruptFile("a size expression is empty");
  if (tokens.size() > static_cast<size_t>(kMaxTokens)) {
    return CorruptFile("a size expression has " + std::to_string(tokens.size()) + " tokens; the limit is " +
                       std::to_string(kMaxTokens));
  }
  const Status malformed = CorruptFile("a size expression is malformed");
  std::vector<DimExpr> stack;
  for (size_t at = 0; at < tokens.size();) {
    if (tokens[at] < static_cast<int64_t>(DimOp::kConst) || tokens[at] > static_cast<int64_t>(DimOp::kScaleByInput)) {
      return Unsupported("a size expression has the unknown operation " + std::to_string(tokens[at]) +
                         "; the file was written by a newer fovea");
    }
    const DimOp op = static_cast<DimOp>(tokens[at++]);
    const bool symbol = op == DimOp::kInputDim || op == DimOp::kInputValue;
    const size_t immediates = symbol || op == DimOp::kScaleByInput ? 2 : op == DimOp::kConst || op == DimOp::kScale;
    const size_t operands = symbol || op == DimOp::kConst                       ? 0
                            : op == DimOp::kScale || op == DimOp::kScaleByInput ? 1
                                                                                : 2;
    if (tokens.size() - at < immediates || stack.size() < operands) return malformed;
    if (immediates == 2) {
      for (size_t i = at; i < at + 2; ++i) {
        if (tokens[i] < 0 || tokens[i] > 0xffff) return malformed;
      }
    }
    const int64_t* const arguments = tokens.data() + at;
    DimExpr result;
    switch (operands) {
      case 0:
        result = op == DimOp::kConst      ? DimExpr(arguments[0])
                 : op == DimOp::kInputDim ? InputDim(static_cast<int>(arguments[0]), static_cast<int>(arguments[1]))
                                          : InputValue(static_cast<int>(arguments[0]), static_cast<int>(arguments[1]));
        break;
      case 1:
        result = op == DimOp::kScale
                     ? ScaleFloor(stack.back(), std::bit_cast<double>(arguments[0]))
                     : ScaleFloorByInput(stack.back(), static_cast<int>(arguments[0]), static_cast<int>(arguments[1]));
        stack.pop_back();
        break;
      default: result = Apply(op, stack[stack.size() - 2], stack.back()); stack.resize(stack.size() - 2);
    }
    at += immediates;
    if (N(result).error != nullptr) return CorruptFile(std::string("a size has no value: ") + N(result).error);
    if (stack.size() >= static_cast<size_t>(kMaxDepth)) return malformed;
    stack.push_back(std::move(result));
  }
  if (stack.size() != 1) return malformed;
  return stack.back();
}

}  // namespace fovea
