#include "runtime/model/shapes.h"

#include <algorithm>

#include "runtime/model/shape_spatial.h"
#include "runtime/model/shape_tensor.h"

namespace fovea {
namespace {

// No tensor has as many elements: byte offsets, products with strides and channel counts then stay within 64 bits.
constexpr int64_t kMaxElements = int64_t{1} << 48;

struct Arity {
  size_t least, most;  // inputs; those beyond `least` are optional
};
constexpr size_t kAnyNumber = 1u << 16;
Arity ArityOf(OpKind kind) {
  switch (kind) {
    case OpKind::kConv: return {2, 4};
    case OpKind::kConvTranspose: return {2, 3};
    case OpKind::kResize:
    case OpKind::kPad: return {1, 2};
    case OpKind::kConcat: return {1, kAnyNumber};
    case OpKind::kGather:
    case OpKind::kBinary:
    case OpKind::kMatMul: return {2, 2};
    case OpKind::kSelect: return {3, 3};
    case OpKind::kGroupNorm:
    case OpKind::kLayerNorm: return {1, 3};
    case OpKind::kDims: return {0, 0};
    default: return {1, 1};
  }
}

template <class S>
Status CheckResult(const SizeList<S>& y) {
  if (y.size() > static_cast<size_t>(kMaxTensorRank)) {
    return InvalidArgument("the result has rank " + std::to_string(y.size()) + "; the limit is " +
                           std::to_string(kMaxTensorRank));
  }
  int64_t elements = 1;
  bool empty = false, too_large = false;
  for (size_t i = 0; i < y.size(); ++i) {
    if constexpr (std::is_same_v<S, CheckedSize>) {
      if (!y[i].valid()) return InvalidArgument("the size of axis " + std::to_string(i) + " is beyond 64 bits");
    } else if (!(y[i] == y[i])) {
      return InvalidArgument("the size of axis " + std::to_string(i) + " has no value: " + y[i].ToString());
    }
    if (!y[i].IsConst()) continue;
    if (IsBelow(y[i], 0)) {
      return InvalidArgument("the size of axis " + std::to_string(i) + " is " + y[i].ToString());
    }
    if (y[i].Const() == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(elements, y[i].Const(), &elements) || elements >= kMaxElements) {
      elements = 1;
      too_large = true;
    }
  }
  if (too_large && !empty) return InvalidArgument("the result of " + SizesText(y) + " has more than 2^48 elements");
  return OkStatus();
}

template <class S>
Result<SizeList<S>> Infer(const OpParams& params, std::span<const SizeList<S>* const> inputs,
                          const DimBindings* bindings) {
  const Arity arity = ArityOf(KindOf(params));
  if (inputs.size() < arity.least || inputs.size() > arity.most) {
    const std::string wanted = arity.least == arity.most ? std::to_string(arity.least)
                               : arity.most == kAnyNumber
                                   ? "at least " + std::to_string(arity.least)
                                   : std::to_string(arity.least) + " to " + std::to_string(arity.most);
    return InvalidArgument(std::to_string(inputs.size()) + " inputs instead of " + wanted);
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] == nullptr) {
      if (i < arity.least || arity.most == kAnyNumber) {
        return InvalidArgument("input " + std::to_string(i) + " is missing");
      }
    } else if (inputs[i]->size() > static_cast<size_t>(kMaxTensorRank)) {
      return InvalidArgument("input " + std::to_string(i) + " has rank " + std::to_string(inputs[i]->size()) +
                             "; the limit is " + std::to_string(kMaxTensorRank));
    }
  }
  // Rules may look at every optional input.
  std::vector<const SizeList<S>*> all(inputs.begin(), inputs.end());
  if (arity.most != kAnyNumber) all.resize(arity.most, nullptr);
  ParameterSizes<S> sizes(bindings);
  Result<SizeList<S>> y =
      std::visit([&](const auto& p) { return ShapeOf(p, std::span<const SizeList<S>* const>(all), &sizes); }, params);
  FOVEA_RETURN_IF_ERROR(sizes.status());
  if (y.ok()) FOVEA_RETURN_IF_ERROR(CheckResult(*y));
  return y;
}

}  // namespace

template <>
Result<std::vector<DimExpr>> InferShape(const OpParams& params, std::span<const std::vector<DimExpr>* const> inputs,
                                        const DimBindings* bindings) {
  return Infer<DimExpr>(params, inputs, bindings);
}

template <>
Result<std::vector<int64_t>> InferShape(const OpParams& params, std::span<const std::vector<int64_t>* const> inputs,
                                        const DimBindings* bindings) {
  std::vector<SizeList<CheckedSize>> sizes(inputs.size());
  std::vector<const SizeList<CheckedSize>*> pointers(inputs.size(), nullptr);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] == nullptr) continue;
    sizes[i].assign(inputs[i]->begin(), inputs[i]->end());
    pointers[i] = &sizes[i];
  }
  FOVEA_ASSIGN_OR_RETURN(const SizeList<CheckedSize> y, Infer<CheckedSize>(params, pointers, bindings));
  std::vector<int64_t> result;
  for (const CheckedSize& s : y) result.push_back(s.Const());
  return result;
}

}  // namespace fovea
