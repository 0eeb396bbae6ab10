#include "converter/ir/evaluate.h"

#include "converter/convert.h"
#include "runtime/include/fovea/session.h"

namespace fovea::ir {
namespace {

// Copies between source and stored order. to_stored: src is in source order; else in stored order. dims: source order.
std::vector<float> Permuted(const std::vector<float>& src, const std::vector<int64_t>& dims,
                            const std::vector<int>& source_axes, bool to_stored) {
  const size_t rank = dims.size();
  std::vector<int64_t> stored_dims(rank), stored_strides(rank, 1);
  for (size_t i = 0; i < rank; ++i) stored_dims[static_cast<size_t>(source_axes[i])] = dims[i];
  for (size_t axis = rank; axis-- > 1;) stored_strides[axis - 1] = stored_strides[axis] * stored_dims[axis];
  std::vector<float> dst(src.size());
  std::vector<int64_t> index(rank, 0);
  for (size_t p = 0; p < src.size(); ++p) {
    int64_t q = 0;
    for (size_t i = 0; i < rank; ++i) q += index[i] * stored_strides[static_cast<size_t>(source_axes[i])];
    const size_t stored = static_cast<size_t>(q);
    if (to_stored) {
      dst[stored] = src[p];
    } else {
      dst[p] = src[stored];
    }
    for (size_t axis = rank; axis-- > 0;) {
      if (++index[axis] < dims[axis]) break;
      index[axis] = 0;
    }
  }
  return dst;
}

std::vector<int64_t> StoredDims(const std::vector<int64_t>& dims, const std::vector<int>& source_axes) {
  std::vector<int64_t> stored(dims.size());
  for (size_t i = 0; i < dims.size(); ++i) stored[static_cast<size_t>(source_axes[i])] = dims[i];
  return stored;
}

}  // namespace

Result<std::vector<Tensor>> Evaluate(const Graph& graph, const std::vector<Tensor>& inputs) {
  if (inputs.size() != graph.inputs.size()) {
    return InvalidArgument("the graph has " + std::to_string(graph.inputs.size()) + " inputs, " +
                           std::to_string(inputs.size()) + " were given");
  }
  FOVEA_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, converter::Emit(graph, {}));
  FOVEA_ASSIGN_OR_RETURN(const Model model, Model::FromBytes(bytes, "converted graph"));

  std::vector<std::vector<int64_t>> dims;
  std::vector<std::vector<double>> shape_values;
  std::vector<std::vector<float>> stored;
  std::vector<const float*> sources;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorSpec& spec = model.inputs()[i];
    if (inputs[i].dims.size() != spec.source_axes.size()) {
      return InvalidArgument("input '" + spec.name + "' has " + std::to_string(spec.source_axes.size()) + " axes, " +
                             std::to_string(inputs[i].dims.size()) + " were given");
    }
    dims.push_back(StoredDims(inputs[i].dims, spec.source_axes));
    stored.push_back(Permuted(inputs[i].data, inputs[i].dims, spec.source_axes, true));
    shape_values.emplace_back();
    if (spec.is_shape) shape_values.back().assign(inputs[i].data.begin(), inputs[i].data.end());
  }
  for (const std::vector<float>& data : stored) sources.push_back(data.data());

  SessionOptions options;
  options.executor = Executor::kReference;
  FOVEA_ASSIGN_OR_RETURN(Session session, Session::Create(model, dims, options, shape_values));
  std::vector<std::vector<float>> results;
  std::vector<float*> targets;
  for (const std::vector<int64_t>& out : session.output_dims()) {
    int64_t count = 1;
    for (const int64_t d : out) count *= d;
    results.emplace_back(static_cast<size_t>(count));
  }
  for (std::vector<float>& data : results) targets.push_back(data.data());
  FOVEA_RETURN_IF_ERROR(session.Run(sources, targets));

  std::vector<Tensor> outputs;
  for (size_t o = 0; o < results.size(); ++o) {
    const std::vector<int>& axes = model.outputs()[o].source_axes;
    Tensor tensor;
    for (const int axis : axes) tensor.dims.push_back(session.output_dims()[o][static_cast<size_t>(axis)]);
    tensor.data = Permuted(results[o], tensor.dims, axes, false);
    outputs.push_back(std::move(tensor));
  }
  return outputs;
}

}  // namespace fovea::ir
