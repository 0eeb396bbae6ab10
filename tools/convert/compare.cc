#include "tools/convert/compare.h"

#include <algorithm>
#include <cmath>

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

}  // namespace

Result<std::vector<OutputDifference>> CompareModels(const Model& model, const Model& other) {
  const std::vector<std::vector<int64_t>> dims = model.DefaultSizes();
  if (dims.size() != other.inputs().size() || model.outputs().size() != other.outputs().size()) {
    return InvalidArgument("the networks differ: " + std::to_string(dims.size()) + " inputs and " +
                           std::to_string(model.outputs().size()) + " outputs against " +
                           std::to_string(other.inputs().size()) + " and " + std::to_string(other.outputs().size()));
  }
  Tensors inputs;
  for (const auto& d : dims) inputs.push_back(SeededInput(ElementCount(d)));
  std::vector<std::vector<int64_t>> output_dims, other_dims;
  FOVEA_ASSIGN_OR_RETURN(const Tensors outputs, RunOn(model, dims, inputs, &output_dims));
  auto others = RunOn(other, dims, inputs, &other_dims);
  if (!others.ok()) return others.status().Prefixed("the second network at the first one's sizes");
  std::vector<OutputDifference> differences;
  for (size_t i = 0; i < outputs.size(); ++i) {
    OutputDifference d{model.outputs()[i].name, other.outputs()[i].name};
    if (output_dims[i] != other_dims[i]) {
      return InvalidArgument("output '" + d.name + "' is " + Join(output_dims[i]) + ", '" + d.other_name + "' is " +
                             Join(other_dims[i]));
    }
    const auto [low, high] = std::minmax_element(outputs[i].begin(), outputs[i].end());
    if (!outputs[i].empty()) d.range = static_cast<double>(*high) - static_cast<double>(*low);
    for (size_t k = 0; k < outputs[i].size(); ++k) {
      const double difference = std::abs(static_cast<double>(outputs[i][k]) - static_cast<double>((*others)[i][k]));
      if (!(difference <= d.max_difference)) d.max_difference = difference;
    }
    differences.push_back(d);
  }
  return differences;
}

}  // namespace fovea::cli
