#include "tools/convert/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "runtime/include/fovea/session.h"
#include "tools/cli/describe.h"
#include "tools/cli/seeded.h"

namespace fovea::cli {
namespace {

using Tensors = std::vector<std::vector<float>>;

Result<Tensors> RunOn(const Model& model, const std::vector<std::vector<int64_t>>& dims, const Tensors& inputs,
                      std::vector<std::vector<int64_t>>* output_dims) {
  FOVEA_ASSIGN_OR_RETURN(Session session, Session::Create(model, dims));
  std::vector<const float*> in;
  for (const auto& tensor : inputs) in.push_back(tensor.data());
  Tensors outputs;
  std::vector<float*> out;
  for (const auto& d : session.output_dims()) outputs.emplace_back(ElementCount(d));
  for (auto& tensor : outputs) out.push_back(tensor.data());
  FOVEA_RETURN_IF_ERROR(session.Run(in, out));
  *output_dims = session.output_dims();
  return outputs;
}

// For each tensor of `first` its counterpart in `second`: by name where both have the same names, else by position.
std::vector<size_t> Matched(std::span<const TensorSpec> first, std::span<const TensorSpec> second) {
  std::vector<size_t> at;
  for (const TensorSpec& spec : first) {
    const auto found = std::find_if(second.begin(), second.end(), [&](const auto& s) { return s.name == spec.name; });
    if (found != second.end()) at.push_back(static_cast<size_t>(found - second.begin()));
  }
  if (at.size() != first.size()) {
    at.resize(first.size());
    std::iota(at.begin(), at.end(), size_t{0});
  }
  return at;
}

// Sizes that suit both: the first model's, but the second's where the first leaves a size open and the second does not,
// and the larger where both do.
Result<std::vector<std::vector<int64_t>>> CommonSizes(const Model& model, const Model& other,
                                                      const std::vector<size_t>& input_of) {
  std::vector<std::vector<int64_t>> sizes = model.DefaultSizes();
  const std::vector<std::vector<int64_t>> other_sizes = other.DefaultSizes();
  for (size_t i = 0; i < sizes.size(); ++i) {
    const TensorSpec &spec = model.inputs()[i], &other_spec = other.inputs()[input_of[i]];
    if (spec.dims.size() != other_spec.dims.size()) {
      return InvalidArgument("input '" + spec.name + "' has " + std::to_string(spec.dims.size()) + " axes, '" +
                             other_spec.name + "' " + std::to_string(other_spec.dims.size()));
    }
    for (size_t a = 0; a < sizes[i].size(); ++a) {
      const int64_t size = other_sizes[input_of[i]][a];
      if (spec.dims[a] < 0) sizes[i][a] = other_spec.dims[a] < 0 ? std::max(sizes[i][a], size) : size;
    }
  }
  return sizes;
}

// Infinite where one value is no number and the other is, or is another infinity.
double Difference(float a, float b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  const double difference = std::abs(static_cast<double>(a) - static_cast<double>(b));
  return std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
}

void Measure(const std::vector<float>& first, const std::vector<float>& second, OutputDifference* d) {
  float low = std::numeric_limits<float>::infinity(), high = -low;
  for (size_t k = 0; k < first.size(); ++k) {
    d->max_difference = std::max(d->max_difference, Difference(first[k], second[k]));
    if (std::isfinite(first[k])) low = std::min(low, first[k]), high = std::max(high, first[k]);
  }
  if (low <= high) d->range = static_cast<double>(high) - static_cast<double>(low);
}

}  // namespace

Result<std::vector<OutputDifference>> CompareModels(const Model& model, const Model& other) {
  if (model.inputs().size() != other.inputs().size() || model.outputs().size() != other.outputs().size()) {
    return InvalidArgument("the networks differ: " + std::to_string(model.inputs().size()) + " inputs and " +
                           std::to_string(model.outputs().size()) + " outputs against " +
                           std::to_string(other.inputs().size()) + " and " + std::to_string(other.outputs().size()));
  }
  const std::vector<size_t> input_of = Matched(model.inputs(), other.inputs());
  const std::vector<size_t> output_of = Matched(model.outputs(), other.outputs());
  FOVEA_ASSIGN_OR_RETURN(const auto dims, CommonSizes(model, other, input_of));
  Tensors inputs, other_inputs(dims.size());
  std::vector<std::vector<int64_t>> moved(dims.size());
  for (size_t i = 0; i < dims.size(); ++i) {
    inputs.push_back(SeededInput(ElementCount(dims[i])));
    other_inputs[input_of[i]] = inputs[i];
    moved[input_of[i]] = dims[i];
  }
  std::vector<std::vector<int64_t>> output_dims, other_dims;
  FOVEA_ASSIGN_OR_RETURN(const Tensors outputs, RunOn(model, dims, inputs, &output_dims));
  auto others = RunOn(other, moved, other_inputs, &other_dims);
  if (!others.ok()) return others.status().Prefixed("the second network at the first one's sizes");
  std::vector<OutputDifference> differences;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const size_t at = output_of[i];
    OutputDifference d{model.outputs()[i].name, other.outputs()[at].name};
    if (output_dims[i] != other_dims[at]) {
      return InvalidArgument("output '" + d.name + "' is " + Join(output_dims[i]) + ", '" + d.other_name + "' is " +
                             Join(other_dims[at]));
    }
    Measure(outputs[i], (*others)[at], &d);
    differences.push_back(d);
  }
  return differences;
}

}  // namespace fovea::cli
