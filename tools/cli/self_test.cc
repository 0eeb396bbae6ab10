#include "tools/cli/self_test.h"

#include <algorithm>
#include <cmath>

namespace fovea::cli {
namespace {

// Row-major position in the stored tensor of each element of the source-order tensor, in source order.
std::vector<int64_t> StoredPositions(const std::vector<int64_t>& source_dims, const std::vector<int>& source_axes) {
  const size_t rank = source_dims.size();
  std::vector<int64_t> stored_dims(rank), stored_strides(rank, 1);
  for (size_t i = 0; i < rank; ++i) stored_dims[static_cast<size_t>(source_axes[i])] = source_dims[i];
  for (size_t i = rank; i-- > 1;) stored_strides[i - 1] = stored_strides[i] * stored_dims[i];
  std::vector<int64_t> positions = {0};
  for (size_t i = 0; i < rank; ++i) {
    std::vector<int64_t> next;
    next.reserve(positions.size() * static_cast<size_t>(source_dims[i]));
    const int64_t stride = stored_strides[static_cast<size_t>(source_axes[i])];
    for (const int64_t p : positions) {
      for (int64_t k = 0; k < source_dims[i]; ++k) next.push_back(p + k * stride);
    }
    positions = std::move(next);
  }
  return positions;
}

}  // namespace

Result<std::vector<SelfTestResult>> RunSelfTest(const Model& model, const SelfTestCase& test,
                                                const SessionOptions& options, std::function<bool()> cancelled) {
  std::vector<std::vector<float>> inputs;
  std::vector<std::vector<int64_t>> dims;
  std::vector<std::vector<double>> shape_values(test.inputs.size());
  for (size_t i = 0; i < test.inputs.size(); ++i) {
    const TensorSpec& spec = model.inputs()[i];
    const auto& tensor = test.inputs[i];
    const std::vector<int64_t> positions = StoredPositions(tensor.dims, spec.source_axes);
    std::vector<float> stored(positions.size());
    for (size_t k = 0; k < positions.size(); ++k) stored[static_cast<size_t>(positions[k])] = tensor.values[k];
    std::vector<int64_t> stored_dims(tensor.dims.size());
    for (size_t a = 0; a < tensor.dims.size(); ++a)
      stored_dims[static_cast<size_t>(spec.source_axes[a])] = tensor.dims[a];
    if (spec.is_shape) shape_values[i].assign(stored.begin(), stored.end());
    inputs.push_back(std::move(stored));
    dims.push_back(std::move(stored_dims));
  }
  FOVEA_ASSIGN_OR_RETURN(Session session, Session::Create(model, dims, options, shape_values));
  session.SetCancel(std::move(cancelled));
  std::vector<const float*> in;
  for (const auto& tensor : inputs) in.push_back(tensor.data());
  std::vector<std::vector<float>> outputs;
  std::vector<float*> out;
  for (const auto& d : session.output_dims()) {
    size_t n = 1;
    for (const int64_t size : d) n *= static_cast<size_t>(size);
    outputs.emplace_back(n);
  }
  for (auto& tensor : outputs) out.push_back(tensor.data());
  FOVEA_RETURN_IF_ERROR(session.Run(in, out));

  std::vector<SelfTestResult> result;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto& expected = test.expected[i];
    const std::vector<int64_t> positions = StoredPositions(expected.dims, model.outputs()[i].source_axes);
    SelfTestResult c;
    int64_t mismatches = 0;
    if (positions.size() != outputs[i].size()) {
      return InvalidArgument("output '" + model.outputs()[i].name + "' has " + std::to_string(outputs[i].size()) +
                             " elements, the self-test expects " + std::to_string(positions.size()));
    }
    for (size_t k = 0; k < positions.size(); ++k) {
      const double want = expected.values[k], got = outputs[i][static_cast<size_t>(positions[k])];
      const double error = std::abs(got - want);
      c.mean_error += error / static_cast<double>(positions.size());
      if (!(error <= c.max_error)) c.max_error = error;
      if (!(error <= test.atol + test.rtol * std::abs(want))) ++mismatches;
    }
    c.mismatches_per_million =
        1e6 * static_cast<double>(mismatches) / static_cast<double>(std::max<size_t>(positions.size(), 1));
    c.passed = mismatches == 0;
    result.push_back(c);
  }
  return result;
}

}  // namespace fovea::cli
