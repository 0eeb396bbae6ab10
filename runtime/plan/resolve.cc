#include "runtime/plan/resolve.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "runtime/model/shapes.h"

namespace fovea::plan {
namespace {

Status EvaluateAll(std::span<const DimExpr> expressions, const DimBindings& bindings, std::span<int64_t> values) {
  for (size_t i = 0; i < expressions.size(); ++i) {
    FOVEA_ASSIGN_OR_RETURN(values[i], expressions[i].Evaluate(bindings));
  }
  return OkStatus();
}

Status EvaluateAll(const std::vector<DimExpr>& expressions, const DimBindings& bindings, std::vector<int64_t>* values) {
  values->resize(expressions.size());
  return EvaluateAll(std::span<const DimExpr>(expressions), bindings, std::span<int64_t>(*values));
}

template <class Params>
Status ResolvePads(const Params& params, const DimBindings& bindings, ResolvedNode* node) {
  FOVEA_RETURN_IF_ERROR(
      EvaluateAll(std::span<const DimExpr>(params.pad_begin), bindings, std::span<int64_t>(node->pad_begin)));
  return EvaluateAll(std::span<const DimExpr>(params.pad_end), bindings, std::span<int64_t>(node->pad_end));
}

Status ResolveResize(const ResizeParams& params, const DimBindings& bindings, ResolvedNode* node) {
  const size_t rank = node->out.size();
  node->scale.resize(rank);
  for (size_t i = 0; i < rank; ++i) {
    node->scale[i] = static_cast<double>(node->out[i]) / static_cast<double>(node->in[0][i]);
  }
  if (params.scales.size() == rank) node->scale = params.scales;
  if (params.scales_input >= 0) {
    const size_t input = static_cast<size_t>(params.scales_input);
    if (input >= bindings.input_values.size() || bindings.input_values[input].size() != rank) {
      return InvalidArgument("the scales, a model input, need " + std::to_string(rank) + " values");
    }
    node->scale = bindings.input_values[input];
  }
  return OkStatus();
}

Status ResolveParams(const DimBindings& bindings, ResolvedNode* node) {
  const OpParams& params = node->node->params;
  switch (node->kind) {
    case OpKind::kConv: return ResolvePads(std::get<ConvParams>(params), bindings, node);
    case OpKind::kConvTranspose: return ResolvePads(std::get<ConvTransposeParams>(params), bindings, node);
    case OpKind::kPool: return ResolvePads(std::get<PoolParams>(params), bindings, node);
    case OpKind::kResize: return ResolveResize(std::get<ResizeParams>(params), bindings, node);
    case OpKind::kPad: return EvaluateAll(std::get<PadParams>(params).begin, bindings, &node->begin);
    case OpKind::kSlice: return EvaluateAll(std::get<SliceParams>(params).start, bindings, &node->begin);
    case OpKind::kTile: return EvaluateAll(std::get<TileParams>(params).repeats, bindings, &node->begin);
    case OpKind::kDims: return EvaluateAll(std::get<DimsParams>(params).dims, bindings, &node->numbers);
    default: return OkStatus();
  }
}

Status CheckInput(const Port& port, const Value& value, const Dims& dims) {
  if (dims.size() != value.dims.size()) {
    return InvalidArgument("input '" + port.name + "' has " + std::to_string(value.dims.size()) + " axes, not " +
                           std::to_string(dims.size()));
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] < 1) return InvalidArgument("input '" + port.name + "': sizes must be at least 1");
    if (value.dims[i].IsConst() && value.dims[i].Const() != dims[i]) {
      return InvalidArgument("input '" + port.name + "': axis " + std::to_string(i) + " is " +
                             std::to_string(value.dims[i].Const()) + " long, not " + std::to_string(dims[i]));
    }
  }
  return OkStatus();
}

}  // namespace

Result<ResolvedGraph> Resolve(const Graph& graph, std::span<const Dims> input_dims,
                              std::span<const std::vector<double>> shape_values) {
  if (input_dims.size() != graph.inputs.size()) {
    return InvalidArgument("the model has " + std::to_string(graph.inputs.size()) + " inputs, sizes were given for " +
                           std::to_string(input_dims.size()));
  }
  std::vector<std::vector<double>> values(shape_values.begin(), shape_values.end());
  values.resize(graph.inputs.size());
  const DimBindings bindings{input_dims, values};
  ResolvedGraph resolved;
  resolved.graph = &graph;
  resolved.dims.resize(graph.values.size());
  for (size_t v = 0; v < graph.values.size(); ++v) {
    if (!graph.values[v].is_const) continue;
    FOVEA_RETURN_IF_ERROR(EvaluateAll(graph.values[v].dims, bindings, &resolved.dims[v]));
  }
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const Port& port = graph.inputs[i];
    FOVEA_RETURN_IF_ERROR(CheckInput(port, graph.values[static_cast<size_t>(port.value)], input_dims[i]));
    resolved.dims[static_cast<size_t>(port.value)] = input_dims[i];
  }
  resolved.nodes.reserve(graph.nodes.size());
  const std::vector<int> no_dims(graph.inputs.size(), 0);
  const std::vector<int64_t> any_values(graph.inputs.size(), INT64_MAX);
  for (const Node& node : graph.nodes) {
    ResolvedNode& at = resolved.nodes.emplace_back();
    at.node = &node;
    at.kind = KindOf(node.params);
    std::vector<const Dims*> in;
    for (int input : node.inputs) {
      in.push_back(input == kNoValue ? nullptr : &resolved.dims[static_cast<size_t>(input)]);
      at.in.push_back(input == kNoValue ? Dims() : *in.back());
    }
    auto out = InferShape<int64_t>(node.params, in, &bindings);
    if (!out.ok()) return out.status().Prefixed("node '" + node.name + "'");
    at.out = *std::move(out);
    // Tensors without elements are nothing to complain of where they are so for every image.
    const std::vector<DimExpr>& stored = graph.values[static_cast<size_t>(node.output)].dims;
    for (size_t a = 0; a < at.out.size(); ++a) {
      if (at.out[a] > 0 || (a < stored.size() && stored[a].RefersOnlyTo(no_dims, any_values))) continue;
      return InvalidArgument("node '" + node.name + "': nothing is left of images of this size");
    }
    FOVEA_RETURN_IF_ERROR(ResolveParams(bindings, &at).Prefixed("node '" + node.name + "'"));
    resolved.dims[static_cast<size_t>(node.output)] = at.out;
  }
  return resolved;
}

int64_t Elements(const Dims& dims) {
  int64_t n = 1;
  for (int64_t d : dims) n *= d;
  return n;
}

int64_t MultiplyAdds(const ResolvedNode& node) {
  if (node.kind == OpKind::kConv) return Elements(node.out) * (Elements(node.in[1]) / node.in[1][4]);
  if (node.kind == OpKind::kConvTranspose) {
    const int64_t groups = std::get<ConvTransposeParams>(node.node->params).groups;
    return Elements(node.in[0]) * (Elements(node.in[1]) / node.in[1][3]) / groups;
  }
  if (node.kind == OpKind::kMatMul) return Elements(node.out) * node.in[0].back();
  return 0;
}

std::string DimsToString(const Dims& dims) {
  std::string text;
  for (int64_t d : dims) {
    if (!text.empty()) text += 'x';
    text += std::to_string(d);
  }
  return text;
}

}  // namespace fovea::plan
