// What shape rules compute with: DimExpr, or for sizes that are all known CheckedSize, an int64_t with the same
// operations that remembers when a result was out of range. Rules are templates over the two, so that the symbolic and
// the concrete shapes cannot disagree.
//
// Internal to shapes.cc.
#ifndef FOVEA_RUNTIME_MODEL_SHAPE_SIZE_H_
#define FOVEA_RUNTIME_MODEL_SHAPE_SIZE_H_

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/model/dim_expr.h"

namespace fovea {

class CheckedSize {
 public:
  CheckedSize(int64_t value = 0) : value_(value) {}  // NOLINT(google-explicit-constructor): a number is a size
  static CheckedSize Invalid() {
    CheckedSize s;
    s.valid_ = false;
    return s;
  }

  bool valid() const { return valid_; }
  bool IsConst() const { return valid_; }
  int64_t Const() const { return value_; }

  friend CheckedSize operator+(CheckedSize a, CheckedSize b) {
    int64_t r = 0;
    return !Both(a, b) || __builtin_add_overflow(a.value_, b.value_, &r) ? Invalid() : CheckedSize(r);
  }
  friend CheckedSize operator-(CheckedSize a, CheckedSize b) {
    int64_t r = 0;
    return !Both(a, b) || __builtin_sub_overflow(a.value_, b.value_, &r) ? Invalid() : CheckedSize(r);
  }
  friend CheckedSize operator*(CheckedSize a, CheckedSize b) {
    int64_t r = 0;
    return !Both(a, b) || __builtin_mul_overflow(a.value_, b.value_, &r) ? Invalid() : CheckedSize(r);
  }
  friend CheckedSize FloorDiv(CheckedSize a, CheckedSize b) {  // b > 0 in all rules
    if (!Both(a, b) || b.value_ <= 0) return Invalid();
    return a.value_ / b.value_ - (a.value_ % b.value_ < 0 ? 1 : 0);
  }
  friend CheckedSize CeilDiv(CheckedSize a, CheckedSize b) { return FloorDiv(a + (b - 1), b); }
  friend CheckedSize Mod(CheckedSize a, CheckedSize b) { return a - b * FloorDiv(a, b); }
  friend CheckedSize Min(CheckedSize a, CheckedSize b) { return !Both(a, b) ? Invalid() : a.value_ < b.value_ ? a : b; }
  friend CheckedSize Max(CheckedSize a, CheckedSize b) { return !Both(a, b) ? Invalid() : a.value_ < b.value_ ? b : a; }
  friend CheckedSize IsEqual(CheckedSize a, CheckedSize b) {
    return !Both(a, b) ? Invalid() : CheckedSize(a.value_ == b.value_ ? 1 : 0);
  }
  std::string ToString() const { return valid_ ? std::to_string(value_) : "a number beyond 64 bits"; }

 private:
  static bool Both(CheckedSize a, CheckedSize b) { return a.valid_ && b.valid_; }
  int64_t value_;
  bool valid_ = true;
};

// Whether no input makes them equal.
template <class S>
bool Differ(const S& a, const S& b) {
  const S equal = IsEqual(a, b);
  return equal.IsConst() && equal.Const() == 0;
}
template <class S>
bool IsNumber(const S& a, int64_t number) {
  return a.IsConst() && a.Const() == number;
}
template <class S>
bool IsBelow(const S& a, int64_t number) {
  return a.IsConst() && a.Const() < number;
}

template <class S>
using SizeList = std::vector<S>;

// "1x64x64x3"
template <class S>
std::string SizesText(const SizeList<S>& sizes) {
  std::string text;
  for (const S& s : sizes) {
    if (!text.empty()) text += "x";
    text += s.ToString();
  }
  return text.empty() ? "a single number" : text;
}

template <class S>
S ProductOf(const SizeList<S>& sizes) {
  S product = 1;
  for (const S& s : sizes) product = product * s;
  return product;
}

// Parameters as sizes: as they stand for DimExpr, evaluated for CheckedSize. Remembers the first failure.
template <class S>
class ParameterSizes {
 public:
  explicit ParameterSizes(const DimBindings* bindings) : bindings_(bindings) {}

  S operator()(const DimExpr& e) {
    if constexpr (std::is_same_v<S, DimExpr>) {
      return e;
    } else {
      if (e.IsConst()) return e.Const();
      Result<int64_t> value = e.Evaluate(bindings_ != nullptr ? *bindings_ : DimBindings{});
      if (value.ok()) return *value;
      if (status_.ok()) status_ = value.status();
      return S(0);
    }
  }
  SizeList<S> operator()(std::span<const DimExpr> list) {
    SizeList<S> sizes;
    for (const DimExpr& e : list) sizes.push_back((*this)(e));
    return sizes;
  }
  const Status& status() const { return status_; }

 private:
  const DimBindings* bindings_;
  Status status_;
};

}  // namespace fovea

#endif  // FOVEA_RUNTIME_MODEL_SHAPE_SIZE_H_
