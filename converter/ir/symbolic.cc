#include "converter/ir/symbolic.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>

#include "converter/ir/size_ratio.h"

namespace fovea::ir {
namespace {

using Ratios = std::vector<SizeRatio>;
using Dims = std::vector<int64_t>;

Dims ConstDims(const std::vector<DimExpr>& dims) {
  Dims out;
  for (const DimExpr& d : dims) out.push_back(d.Const());
  return out;
}

int64_t Count(const Dims& dims) {
  int64_t n = 1;
  for (const int64_t d : dims) n *= d;
  return n;
}

// Calls fn(index) for every element in row-major order.
template <class Fn>
void ForEachIndex(const Dims& dims, Fn fn) {
  Dims index(dims.size(), 0);
  for (int64_t i = Count(dims); i > 0; --i) {
    fn(index);
    for (size_t axis = dims.size(); axis-- > 0;) {
      if (++index[axis] < dims[axis]) break;
      index[axis] = 0;
    }
  }
}

// Row-major position; axes of size 1 are broadcast, missing leading axes too. -1 when out of range.
int64_t Position(const Dims& dims, const Dims& index) {
  int64_t position = 0;
  const size_t skip = index.size() - dims.size();
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    const int64_t i = dims[axis] == 1 ? 0 : index[axis + skip];
    if (i < 0 || i >= dims[axis]) return -1;
    position = position * dims[axis] + i;
  }
  return position;
}

struct Tensor {
  Dims dims;
  Ratios elements;
  bool integer = true;
  const SizeRatio* At(const Dims& index) const {
    const int64_t p = Position(dims, index);
    return p < 0 ? nullptr : &elements[static_cast<size_t>(p)];
  }
};

std::optional<Tensor> KnownTensor(const Graph& graph, ValueId v) {
  if (v == kNoValue) return std::nullopt;
  const Value& value = graph.values[static_cast<size_t>(v)];
  std::optional<Ratios> elements = KnownElements(value);
  if (!elements) return std::nullopt;
  return Tensor{ConstDims(value.dims), std::move(*elements), !IsFloat(value.dtype)};
}

struct Context {
  const Graph& graph;
  std::vector<Tensor> in;
  Dims out_dims;
  DType out_dtype;
};

// Every element by a function of its index that may give null.
template <class Fn>
std::optional<Ratios> Gathered(const Context& c, Fn source) {
  Ratios out;
  bool complete = true;
  ForEachIndex(c.out_dims, [&](const Dims& index) {
    const SizeRatio* x = source(index);
    complete = complete && x != nullptr;
    out.push_back(x != nullptr ? *x : SizeRatio{});
  });
  if (!complete) return std::nullopt;
  return out;
}

template <class Fn>
std::optional<Ratios> Computed(const Context& c, Fn element) {
  Ratios out;
  bool complete = true;
  ForEachIndex(c.out_dims, [&](const Dims& index) {
    std::optional<SizeRatio> x;
    if (complete) x = element(index);
    complete = complete && x.has_value();
    out.push_back(x.value_or(SizeRatio{}));
  });
  if (!complete) return std::nullopt;
  return out;
}

template <class P>
std::optional<Ratios> Infer(const Context&, const P&) {
  return std::nullopt;
}

std::optional<Ratios> Infer(const Context& c, const TransposeParams& p) {
  return Gathered(c, [&](const Dims& index) {
    Dims from(index.size());
    for (size_t i = 0; i < index.size(); ++i) from[static_cast<size_t>(p.perm[i])] = index[i];
    return c.in[0].At(from);
  });
}

std::optional<Ratios> Infer(const Context& c, const ReshapeParams&) { return c.in[0].elements; }

std::optional<Ratios> Infer(const Context& c, const ExpandParams&) {
  return Gathered(c, [&](const Dims& index) { return c.in[0].At(index); });
}

std::optional<Ratios> Infer(const Context& c, const TileParams&) {
  return Gathered(c, [&](const Dims& index) {
    Dims from = index;
    for (size_t i = 0; i < from.size(); ++i) from[i] %= c.in[0].dims[i];
    return c.in[0].At(from);
  });
}

std::optional<Ratios> Infer(const Context& c, const SliceParams& p) {
  for (const DimExpr& start : p.start) {
    if (!start.IsConst()) return std::nullopt;
  }
  return Gathered(c, [&](const Dims& index) {
    Dims from(index.size());
    for (size_t i = 0; i < index.size(); ++i) from[i] = p.start[i].Const() + index[i] * p.step[i];
    return c.in[0].At(from);
  });
}

std::optional<Ratios> Infer(const Context& c, const ConcatParams& p) {
  const size_t axis = static_cast<size_t>(p.axis);
  return Gathered(c, [&](const Dims& index) -> const SizeRatio* {
    Dims from = index;
    for (const Tensor& in : c.in) {
      if (from[axis] < in.dims[axis]) return in.At(from);
      from[axis] -= in.dims[axis];
    }
    return nullptr;
  });
}

std::optional<Ratios> Infer(const Context& c, const GatherParams& p) {
  const Tensor &x = c.in[0], &indices = c.in[1];
  const size_t axis = static_cast<size_t>(p.axis), indices_rank = indices.dims.size();
  return Gathered(c, [&](const Dims& index) -> const SizeRatio* {
    const auto at = [&index](size_t i) { return index.begin() + static_cast<ptrdiff_t>(i); };
    const SizeRatio* where = indices.At(Dims(at(axis), at(axis + indices_rank)));
    if (where == nullptr || !IsInteger(*where) || !where->numerator.IsConst()) return nullptr;
    Dims from(index.begin(), at(axis));
    int64_t i = where->numerator.Const();
    if (i < 0) i += x.dims[axis];
    if (i < 0 || i >= x.dims[axis]) return nullptr;
    from.push_back(i);
    from.insert(from.end(), at(axis + indices_rank), index.end());
    return x.At(from);
  });
}

std::optional<Ratios> Infer(const Context& c, const UnaryParams& p) {
  return Computed(c, [&](const Dims& index) { return ApplyUnary(c.graph, p.fn, *c.in[0].At(index)); });
}

std::optional<Ratios> Infer(const Context& c, const BinaryParams& p) {
  return Computed(c, [&](const Dims& index) -> std::optional<SizeRatio> {
    const auto y = ApplyBinary(c.graph, p.fn, *c.in[0].At(index), *c.in[1].At(index), c.in[0].integer);
    return y ? ApplyUnary(c.graph, p.act, *y) : std::nullopt;
  });
}

std::optional<Ratios> Infer(const Context& c, const SelectParams&) {
  return Computed(c, [&](const Dims& index) -> std::optional<SizeRatio> {
    const SizeRatio &condition = *c.in[0].At(index), &a = *c.in[1].At(index), &b = *c.in[2].At(index);
    if (!ConstRatio(condition) && !(IsInteger(condition) && IsInteger(a) && IsInteger(b))) return std::nullopt;
    return ApplySelect(condition, a, b);
  });
}

std::optional<Ratios> Infer(const Context& c, const CastParams& p) {
  return Computed(c, [&](const Dims& index) -> std::optional<SizeRatio> {
    const SizeRatio& x = *c.in[0].At(index);
    if (p.to == DType::kBool) return IsNotZero(x);
    return IsFloat(p.to) ? x : Truncate(c.graph, x);
  });
}

std::optional<Ratios> Infer(const Context& c, const ReduceParams& p) {
  kernels::BinaryFn combine;
  switch (p.fn) {
    case kernels::ReduceFn::kSum: combine = kernels::BinaryFn::kAdd; break;
    case kernels::ReduceFn::kProd: combine = kernels::BinaryFn::kMul; break;
    case kernels::ReduceFn::kMin: combine = kernels::BinaryFn::kMin; break;
    case kernels::ReduceFn::kMax: combine = kernels::BinaryFn::kMax; break;
    default: return std::nullopt;
  }
  const Tensor& x = c.in[0];
  Dims kept = x.dims;
  for (const int64_t axis : p.axes) kept[static_cast<size_t>(axis)] = 1;
  std::vector<std::optional<SizeRatio>> sums(static_cast<size_t>(Count(kept)));
  bool complete = Count(x.dims) > 0;
  ForEachIndex(x.dims, [&](const Dims& index) {
    std::optional<SizeRatio>& sum = sums[static_cast<size_t>(Position(kept, index))];
    sum = sum ? ApplyBinary(c.graph, combine, *sum, *x.At(index), x.integer) : std::optional(*x.At(index));
    complete = complete && sum.has_value();
    if (!sum) sum = SizeRatio{};
  });
  if (!complete) return std::nullopt;
  Ratios out;
  for (const std::optional<SizeRatio>& sum : sums) out.push_back(*sum);
  return out;
}

}  // namespace

double DecimalOf(float x) {
  if (!std::isfinite(x)) return x;
  char text[32];
  *std::to_chars(text, text + sizeof text - 1, x).ptr = '\0';
  double value = x;
  std::from_chars(text, text + sizeof text, value);
  return value;
}

bool IsInteger(const SizeRatio& x) { return x.factor == 1 && x.denominator == DimExpr(1); }

std::optional<int64_t> SmallCount(const std::vector<DimExpr>& dims, int64_t limit) {
  int64_t count = 1;
  for (const DimExpr& d : dims) {
    if (!d.IsConst() || d.Const() < 0) return std::nullopt;
    if (d.Const() > limit) return std::nullopt;
    count *= d.Const();
    if (count > limit) return std::nullopt;
  }
  return count;
}

std::optional<Ratios> KnownElements(const Value& value) {
  if (value.ratios) return value.ratios;
  if (value.elements) {
    Ratios out;
    for (const DimExpr& e : *value.elements) out.push_back({e, 1, 1});
    return out;
  }
  if (!value.is_const() || !SmallCount(value.dims, kMaxSizeElements)) return std::nullopt;
  Ratios out;
  for (const float x : *value.constant) {
    if (!std::isfinite(x)) return std::nullopt;
    out.push_back(RatioOf(DecimalOf(x)));
  }
  return out;
}

std::optional<Ratios> InferElements(const Graph& graph, const OpParams& params, std::span<const ValueId> inputs,
                                    const std::vector<DimExpr>& out_dims, DType out_dtype) {
  if (!SmallCount(out_dims, kMaxSizeElements)) return std::nullopt;
  if (const DimsParams* sizes = std::get_if<DimsParams>(&params)) {
    Ratios out;
    for (const DimExpr& d : sizes->dims) out.push_back({d, 1, 1});
    return out;
  }
  Context c{graph, {}, ConstDims(out_dims), out_dtype};
  for (const ValueId v : inputs) {
    std::optional<Tensor> known = KnownTensor(graph, v);
    if (!known) return std::nullopt;
    c.in.push_back(std::move(*known));
  }
  if (c.in.empty()) return std::nullopt;
  return std::visit([&c](const auto& p) { return Infer(c, p); }, params);
}

bool OnlyInputSizes(const Graph& graph, const DimExpr& x) {
  std::vector<int> ranks;
  for (const Port& port : graph.inputs) {
    ranks.push_back(static_cast<int>(graph.values[static_cast<size_t>(port.value)].dims.size()));
  }
  return x.RefersOnlyTo(ranks, {});
}

}  // namespace fovea::ir
