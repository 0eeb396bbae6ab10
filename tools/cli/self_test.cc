#include "tools/cli/self_test.h"

#include <algorithm>
#include <cmath>

#include "tools/cli/apply_steps.h"

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

SelfTestCase::Tensor ToSource(const std::vector<float>& stored, const std::vector<int64_t>& stored_dims,
                              const TensorSpec& spec) {
  SelfTestCase::Tensor tensor;
  for (const int axis : spec.source_axes) tensor.dims.push_back(stored_dims[static_cast<size_t>(axis)]);
  for (const int64_t place : StoredPositions(tensor.dims, spec.source_axes)) {
    tensor.values.push_back(stored[static_cast<size_t>(place)]);
  }
  return tensor;
}

// Pearson's coefficient.
double Correlation(const std::vector<float>& a, const std::vector<float>& b) {
  double mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
  const auto n = static_cast<double>(a.size());
  for (size_t k = 0; k < a.size(); ++k) mean_a += a[k] / n, mean_b += b[k] / n;
  for (size_t k = 0; k < a.size(); ++k) {
    const double da = a[k] - mean_a, db = b[k] - mean_b;
    aa += da * da, bb += db * db, ab += da * db;
  }
  if (aa > 0 && bb > 0) return ab / std::sqrt(aa * bb);
  return a == b ? 1 : 0;
}

SelfTestResult Compare(const std::vector<float>& got, const std::vector<float>& expected, const SelfTestCase& test) {
  SelfTestResult c;
  int64_t mismatches = 0;
  for (size_t k = 0; k < got.size(); ++k) {
    const double want = expected[k], error = std::abs(got[k] - want);
    c.mean_error += error / static_cast<double>(got.size());
    if (!(error <= c.max_error)) c.max_error = error;
    if (!(error <= test.atol + test.rtol * std::abs(want))) ++mismatches;
  }
  c.mismatches_per_million =
      1e6 * static_cast<double>(mismatches) / static_cast<double>(std::max<size_t>(got.size(), 1));
  c.passed = c.mismatches_per_million <= test.mismatches_per_million;
  c.correlation = Correlation(got, expected);
  return c;
}

}  // namespace

Result<std::vector<SelfTestCase::Tensor>> RunTensors(const Model& model, const std::vector<SelfTestCase::Tensor>& given,
                                                     bool with_steps, const SessionOptions& options,
                                                     std::function<bool()> cancelled) {
  std::vector<std::vector<float>> inputs;
  std::vector<std::vector<int64_t>> dims;
  std::vector<std::vector<double>> shape_values(given.size());
  std::vector<ReferenceTensor> references;
  for (size_t i = 0; i < given.size(); ++i) references.push_back({&model.inputs()[i], &given[i]});
  for (size_t i = 0; i < given.size(); ++i) {
    const TensorSpec& spec = model.inputs()[i];
    SelfTestCase::Tensor tensor = given[i];
    if (with_steps)
      FOVEA_RETURN_IF_ERROR(ApplySteps(model.preprocessing(), spec, references, &tensor).Prefixed(spec.name));
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

  std::vector<SelfTestCase::Tensor> results;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TensorSpec& spec = model.outputs()[i];
    SelfTestCase::Tensor& tensor = results.emplace_back(ToSource(outputs[i], session.output_dims()[i], spec));
    if (with_steps)
      FOVEA_RETURN_IF_ERROR(ApplySteps(model.postprocessing(), spec, references, &tensor).Prefixed(spec.name));
  }
  return results;
}

Result<std::vector<SelfTestResult>> RunSelfTest(const Model& model, const SelfTestCase& test,
                                                const SessionOptions& options, std::function<bool()> cancelled) {
  FOVEA_ASSIGN_OR_RETURN(const std::vector<SelfTestCase::Tensor> results,
                         RunTensors(model, test.inputs, test.with_steps, options, std::move(cancelled)));
  std::vector<SelfTestResult> comparisons;
  for (size_t i = 0; i < results.size(); ++i) {
    const SelfTestCase::Tensor& expected = test.expected[i];
    if (results[i].values.size() != expected.values.size()) {
      return InvalidArgument("output '" + model.outputs()[i].name + "' has " +
                             std::to_string(results[i].values.size()) + " elements, the self-test expects " +
                             std::to_string(expected.values.size()));
    }
    comparisons.push_back(Compare(results[i].values, expected.values, test));
  }
  return comparisons;
}

}  // namespace fovea::cli
