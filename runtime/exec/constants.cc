#include <bit>
#include <cstring>

#include "runtime/exec/runner.h"

namespace fovea::exec {
namespace {

// A constant is used where it lies when the file stores float32, suitably aligned.
bool InPlace(const ModelFile& file, const Value& value) {
  if (value.weight_type != WeightType::kFloat32 || std::endian::native != std::endian::little) return false;
  return reinterpret_cast<uintptr_t>(file.weights().data() + value.offset) % alignof(float) == 0;
}

}  // namespace

std::vector<uint8_t> Constants::InPlaceValues(const ModelFile& file) {
  std::vector<uint8_t> in_place;
  for (const Value& value : file.graph().values) {
    in_place.push_back(value.is_const && InPlace(file, value) ? 1 : 0);
  }
  return in_place;
}

uint64_t Constants::Bytes(const ModelFile& file, const plan::ResolvedGraph& graph, const std::vector<uint8_t>& skip) {
  uint64_t bytes = 0;
  for (size_t v = 0; v < graph.dims.size(); ++v) {
    const Value& value = graph.graph->values[v];
    if (!value.is_const || skip[v] || InPlace(file, value)) continue;
    bytes += AlignUp(static_cast<uint64_t>(plan::Elements(graph.dims[v])) * sizeof(float));
  }
  for (const plan::ResolvedNode& node : graph.nodes) bytes += AlignUp(node.numbers.size() * sizeof(float));
  return bytes;
}

Result<Constants> Constants::Load(const ModelFile& file, const plan::ResolvedGraph& graph, const Allocator& allocator,
                                  const std::vector<uint8_t>& skip) {
  Constants constants;
  constants.data_.resize(graph.dims.size(), nullptr);
  FOVEA_ASSIGN_OR_RETURN(constants.block_, Block::Allocate(allocator, Bytes(file, graph, skip)));
  float* next = constants.block_.floats();
  const auto take = [&](size_t count) {
    float* at = next;
    next += AlignUp(count * sizeof(float)) / sizeof(float);
    return at;
  };
  std::vector<float> decoded;
  for (size_t v = 0; v < graph.dims.size(); ++v) {
    const Value& value = graph.graph->values[v];
    if (!value.is_const || (skip[v] && !InPlace(file, value))) continue;
    const std::span<const float> floats = file.Floats(value, &decoded);
    if (InPlace(file, value)) {
      constants.data_[v] = floats.data();
      continue;
    }
    float* at = take(static_cast<size_t>(plan::Elements(graph.dims[v])));
    std::memcpy(at, floats.data(), floats.size_bytes());
    constants.data_[v] = at;
  }
  for (const plan::ResolvedNode& node : graph.nodes) {
    if (node.kind != OpKind::kDims) continue;
    float* at = take(node.numbers.size());
    for (size_t i = 0; i < node.numbers.size(); ++i) at[i] = static_cast<float>(node.numbers[i]);
    constants.data_[static_cast<size_t>(node.node->output)] = at;
  }
  return constants;
}

Constants Constants::Of(std::vector<const float*> data) {
  Constants constants;
  constants.data_ = std::move(data);
  return constants;
}

TensorRegion WholeTensor(const plan::Dims& dims) { return {std::vector<int64_t>(dims.size(), 0), dims}; }

}  // namespace fovea::exec
