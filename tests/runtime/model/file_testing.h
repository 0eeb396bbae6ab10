// Model files in memory for tests: broken on purpose, read and walked from end to end.
#ifndef FOVEA_TESTS_RUNTIME_MODEL_FILE_TESTING_H_
#define FOVEA_TESTS_RUNTIME_MODEL_FILE_TESTING_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/model/fields.h"
#include "runtime/model/file_layout.h"
#include "runtime/model/model_file.h"
#include "runtime/model/shapes.h"

namespace fovea::testing {

// Gives changed bytes the hash that fits them, so that what lies behind the hash check is reached.
inline void FixHash(std::vector<std::byte>* bytes) {
  FileHeader header;
  if (bytes->size() < kHeaderBytes || !ParseHeader(*bytes, &header)) return;
  const std::span<const std::byte> content[] = {std::span<const std::byte>(*bytes).subspan(kHeaderBytes)};
  HashContent(content, nullptr, &header);
  StoreHeader(header, std::span(*bytes).first<kHeaderBytes>());
}

// Does with a verified model what its users do: reads all weights, prints all parameters, infers all shapes for the
// smallest legal sizes. The sum of what it met, so that nothing is optimised away.
inline uint64_t Walk(const ModelFile& file) {
  const Graph& graph = file.graph();
  uint64_t sum = graph.metadata.name.size() + file.content_hash().size();
  std::vector<std::vector<int64_t>> input_dims;
  std::vector<std::vector<double>> input_values;
  for (const Port& port : graph.inputs) {
    std::vector<int64_t> dims;
    for (const AxisRule& rule : port.rules) dims.push_back(rule.min);
    input_values.emplace_back(port.is_shape ? 4 : 0, 2.0);
    input_dims.push_back(std::move(dims));
  }
  const DimBindings bindings{input_dims, input_values};
  std::vector<std::vector<int64_t>> dims(graph.values.size());
  for (size_t v = 0; v < graph.values.size(); ++v) {
    for (const DimExpr& d : graph.values[v].dims) {
      const Result<int64_t> size = d.Evaluate(bindings);
      dims[v].push_back(size.ok() ? *size : 1);
      sum += d.ToString().size();
    }
    if (!graph.values[v].is_const) continue;
    std::vector<float> storage;
    for (const float f : file.Floats(graph.values[v], &storage)) sum += f > 0 ? 1 : 0;
  }
  for (const Node& node : graph.nodes) {
    sum += ParamsToString(node.params).size() + ToAttributes(node.params).size();
    std::vector<const std::vector<int64_t>*> inputs;
    for (const int v : node.inputs) inputs.push_back(v == kNoValue ? nullptr : &dims[static_cast<size_t>(v)]);
    const Result<std::vector<int64_t>> y = InferShape<int64_t>(node.params, inputs, &bindings);
    sum += y.ok() ? y->size() : y.status().message().size();
  }
  for (const SelfTest& test : graph.self_tests) {
    for (const SelfTest::Tensor& t : test.inputs) {
      for (const std::byte b : file.weights().subspan(t.offset, t.bytes)) sum += std::to_integer<uint64_t>(b);
    }
  }
  return sum;
}

}  // namespace fovea::testing

#endif  // FOVEA_TESTS_RUNTIME_MODEL_FILE_TESTING_H_
