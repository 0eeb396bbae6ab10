#include "converter/ir/builder.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "converter/ir/evaluate.h"
#include "converter/ir/symbolic.h"
#include "runtime/model/shapes.h"

namespace fovea::ir {
namespace {

constexpr int64_t kMaxShapeInputElements = 16;
constexpr float kMaxExactInteger = 16777216.0f;  // 2^24

std::vector<DimExpr> Expressions(const std::vector<int64_t>& dims) { return {dims.begin(), dims.end()}; }

DType ResultType(const Graph& graph, const OpParams& params, const std::vector<ValueId>& inputs) {
  using kernels::BinaryFn;
  if (const CastParams* cast = std::get_if<CastParams>(&params)) return cast->to;
  if (std::holds_alternative<ArgReduceParams>(params) || std::holds_alternative<DimsParams>(params)) {
    return DType::kInt64;
  }
  if (const UnaryParams* unary = std::get_if<UnaryParams>(&params)) {
    if (unary->fn.fn == kernels::UnaryFn::kNot || unary->fn.fn == kernels::UnaryFn::kIsNan) return DType::kBool;
  }
  if (const BinaryParams* binary = std::get_if<BinaryParams>(&params)) {
    switch (binary->fn) {
      case BinaryFn::kEqual:
      case BinaryFn::kNotEqual:
      case BinaryFn::kLess:
      case BinaryFn::kLessOrEqual:
      case BinaryFn::kGreater:
      case BinaryFn::kGreaterOrEqual:
      case BinaryFn::kAnd:
      case BinaryFn::kOr:
      case BinaryFn::kXor: return DType::kBool;
      default: break;
    }
  }
  const size_t first = std::holds_alternative<SelectParams>(params) ? 1 : 0;
  if (inputs.size() <= first || inputs[first] == kNoValue) return DType::kFloat32;
  return graph.values[static_cast<size_t>(inputs[first])].dtype;
}

bool AllConst(const std::vector<DimExpr>& list) {
  return std::all_of(list.begin(), list.end(), [](const DimExpr& e) { return e.IsConst(); });
}

// The value of a node whose inputs are all constants, by the reference executor.
Result<std::vector<float>> Fold(const Graph& graph, const OpParams& params, const std::vector<ValueId>& inputs,
                                const std::vector<DimExpr>& dims, DType dtype) {
  Graph one;
  Node node{"folded", "", params, {}, kNoValue, false};
  for (const ValueId v : inputs) {
    if (v == kNoValue) {
      node.inputs.push_back(kNoValue);
      continue;
    }
    node.inputs.push_back(static_cast<ValueId>(one.values.size()));
    one.values.push_back(graph.values[static_cast<size_t>(v)]);
  }
  node.output = static_cast<ValueId>(one.values.size());
  Value out;
  out.name = "folded";
  out.dtype = dtype;
  out.dims = dims;
  out.producer = 0;
  one.values.push_back(std::move(out));
  one.nodes.push_back(std::move(node));
  Port port;
  port.name = "folded";
  port.value = one.nodes[0].output;
  port.source_axes.resize(dims.size());
  std::iota(port.source_axes.begin(), port.source_axes.end(), 0);
  one.outputs.push_back(std::move(port));
  FOVEA_ASSIGN_OR_RETURN(std::vector<Tensor> result, Evaluate(one, {}));
  return std::move(result[0].data);
}

}  // namespace

std::vector<float> PermutedData(const std::vector<float>& src, const std::vector<DimExpr>& dims,
                                const std::vector<int64_t>& perm) {
  const size_t rank = dims.size();
  std::vector<int64_t> strides(rank, 1), sizes, index(rank, 0);
  for (size_t axis = rank; axis-- > 1;) strides[axis - 1] = strides[axis] * dims[axis].Const();
  for (const int64_t axis : perm) sizes.push_back(dims[static_cast<size_t>(axis)].Const());
  std::vector<float> dst(src.size());
  int64_t position = 0;
  for (float& x : dst) {
    x = src[static_cast<size_t>(position)];
    for (size_t i = rank; i-- > 0;) {
      const int64_t stride = strides[static_cast<size_t>(perm[i])];
      position += stride;
      if (++index[i] < sizes[i]) break;
      position -= stride * sizes[i];
      index[i] = 0;
    }
  }
  return dst;
}

ValueId Builder::NewValue(Value new_value) {
  graph_->values.push_back(std::move(new_value));
  return static_cast<ValueId>(graph_->values.size() - 1);
}

ValueId Builder::AppendNode(OpParams params, std::vector<ValueId> inputs, Value new_value) {
  new_value.producer = static_cast<int>(graph_->nodes.size());
  const ValueId v = NewValue(std::move(new_value));
  graph_->nodes.push_back({node_name_, source_operator_, std::move(params), std::move(inputs), v, false});
  return v;
}

ValueId Builder::Input(const std::string& name, DType dtype, std::vector<DimExpr> dims) {
  const int index = static_cast<int>(graph_->inputs.size());
  Value input;
  input.name = name;
  input.dtype = dtype;
  if (!IsFloat(dtype) && dims.size() <= 1) {
    if (const std::optional<int64_t> count = SmallCount(dims, kMaxShapeInputElements)) {
      input.elements.emplace();
      for (int64_t i = 0; i < *count; ++i) {
        input.elements->push_back(DimExpr::InputValue(index, static_cast<int>(i)));
      }
    }
  }
  Port port;
  port.name = name;
  port.dtype = dtype;
  port.source_axes.resize(dims.size());
  std::iota(port.source_axes.begin(), port.source_axes.end(), 0);
  input.dims = std::move(dims);
  port.value = NewValue(std::move(input));
  graph_->inputs.push_back(std::move(port));
  return graph_->inputs.back().value;
}

void Builder::Output(const std::string& name, ValueId v) {
  Port port;
  port.name = name;
  port.value = v;
  port.dtype = value(v).dtype;
  port.source_axes.resize(dims(v).size());
  std::iota(port.source_axes.begin(), port.source_axes.end(), 0);
  graph_->outputs.push_back(std::move(port));
}

ValueId Builder::Constant(const std::string& name, DType dtype, std::vector<int64_t> dims, std::vector<float> data) {
  return Constant(name, dtype, std::move(dims), std::make_shared<const std::vector<float>>(std::move(data)));
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): callers hand temporaries over
ValueId Builder::Constant(const std::string& name, DType dtype, std::vector<int64_t> dims, ConstData data) {
  Value constant;
  constant.name = name;
  constant.dtype = dtype;
  constant.dims = Expressions(dims);
  constant.constant = std::move(data);
  return NewValue(std::move(constant));
}

ValueId Builder::Scalar(float x) { return Constant("", DType::kFloat32, {}, std::vector<float>{x}); }

ValueId Builder::Integers(const std::string& name, DType dtype, std::vector<int64_t> dims,
                          const std::vector<int64_t>& data) {
  std::vector<float> rounded;
  for (const int64_t x : data) rounded.push_back(static_cast<float>(x));
  const ValueId v = Constant(name, dtype, std::move(dims), std::move(rounded));
  if (static_cast<int64_t>(data.size()) <= kMaxSizeElements) {
    graph_->values[static_cast<size_t>(v)].elements = Expressions(data);
  }
  return v;
}

ValueId Builder::Sizes(const std::string& name, std::vector<DimExpr> elements, int rank, DType dtype) {
  std::vector<int64_t> dims;
  if (rank == 1) dims.push_back(static_cast<int64_t>(elements.size()));
  return Sizes(name, std::move(elements), std::move(dims), dtype);
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): callers hand temporaries over
ValueId Builder::Sizes(const std::string& name, std::vector<DimExpr> elements, std::vector<int64_t> dims, DType dtype) {
  if (AllConst(elements)) {
    std::vector<int64_t> numbers;
    for (const DimExpr& e : elements) numbers.push_back(e.Const());
    return Integers(name, dtype, std::move(dims), numbers);
  }
  Value vector;
  vector.name = name;
  vector.dtype = dtype;
  vector.dims = {static_cast<int64_t>(elements.size())};
  vector.elements = elements;
  const ValueId v = AppendNode(DimsParams{elements}, {}, vector);
  if (dims.size() == 1) return v;
  vector.dims = Expressions(dims);
  return AppendNode(ReshapeParams{vector.dims}, {v}, vector);
}

Result<ValueId> Builder::Add(OpParams params, std::vector<ValueId> inputs, std::optional<DType> dtype) {
  std::vector<const std::vector<DimExpr>*> shapes;
  for (const ValueId v : inputs) shapes.push_back(v == kNoValue ? nullptr : &value(v).dims);
  const std::string where = node_name_.empty() ? OpKindName(KindOf(params)) : "node '" + node_name_ + "'";
  Result<std::vector<DimExpr>> out_dims = InferShape<DimExpr>(params, shapes, nullptr);
  if (!out_dims.ok()) return out_dims.status().Prefixed(where);
  if (out_dims->size() > kMaxTensorRank) {
    return Unsupported(where + ": a result with " + std::to_string(out_dims->size()) + " axes; fovea goes up to " +
                       std::to_string(kMaxTensorRank));
  }
  Value result;
  result.name = node_name_;
  result.dtype = dtype.value_or(ResultType(*graph_, params, inputs));
  result.dims = std::move(*out_dims);

  if (auto known = InferElements(*graph_, params, inputs, result.dims, result.dtype)) {
    if (IsFloat(result.dtype)) {
      result.ratios = std::move(known);
    } else if (std::all_of(known->begin(), known->end(), IsInteger)) {
      std::vector<DimExpr> elements;
      for (const SizeRatio& x : *known) elements.push_back(x.numerator);
      const auto from_sizes = [this](const DimExpr& e) { return OnlyInputSizes(*graph_, e); };
      if (!std::holds_alternative<DimsParams>(params) && std::all_of(elements.begin(), elements.end(), from_sizes)) {
        std::vector<int64_t> numbers;
        for (const DimExpr& d : result.dims) numbers.push_back(d.Const());
        ++graph_->history.folded;
        return Sizes(node_name_, std::move(elements), std::move(numbers), result.dtype);
      }
      result.elements = std::move(elements);
    }
  }
  // Weights of any size: reshaped they are the same numbers, transposed they are moved once.
  if (inputs.size() == 1 && inputs[0] != kNoValue && value(inputs[0]).is_const() && AllConst(result.dims)) {
    const TransposeParams* transpose = std::get_if<TransposeParams>(&params);
    if (transpose != nullptr || std::holds_alternative<ReshapeParams>(params)) {
      const Value& source = value(inputs[0]);
      result.constant = transpose == nullptr ? source.constant
                                             : std::make_shared<const std::vector<float>>(
                                                   PermutedData(*source.constant, source.dims, transpose->perm));
      result.ratios.reset();
      ++graph_->history.folded;
      return NewValue(std::move(result));
    }
  }
  const auto small_constant = [this](ValueId v) {
    return v == kNoValue || (value(v).is_const() && SmallCount(value(v).dims, kFoldLimit));
  };
  if (!inputs.empty() && std::all_of(inputs.begin(), inputs.end(), small_constant) &&
      SmallCount(result.dims, kFoldLimit)) {
    Result<std::vector<float>> folded = Fold(*graph_, params, inputs, result.dims, result.dtype);
    if (!folded.ok()) return folded.status().Prefixed(where);
    result.constant = std::make_shared<const std::vector<float>>(std::move(*folded));
    result.ratios.reset();
    ++graph_->history.folded;
    return NewValue(std::move(result));
  }
  return AppendNode(std::move(params), std::move(inputs), std::move(result));
}

Result<ValueId> Builder::Transpose(ValueId x, std::vector<int64_t> perm) {
  if (std::is_sorted(perm.begin(), perm.end())) return x;
  return Add(TransposeParams{std::move(perm)}, {x});
}

Result<ValueId> Builder::Reshape(ValueId x, std::vector<DimExpr> new_dims) {
  return Add(ReshapeParams{std::move(new_dims)}, {x});
}

Result<ValueId> Builder::Unary(kernels::UnaryFn fn, ValueId x, float alpha, float beta) {
  return Add(UnaryParams{{fn, alpha, beta}}, {x});
}

Result<ValueId> Builder::Binary(kernels::BinaryFn fn, ValueId a, ValueId b) {
  return Add(BinaryParams{fn, {}}, {a, b});
}

Result<ValueId> Builder::Cast(ValueId x, DType to) { return Add(CastParams{to}, {x}); }

Result<ValueId> Builder::Dropout(ValueId x, float keep, std::vector<int64_t> axes, uint64_t seed) {
  DropoutParams p;
  p.keep = keep;
  p.scale = keep > 0 ? 1 / keep : 0;
  p.seed = static_cast<int64_t>(seed);
  p.stream = static_cast<int64_t>(graph_->nodes.size());
  p.axes = std::move(axes);
  graph_->Recognised("live dropout");
  return Add(std::move(p), {x});
}

std::optional<std::vector<SizeRatio>> Builder::Ratios(ValueId v) const { return KnownElements(value(v)); }

std::optional<std::vector<DimExpr>> Builder::Elements(ValueId v) const {
  const Value& known = value(v);
  if (known.elements) return known.elements;
  if (known.is_const() && std::any_of(known.constant->begin(), known.constant->end(),
                                      [](float x) { return std::fabs(x) > kMaxExactInteger; })) {
    return std::nullopt;
  }
  const std::optional<std::vector<SizeRatio>> ratios = KnownElements(known);
  if (!ratios || !std::all_of(ratios->begin(), ratios->end(), IsInteger)) return std::nullopt;
  std::vector<DimExpr> out;
  for (const SizeRatio& x : *ratios) out.push_back(x.numerator);
  return out;
}

std::optional<std::vector<int64_t>> Builder::ConstIntegers(ValueId v) const {
  const std::optional<std::vector<DimExpr>> elements = Elements(v);
  if (!elements || !AllConst(*elements)) return std::nullopt;
  std::vector<int64_t> out;
  for (const DimExpr& e : *elements) out.push_back(e.Const());
  return out;
}

std::optional<std::vector<float>> Builder::ConstFloats(ValueId v) const {
  if (!value(v).is_const()) return std::nullopt;
  return *value(v).constant;
}

void Builder::SetSource(std::string node_name, std::string source_operator) {
  node_name_ = std::move(node_name);
  source_operator_ = std::move(source_operator);
}

}  // namespace fovea::ir
